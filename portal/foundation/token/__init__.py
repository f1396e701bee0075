"""The PKCS#11 token: where private keys are and stay.  This package alone speaks PKCS#11.

`session` is one login and one session per process, module and token, and what may be
asked; `circuit` whether something that failed may be asked again, and when; `said` what
a module's errors mean; `kinds` the kinds of key that a token makes; `report` how the
tokens of all workers are, in words for the operator.

The binding is loaded by whoever asks for a token, not by who imports this package: the
web service promises what workers will sign, so it knows their tasks, and has no business
with PKCS#11.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from portal.foundation.token.errors import KeyNotThere, TokenFellSilent, TokenNotReached, TokenRefused

if TYPE_CHECKING:
    from portal.foundation.token.kinds import KEY_KINDS, SIGN_DIGEST_EC, SIGN_DIGESTINFO_RSA
    from portal.foundation.token.session import Token

__all__ = [
    "KEY_KINDS",
    "SIGN_DIGESTINFO_RSA",
    "SIGN_DIGEST_EC",
    "KeyNotThere",
    "Token",
    "TokenFellSilent",
    "TokenNotReached",
    "TokenRefused",
    "token_at",
]

_WHEN_ASKED_FOR = {
    "KEY_KINDS": "kinds",
    "SIGN_DIGESTINFO_RSA": "kinds",
    "SIGN_DIGEST_EC": "kinds",
    "Token": "session",
}


def token_at(module: str, label: str, pin_file: str) -> "Token":
    """Return this process's one `Token` for *label* behind *module*."""
    from portal.foundation.token import session  # noqa: PLC0415 - see above

    return session.token_at(module, label, pin_file)


def __getattr__(name: str) -> object:
    if name not in _WHEN_ASKED_FOR:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_WHEN_ASKED_FOR[name]}"), name)
