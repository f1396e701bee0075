"""What is refused to programs before a service is asked, with the status codes of RFC 9110."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from django.utils.translation import gettext_lazy as _

from portal.foundation.errors import Conflict, Refusal


class Invalid(Refusal):
    """What was sent is not what is asked for; *faults* names each place with what is wrong there."""

    code = "invalid"
    message = _("Something in what you sent is not as it is asked for, so nothing was done.")
    next_step = _("Mend what “errors” lists, each by its pointer, and send it again.")

    def __init__(self, faults: Sequence[dict[str, str]]) -> None:
        super().__init__()
        self.faults = list(faults)


class NotJson(Refusal):
    code = "not-json"
    status = HTTPStatus.BAD_REQUEST
    message = _("The body of your request is no JSON in UTF-8 that every program would read alike.")
    next_step = _(
        "Send one JSON object in which no name comes twice, no number is beyond ±9007199254740991, and no text holds"
        " U+0000 or half a surrogate pair."
    )


class BodyTooLarge(Refusal):
    """*most* is in MB."""

    code = "body-too-large"
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    message = _("The body of your request is larger than {most} MB, so nothing was done.")
    next_step = _("Send less at once.")


class WrongMediaType(Refusal):
    code = "wrong-media-type"
    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    message = _("Bodies are read as JSON alone.")
    next_step = _("Send one JSON object, with “Content-Type: application/json”.")


class WrongMethod(Refusal):
    """RFC 9110 15.5.6: the answer lists in *Allow* what is possible."""

    code = "wrong-method"
    status = HTTPStatus.METHOD_NOT_ALLOWED
    message = _("{method} is not possible at this address.")
    next_step = _("Possible are: {allowed}.")

    @property
    def headers(self) -> dict[str, str]:
        return {"Allow": self.facts["allowed"]}


class NoSuchForm(Refusal):
    code = "no-such-form"
    status = HTTPStatus.NOT_ACCEPTABLE
    message = _("This cannot be had in a form that you accept.")
    next_step = _("Accept application/json, or leave the header “Accept” out.")


class KeyWanted(Refusal):
    code = "idempotency-key-wanted"
    status = HTTPStatus.BAD_REQUEST
    message = _("Every POST needs an Idempotency-Key of 1 to 255 visible ASCII characters, so that it is done once.")
    next_step = _("Send a new random key with each deed, and the same key when you repeat one whose answer was lost.")


class KeyUsedOtherwise(Refusal):
    code = "idempotency-key-used"
    message = _("This Idempotency-Key came before with something else, so nothing was done.")
    next_step = _("Send a new key with every new deed.")


class StillUnderWay(Conflict):
    code = "still-under-way"
    message = _("The first request with this Idempotency-Key is still being answered.")
    next_step = _("Send it again in {seconds} seconds.")

    def __init__(self, *, seconds: int) -> None:
        super().__init__(seconds=seconds)


class ChangedSince(Refusal):
    """RFC 9110 13.1.1."""

    code = "changed-since"
    status = HTTPStatus.PRECONDITION_FAILED
    message = _("This has changed since you read it, so nothing was done.")
    next_step = _("Read it again, and send what you want then with its new ETag.")


class TagWanted(Refusal):
    """RFC 6585 3: what others change too is changed only by whoever knows how it is."""

    code = "etag-wanted"
    status = HTTPStatus.PRECONDITION_REQUIRED
    message = _("Others can change this, too, so it is changed only with the ETag of what you read.")
    next_step = _("Read it, and send its ETag in the header “If-Match”.")


def fault(pointer: str, code: str, message: Any) -> dict[str, str]:
    """One entry of `Invalid`; *pointer* is RFC 6901 into the body, or the name of a parameter of the query."""
    return {"pointer": pointer, "code": code or "invalid", "message": str(message)}
