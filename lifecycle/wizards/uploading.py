"""Uploading certificates of other authorities: give a file, check what was found in it, confirm.

Between the two pages nothing is kept: the certificates travel in the page that shows them,
and are read anew when they come back.
"""

from dataclasses import dataclass
from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from lifecycle.authorities.keys import kind_of
from lifecycle.certificates import services
from lifecycle.certificates.bundles import Bundle, Found, read_bundle, refuse_too_large
from lifecycle.certificates.errors import SecretGiven
from lifecycle.certificates.models import Certificate
from lifecycle.certificates.naming import alternative_names, common_name, display_name, serial_text
from lifecycle.certificates.selectors import already_here
from lifecycle.wizards import presentation as shown
from lifecycle.wizards.sight import certificates_visible_to as visible
from portal.foundation.errors import Refusal
from portal.foundation.tenancy.context import acting_for
from portal.foundation.tenancy.middleware import TenantRequest

UNPROCESSABLE = 422
MOST_NAMES_SHOWN = 6


class UploadForm(forms.Form):
    text = forms.CharField(
        label=gettext_lazy("Certificate"),
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 8, "class": "input--code", "spellcheck": "false", "autocomplete": "off"}),
        help_text=gettext_lazy("Paste it, or several of them, one after the other."),
    )
    file = forms.FileField(
        label=gettext_lazy("Or choose its file"),
        required=False,
        allow_empty_file=True,  # our own sentence says what is missing
        help_text=gettext_lazy("PEM, DER or PKCS#7 (.pem, .crt, .cer, .p7b), with or without its chain; at most 1 MB."),
    )

    bundle: Bundle | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.one_of_several = True  # type: ignore[attr-defined]  # one of them is needed

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        upload = cleaned.get("file")
        if self.errors:
            return cleaned
        try:
            self.bundle = read_bundle(_content(upload) if upload else cleaned.get("text", ""))
        except Refusal as refusal:
            if isinstance(refusal, SecretGiven):
                self._forget()
            self.add_error("file" if upload else "text", f"{refusal} {refusal.advice}".strip())
        return cleaned

    def _forget(self) -> None:
        """Never send a private key back to the browser, or keep it any longer than this."""
        kept = QueryDict(mutable=True)
        kept.update({name: value for name, value in self.data.items() if name != "text"})
        self.data = kept


def _content(upload: "UploadedFile[bytes]") -> bytes:
    """Read a file whose size can be read; one that is too large is not even opened."""
    refuse_too_large(upload.size or 0)
    content: bytes = upload.read()
    return content


def certificate_upload(request: TenantRequest) -> HttpResponse:
    """Ask for certificates; show what was found; keep what was confirmed."""
    form = UploadForm(request.POST, request.FILES) if request.method == "POST" else UploadForm()
    if form.is_bound and form.is_valid() and form.bundle:
        return _kept(request, form.bundle) if "confirmed" in request.POST else _check(request, form.bundle)
    with acting_for(request.tenant.pk):  # the frame lists the tenant's product areas
        return render(
            request, "certificates/upload.html", {"form": form}, status=UNPROCESSABLE if form.is_bound else 200
        )


@dataclass(frozen=True, slots=True)
class FoundRow:
    """One certificate that was found, as the checking page lists it."""

    name: str
    here: Certificate | None
    url: str  # of the one that is here, for whoever may see it
    facts: list[shown.Fact]


def _check(request: TenantRequest, bundle: Bundle) -> HttpResponse:
    with acting_for(request.tenant.pk):
        here = already_here([one.fingerprint for one in bundle.found])
        rows = [_row(request, one, here.get(one.fingerprint)) for one in bundle.found]
        fresh = sum(row.here is None for row in rows)
        context = {
            "rows": rows,
            "fresh": fresh,
            "heading": ngettext("Check the certificate", "Check the certificates", len(rows)),
            "button": ngettext("Upload {count} certificate", "Upload {count} certificates", fresh).format(count=fresh),
            "left_out": _left_out(bundle.left_out),
            "pem": bundle.pem,
        }
        return render(request, "certificates/upload_check.html", context)


def _row(request: TenantRequest, one: Found, here: Certificate | None) -> FoundRow:
    may_see = here is not None and visible(request) in (None, here.owner)
    url = reverse("certificate-detail", kwargs={"tenant": request.tenant.slug, "pk": here.pk}) if may_see else ""  # type: ignore[union-attr]
    return FoundRow(display_name(one.certificate), here, url, _facts(one))


def _facts(one: Found) -> list[shown.Fact]:
    certificate = one.certificate
    names = alternative_names(certificate)
    kind = kind_of(certificate.public_key())
    more = len(names) - MOST_NAMES_SHOWN
    note = ngettext("and {count} more", "and {count} more", more).format(count=more) if more > 0 else ""
    return [
        *([shown.Fact(_("Names"), ", ".join(names[:MOST_NAMES_SHOWN]), note=note, wide=True)] if names else []),
        shown.Fact(_("Issuer"), common_name(certificate.issuer) or _("not named")),
        shown.Fact(_("Key"), shown.key_word(kind.slug if kind else "")),
        shown.Fact(_("Valid from"), certificate.not_valid_before_utc, moment="minute"),
        shown.Fact(_("Valid to"), certificate.not_valid_after_utc, moment="minute"),
        shown.Fact(_("Serial"), shown.colons(serial_text(certificate.serial_number)), code=True, wide=True),
        shown.Fact(_("Chain"), _chain_word(one), wide=True),
    ]


def _chain_word(one: Found) -> str:
    if not one.chain:
        return _("None in this file")
    return ", ".join(display_name(each) for each in one.chain)


def _left_out(count: int) -> str:
    if not count:
        return ""
    return ngettext(
        "{count} certificate of an authority is left out: it stands above none of these.",
        "{count} certificates of authorities are left out: they stand above none of these.",
        count,
    ).format(count=count)


def _kept(request: TenantRequest, bundle: Bundle) -> HttpResponse:
    with acting_for(request.tenant.pk, person=request.person.pk):
        stored = services.upload(bundle.found, by=request.person.pk)
    tenant = request.tenant.slug
    if len(stored) == 1:
        return redirect("certificate-detail", tenant=tenant, pk=stored[0].pk)
    return redirect(f"{reverse('certificate-list', kwargs={'tenant': tenant})}?source=uploaded")
