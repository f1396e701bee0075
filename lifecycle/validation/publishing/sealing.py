"""What a way's secret is sealed to, and opening it: the web service can do the first and not the second."""

from lifecycle.validation.models import PublishingWay
from lifecycle.validation.publishing.troubles import Trouble, Why
from portal.config import config
from portal.foundation.sealed import CannotOpen, seal, unseal


def sealed(secret: bytes, way: PublishingWay) -> bytes:
    return seal(secret, config.publishing_public_key, bound_to=_bound_to(way))


def secret_of(way: PublishingWay) -> bytes:
    """The secret, for as long as one delivery takes; raise `Trouble` where it was sealed for another key or row."""
    try:
        return unseal(bytes(way.sealed_secret), config.publishing_key, bound_to=_bound_to(way))
    except CannotOpen:
        raise Trouble(Why.CANNOT_OPEN, lasting=True) from None


def _bound_to(way: PublishingWay) -> str:
    """Moved to another tenant, row or address, a secret does not open."""
    return f"{way.tenant_id}|{way.pk}|{way.kind}|{way.address}"
