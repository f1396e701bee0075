"""What commands print for whoever cannot be reached by mail yet."""

from uuid import UUID

from portal.foundation.access.invitations import plain_address
from portal.foundation.access.links import address_of
from portal.foundation.access.models import Invitation
from portal.foundation.tenancy.context import acting_for


def opened_once(tenant_id: UUID, email: str) -> str:
    """Say where the open invitation of *email* is accepted; the same address is in the mail that was promised."""
    with acting_for(tenant_id):
        invitation = Invitation.objects.get(email=plain_address(email), taken_at=None, withdrawn_at=None)
    return (
        f"{invitation.email} is invited until {invitation.expires_at:%Y-%m-%d %H:%M} UTC. "
        "Open this address to accept; it works once, and whoever has it can take the place:\n"
        f"{address_of(tenant_id, invitation.pk)}"
    )
