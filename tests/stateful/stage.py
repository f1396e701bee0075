"""One walk's stage: two tenants with their people, and everything around them that can fail; what a step changed."""

from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from types import SimpleNamespace
from uuid import UUID

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from django.core import mail
from django.core.mail.backends import locmem
from django.db import DatabaseError
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - it is a class

from lifecycle.authorities import registry
from lifecycle.authorities.models import CertificateAuthority
from lifecycle.validation import looking
from portal.foundation import clock
from portal.foundation.access.models import Membership, User
from portal.foundation.access.permissions import Permission, Role
from portal.foundation.audit.sealer import seal_everything
from portal.foundation.audit.verify import Walk
from portal.foundation.errors import Refusal
from portal.foundation.tenancy.context import acting_for
from portal.foundation.tenancy.middleware import seats_of
from portal.foundation.tenancy.models import Tenant
from tests.drills import invariants
from tests.fakes.authority import InMemoryAuthority
from tests.plugins.slate import slate
from tests.stateful.promises import Prints, Witness, broken
from tests.stateful.surroundings import Authority, Dns, Journal, Mail, Time
from tests.world import build, serving

SEATS = {
    "petra": "acme",
    "dan": "acme",
    "wei": "acme",
    "ada": "acme",
    "hank": "globex",
    "mina": "globex",
}
MORE_ROLES = (("dan", Role.REVIEWER), ("mina", Role.REVIEWER), ("mina", Role.ADMINISTRATOR))


@dataclass
class Counts:
    """What all walks of a test did, for its figures."""

    steps: int = 0
    walks: int = 0
    accepted: int = 0
    issued: int = 0
    kills: int = 0
    refusals: int = 0


@dataclass(eq=False)
class Asked:
    """A request as the walk remembers it."""

    pk: UUID
    tenant: Tenant
    owner: str
    csr: str
    accepted: bool = False


@dataclass
class Stage:
    """Everything there is; made anew for every walk, and taken down by `close`."""

    owner: Cursor
    counts: Counts
    requests: list[Asked] = field(default_factory=list)
    touched: set[UUID] = field(default_factory=set)
    killed: int = 0
    _open: ExitStack = field(default_factory=ExitStack)

    def __post_init__(self) -> None:
        slate().wipe()
        mail.outbox = []
        self.counts.walks += 1
        self.time, self.dns, self.mail, self.journal = Time(), Dns(), Mail(), Journal(self.owner)
        self._open.enter_context(self.time.telling(self.owner))
        patch = self._open.enter_context(pytest.MonkeyPatch.context())
        patch.setattr(looking, "our_resolver", lambda: self.dns)
        patch.setattr(locmem.EmailBackend, "send_messages", self.mail.send(locmem.EmailBackend.send_messages))
        self._open.callback(self.journal.accept)
        world = build()
        self.tenants, self.people = world.tenants, world.people
        with serving("owner"):
            for name, role in MORE_ROLES:
                with acting_for(self.tenants[SEATS[name]].pk):
                    Membership(person=self.people[name], role=role).save(force_insert=True)
        self.authority = Authority(InMemoryAuthority.made(), Witness(self.owner, self.dns))
        known = {}
        for tenant in self.tenants.values():
            with acting_for(tenant.pk):
                known[CertificateAuthority.objects.get(slug="issuing").pk] = self.authority
        patch.setattr(registry, "_known", known)
        self._lend_the_rows_their_certificate()
        self._prints = Prints(self.owner)
        self._before = self._prints.take()
        self._signed = 0
        self._sealed: dict[UUID, Walk] = {}

    def _lend_the_rows_their_certificate(self) -> None:
        der = self.authority.certificate.public_bytes(Encoding.DER)
        self.owner.execute("SET session_replication_role = replica")
        change = "UPDATE authorities_certificateauthority SET certificate_der = %s WHERE slug = 'issuing'"
        self.owner.execute(change, [der])
        self.owner.execute("SET session_replication_role = origin")

    def close(self) -> None:
        self.owner.execute("SELECT count(*) FROM certificates_certificate")
        self.counts.issued += self.owner.fetchone()[0]
        self._open.close()

    # --- who may ---

    def rights(self, name: str, tenant: Tenant) -> frozenset[Permission]:
        """What the door of every page would let this person do in *tenant* now."""
        visitor = SimpleNamespace(user=self.people[name])
        seat = next((seat for seat in seats_of(visitor) if seat.tenant.pk == tenant.pk), None)
        if seat is None or seat.tenant.rests(clock.now()):
            return frozenset()
        return seat.permissions

    def done(self, name: str, tenant: Tenant, right: Permission, deed: Callable[[User], object]) -> bool:
        """Let somebody do something as a page would; whoever is refused has changed nothing."""
        if right not in self.rights(name, tenant):
            return False
        try:
            with acting_for(tenant.pk, person=self.people[name].pk):
                deed(self.people[name])
        except Refusal:
            self.counts.refusals += 1
            return False
        except DatabaseError:
            if not self.journal.refuses:
                raise
            return False
        self.touched.add(tenant.pk)
        return True

    # --- what must hold ---

    def judge(self) -> None:
        """Raise unless every invariant holds, and whatever the step did not concern is as it was before."""
        assert not self.authority.overlooked, self.authority.overlooked
        self._judge_the_mail()
        after, signed = self._prints.take(), len(self.authority.inner.signed)
        if (after, signed) == (self._before, self._signed):
            self.touched.clear()
            return  # not one row is other than it was when all of it was judged
        self._signed = signed
        invariants.hold(self.owner, signed=self.fingerprints, trials=0)
        found = broken(self.owner)
        assert not found, found
        self._judge_what_was_left_alone(after)
        self._judge_the_journals()
        self._before = self._prints.take()
        self.touched.clear()

    @property
    def fingerprints(self) -> list[bytes]:
        """Of everything that was ever signed, as the invariants know it."""
        return [_fingerprint(der) for der in self.authority.inner.signed]

    def _judge_the_mail(self) -> None:
        """A notice comes once, and once more for every worker that died before it could write that it was sent."""
        times = Counter(each.extra_headers["Message-ID"] for each in mail.outbox if "Message-ID" in each.extra_headers)
        often = {which: count for which, count in times.items() if count > 1 + self.killed}
        assert not often, f"I7: notices came again and again: {often}"

    def _judge_what_was_left_alone(self, after: Mapping[str, Mapping[str, tuple[int, int]]]) -> None:
        for tenant in self.tenants.values():
            if tenant.pk not in self.touched:
                before, now = self._before[str(tenant.pk)], after[str(tenant.pk)]
                changed = {table for table in before | now if before.get(table) != now.get(table)} - {"outbox_errand"}
                assert not changed, f"nobody did anything for {tenant}, and it has other rows: {sorted(changed)}"

    def _judge_the_journals(self) -> None:
        """Seal what there is and walk on from where each chain was found whole before (I5)."""
        with serving("relay"):
            seal_everything()
            for pk in self.touched:
                with acting_for(pk):
                    walk = self._sealed.get(pk) or Walk.behind(0)
                    while walk.step():
                        pass
                    verdict = walk.verdict()
                    assert verdict.finding is None, f"I5: {verdict.finding}"
                    self._sealed[pk] = walk


@lru_cache(maxsize=10_000)
def _fingerprint(der: bytes) -> bytes:
    return sha256(x509.load_der_x509_certificate(der).tbs_certificate_bytes).digest()
