"""The token itself: SoftHSM, watched by OpenSC's spy where calls are counted."""

import copy
import hashlib
import os
import pickle
import secrets
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from threading import Barrier

import pkcs11
import pytest
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from pkcs11 import Attribute, KeyType, MechanismFlag, ObjectClass
from pkcs11.util.ec import encode_named_curve_parameters

from lifecycle.authorities import issuance, keys
from lifecycle.authorities.backends.base import AuthorityNotReached
from lifecycle.authorities.backends.pkcs11 import EcTokenKey, RsaTokenKey, TokenAuthority, key_in
from lifecycle.authorities.ceremony import self_signed
from portal.foundation import clock
from portal.foundation import token as tokens
from portal.foundation.token import KeyNotThere, Token, TokenFellSilent, TokenNotReached, TokenRefused, said, token_at
from portal.foundation.token.circuit import Circuit, State, Why
from tests.fakes import orders
from tests.fakes.spy import SPY, Spy

DIGEST = hashlib.sha256(b"to be signed").digest()
ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def opened(token):
    """The one of this process; what a test broke is mended for the next."""
    opened = token_at(token.module, token.label, str(token.pin_file))
    yield opened
    opened.circuit = Circuit()


@pytest.fixture
def make_key(opened):
    def make(kind: str = "ec-p256") -> bytes:
        key_id = secrets.token_bytes(8)
        opened.generate(kind, key_id)
        return key_id

    return make


@pytest.fixture
def authority(opened, make_key):
    key_id = make_key()
    return TokenAuthority(self_signed(orders.charter(), key_in(opened, key_id)), opened, key_id)


@dataclass(frozen=True)
class Watched:
    token: Token
    calls: Spy

    def since(self, function: str, before: int) -> int:
        return self.calls.count(function) - before


@pytest.fixture(scope="session")
def spy(token, tmp_path_factory):
    """One for the process: the spy reads where to write when it is loaded."""
    return Spy.on(token.module, tmp_path_factory.mktemp("spy"))


@pytest.fixture
def watched(token, spy):
    opened = Token(spy.module, token.label, str(token.pin_file))
    with closing(opened):
        yield Watched(opened, spy)


def verify(public_key: object, signature: bytes, data: bytes) -> None:
    assert isinstance(public_key, ec.EllipticCurvePublicKey)
    public_key.verify(signature, data, ec.ECDSA(hashes.SHA256()))


def test_token_and_portal_know_the_same_kinds_of_key():
    assert tokens.KEY_KINDS.keys() == keys.KEY_KINDS.keys()


@pytest.mark.parametrize("kind", sorted(keys.KEY_KINDS))
def test_a_made_key_is_of_its_kind_and_stays_inside(opened, make_key, kind):
    key_id = make_key(kind)
    private = opened._ask("a look", lambda session: opened._find(session, ObjectClass.PRIVATE_KEY, key_id))
    assert keys.kind_of(key_in(opened, key_id)) is keys.KEY_KINDS[kind]
    assert private[Attribute.SENSITIVE]
    assert private[Attribute.PRIVATE]
    assert private[Attribute.NEVER_EXTRACTABLE]
    assert not private[Attribute.DECRYPT]
    assert not private[Attribute.DERIVE]


@pytest.mark.parametrize("kind", ["ec-p256", "rsa-2048"])
def test_the_key_does_not_leave(opened, make_key, kind):
    key = key_in(opened, make_key(kind))
    for attempt in (key.private_bytes, key.private_numbers, lambda: copy.copy(key), lambda: copy.deepcopy(key)):
        with pytest.raises(TypeError, match="does not leave the token"):
            attempt()


def test_a_key_signs_with_what_it_is_for_and_nothing_else(opened, make_key):
    elliptic, rsa = key_in(opened, make_key()), key_in(opened, make_key("rsa-2048"))
    assert isinstance(elliptic, EcTokenKey)
    assert isinstance(rsa, RsaTokenKey)
    rsa.public_key().verify(
        rsa.sign(b"text", padding.PKCS1v15(), hashes.SHA512()), b"text", padding.PKCS1v15(), hashes.SHA512()
    )
    with pytest.raises(UnsupportedAlgorithm):
        elliptic.sign(b"text", ec.ECDSA(hashes.SHA1()))
    with pytest.raises(UnsupportedAlgorithm):
        rsa.sign(b"text", padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())


def test_a_linted_order_is_not_carried_away(authority):
    linted = issuance.rehearse(orders.order(), authority.certificate, authority.lints)
    with pytest.raises(TypeError, match="not carried"):
        pickle.dumps(linted)


def test_one_certificate_is_one_signature_of_the_token(watched):
    key_id = secrets.token_bytes(8)
    watched.token.generate("ec-p256", key_id)
    authority = TokenAuthority(self_signed(orders.charter(), key_in(watched.token, key_id)), watched.token, key_id)
    linted = issuance.rehearse(orders.order(), authority.certificate, authority.lints)
    authority.reach()  # the first time in this process, so the key proves itself
    before = watched.calls.signed()
    authority.reach()
    issued = issuance.check_delivery(linted, authority.issue(linted), authority.certificate)
    signed = watched.calls.signed()[len(before) :]
    assert signed == [hashlib.sha256(issued.tbs_certificate_bytes).digest()]


def test_a_day_too_long_never_reaches_the_token(watched):
    key_id = secrets.token_bytes(8)
    watched.token.generate("ec-p256", key_id)
    authority = TokenAuthority(self_signed(orders.charter(), key_in(watched.token, key_id)), watched.token, key_id)
    before = len(watched.calls.signed())
    with pytest.raises(issuance.FailedLint, match="more than 90 days"):
        issuance.rehearse(orders.order(days=91), authority.certificate, authority.lints)
    assert len(watched.calls.signed()) == before


def test_fifty_signatures_need_one_session_and_one_login(watched):
    sessions, logins = watched.calls.count("C_OpenSession"), watched.calls.count("C_Login")
    key_id = secrets.token_bytes(8)
    watched.token.generate("ec-p256", key_id)
    for _ in range(50):
        watched.token.sign(key_id, DIGEST, tokens.SIGN_DIGEST_EC)
    assert watched.since("C_Login", logins) == 1
    assert watched.since("C_OpenSession", sessions) == 2  # the other one could write, made the key and was closed
    assert watched.calls.count("C_CloseSession") >= 1


def test_a_lost_session_is_made_again_once(watched):
    key_id = secrets.token_bytes(8)
    watched.token.generate("ec-p256", key_id)
    watched.token.sign(key_id, DIGEST, tokens.SIGN_DIGEST_EC)
    logins, signed = watched.calls.count("C_Login"), len(watched.calls.signed())
    watched.token._session.close()
    watched.token.sign(key_id, DIGEST, tokens.SIGN_DIGEST_EC)
    assert watched.since("C_Login", logins) == 1
    assert len(watched.calls.signed()) == signed + 1


def test_a_silent_token_is_not_asked_again(watched):
    """It may have signed: an ECDSA serial that is signed twice is two certificates (`security.md` 1, 10)."""
    key_id = secrets.token_bytes(8)
    watched.token.generate("ec-p256", key_id)
    before = watched.calls.count("C_SignInit")
    with pytest.raises(TokenFellSilent, match="GeneralError"):  # what SoftHSM says to an RSA mechanism over an EC key
        watched.token.sign(key_id, DIGEST, tokens.SIGN_DIGESTINFO_RSA)
    assert watched.since("C_SignInit", before) == 1


def test_only_an_error_that_proves_that_nothing_was_signed_is_a_reason_to_ask_again():
    told_during_the_call = (
        pkcs11.DeviceError,
        pkcs11.DeviceMemory,
        pkcs11.DeviceRemoved,
        pkcs11.FunctionCancelled,
        pkcs11.FunctionFailed,
        pkcs11.GeneralError,
        pkcs11.HostMemory,
        pkcs11.SessionClosed,
    )
    for error in told_during_the_call:
        assert not issubclass(error, (*said.SESSION_GONE, *said.SAID_NO)), error


@pytest.mark.parametrize("error", said.SESSION_GONE)
def test_a_session_that_was_gone_before_the_call_is_asked_once_more_and_no_more(opened, make_key, error):
    key_id, asked = make_key(), []

    def ask(session: object) -> None:
        asked.append(session)
        raise error

    with pytest.raises(TokenNotReached, match="ends its sessions at once"):
        opened._ask("a signature", ask)
    assert len(asked) == 2
    with pytest.raises(TokenNotReached, match="not tried again before"):
        opened.sign(key_id, DIGEST, tokens.SIGN_DIGEST_EC)
    with clock.frozen(clock.now() + timedelta(seconds=6)):
        assert opened.sign(key_id, DIGEST, tokens.SIGN_DIGEST_EC)


@pytest.mark.parametrize(
    "error", [pkcs11.DeviceRemoved, pkcs11.SessionClosed, pkcs11.FunctionFailed, pkcs11.GeneralError]
)
def test_what_happened_during_the_call_is_never_asked_again(opened, error):
    asked = []

    def ask(session: object) -> None:
        asked.append(session)
        raise error

    with pytest.raises(TokenFellSilent):
        opened._ask("a signature", ask)
    assert len(asked) == 1
    with pytest.raises(TokenNotReached, match="not tried again before"):
        opened._ask("a signature", ask)
    assert len(asked) == 1


def test_a_refused_pin_is_never_offered_again(watched, token, tmp_path):
    """A token counts, and locks itself: three minutes of trying would do what nobody can undo from here."""
    pin = tmp_path / "pin"
    pin.write_text("not the pin")
    wrong = Token(watched.token.module, token.label, str(pin))
    logins = watched.calls.count("C_Login")
    for _ in range(3):
        with pytest.raises(TokenNotReached, match=r"refused the PIN in .*PinIncorrect"):
            wrong.reach(b"\x01")
    assert watched.since("C_Login", logins) == 1
    with clock.frozen(clock.now() + timedelta(days=1)), pytest.raises(TokenNotReached, match="file is written anew"):
        wrong.reach(b"\x01")
    assert watched.since("C_Login", logins) == 1


def test_another_wrong_pin_is_tried_once_a_minute(watched, token, tmp_path):
    pin = tmp_path / "pin"
    logins = watched.calls.count("C_Login")
    wrong = Token(watched.token.module, token.label, str(pin))
    for tried, guess in enumerate(("not the pin", "nor this", "nor that"), start=1):
        pin.write_text(guess)
        moment = clock.now() + timedelta(seconds=61 * tried)
        for seconds in (0, 1, 59):
            with clock.frozen(moment + timedelta(seconds=seconds)), pytest.raises(TokenNotReached):
                wrong.reach(b"\x01")
        assert watched.since("C_Login", logins) == tried


def test_a_corrected_pin_is_taken_after_the_minute(token, tmp_path, make_key, opened):
    key_id = make_key()
    pin = tmp_path / "pin"
    pin.write_text("not the pin")
    opened.close()
    mended = Token(token.module, token.label, str(pin))
    with pytest.raises(TokenNotReached, match="refused the PIN"):
        mended.reach(key_id)
    pin.write_text(Path(token.pin_file).read_text())
    with pytest.raises(TokenNotReached, match="not tried again before"):
        mended.reach(key_id)
    with clock.frozen(clock.now() + timedelta(seconds=61)):
        mended.reach(key_id)
    mended.close()


@pytest.mark.parametrize(
    ("place", "why"),
    [
        (("{module}", "no such token", "{pin}"), "NoSuchToken"),
        (("/no/such/module.so", "{label}", "{pin}"), "cannot open shared object file"),
        (("{module}", "{label}", "/no/such/pin"), "No such file or directory"),
    ],
)
def test_what_is_not_there_is_said_in_a_sentence(token, opened, place, why):
    opened.close()
    told = {"module": token.module, "label": token.label, "pin": token.pin_file}
    absent = Token(*(part.format(**told) for part in place))
    with pytest.raises(TokenNotReached, match=why):
        absent.reach(b"\x01")


def test_a_missing_key_is_noticed_before_anything_is_written_down(authority, opened):
    keyless = TokenAuthority(authority.certificate, opened, b"nobody's")
    with pytest.raises(AuthorityNotReached, match="holds 0 keys"):
        keyless.reach()


def test_a_key_that_may_not_sign_makes_its_authority_wait_and_fails_no_request(opened):
    """Its trial is refused before a serial is handed out; what is wrong with a key is not wrong with an order."""
    key_id = secrets.token_bytes(8)

    def make(session: pkcs11.Session) -> None:
        with session.token.open(rw=True) as writing:
            parameters = {Attribute.EC_PARAMS: encode_named_curve_parameters("secp256r1")}
            domain = writing.create_domain_parameters(KeyType.EC, parameters, local=True)
            domain.generate_keypair(id=key_id, store=True, capabilities=MechanismFlag.VERIFY)

    opened._ask("making a key that may not sign", make)
    mute = TokenAuthority(orders.issuer("ec-p256")[0], opened, key_id)
    with pytest.raises(AuthorityNotReached, match="does not let its key"):
        mute.reach()
    assert opened.circuit_of(key_id).why == Why.REFUSES
    assert opened.circuit.state == State.CLOSED


def test_a_key_that_is_not_the_published_one_proves_nothing(opened, make_key):
    other = TokenAuthority(orders.issuer("ec-p256")[0], opened, make_key())
    with pytest.raises(AuthorityNotReached, match="wrong signature"):
        other.reach()
    assert opened.circuit_of(other.key_id).why == Why.WRONG_SIGNATURE


@pytest.mark.parametrize("kind", keys.KEY_KINDS)
def test_a_key_of_every_kind_proves_itself_once_a_process(watched, kind):
    key_id = secrets.token_bytes(8)
    watched.token.generate(kind, key_id)
    authority = TokenAuthority(self_signed(orders.charter(), key_in(watched.token, key_id)), watched.token, key_id)
    before = len(watched.calls.signed())
    for _ in range(3):
        authority.reach()
    assert len(watched.calls.signed()) == before + 1


def test_a_key_identifier_is_given_once(opened, make_key):
    key_id = make_key()
    public = opened.public_key(key_id)
    with pytest.raises(TokenRefused, match="already"):
        opened.generate("ec-p256", key_id)
    assert opened.public_key(key_id) == public


def test_an_unknown_key_kind_is_a_programming_mistake(opened):
    with pytest.raises(KeyError):
        opened.generate("ec-p512", secrets.token_bytes(8))


def test_missing_is_not_reached():
    assert issubclass(KeyNotThere, TokenNotReached)


def test_threads_share_the_session(opened, make_key):
    key = key_in(opened, make_key())

    def sign(text: bytes) -> None:
        verify(key.public_key(), key.sign(text, ec.ECDSA(hashes.SHA256())), text)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(sign, [secrets.token_bytes(16) for _ in range(80)]))


def test_threads_that_come_at_once_log_in_once(watched):
    key_id = secrets.token_bytes(8)
    watched.token.generate("ec-p256", key_id)
    watched.token.close()
    logins, starting = watched.calls.count("C_Login"), Barrier(8)

    def sign(_number: int) -> int:
        starting.wait()
        return len(watched.token.sign(key_id, DIGEST, tokens.SIGN_DIGEST_EC))

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(sign, range(8))) == [64] * 8
    assert watched.since("C_Login", logins) == 1


FORKING = """
import os, sys, hashlib
from portal.foundation import token as tokens
opened = tokens.token_at(*sys.argv[1:4])
key_id = bytes.fromhex(sys.argv[4])
def sign(): return len(opened.sign(key_id, hashlib.sha256(b"x").digest(), tokens.SIGN_DIGEST_EC))
assert sign() == 64
child = os.fork()
if child == 0:
    os._exit(0 if sign() == 64 else 1)
assert os.waitpid(child, 0)[1] == 0
assert sign() == 64
"""

HANGING = """
import sys, time
from portal.foundation import token as tokens
opened = tokens.Token(*sys.argv[1:4], patience=0.3)
opened._ask("a signature", lambda session: time.sleep(30))
"""


def run(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error"}
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=25,
        check=False,
    )


def test_a_forked_child_initialises_anew_and_leaves_its_parents_session_alone(token, make_key, tmp_path, monkeypatch):
    calls = Spy.on(token.module, tmp_path)
    for key, told in calls.environment.items():
        monkeypatch.setenv(key, told)
    ended = run(FORKING, calls.environment["PKCS11_MODULE"], token.label, str(token.pin_file), make_key().hex())
    assert (ended.returncode, ended.stderr) == (0, "")
    assert calls.count("C_Initialize") == calls.count("C_Login") == 2
    assert len(calls.signed()) == 3


def test_a_call_that_hangs_ends_the_process(token):
    ended = run(HANGING, token.module, token.label, str(token.pin_file))
    assert ended.returncode == 75
    assert "a signature at token" in ended.stderr
    assert "took longer than 0.3 seconds" in ended.stderr


KILLED = """
import os, signal, sys, hashlib
from portal.foundation import token as tokens
opened = tokens.token_at(os.environ["PKCS11_MODULE"], *sys.argv[1:3])
opened.sign(bytes.fromhex(sys.argv[3]), hashlib.sha256(b"last words").digest(), tokens.SIGN_DIGEST_EC)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_the_spy_counts_what_a_killed_process_signed(token, make_key, tmp_path, monkeypatch):
    calls = Spy.on(token.module, tmp_path)
    for key, told in calls.environment.items():
        monkeypatch.setenv(key, told)
    ended = run(KILLED, token.label, str(token.pin_file), make_key().hex())
    assert ended.returncode == -9
    assert calls.signed() == [hashlib.sha256(b"last words").digest()]
    assert SPY.exists()
