"""Looking again at the names of a request that was sent back (RECHECK): the validation worker's part.

Control comes first, since CAA records may name the ways of proving it.  A proof that grew too
old is made anew where nobody has to do anything for it; else its owner is told what is missing.
The look happens outside any unit of work.  What it comes to is judged over the stored
rows, like everywhere: one name that forbids ends the request, and one that could not be
looked up is tried again, until the errand's patience is over.
"""

from uuid import UUID

from django.utils.translation import gettext as _

from lifecycle.policies.rules import Verdict, not_permitted, not_proven
from lifecycle.requests.controls import prove_again, proven
from lifecycle.requests.looks import caa_terms, looked
from lifecycle.requests.models import CertificateRequest, request_of
from lifecycle.requests.notices import send_notice
from lifecycle.requests.reviewing import AUTO, release
from lifecycle.requests.states import Event, State
from lifecycle.validation.caa import Resolver
from lifecycle.validation.looking import check_now
from portal.foundation.outbox.drain import TryLater
from portal.foundation.outbox.models import Errand, send
from portal.foundation.tenancy.context import acting_for

ROBOT = "worker:validation"

PATIENCE = 10
"""Times a name is looked up before nobody waits for its servers any longer; ten take about forty minutes."""


def look_again(errand: Errand, request_id: UUID, *, resolver: Resolver | None = None) -> None:
    """Look at every name whose look or proof does not count any more, and send the request on, or end it.

    Raises `TryLater` where a name could not be looked up, or a proof is under way.  May run twice: a request
    that is not being validated is left as it is, and what counts is not repeated.
    """
    with acting_for(errand.tenant_id):
        request = request_of(request_id)
        validating = request.state == State.VALIDATING
        proofs = proven(request)
        waits = validating and prove_again(request, by=ROBOT)
        terms = caa_terms(request)
        wanted = {each.name: terms[each.name] for each in looked(request) if each.verdict is not Verdict.PERMITS}
    missing = not_proven(proofs)
    if missing and waits and errand.tries < PATIENCE:
        raise TryLater(missing)
    if validating and wanted and not missing:
        check_now(errand.tenant_id, wanted, by=ROBOT, about=request_id, resolver=resolver)
    with acting_for(errand.tenant_id):
        request = request_of(request_id, lock=True)
        if request.state == State.VALIDATING:
            _decide(errand, request)
        errand.finish()


def _decide(errand: Errand, request: CertificateRequest) -> None:
    if missing := not_proven(proven(request)):
        _end(request, missing)
        return
    looks = looked(request)
    complaint = not_permitted(looks)
    if complaint is None:
        request.advance(Event.PASS_VALIDATION, actor=ROBOT)
        release(request, actor=AUTO)
        return
    if all(each.verdict is not Verdict.FORBIDS for each in looks) and errand.tries < PATIENCE:
        raise TryLater(complaint)
    _end(request, complaint)


def _end(request: CertificateRequest, complaint: str) -> None:
    why = _("Before signing, the names were checked again. {complaint}").format(complaint=complaint)
    request.advance(Event.FAIL, actor=ROBOT, set={"why_failed": why}, why=why)
    send(send_notice, request.requested_by, request.pk, "request-failed")
