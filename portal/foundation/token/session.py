"""One login and one session per process, module and token, one lock for all.

Logging in is a matter of the whole process in PKCS#11, and python-pkcs11 is not safe
across sessions in several threads; so whoever needs the token shares what `token_at`
returns.  The session is opened when first needed, keys are found by CKA_ID, and a lost
session is made again once.

Two kinds of circuit keep everybody from asking what does not answer: the token's own,
about its session, and one for each key, about its signatures.  So one bad key does not
stand in the way of the other tenants' keys.
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
from pkcs11 import Attribute, ObjectClass
from structlog import get_logger

from portal.foundation import clock
from portal.foundation.token.circuit import Circuit, Stamp, State, Why, stamp_of
from portal.foundation.token.errors import KeyNotThere, TokenFellSilent, TokenNotReached, TokenRefused
from portal.foundation.token.kinds import KEY_KINDS, KeyKind, TokenObject, encoded, make_pair
from portal.foundation.token.said import SAID_NO, SESSION_GONE, name_of, why_not_opened
from portal.foundation.watchdog import watchdog

T = TypeVar("T")

PATIENCE = 20.0  # seconds one call may take before the process ends
OLD = timedelta(seconds=20)  # of a session: then it is worth another login to see whether a key is missing indeed

_PIN_REFUSED = "The token {token.label!r} refused the PIN in {token.pin_file} ({told})."
_NOT_OPENED = {
    Why.PIN_REFUSED: _PIN_REFUSED,
    Why.PIN_LOCKED: _PIN_REFUSED,
    Why.PIN_FILE: "The PIN file {token.pin_file} cannot be read: {told}.",
    Why.NOT_THERE: "The token {token.label!r} cannot be opened through {token.module} ({told}).",
    Why.NOT_OPENED: "The token {token.label!r} cannot be opened through {token.module} ({told}).",
}

log = get_logger()


@dataclass(eq=False, slots=True)
class Token:
    """What this process may do with one token.  Get it from `token_at`."""

    module: str
    label: str
    pin_file: str
    patience: float = PATIENCE
    circuit: Circuit = field(default_factory=Circuit, init=False, repr=False)
    _key_circuits: dict[bytes, Circuit] = field(default_factory=dict, init=False, repr=False)
    _proofs: dict[bytes, Callable[[], bool]] = field(default_factory=dict, init=False, repr=False)
    _session: pkcs11.Session | None = field(default=None, init=False, repr=False)
    _opened_at: datetime = field(default_factory=clock.now, init=False, repr=False)
    _keys: dict[bytes, TokenObject] = field(default_factory=dict, init=False, repr=False)

    def reach(self, key_id: bytes, prove: Callable[[], bool] | None = None) -> None:
        """Make sure that there is a session which sees the private key; raise `TokenNotReached` otherwise.

        *prove* has the key sign something that matters to nobody and tells whether the
        signature is right.  It is called where the key's circuit is half-open: when this
        process begins, and after every trouble.
        """
        with _speaking:
            mine = self.circuit_of(key_id)
            mine.admit()
            if prove is not None:
                self._proofs[key_id] = prove
            try:
                self._ask("looking for a key", lambda session: self._private(session, key_id)[Attribute.ID])
                if prove is not None and mine.state == State.TRIAL:
                    self.try_out(key_id, prove)
            except KeyNotThere as missing:
                self._forget_an_old_session()
                self._break(mine, Why.KEY_MISSING, str(missing))
                raise
            except (TokenFellSilent, TokenRefused) as trouble:
                raise TokenNotReached(str(trouble)) from trouble

    def sign(self, key_id: bytes, digest: bytes, mechanism: pkcs11.Mechanism) -> bytes:
        """Return the token's raw signature over what is hashed already.

        `TokenNotReached`: nothing was signed.  `TokenRefused`: nothing ever will be.
        `TokenFellSilent`: nobody knows, and the key has to prove itself before the next one.
        """
        mine = self.circuit_of(key_id)
        mine.admit()

        def ask(session: pkcs11.Session) -> bytes:
            key = self._private(session, key_id)
            if not isinstance(key, pkcs11.SignMixin):
                raise TokenRefused(f"The token {self.label!r} does not let its key {key_id.hex()} sign.")
            return bytes(key.sign(digest, mechanism=mechanism))

        return self._ask("a signature", ask, breaks=mine)

    def try_out(self, key_id: bytes, prove: Callable[[], bool]) -> None:
        """Have a key prove itself; where it cannot, let it rest and raise `TokenNotReached`."""
        with _speaking:
            mine = self.circuit_of(key_id)
            try:
                proved = prove()
            except TokenFellSilent as silence:  # which has broken the circuit already
                raise TokenNotReached(str(silence)) from silence
            except TokenRefused as refusal:
                self._break(mine, Why.REFUSES, str(refusal))
                raise TokenNotReached(str(refusal)) from refusal
            if not proved:
                raise TokenNotReached(self.distrust(key_id))
            mine.success()

    def distrust(self, key_id: bytes) -> str:
        """Let a key that gave a wrong signature rest and prove itself before the next one; return what happened."""
        told = f"The token {self.label!r} gave a wrong signature with its key {key_id.hex()}."
        with _speaking:
            self._break(self.circuit_of(key_id), Why.WRONG_SIGNATURE, told)
        return told

    def wake(self) -> None:
        """Make sure that the token answers at all; raise `TokenNotReached` otherwise.

        Keys that failed and have rested prove themselves again, so that they heal while nobody asks for them.
        """
        try:
            self._ask("a sign of life", _sign_of_life)
        except (TokenFellSilent, TokenRefused) as trouble:
            raise TokenNotReached(str(trouble)) from trouble
        for key_id, prove in list(self._proofs.items()):
            if self.circuit_of(key_id).state == State.OPEN:
                with suppress(TokenNotReached):
                    self.reach(key_id, prove)

    def public_key(self, key_id: bytes) -> bytes:
        """Return the DER of the public half's SubjectPublicKeyInfo."""
        return self._ask(
            "reading a public key", lambda session: encoded(self._find(session, ObjectClass.PUBLIC_KEY, key_id))
        )

    def generate(self, kind: str, key_id: bytes) -> bytes:
        """Make a key pair of one of `KEY_KINDS`, under a CKA_ID nobody uses; return what `public_key` returns."""
        return self._ask("making a key pair", lambda session: self._generate(session, KEY_KINDS[kind], key_id))

    def close(self) -> None:
        """End the session, and with it the login; the next call opens another."""
        with _speaking:
            self._forget_session()

    def circuit_of(self, key_id: bytes) -> Circuit:
        """One for every key, half-open until it has proved itself in this process."""
        return self._key_circuits.setdefault(key_id, Circuit(State.TRIAL))

    def told(self) -> dict[str, Any]:
        """What a heartbeat says: the token's own circuit, or a key's where only that one is open."""
        open_keys = [mine for mine in list(self._key_circuits.values()) if mine.state == State.OPEN]
        worst = next(iter([] if self.circuit.state == State.OPEN else open_keys), self.circuit)
        return {"label": self.label, **worst.told(), "keys": len(open_keys)}

    def _ask(self, call: str, question: Callable[[pkcs11.Session], T], *, breaks: Circuit | None = None) -> T:
        """Put one question, once more if the session was old and turns out to be gone; sort what goes wrong.

        A silence breaks the token's circuit, or the one that is given.
        """
        with _speaking, watchdog.watching(f"{call} at token {self.label!r}", seconds=self.patience):
            fresh = self._session is None
            try:
                try:
                    answer = question(self._open())
                except SESSION_GONE:
                    if fresh:
                        raise
                    self._forget_session()
                    answer = question(self._open())
            except SESSION_GONE as gone:
                self._forget_session()
                why = f"The token {self.label!r} ends its sessions at once ({name_of(gone)})."
                self._break(breaks or self.circuit, Why.SESSION_LOST, why)
                raise TokenNotReached(why) from gone
            except SAID_NO as refusal:
                raise TokenRefused(f"The token {self.label!r} refused {call} ({name_of(refusal)}).") from refusal
            except pkcs11.PKCS11Error as silence:
                self._forget_session()
                why = f"The token {self.label!r} failed during {call} ({name_of(silence)})."
                self._break(breaks or self.circuit, Why.FELL_SILENT, why)
                raise TokenFellSilent(why) from silence
            self.circuit.success()
            return answer

    def _open(self) -> pkcs11.Session:
        if self._session is None:
            self.circuit.admit(self.pin_file)
            pin = stamp_of(self.pin_file)  # before it is read: what is written meanwhile is new
            try:
                self._session, self._opened_at = self._log_in(), clock.now()
            except (OSError, UnicodeError, RuntimeError) as trouble:
                why = why_not_opened(trouble)
                told = trouble.strerror if isinstance(trouble, OSError) else name_of(trouble)
                self._forget_session()
                self._break(self.circuit, why, _NOT_OPENED[why].format(token=self, told=told), pin=pin)
                raise TokenNotReached(self.circuit.sentence) from trouble
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

    def _break(self, circuit: Circuit, why: Why, sentence: str, *, pin: Stamp | None = None) -> None:
        circuit.trouble(why, sentence, pin=pin)
        log.error("token.trouble", token=self.label, why=str(why), sentence=sentence)

    def _forget_session(self) -> None:
        """Leave nothing behind: a session refused at its login stays open in the module until it is finalised."""
        self._keys.clear()
        session, self._session = self._session, None
        if not self._siblings_speak():
            _finalise(self.module)
        elif session is not None:
            with suppress(pkcs11.PKCS11Error):
                session.close()

    def _forget_an_old_session(self) -> None:
        """A session from before its token was exchanged may go on and see no keys; a young one tells the truth."""
        if self._session is not None and clock.now() - self._opened_at > OLD:
            self._forget_session()

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
            return encoded(make_pair(writing, kind, key_id))


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


def _sign_of_life(session: pkcs11.Session) -> None:
    """Ask for the token and for something of it: a session may outlive its token and still make random numbers."""
    session.token.slot.get_token()
    session.generate_random(64)


def _finalise(module: str) -> None:
    library = pkcs11._loaded.get(module)  # noqa: SLF001 - `pkcs11.lib` would initialise it first
    if library is not None and library.initialized:
        with suppress(pkcs11.PKCS11Error):
            library.finalize()
