"""The link in an invitation's mail: signed, and naming a row that says whether it still counts.

It travels in a query, which is written into no log, and the page that it opens moves it into
the session at once.
"""

from uuid import UUID

from django.core import signing
from django.urls import reverse

from portal.config import config
from portal.foundation.access.errors import InvitationOver

_SALT = "invitation"


def address_of(tenant_id: UUID, invitation_id: UUID) -> str:
    """Return the whole address that accepts an invitation; whoever has it has the mailbox."""
    link = signing.dumps([tenant_id.hex, invitation_id.hex], salt=_SALT)
    return f"{config.origin}{reverse('invitation')}?link={link}"


def read_link(link: str) -> tuple[UUID, UUID]:
    """Return tenant and invitation of a link that we wrote; raise `InvitationOver` for any other text."""
    try:
        tenant, invitation = signing.loads(link, salt=_SALT)
        return UUID(tenant), UUID(invitation)
    except (signing.BadSignature, ValueError, TypeError, AttributeError):
        raise InvitationOver from None
