"""The PKCS#11 token: where private keys are and stay.  This package alone speaks PKCS#11.

`session` is one login and one session per process, module and token, and what may be
asked; `circuit` whether something that failed may be asked again, and when; `said` what
a module's errors mean; `kinds` the kinds of key that a token makes; `report` how the
tokens of all workers are, in words for the operator.
"""

from portal.foundation.token.errors import KeyNotThere, TokenFellSilent, TokenNotReached, TokenRefused
from portal.foundation.token.kinds import KEY_KINDS, SIGN_DIGEST_EC, SIGN_DIGESTINFO_RSA
from portal.foundation.token.session import Token, token_at

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
