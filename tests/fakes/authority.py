"""An authority in memory that fails on demand; `tests/contract/test_authority.py` keeps it honest."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from lifecycle.authorities.backends.base import AuthorityNotReached
from lifecycle.authorities.issuance import Linted
from lifecycle.authorities.keys import PrivateKey
from lifecycle.authorities.lints import Lint
from lifecycle.authorities.order import write
from tests.fakes.orders import issuer


class Killed(BaseException):
    """What SIGKILL would be: nothing catches it."""


@dataclass
class InMemoryAuthority:
    """Signs with a key in memory.

    `dies` names the moment at which the process ends: `before_reaching`, `before_signing`,
    `after_signing`.  `fault` is raised instead of signing, `garbles` changes what is delivered,
    `absent` is why it cannot be reached.  `signed` holds everything it ever signed, DER.
    """

    certificate: x509.Certificate
    key: PrivateKey
    lints: tuple[Lint, ...] = ()
    dies: str | None = None
    fault: Exception | None = None
    absent: str = ""
    garbles: Callable[[bytes], bytes] = bytes
    signed: list[bytes] = field(default_factory=list)

    @classmethod
    def made(cls, kind: str = "ec-p256", *, dies: str | None = None) -> Self:
        certificate, key = issuer(kind)
        return cls(certificate, key, dies=dies)

    def reach(self) -> None:
        self._die_if("before_reaching")
        if self.absent:
            raise AuthorityNotReached(self.absent)

    def issue(self, linted: Linted) -> bytes:
        self.reach()
        self._die_if("before_signing")
        if self.fault:
            raise self.fault
        der = write(linted.order, self.certificate, self.key).public_bytes(Encoding.DER)
        self.signed.append(der)
        self._die_if("after_signing")
        return self.garbles(der)

    def _die_if(self, moment: str) -> None:
        if self.dies == moment:
            raise Killed(moment)
