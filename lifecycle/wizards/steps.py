"""The one list of steps.  A flow is this list, filtered by what the operation means and the profile asks for."""

from django.utils.translation import gettext_lazy as _

from lifecycle.requests.controls import needs_proofs
from lifecycle.requests.kinds import Names
from lifecycle.requests.looks import needs_looks
from lifecycle.requests.models import CertificateRequest
from lifecycle.wizards.domains import DomainsForm
from lifecycle.wizards.flow import Step
from lifecycle.wizards.forms import ConfirmForm, KeyForm
from lifecycle.wizards.identity import NamesForm, SubjectForm, ValidityForm


def _edits(draft: CertificateRequest) -> bool:
    return draft.meaning.names is Names.EDIT


def _in_dns(draft: CertificateRequest) -> bool:
    """Whether its names have owners in the DNS: then what stays is shown, too, before the names are looked up (0.D)."""
    return draft.profile.terms.names_are_in_dns


STEPS = (
    Step(
        "subject",
        _("Name"),
        SubjectForm,
        "wizard/steps/subject.html",
        lambda draft: _edits(draft) or _in_dns(draft),
        heading=_("Whose certificate is it?"),
    ),
    Step(
        "names",
        _("Alternative names"),
        NamesForm,
        "wizard/steps/names.html",
        lambda draft: (_edits(draft) and bool(draft.profile.terms.alternative_names)) or _in_dns(draft),
        heading=_("Which names is it for?"),
    ),
    Step(
        "validity",
        _("Validity"),
        ValidityForm,
        "wizard/steps/validity.html",
        _in_dns,
        heading=_("How long shall it be valid?"),
    ),
    Step(
        "key",
        _("Key"),
        KeyForm,
        "wizard/steps/key.html",
        lambda _draft: True,
        heading=_("The new key"),
        lead=_(
            "The certificate needs a key pair that is new. We get its certificate signing request (CSR); "
            "the private key stays with you: never paste it here."
        ),
    ),
    Step(
        "domains",
        _("Domain ownership"),
        DomainsForm,
        "wizard/steps/domains.html",
        lambda draft: needs_looks(draft) or needs_proofs(draft),
        lead=_(
            "The owner of a name says in the DNS, in its CAA records, which authorities may issue for it. Every name "
            "is looked up and has to permit ours. That is no proof that a name is yours: you confirm that at the end."
        ),
    ),
    Step("confirm", _("Check and confirm"), ConfirmForm, "wizard/steps/confirm.html", lambda _draft: True),
)
