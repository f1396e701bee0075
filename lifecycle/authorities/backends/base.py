"""What an authority is to the rest of the portal, and the three ways it can fail."""

from typing import Protocol

from cryptography import x509

from lifecycle.authorities.issuance import Linted
from lifecycle.authorities.lints import Lint


class AuthorityNotReached(Exception):
    """No session, PIN refused, circuit open: nothing was signed, and the serial may be used later."""


class OutcomeUnknown(Exception):
    """The authority was asked and did not answer.  The serial is spent, whatever happened."""


class AuthorityRefused(Exception):
    """The authority understood and said no.  Retrying is pointless."""


class Authority(Protocol):
    """A certificate authority.

    Calls happen outside any database transaction and may take seconds.
    """

    @property
    def certificate(self) -> x509.Certificate:
        """The issuer's own certificate."""

    @property
    def lints(self) -> tuple[Lint, ...]:
        """What its certificates are held to besides `lifecycle.authorities.lints.ALWAYS`."""

    def reach(self) -> None:
        """Make sure the authority can be asked, before anything is written down, or raise `AuthorityNotReached`."""

    def issue(self, linted: Linted) -> bytes:
        """Return the signed certificate, DER.

        Raise `AuthorityNotReached` (nothing was signed), `AuthorityRefused` (nothing will
        be) or `OutcomeUnknown` (the serial is spent).
        """
