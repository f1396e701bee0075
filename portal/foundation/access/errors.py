"""What is refused about people: invitations, roles, and the last administrator."""

from http import HTTPStatus
from typing import Any

from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext, ngettext_lazy

from portal.foundation.errors import Conflict, Denied, Refusal


class LaterPlease(Refusal):
    """*seconds* is how long to wait; it also goes into the answer's Retry-After."""

    status = HTTPStatus.TOO_MANY_REQUESTS

    def __init__(self, *, seconds: int, **facts: Any) -> None:
        super().__init__(seconds=seconds, **facts)
        self.seconds = seconds

    @property
    def advice(self) -> str:
        if self.seconds < 2 * 60:
            wait = ngettext("Try again in {n} second.", "Try again in {n} seconds.", self.seconds)
            return wait.format(n=self.seconds)
        minutes = -(-self.seconds // 60)
        return ngettext("Try again in {n} minute.", "Try again in {n} minutes.", minutes).format(n=minutes)


class TooManyInvitations(LaterPlease):
    code = "too-many-invitations"
    message = ngettext_lazy(
        "An organisation can send {most} invitation an hour, and this would be more. Nobody was invited.",
        "An organisation can send {most} invitations an hour, and this would be more. Nobody was invited.",
        "most",
    )


class InvitedTooOften(LaterPlease):
    code = "invited-too-often"
    message = _("{email} was written to only a short while ago, and nothing new was sent.")


class NotAnAddress(Refusal):
    code = "not-an-address"
    message = _("“{email}” is not an e-mail address that an invitation could reach.")
    next_step = _("Write it like name@example.com.")


class NameNotReadable(Refusal):
    code = "name-not-readable"
    message = _("This name is empty, too long, or holds characters that cannot be seen.")
    next_step = _("Write the person's name in up to {most} visible characters.")


class RolesNotOffered(Refusal):
    code = "roles-not-offered"
    message = _("At least one role is needed, and only roles that this organisation gives.")
    next_step = _("Choose from: {roles}.")


class AlreadyMember(Conflict):
    code = "already-member"
    message = _("{email} belongs to this organisation already.")
    next_step = _("Open the person's page to change their roles.")


class AlreadyInvited(Conflict):
    code = "already-invited"
    message = _("{email} is invited already and has not answered yet.")
    next_step = _("Send the invitation again, or withdraw it first if the roles should be others.")


class InvitationOver(Conflict):
    """One answer for an invitation that is unknown, taken, withdrawn or lapsed."""

    code = "invitation-over"
    message = _("This invitation can no longer be used: it was used, taken back, or is too old.")
    next_step = _("If you still want to join, ask whoever invited you for a new one.")


class InvitedAsAnother(Denied):
    code = "invited-as-another"
    message = _("This invitation was sent to another address than that of the account you are signed in with.")
    next_step = _("Sign out, then open the link in the mail again.")


class LastAdministrator(Conflict):
    code = "last-administrator"
    message = _("{name} is the last active administrator, and without one nobody could manage this organisation.")
    next_step = _("Give somebody else the role of administrator first.")


class NotOnesOwn(Denied):
    code = "not-ones-own-roles"
    message = _("Nobody gives themselves a role or ends their own suspension.")
    next_step = _("Ask another administrator to do it.")


class LookLasts(Refusal):
    code = "look-lasts"
    message = _("A look inside a tenant lasts from {least} to {most} minutes.")
    next_step = _("Enter a time in that range; you can ask again when it is over.")


class LookReads(Denied):
    """Whatever an operator would do in a tenant, its own people do."""

    code = "look-reads"
    message = _("You look inside {tenant} as its operator: you read, and change nothing.")
    next_step = _("Ask an administrator of {tenant} to do it.")


class SeatedAlready(Refusal):
    code = "seated-already"
    message = _("You belong to {tenant} yourself, and need no look to enter it.")
    next_step = _("Open it from the list of your tenants.")


class LookIsOn(Conflict):
    code = "look-is-on"
    message = _("You are looking inside {tenant} already.")
    next_step = _("Go on there, or end that look first.")


class Unrecognised(Refusal):
    """RFC 6750 3: nobody was recognised."""

    status = HTTPStatus.UNAUTHORIZED

    @property
    def headers(self) -> dict[str, str]:
        return {"WWW-Authenticate": "Bearer"}


class TokenWanted(Unrecognised):
    """A token of another tenant and none at all look the same."""

    code = "token-wanted"
    message = _("No token of this organisation came with this.")
    next_step = _("Send the header “Authorization: Bearer …” with a token that was made for this organisation.")


class TokenOver(Unrecognised):
    """Told to whoever holds the secret, and to nobody else."""

    code = "token-over"
    message = _("The token {prefix}… has come to its end, or was revoked.")
    next_step = _("Make a new one on the page “Tokens”.")


class TokenMayNot(Denied):
    """RFC 6750 3.1: insufficient scope."""

    code = "token-may-not"
    message = _("This token was not made for that: it needs the scope {scopes}.")
    next_step = _("Make a token that has this scope on the page “Tokens”.")


class ScopesNotOffered(Refusal):
    code = "scopes-not-offered"
    message = _("At least one scope is needed, and only scopes that your roles here can use.")
    next_step = _("Choose from: {scopes}.")


class TokenLasts(Refusal):
    code = "token-lasts"
    message = _("A token lasts from {least} to {most} days.")
    next_step = _("Enter a number of days in that range.")


class TooManyCalls(LaterPlease):
    code = "too-many-calls"
    message = ngettext_lazy(
        "That was more than {most} call a minute, which is what one {whose} may make. Nothing was done.",
        "That was more than {most} calls a minute, which is what one {whose} may make. Nothing was done.",
        "most",
    )


class TooManyTokens(Refusal):
    code = "too-many-tokens"
    message = _("You have {most} tokens that work, which is as many as one person may have here.")
    next_step = _("Revoke one that is not needed any more.")


class TokenNameNotReadable(Refusal):
    code = "token-name-not-readable"
    message = _("This name is empty, too long, or holds characters that cannot be seen.")
    next_step = _("Write what the token is for in up to {most} visible characters, such as “deploy on web-3”.")
