"""The questions that every wizard ends with: the key, and the confirmation; and the certificate action screen."""

import base64
import hashlib
import json
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_der_x509_csr
from django import forms
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from lifecycle.authorities.csr import Csr, read_csr
from lifecycle.authorities.errors import CsrTooLarge, PrivateKeyGiven
from lifecycle.authorities.keys import KEY_KINDS
from lifecycle.policies import rules
from lifecycle.policies.selectors import agreement_to_read
from lifecycle.requests import proposals
from lifecycle.requests.kinds import UseCase
from lifecycle.requests.models import CertificateRequest
from lifecycle.wizards.flow import StepForm
from lifecycle.wizards.key_maker import KeyMaker
from portal.foundation.errors import Refusal

LONGEST_MESSAGE = 1000
LARGEST_CSR = 64 * 1024


class KeyForm(StepForm):
    csr = forms.CharField(
        label=gettext_lazy("Certificate signing request"),
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 8, "class": "input--code", "spellcheck": "false", "autocomplete": "off"}),
        help_text=gettext_lazy("Paste the CSR, with or without its BEGIN and END lines."),
    )
    csr_file = forms.FileField(
        label=gettext_lazy("Or choose its file"), required=False, help_text=gettext_lazy("PEM or DER, at most 64 KB.")
    )

    found: Csr | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.one_of_several = True  # type: ignore[attr-defined]  # neither is "optional": one of them is needed

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        upload = cleaned.get("csr_file")
        field = "csr_file" if upload else "csr"
        if self.errors:
            return cleaned
        try:
            given = _content(upload) if upload else cleaned.get("csr", "")
            self.found = read_csr(given, allowed=self.draft.profile.terms.key_types)
            self._judge_key(self.found)
        except PrivateKeyGiven as refusal:
            self._forget()
            self.add_error(field, _said(refusal))
        except Refusal as refusal:
            self.add_error(field, _said(refusal))
        return cleaned

    def _judge_key(self, found: Csr) -> None:
        """Ask what the rules say of this key (0.R4, 1.R18); what they say of the rest has its own place."""
        self.draft.answers = {**self.draft.answers, "key": self._answer(found)}
        about_keys = [rule for rule in rules.RULES if rule.slug in {"new-key", "key-not-used", "key-not-compromised"}]
        rules.enforce(proposals.of_request(self.draft), about_keys)

    def _forget(self) -> None:
        """Never send a private key back to the browser, or keep it any longer than this."""
        kept = QueryDict(mutable=True)
        kept.update({name: value for name, value in self.data.items() if name != "csr"})
        self.data = kept

    def plain_answers(self) -> dict[str, Any]:
        if self.found is None:
            raise ValueError("only a valid form has answers")
        return self._answer(self.found)

    @staticmethod
    def _answer(found: Csr) -> dict[str, Any]:
        return {
            "csr": load_der_x509_csr(found.der).public_bytes(Encoding.PEM).decode(),
            "spki": found.spki_fingerprint,
            "key_type": found.key_kind.slug,
            "public_key": base64.b64encode(found.public_key).decode(),
        }

    @property
    def maker(self) -> KeyMaker:
        return KeyMaker.of(self.draft)

    @property
    def accepted(self) -> list[str]:
        """Sentences for people: what kinds of key this profile takes."""
        titles = [KEY_KINDS[slug].title for slug in self.draft.profile.terms.key_types]
        return [
            _("Kinds of key: {kinds}.").format(kinds=", ".join(titles)),
            _("The key must be new: no certificate of your organisation may have it already."),
            _("Names in the CSR are ignored; what the certificate says is decided here."),
        ]


def _content(upload: "UploadedFile[bytes]") -> bytes:
    """Read a file that can be a CSR by its size; one that cannot is not even read."""
    size = upload.size or 0
    if size > LARGEST_CSR:
        raise CsrTooLarge(kilobytes=-(-size // 1024), limit=LARGEST_CSR // 1024)
    content: bytes = upload.read()
    return content


def _said(refusal: Refusal) -> str:
    return f"{refusal} {refusal.advice}".strip()


class ConfirmForm(StepForm):
    agreement = forms.CharField(widget=forms.HiddenInput, required=False)
    seen = forms.CharField(widget=forms.HiddenInput, required=False)
    use_case = forms.ChoiceField(
        label=gettext_lazy("Why do you rekey?"), choices=UseCase.choices, widget=forms.RadioSelect
    )
    message = forms.CharField(
        label=gettext_lazy("Message"),
        required=False,
        max_length=LONGEST_MESSAGE,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=gettext_lazy("Kept with the request; whoever reads the request later can read it."),
    )
    consent = forms.BooleanField()

    def __init__(self, *args: Any, draft: CertificateRequest, **kwargs: Any) -> None:
        super().__init__(*args, draft=draft, **kwargs)
        meaning = draft.meaning
        self.text = agreement_to_read(draft.policy)
        stands = {"agreement": str(self.text.pk) if self.text else "", "seen": seen(draft)}
        agreed = all(self.initial.get(name) == value for name, value in stands.items())
        # what was consented to before is not what stands here now, so the box is empty again
        self.initial = {**self.initial, **stands, "consent": agreed and self.initial.get("consent", False)}
        consent = self.fields["consent"]
        sure = str(meaning.confirmation)
        consent.label = _("{sure} I agree to the subscriber agreement.").format(sure=sure) if self.text else sure
        consent.error_messages["required"] = _("Tick the box to go on: nothing is done without your consent.")
        if meaning.starts_from_certificate:
            self.fields["use_case"].choice_hints = UseCase.hints()  # type: ignore[attr-defined]
        else:
            del self.fields["use_case"]

    def clean_agreement(self) -> str:
        if self.text and self.cleaned_data["agreement"] != str(self.text.pk):
            raise ValidationError(_("The subscriber agreement changed. Read the new version and agree to it."))
        return str(self.cleaned_data["agreement"])

    def clean_seen(self) -> str:
        if self.cleaned_data["seen"] != seen(self.draft):
            raise ValidationError(
                _("This request was changed in another window. Check it again as it is now, then confirm.")
            )
        return str(self.cleaned_data["seen"])

    def clean(self) -> dict[str, Any]:
        """Let a page that comes back stand for what is true now, its consent not given yet."""
        if {"agreement", "seen"} & set(self.errors):
            asked = {name: value for name, value in self.data.items() if name != "consent"}
            self.data = {**asked, **{name: self.initial[name] for name in ("agreement", "seen")}}
        return super().clean() or {}


def seen(draft: CertificateRequest) -> str:
    """What the confirming page shows, in short: a confirmation counts only for what was seen."""
    others = {slug: answer for slug, answer in draft.answers.items() if slug != "confirm"}
    return hashlib.sha256(json.dumps(others, sort_keys=True).encode()).hexdigest()[:16]


class ActionForm(forms.Form):
    """The certificate action screen (0.R16, 0.R17)."""

    action = forms.ChoiceField(
        label=gettext_lazy("Action"), error_messages={"required": gettext_lazy("Choose an action.")}
    )
    confirmation = forms.BooleanField(
        label=gettext_lazy("I am sure that I want to do this with this certificate."),
        error_messages={"required": gettext_lazy("Tick the box to confirm that you are sure.")},
    )

    def __init__(self, *args: Any, choices: list[tuple[str, Any]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["action"].choices = [("", _("Choose …")), *choices] if choices else []  # type: ignore[attr-defined]
