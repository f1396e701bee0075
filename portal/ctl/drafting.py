"""From a begun request to a submitted one: the portal's own steps, answered one after the other.

Nothing of the steps is known here but how they look: which there are, what they ask and what is locked the portal
says.  Whoever is interrupted goes on where it was, by the request's number.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from portal.ctl import asking
from portal.ctl.asking import Codes, Detail
from portal.ctl.outcomes import Failure, Outcome, usage
from portal.ctl.session import Session
from portal.ctl.waiting import Progress

_LOOKS = (1.0, 1.0, 2.0, 2.0, 3.0, 5.0, 5.0, 5.0, 10.0, 10.0, 10.0, 10.0)
"""Seconds between two looks at what the name servers said; then it has taken too long."""

Answers = Mapping[tuple[str, str], list[str]]


@dataclass(slots=True)
class KeySource:
    """Where the request for the new key comes from: a CSR that there is, or a pair that is made when it is needed."""

    session: Session
    csr_file: Path | None = None
    kind: str = ""
    key_file: Path | None = None
    passphrase: bytes | None = None
    written: dict[str, str] = field(default_factory=dict)

    def csr(self, stem: str) -> str:
        """PEM of the request; the key behind it is on the disk before this returns."""
        from portal.ctl import keys  # noqa: PLC0415 - most commands make no keys

        if self.csr_file is not None:
            return keys.read_csr(self.csr_file)
        pair = keys.make(self.kind or keys.KINDS[0], keys.stem_of(stem), Path(), self.key_file, self.passphrase)
        self.written = {"key_file": str(pair.key_file), "csr_file": str(pair.csr_file)}
        self.session.say(f"The new private key is in {pair.key_file}, its request in {pair.csr_file}.")
        return pair.csr


@dataclass(frozen=True, slots=True)
class Wish:
    """What the command line says about a request."""

    answers: Answers
    key: KeySource | None
    agree: bool
    codes: Codes
    stem: str = ""


def settle(session: Session, detail: Detail, wish: Wish) -> Detail:
    """Answer every step that is open, or that the command line says something about."""
    own = {step["slug"] for step in detail["steps"]}
    if strange := sorted({step for step, _name in wish.answers} - own):
        raise usage(f"This request has no step “{strange[0]}”.", f"Its steps are: {', '.join(sorted(own))}")
    for slug in [step["slug"] for step in detail["steps"]]:
        is_open = detail["open_step"] == slug
        said = {name: values for (step, name), values in wish.answers.items() if step == slug}
        if slug == "key" and wish.key is not None:
            csr = wish.key.csr(wish.stem or detail["title"])
            detail = _put(session, detail, slug, {"csr": csr})
        elif slug == "domains":
            detail = _verified(session, detail) if is_open else detail
        elif is_open or said:
            detail = _answered(session, detail, slug, said, wish)
    return detail


def _answered(session: Session, detail: Detail, slug: str, said: dict[str, list[str]], wish: Wish) -> Detail:
    step = session.api.get("requests", detail["id"], "steps", slug)
    fields = {one["name"]: one for one in step["fields"] if not one["locked"]}
    if strange := sorted(said.keys() - fields.keys()):
        asked = ", ".join(sorted(fields)) or "nothing"
        raise usage(f"The step “{slug}” does not ask “{strange[0]}” here.", f"It asks: {asked}.")
    if "consent" in fields:
        return _consented(session, detail, step, said, wish)
    body = {}
    for name, one in fields.items():
        value = _value(one, said[name]) if name in said else one["value"]
        if one["required"] and value in (None, "", []):
            value = _value(one, [asking.question(session, one, f"--set {slug}.{name}=…")])
        if value is not None:
            body[name] = value
    return _put(session, detail, slug, body)


def _consented(session: Session, detail: Detail, step: Detail, said: dict[str, list[str]], wish: Wish) -> Detail:
    """Answer the step that asks for consent; it counts for just what the step shows now."""
    body: dict[str, Any] = {}
    for one in step["fields"]:
        if one["name"] in said:
            body[one["name"]] = said[one["name"]][-1]
        elif one["choices"] and one["required"]:
            body[one["name"]] = asking.question(session, one, f"--{one['name'].replace('_', '-')}")
        elif one["value"] not in (None, ""):
            body[one["name"]] = one["value"]
    asking.consent(session, step, given=wish.agree)
    return _put(session, detail, "confirm", body | {"consent": True})


def _value(one: Detail, said: list[str]) -> Any:
    """What was said, as the field's type wants it."""
    match one["type"]:
        case "list":
            return [part for text in said for part in text.replace(",", " ").split()]
        case "number":
            if not said[-1].isascii() or not said[-1].isdigit():
                raise usage(f"“{one['label']}” is a number, and “{said[-1]}” is none.")
            return int(said[-1])
        case "yes-or-no":
            return said[-1].casefold() in {"yes", "true", "on", "1"}
    return said[-1]


def _put(session: Session, detail: Detail, slug: str, body: dict[str, Any]) -> Detail:
    return dict(session.api.put("requests", detail["id"], "steps", slug, body=body))


def _verified(session: Session, detail: Detail) -> Detail:
    """Have the names looked up, and go on if all of them are proven and permit the authority."""
    domains = looked_up(session, detail)
    if left := [name for name in domains if not name["ready"]]:
        raise not_permitted(detail, left)
    return _put(session, detail, "domains", {})


def looked_up(session: Session, detail: Detail) -> list[Detail]:
    """Ask for looks at the names that have none that counts, and wait until all are in."""
    where = ("requests", detail["id"], "steps", "domains")
    domains = session.api.look(*where)["domains"]
    if any(name["state"] not in ("verified", "") for name in domains):
        session.api.post("requests", detail["id"], "domain-checks")
    progress = Progress()
    try:
        for pause in _LOOKS:
            domains = session.api.look(*where)["domains"]
            busy = [name["name"] for name in domains if name["state"] == "verifying"]
            progress.tell(f"Names in the DNS: {len(domains) - len(busy)} of {len(domains)} looked up")
            if not busy:
                break
            time.sleep(pause)
    finally:
        progress.end()
    return list(domains)


def ways_to_prove(name: Detail) -> list[str]:
    """The commands of which one would prove a name that is not proven."""
    control = name["control"]
    if control is None or control["proven"]:
        return []
    commands = [f"portalctl domain prove {way['domain']}" for way in control["ways"]]
    return [f"{'Or' if nth else 'Prove it'}: {command}" for nth, command in enumerate(commands)]


def not_permitted(detail: Detail, left: list[Detail]) -> Failure:
    """Every name that stands in the way, with what would prove it, or the record that would permit it."""
    lines = []
    for name in left:
        if name["control"] and not name["control"]["proven"]:
            lines += [f"{name['name']}: {name['control']['said']}", *ways_to_prove(name)]
            continue
        lines.append(f"{name['name']}: {name['said']} {name['next_step']}".rstrip())
        if name["publish"]:
            lines.append(f"{name['name']} would do with: {name['publish']}")
    failure = Failure(
        Outcome.REFUSED,
        f"{len(left)} of the names cannot have a certificate of this authority now.",
        "\n".join(lines),
        code="names-not-verified",
        facts={"request": detail["id"], "number": detail["number"], "domains": left},
    )
    failure.next_command = f"When that is mended, go on: portalctl submit {detail['number']}"
    return failure
