"""Tokens for programs: made, found again by their secret, revoked.

The secret has 256 bits, so that its plain SHA-256 is as good as it; whoever reads the table can use none of them.
Everything but `recognise` runs in the tenant's unit of work.
"""

import hashlib
import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID

from portal.foundation import clock
from portal.foundation.access.errors import (
    ScopesNotOffered,
    TokenLasts,
    TokenNameNotReadable,
    TokenOver,
    TokenWanted,
    TooManyTokens,
)
from portal.foundation.access.models import ApiToken, Membership
from portal.foundation.access.permissions import Role, permissions_of
from portal.foundation.access.scopes import useful_to
from portal.foundation.access.words import readable
from portal.foundation.audit.models import record
from portal.foundation.ids import uuid7
from portal.foundation.tenancy.context import acting_for, current_tenant_id
from portal.foundation.tenancy.errors import NotHere
from portal.foundation.tenancy.models import Tenant
from portal.foundation.writing import insert

SHORTEST, LONGEST, USUAL = 1, 366, 90
"""Days."""

MOST = 20
LONGEST_NAME = 80
_MARK = "cpt_"  # so that scanners of repositories can know one
_NOTED_EVERY = timedelta(minutes=1)


def make(person_id: UUID, *, name: str, scopes: Iterable[str], days: int, by: object) -> tuple[ApiToken, str]:
    """Make a token for a member of the unit's tenant; return its row and its secret, which nobody can read again.

    Raises `NotHere` for somebody who has no seat here, `TokenNameNotReadable`, `ScopesNotOffered`, `TokenLasts`
    or `TooManyTokens`.
    """
    # before anything is read: two at once are counted one after the other, and who is being removed makes none
    Tenant.objects.select_for_update(no_key=True).get(pk=current_tenant_id())
    roles = roles_of(person_id)
    if not roles:
        raise NotHere
    wanted, offered = frozenset(scopes), useful_to(permissions_of(roles))
    if not wanted or not wanted <= offered.keys():
        raise ScopesNotOffered(scopes=", ".join(offered))
    if not SHORTEST <= days <= LONGEST:
        raise TokenLasts(least=SHORTEST, most=LONGEST)
    if not readable(name := " ".join(name.split())) or len(name) > LONGEST_NAME:
        raise TokenNameNotReadable(most=LONGEST_NAME)
    now = clock.now()
    if sum(not token.is_over(now) for token in ApiToken.objects.filter(person=person_id)) >= MOST:
        raise TooManyTokens(most=MOST)
    secret = f"{_MARK}{secrets.token_urlsafe(32)}"
    token = ApiToken(
        person_id=person_id,
        name=name,
        prefix=secret[: len(_MARK) + 8],
        secret_sha256=_digest(secret),
        scopes=sorted(wanted),
        made_at=now,
        expires_at=now + timedelta(days=days),
    )
    insert(token)
    record(
        actor=by,
        code="token:make",
        subject=token.pk,
        person=person_id,
        prefix=token.prefix,
        scopes=token.scopes,
        until=token.expires_at,
    )
    return token, secret


def revoke(token_id: UUID, *, by: UUID, may_all: bool) -> ApiToken:
    """End a token at once: one's own, or with *may_all* anybody's here.  Does nothing to one that was revoked before.

    Raises `NotHere`.
    """
    own = {} if may_all else {"person": by}
    token = ApiToken.objects.select_for_update().filter(pk=token_id, **own).first()
    if token is None:
        raise NotHere
    if token.revoked_at is None:
        _end(token, by=by)
    return token


def revoke_all_of(person_id: UUID, *, by: object) -> int:
    """End what tokens of a person still work in the unit's tenant; return how many there were."""
    now = clock.now()
    working = ApiToken.objects.select_for_update(of=("self",)).filter(person=person_id, revoked_at=None)
    ended = list(working.filter(expires_at__gt=now).order_by("pk"))
    for token in ended:
        _end(token, by=by)
    return len(ended)


def _end(token: ApiToken, *, by: object) -> None:
    token.revoked_at = clock.now()
    token.save(update_fields=["revoked_at"])
    record(actor=by, code="token:revoke", subject=token.pk, person=token.person_id, prefix=token.prefix)


def recognise(slug: str, secret: str) -> tuple[Tenant, ApiToken, frozenset[Role]]:
    """Return whose token this is, and the roles that the person holds in that tenant now; note that it was used.

    Raises `TokenWanted` alike for a tenant that does not exist, for a secret that is not one of its tokens', and
    for somebody who lost their seat or account; `TokenOver` for one that came to its end.
    """
    if not secret.startswith(_MARK):
        raise TokenWanted
    tenant = Tenant.objects.filter(slug=slug).first()
    # where there is no such tenant, nobody's tokens are searched, so that it costs what a wrong secret costs
    with acting_for(tenant.pk if tenant else uuid7()):
        now = clock.now()
        token = ApiToken.objects.select_related("person").filter(secret_sha256=_digest(secret)).first()
        roles = roles_of(token.person_id) if token and token.person.is_active else frozenset()
        if tenant is None or token is None or not roles:
            raise TokenWanted
        if token.is_over(now):
            raise TokenOver(prefix=token.prefix)
        _note_use(token, now)
    return tenant, token, roles


def _note_use(token: ApiToken, now: datetime) -> None:
    if token.last_used_at is None or now - token.last_used_at > _NOTED_EVERY:
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)


def roles_of(person_id: UUID) -> frozenset[Role]:
    rows = Membership.objects.filter(person=person_id, suspended_at=None, person__is_active=True)
    return frozenset(Role(role) for role in rows.values_list("role", flat=True))


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode(errors="replace")).hexdigest()
