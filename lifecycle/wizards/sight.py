"""Whose certificates and requests a person may see in a tenant: their own, or with the permission everybody's."""

from uuid import UUID

from portal.foundation.access.permissions import Permission
from portal.foundation.tenancy.middleware import TenantRequest


def certificates_visible_to(request: TenantRequest) -> UUID | None:
    """The owner whose certificates are shown; None where everybody's are."""
    return None if Permission.CERTIFICATE_READ_ALL in request.seat.permissions else request.person.pk


def requests_visible_to(request: TenantRequest) -> dict[str, UUID]:
    """What requests are narrowed by."""
    return {} if Permission.REQUEST_READ_ALL in request.seat.permissions else {"requested_by": request.person.pk}
