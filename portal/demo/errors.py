"""Refusals of the demo's own pages."""

from http import HTTPStatus

from django.utils.translation import gettext_lazy as _

from portal.foundation.errors import Refusal


class NamesUnanswered(Refusal):
    """The name server does not do what a page asked it to: it is away, or starts again."""

    code = "demo-names-unanswered"
    status = HTTPStatus.SERVICE_UNAVAILABLE
    message = _("The demo's name server does not answer.")
    next_step = _("The demo starts it again by itself. Try again in a few seconds.")
