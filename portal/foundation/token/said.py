"""What a PKCS#11 module's errors mean to us: tables, so that a new one is a line.

Whatever is in none of them means that nobody knows what the token did.
"""

import pkcs11

from portal.foundation.token.circuit import Why

# PKCS#11 2.40 section 5.1: the session, its login or the token was gone "at the time that the function was invoked",
# or the handle named nothing.  So nothing was signed and the question may be put again.  What a module says of a loss
# "during the execution" (CKR_SESSION_CLOSED, CKR_DEVICE_REMOVED), or without a word about when, is not here: it may
# have signed, and an ECDSA serial that is signed twice is two certificates.
SESSION_GONE = (
    pkcs11.KeyHandleInvalid,
    pkcs11.ObjectHandleInvalid,
    pkcs11.SessionHandleInvalid,
    pkcs11.TokenNotPresent,
    pkcs11.UserNotLoggedIn,
)

SAID_NO = (
    pkcs11.ArgumentsBad,
    pkcs11.DataInvalid,
    pkcs11.DataLenRange,
    pkcs11.FunctionNotSupported,
    pkcs11.FunctionRejected,
    pkcs11.KeySizeRange,
    pkcs11.KeyTypeInconsistent,
    pkcs11.MechanismInvalid,
    pkcs11.MechanismParamInvalid,
    pkcs11.TemplateInconsistent,
    pkcs11.TokenWriteProtected,
)

NOT_OPENED: tuple[tuple[type[Exception], Why], ...] = (
    # why a session was not opened; the first that fits
    (pkcs11.PinLocked, Why.PIN_LOCKED),
    (pkcs11.PinExpired, Why.PIN_REFUSED),
    (pkcs11.PinIncorrect, Why.PIN_REFUSED),
    (pkcs11.PinInvalid, Why.PIN_REFUSED),
    (pkcs11.PinLenRange, Why.PIN_REFUSED),
    (pkcs11.UserPinNotInitialized, Why.PIN_REFUSED),
    (OSError, Why.PIN_FILE),
    (UnicodeError, Why.PIN_FILE),
    (pkcs11.NoSuchToken, Why.NOT_THERE),
    (pkcs11.TokenNotPresent, Why.NOT_THERE),
    (pkcs11.TokenNotRecognised, Why.NOT_THERE),
    (pkcs11.DeviceRemoved, Why.NOT_THERE),
    (RuntimeError, Why.NOT_OPENED),  # python-pkcs11 derives its errors from it
)


def why_not_opened(trouble: Exception) -> Why:
    return next(why for kind, why in NOT_OPENED if isinstance(trouble, kind))


def name_of(error: Exception) -> str:
    """Return what the module said, in a word or a sentence."""
    return str(error) if type(error) in {pkcs11.PKCS11Error, RuntimeError} else type(error).__name__
