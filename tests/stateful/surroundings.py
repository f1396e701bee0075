"""What a request meets on its way, as a test has it: time, the DNS, the mail server, the journal's table, an authority.

Every fault is real where it can be: the right to write the journal is taken away in the database, and PostgreSQL's
own clock goes with the test's, so that errands are claimed by the product's own statement.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from cryptography import x509
from django.core.mail.backends import locmem
from django.db import connection
from django.db.backends.signals import connection_created
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - it is a class

from lifecycle.authorities.backends.base import AuthorityRefused, OutcomeUnknown
from lifecycle.authorities.issuance import Linted
from lifecycle.certificates.naming import serial_text
from lifecycle.validation.caa import Answer, Reason
from portal.demo.postgresql import SERVICE_ROLES
from portal.foundation import clock
from tests.fakes.authority import InMemoryAuthority
from tests.fakes.zone import Unforgiving, Zone

_CLOCK = """
DROP SCHEMA IF EXISTS ahead CASCADE;
CREATE SCHEMA ahead;
GRANT USAGE ON SCHEMA ahead TO PUBLIC;
CREATE FUNCTION ahead.now() RETURNS timestamptz LANGUAGE sql STABLE AS $$
    SELECT coalesce(nullif(current_setting('ahead.now', true), '')::timestamptz, pg_catalog.now()) $$;
"""

JOURNAL = "audit_auditevent"


class Time:
    """The one clock of a walk: it stands still during a step, goes on between two, and PostgreSQL's goes with it."""

    def __init__(self) -> None:
        self.now = clock.now()
        self._frozen = ExitStack()

    @contextmanager
    def telling(self, owner: Cursor) -> Iterator[None]:
        """Let this process and its connections read the time from here, inside the block."""
        owner.execute(_CLOCK)
        connection_created.connect(self._tell)
        try:
            self.go(timedelta(0))
            yield
        finally:
            self._frozen.close()
            connection_created.disconnect(self._tell)
            connection.close()
            owner.execute("DROP SCHEMA ahead CASCADE")

    def go(self, by: timedelta) -> None:
        self.now += by
        self._frozen.close()
        self._frozen.enter_context(clock.frozen(self.now))
        self._tell()

    def _tell(self, **_connected: Any) -> None:
        with connection.cursor() as cursor:
            # a schema named before pg_catalog has the first word on what `now()` is
            path = "set_config('search_path', 'ahead, pg_catalog, public', false)"
            cursor.execute(f"SELECT {path}, set_config('ahead.now', %s, false)", [self.now.isoformat()])


@dataclass
class Dns(Unforgiving):
    """The DNS as a table that changes, and what it answered when."""

    said: dict[str, tuple[str, ...] | Reason] = field(default_factory=dict)
    answered: dict[str, datetime] = field(default_factory=dict)  # when a name was last found to permit

    def caa(self, name: str, ends: float) -> Answer:
        answer = Zone(self.said).caa(name, ends)
        if not answer.records:
            self.answered[name] = clock.now()
        return answer


class MailIsDown(ConnectionRefusedError):
    pass


@dataclass
class Mail:
    """A mail server that can be away; Django's own backend in memory behind it."""

    away: bool = False

    def send(self, deliver: Callable[..., int]) -> Callable[..., int]:
        def send_messages(backend: locmem.EmailBackend, messages: list[Any]) -> int:
            if self.away:
                raise MailIsDown("nobody listens there")
            return deliver(backend, messages)

        return send_messages


class Journal:
    """The right to write it, which the database can be told to refuse (security.md F9)."""

    def __init__(self, owner: Cursor) -> None:
        self._owner = owner
        self._writers = ", ".join(SERVICE_ROLES[name] for name in ("web", "signing", "validation", "messages"))
        self.refuses = False

    def refuse(self) -> None:
        self._owner.execute(f"REVOKE INSERT ON {JOURNAL} FROM {self._writers}")
        self.refuses = True

    def accept(self) -> None:
        if self.refuses:
            self._owner.execute(f"GRANT INSERT ON {JOURNAL} TO {self._writers}")
        self.refuses = False


FAULTS: dict[str, dict[str, Any]] = {
    "absent": {"absent": "nobody is there"},
    "silent": {"fault": OutcomeUnknown("it went quiet")},
    "refusing": {"fault": AuthorityRefused("it said no")},
    "garbling": {"garbles": lambda der: der[:-1] + bytes([der[-1] ^ 1])},
    "of another mind": {"garbles": lambda der: der[: len(der) // 2]},
}
"""Ways in which an authority fails; `tests/contract` holds the one in memory to the one in the token."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What the database says of a serial that is about to be signed."""

    request: str
    leased_until: datetime
    complaints: tuple[str, ...]


@dataclass
class Authority:
    """One tenant's authority: signs in memory, asks the database first whether it may, and remembers everything.

    *judge* tells what stands in the database about a serial.  What must not have been signed is in `overlooked`:
    whatever were raised here, the worker would take for a failure of the token.  *meanwhile* is done once, while the
    token is being asked.
    """

    inner: InMemoryAuthority
    judge: Callable[[str], Judged | None]
    meanwhile: Callable[[], None] | None = None
    overlooked: list[str] = field(default_factory=list)
    _asked: dict[str, datetime] = field(default_factory=dict)  # requests of conversations not known to be over

    @property
    def certificate(self) -> x509.Certificate:
        return self.inner.certificate

    @property
    def lints(self) -> tuple[Any, ...]:
        return self.inner.lints

    @property
    def signed(self) -> list[str]:
        """Every serial that was ever signed, as often as it was."""
        return [serial_text(x509.load_der_x509_certificate(der).serial_number) for der in self.inner.signed]

    def reach(self) -> None:
        self.inner.reach()

    def issue(self, linted: Linted) -> bytes:
        request = self._look(serial_text(linted.order.serial))
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile:
            meanwhile()
        try:
            answer = self.inner.issue(linted)
        except Exception:  # a worker that lives hears of it; one that is killed leaves its lease behind
            self._asked.pop(request, None)
            raise
        self._asked.pop(request, None)
        return answer

    def _look(self, serial: str) -> str:
        judged = self.judge(serial)
        if judged is None:
            self.overlooked.append(f"I3: serial {serial} was handed to the signer before it was on record")
            return ""
        self.overlooked += [f"{complaint}: serial {serial}" for complaint in judged.complaints]
        if (until := self._asked.get(judged.request)) and until > clock.now():
            self.overlooked.append(f"I2: the signer was asked again for request {judged.request} before {until}")
        self._asked[judged.request] = judged.leased_until
        return judged.request

    def fail(self, how: str) -> None:
        self.recover()
        for name, value in FAULTS[how].items():
            setattr(self.inner, name, value)

    def recover(self) -> None:
        self.inner.absent, self.inner.fault, self.inner.garbles = "", None, bytes
