"""The PKCS#11 token: one login and one session per process, module and token, one lock for all.

Logging in is a matter of the whole process in PKCS#11, and python-pkcs11 is not safe
across sessions in several threads; so whoever needs the token shares what `token_at`
returns.  The session is opened when first needed, keys are found by CKA_ID, and a lost
session is made again once.  A refused PIN is never tried again within a minute: tokens
lock themselves after a few.

This is the only module that speaks PKCS#11.
"""

import os
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pkcs11
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key
from pkcs11 import Attribute, KeyType, MechanismFlag, ObjectClass
from pkcs11.util.ec import encode_ec_public_key, encode_named_curve_parameters
from pkcs11.util.rsa import encode_rsa_public_key

from portal.foundation import clock
from portal.foundation.watchdog import watchdog

T = TypeVar("T")
TokenObject = Any  # python-pkcs11 gives an object its abilities (sign, key_type) at run time

PATIENCE = 20.0  # seconds one call may take before the process ends

SIGN_DIGEST_EC = pkcs11.Mechanism.ECDSA  # a digest in, r and s side by side out
SIGN_DIGESTINFO_RSA = pkcs11.Mechanism.RSA_PKCS  # a DigestInfo in, padded by the token


class TokenNotReached(Exception):
    """There is no session, so nothing was asked; the sentence says why."""


class KeyNotThere(TokenNotReached):
    """The token is there, a key with this CKA_ID is not, or there are two."""


class TokenRefused(Exception):
    """The token understood and said no; asking again is pointless."""


class TokenFellSilent(Exception):
    """The token was asked and gave no answer: whatever it did, it may have done."""


@dataclass(frozen=True, slots=True)
class KeyKind:
    """How a token makes one kind of key pair."""

    key_type: KeyType
    bits: int | None = None
    curve: str | None = None


KEY_KINDS = {
    "ec-p256": KeyKind(KeyType.EC, curve="secp256r1"),
    "ec-p384": KeyKind(KeyType.EC, curve="secp384r1"),
    "rsa-2048": KeyKind(KeyType.RSA, bits=2048),
    "rsa-3072": KeyKind(KeyType.RSA, bits=3072),
    "rsa-4096": KeyKind(KeyType.RSA, bits=4096),
}

_ENCODERS: dict[KeyType, Callable[[Any], bytes]] = {
    KeyType.EC: encode_ec_public_key,
    KeyType.RSA: encode_rsa_public_key,
}

# How long nobody tries to open a session after one was refused.
_PIN_REST = timedelta(minutes=1)
_OTHER_REST = timedelta(seconds=5)

_PIN_TROUBLE = (
    pkcs11.PinExpired,
    pkcs11.PinIncorrect,
    pkcs11.PinInvalid,
    pkcs11.PinLenRange,
    pkcs11.PinLocked,
    pkcs11.UserPinNotInitialized,
)

# PKCS#11 2.40 section 5.1: the session, its login or the token was gone "at the time that the function was invoked",
# or the handle named nothing.  So nothing was signed and the question may be put again.  What a module says of a loss
# "during the execution" (CKR_SESSION_CLOSED, CKR_DEVICE_REMOVED), or without a word about when, is not here: it may
# have signed, and an ECDSA serial that is signed twice is two certificates.
_SESSION_GONE = (
    pkcs11.KeyHandleInvalid,
    pkcs11.ObjectHandleInvalid,
    pkcs11.SessionHandleInvalid,
    pkcs11.TokenNotPresent,
    pkcs11.UserNotLoggedIn,
)

_SAID_NO = (
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


@dataclass(slots=True)
class _Circuit:
    """Remembers a refused opening and keeps everybody from trying again too soon."""

    until: datetime | None = None
    why: str = ""

    def pass_or_refuse(self) -> None:
        if self.until is not None and clock.now() < self.until:
            raise TokenNotReached(f"{self.why} It is not tried again before {self.until:%H:%M:%S} UTC.")

    def break_for(self, rest: timedelta, why: str) -> None:
        self.until, self.why = clock.now() + rest, why


@dataclass(eq=False, slots=True)
class Token:
    """What this process may do with one token.  Get it from `token_at`."""

    module: str
    label: str
    pin_file: str
    patience: float = PATIENCE
    _session: pkcs11.Session | None = field(default=None, init=False, repr=False)
    _keys: dict[bytes, TokenObject] = field(default_factory=dict, init=False, repr=False)
    _circuit: _Circuit = field(default_factory=_Circuit, init=False, repr=False)

    def reach(self, key_id: bytes) -> None:
        """Make sure that there is a session which sees the private key; raise `TokenNotReached` otherwise."""
        try:
            self._ask("looking for a key", lambda session: self._private(session, key_id)[Attribute.ID])
        except (TokenFellSilent, TokenRefused) as trouble:
            raise TokenNotReached(str(trouble)) from trouble

    def sign(self, key_id: bytes, digest: bytes, mechanism: pkcs11.Mechanism) -> bytes:
        """Return the token's raw signature over what is hashed already.

        `TokenNotReached`: nothing was signed.  `TokenRefused`: nothing ever will be.
        `TokenFellSilent`: nobody knows.
        """

        def ask(session: pkcs11.Session) -> bytes:
            key = self._private(session, key_id)
            if not isinstance(key, pkcs11.SignMixin):
                raise TokenRefused(f"The token {self.label!r} does not let its key {key_id.hex()} sign.")
            return bytes(key.sign(digest, mechanism=mechanism))

        return self._ask("a signature", ask)

    def wake(self) -> None:
        """Make sure that the token answers at all; raise `TokenNotReached` otherwise."""
        try:
            self._ask("a sign of life", lambda session: session.generate_random(64))
        except (TokenFellSilent, TokenRefused) as trouble:
            raise TokenNotReached(str(trouble)) from trouble

    def public_key(self, key_id: bytes) -> bytes:
        """Return the DER of the public half's SubjectPublicKeyInfo."""
        return self._ask(
            "reading a public key", lambda session: _encoded(self._find(session, ObjectClass.PUBLIC_KEY, key_id))
        )

    def generate(self, kind: str, key_id: bytes) -> bytes:
        """Make a key pair of one of `KEY_KINDS`, under a CKA_ID nobody uses; return what `public_key` returns."""
        return self._ask("making a key pair", lambda session: self._generate(session, KEY_KINDS[kind], key_id))

    def close(self) -> None:
        """End the session, and with it the login; the next call opens another."""
        with _speaking:
            self._forget_session()

    def _ask(self, call: str, question: Callable[[pkcs11.Session], T]) -> T:
        """Put one question, once more if the session turns out to be gone, and sort what goes wrong."""
        with _speaking, watchdog.watching(f"{call} at token {self.label!r}", seconds=self.patience):
            try:
                try:
                    return question(self._open())
                except _SESSION_GONE:
                    self._forget_session()
                    return question(self._open())
            except _SESSION_GONE as gone:
                self._forget_session()
                raise TokenNotReached(f"The token {self.label!r} lost its session twice ({_name(gone)}).") from gone
            except _SAID_NO as refusal:
                raise TokenRefused(f"The token {self.label!r} refused {call} ({_name(refusal)}).") from refusal
            except pkcs11.PKCS11Error as silence:
                self._forget_session()
                raise TokenFellSilent(f"The token {self.label!r} failed during {call} ({_name(silence)}).") from silence

    def _open(self) -> pkcs11.Session:
        if self._session is None:
            self._circuit.pass_or_refuse()
            try:
                self._session = self._log_in()
            except _PIN_TROUBLE as trouble:
                why = f"The token {self.label!r} refused the PIN in {self.pin_file} ({_name(trouble)})."
                raise self._give_up(_PIN_REST, why) from trouble
            except OSError as trouble:
                why = f"The PIN file {self.pin_file} cannot be read: {trouble.strerror}."
                raise self._give_up(_OTHER_REST, why) from trouble
            except RuntimeError as trouble:  # python-pkcs11 derives its errors from it
                why = f"The token {self.label!r} cannot be opened through {self.module} ({_name(trouble)})."
                raise self._give_up(_OTHER_REST, why) from trouble
        return self._session

    def _log_in(self) -> pkcs11.Session:
        pin = Path(self.pin_file).read_text().strip()
        if not self._siblings_speak():
            _finalise(self.module)  # a token plugged in again, or a fork, shows only after C_Initialize
        token = pkcs11.lib(self.module).get_token(token_label=self.label)
        try:
            return token.open(user_pin=pin)
        except pkcs11.UserAlreadyLoggedIn:
            return token.open()  # somebody else in this process did: the login counts for every session

    def _give_up(self, rest: timedelta, why: str) -> TokenNotReached:
        self._circuit.break_for(rest, why)
        self._forget_session()
        return TokenNotReached(why)

    def _forget_session(self) -> None:
        """Leave nothing behind: a session refused at its login stays open in the module until it is finalised."""
        self._keys.clear()
        session, self._session = self._session, None
        if not self._siblings_speak():
            _finalise(self.module)
        elif session is not None:
            with suppress(pkcs11.PKCS11Error):
                session.close()

    def _siblings_speak(self) -> bool:
        """Whether another token of this module has a session, which finalising would end."""
        return any(
            other is not self and other.module == self.module and other._session is not None  # noqa: SLF001
            for other in _tokens.values()
        )

    def _private(self, session: pkcs11.Session, key_id: bytes) -> TokenObject:
        if key_id not in self._keys:
            self._keys[key_id] = self._find(session, ObjectClass.PRIVATE_KEY, key_id)
        return self._keys[key_id]

    def _find(self, session: pkcs11.Session, object_class: ObjectClass, key_id: bytes) -> TokenObject:
        """By CKA_ID, not by label: two keys may share a label."""
        found = list(session.get_objects({Attribute.CLASS: object_class, Attribute.ID: key_id}))
        if len(found) != 1:
            raise KeyNotThere(
                f"The token {self.label!r} holds {len(found)} keys with the CKA_ID {key_id.hex()}; it must hold one."
            )
        return found[0]

    def _generate(self, session: pkcs11.Session, kind: KeyKind, key_id: bytes) -> bytes:
        if list(session.get_objects({Attribute.ID: key_id})):
            raise TokenRefused(f"The token {self.label!r} uses the CKA_ID {key_id.hex()} already.")
        with session.token.open(rw=True) as writing:  # logged in with the process
            common: dict[str, Any] = {
                "id": key_id,
                "label": key_id.hex(),
                "store": True,
                "capabilities": MechanismFlag.SIGN | MechanismFlag.VERIFY,
                "private_template": {Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False, Attribute.PRIVATE: True},
            }
            if kind.curve is None:
                public, _ = writing.generate_keypair(kind.key_type, kind.bits, **common)
            else:
                parameters = {Attribute.EC_PARAMS: encode_named_curve_parameters(kind.curve)}
                domain = writing.create_domain_parameters(kind.key_type, parameters, local=True)
                public, _ = domain.generate_keypair(**common)
            return _encoded(public)


_tokens: dict[tuple[str, str], Token] = {}
_speaking = threading.RLock()


def token_at(module: str, label: str, pin_file: str) -> Token:
    """Return this process's one `Token` for *label* behind *module*."""
    with _speaking:
        return _tokens.setdefault((module, label), Token(module, label, pin_file))


def _forget_the_parent() -> None:
    """PKCS#11 does not survive a fork: the child begins without sessions and initialises anew."""
    global _speaking  # noqa: PLW0603 - the parent's may be locked for ever
    _speaking = threading.RLock()
    for token in _tokens.values():
        token._session = None  # noqa: SLF001 - closing it would close the parent's
        token._keys.clear()  # noqa: SLF001


os.register_at_fork(after_in_child=_forget_the_parent)


def _encoded(public: TokenObject) -> bytes:
    key = load_der_public_key(_ENCODERS[public.key_type](public))
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _finalise(module: str) -> None:
    library = pkcs11._loaded.get(module)  # noqa: SLF001 - `pkcs11.lib` would initialise it first
    if library is not None and library.initialized:
        with suppress(pkcs11.PKCS11Error):
            library.finalize()


def _name(error: Exception) -> str:
    return str(error) if type(error) in {pkcs11.PKCS11Error, RuntimeError} else type(error).__name__
