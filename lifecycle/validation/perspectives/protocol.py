"""What the validation worker and a remote perspective say to each other, and how it is signed.  Pure.

A request is one JSON object; the answer is a line of JSON for each observation, as soon as it is
made, so that a name whose servers are silent holds up nobody.  A perspective signs each of
them by itself, with its own name, the asker's nonce and the time in it, so that one kept as
evidence can be checked by itself years later.  What is signed is not a spelling but a
meaning: the JSON that was read, spelled again in the one canonical way.

Whoever reads takes nothing for granted: an asker may be somebody who stole the worker's key,
and a perspective may have been taken over.
"""

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from lifecycle.validation.perspectives.shapes import found_as_asked
from lifecycle.validation.questions import Asked, Observation, Question

VERSION = 1
MOST_QUESTIONS = 200
MOST_ASKED = 131_072
"""Bytes of one request."""
MOST_ANSWERED = 65_536
"""Bytes of one line of an answer: what `witness.MOST_FOUND` and its wrapping take."""
LONGEST = 10_000
"""Milliseconds that a perspective may be asked to spend on one request."""
FRESH = timedelta(seconds=60)
"""How far the time of an observation may be from ours, either way."""

_CONTEXT = b"certificate portal, observation of a remote perspective, 1\n"
"""Stands before all that is signed, so that no signature made for something else is one of these."""

_NONCE = re.compile(r"[0-9a-f]{32}")
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"(?=.{{1,255}}\Z)(?:\*\.|@)?{_LABEL}(?:\.{_LABEL})*")
_PATH = re.compile(r"/[\x21-\x7e]{1,200}")
_CODE = re.compile(r"[a-z0-9-]{0,40}")


class BadMessage(ValueError):
    """What came is not what this conversation allows; the text says which part, for a log."""


@dataclass(frozen=True, slots=True)
class Ask:
    perspective: str
    """Whom it is for, so that no other can be made to answer in its place."""
    nonce: str
    patience: int
    """Milliseconds."""
    questions: tuple[Question, ...]


@dataclass(frozen=True, slots=True)
class Attested(Observation):
    """An observation with what its perspective signed."""

    perspective: str
    key: str
    """SHA-256 of the certificate that the signature holds under, in hexadecimal."""
    nonce: str
    signature: str
    """ECDSA with SHA-256 over `statement`, DER in Base64."""

    def kept(self) -> dict[str, Any]:
        """Return what evidence holds of it; `holds` checks that again."""
        return {
            "question": _of_question(self.question),
            "at": _time_text(self.at),
            "reason": self.reason,
            "found": dict(self.found),
            "key": self.key,
            "nonce": self.nonce,
            "signature": self.signature,
        }


def canonical(said: Any) -> bytes:
    """Spell JSON in the one way that is signed; it has no fractions, whose spelling is a matter of taste."""
    return json.dumps(said, ensure_ascii=True, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def statement(perspective: str, nonce: str, observation: Observation) -> bytes:
    """Return the bytes that are signed for one observation."""
    said = {
        "version": VERSION,
        "perspective": perspective,
        "nonce": nonce,
        "question": _of_question(observation.question),
        "at": _time_text(observation.at),
        "reason": observation.reason,
        "found": observation.found,
    }
    return _CONTEXT + canonical(said)


def spelled_ask(ask: Ask) -> bytes:
    return canonical(
        {
            "version": VERSION,
            "perspective": ask.perspective,
            "nonce": ask.nonce,
            "patience": ask.patience,
            "questions": [_of_question(question) for question in ask.questions],
        }
    )


def read_ask(body: bytes, perspective: str) -> Ask:
    """Read what was asked of *perspective*; raise `BadMessage` for anything else."""
    said = _object(_json(body, MOST_ASKED), {"version", "perspective", "nonce", "patience", "questions"}, "request")
    if said["version"] != VERSION:
        raise BadMessage("version")
    if said["perspective"] != perspective:
        raise BadMessage("perspective")
    nonce, patience, questions = said["nonce"], said["patience"], said["questions"]
    if not isinstance(nonce, str) or not _NONCE.fullmatch(nonce):
        raise BadMessage("nonce")
    if type(patience) is not int or not 0 < patience <= LONGEST:
        raise BadMessage("patience")
    if not isinstance(questions, list) or not 0 < len(questions) <= MOST_QUESTIONS:
        raise BadMessage("questions")
    return Ask(perspective, nonce, patience, tuple(_question(each) for each in questions))


def spelled_answer(ask: Ask, number: int, observation: Observation, sign: Callable[[bytes], bytes]) -> bytes:
    """Return the line with the answer to the question of this *number*, signed."""
    said = {
        "number": number,
        "question": _of_question(observation.question),
        "at": _time_text(observation.at),
        "reason": observation.reason,
        "found": observation.found,
        "signature": b64encode(sign(statement(ask.perspective, ask.nonce, observation))).decode("ascii"),
    }
    return canonical(said) + b"\n"


def read_answer(line: bytes, ask: Ask, certificate: bytes, now: datetime) -> tuple[int, Attested]:
    """Read one line of the answer to *ask*, which only the holder of the key of *certificate* can have given, at *now*.

    Raises `BadMessage` for what is not the answer to one of the questions, signed for this
    very nonce, fresh and of the right shape.
    """
    fields = {"number", "question", "at", "reason", "found", "signature"}
    said = _object(_json(line, MOST_ANSWERED), fields, "observation")
    number = said["number"]
    if type(number) is not int or not 0 <= number < len(ask.questions):
        raise BadMessage("number")
    question = ask.questions[number]
    if said["question"] != _of_question(question):
        raise BadMessage("question")
    attested = _attested(question, said, ask.perspective, sha256(certificate).hexdigest(), ask.nonce)
    if abs(attested.at - now) > FRESH:
        raise BadMessage("time")
    if not holds(attested, certificate):
        raise BadMessage("signature")
    return number, attested


def holds(attested: Attested, certificate: bytes) -> bool:
    """Whether the perspective whose *certificate* this is signed the observation."""
    key = x509.load_der_x509_certificate(certificate).public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey) or attested.key != sha256(certificate).hexdigest():
        return False
    signed = statement(attested.perspective, attested.nonce, attested)
    try:
        key.verify(b64decode(attested.signature, validate=True), signed, ec.ECDSA(hashes.SHA256()))
    except (InvalidSignature, ValueError):
        return False
    return True


def again(kept: Any, perspective: str) -> Attested:
    """Return the observation that evidence holds, as `Attested.kept` wrote it; raise `BadMessage` for anything else."""
    said = _object(kept, {"question", "at", "reason", "found", "key", "nonce", "signature"}, "observation")
    return _attested(_question(said["question"]), said, perspective, said["key"], said["nonce"])


def _attested(question: Question, fields: Mapping[str, Any], perspective: str, key: str, nonce: str) -> Attested:
    at, reason, signature = fields["at"], fields["reason"], fields["signature"]
    if not isinstance(reason, str) or not _CODE.fullmatch(reason):
        raise BadMessage("reason")
    if not isinstance(signature, str) or len(signature) > 200:  # noqa: PLR2004 - DER of P-256 takes 96
        raise BadMessage("signature")
    if not found_as_asked(question, reason, fields["found"]):
        raise BadMessage("found")
    return Attested(question, _time(at), reason, fields["found"], perspective, key, nonce, signature)


def _of_question(question: Question) -> dict[str, str]:
    return {"asked": question.asked.value, "name": question.name, "path": question.path}


def _question(said: Any) -> Question:
    fields = _object(said, {"asked", "name", "path"}, "question")
    name, path = fields["name"], fields["path"]
    if fields["asked"] not in list(Asked):
        raise BadMessage("asked")
    asked = Asked(fields["asked"])
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise BadMessage("name")
    if not isinstance(path, str) or not (_PATH.fullmatch(path) if asked is Asked.FILE else path == ""):
        raise BadMessage("path")
    return Question(asked, name, path)


def _time_text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def _time(said: Any) -> datetime:
    try:
        at = datetime.fromisoformat(said)
        exact = _time_text(at) == said
    except (TypeError, ValueError, OverflowError):
        raise BadMessage("time") from None
    if not exact:
        raise BadMessage("time")
    return at


def _json(body: bytes, most: int) -> Any:
    if len(body) > most:
        raise BadMessage("size")
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise BadMessage("JSON") from None


def _object(said: Any, keys: set[str], what: str) -> dict[str, Any]:
    if not isinstance(said, dict) or set(said) != keys:
        raise BadMessage(what)
    return said
