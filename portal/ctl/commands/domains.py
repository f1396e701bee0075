"""Domains and mailboxes: the ledger, beginning to prove one, and waiting until its proof was seen."""

import time
from typing import Any

import click

from portal.ctl import finding, showing
from portal.ctl.asking import Interruptible
from portal.ctl.examples import Command, Group
from portal.ctl.outcomes import Failure, Outcome
from portal.ctl.session import Columns, Reach, Session, listing, show_list, signed_in
from portal.ctl.waiting import Progress

_STATES = ("new", "pending", "verifying", "proved", "ends-soon", "lapsed", "failed", "retired", "attention")
_METHODS = ("dns-change", "http-file", "dns-persist", "constructed-email", "caa-email", "txt-email", "mailbox")
_PAUSE, _BETWEEN_LOOKS = 2.0, 12.0
USUAL_SECONDS = 900

COLUMNS = Columns(
    ("NAME", "STATE", "METHOD", "USABLE UNTIL", "NEXT STEP", "ID"),
    lambda row: (
        row["name"],
        row["state"],
        row["method"],
        showing.moment(row["usable_until"]),
        row["next_step"],
        row["id"],
    ),
)


@click.group(cls=Group)
def domain() -> None:
    """See domains and mailboxes, and prove that they are yours."""


@domain.command(
    "list",
    cls=Command,
    examples=("portalctl domain list", "portalctl domain list --state attention", "portalctl domain list --all --csv"),
)
@click.option("--name", metavar="TEXT", help="Only those with this in their name.")
@click.option("--state", type=click.Choice(_STATES), help="Only these; “attention” needs somebody.")
@click.option("--method", type=click.Choice(_METHODS), help="Only those that are proven like this.")
@click.option("--ends-before", metavar="DAY", help="Only those whose proof ends before YYYY-MM-DD.")
@listing
@signed_in
def list_(session: Session, reach: Reach, **filters: Any) -> None:
    """List what your organisation claims, and until when it is proven."""
    show_list(session, ("domains",), COLUMNS, reach, **filters)


@domain.command("show", cls=Command, examples=("portalctl domain show example.com",))
@click.argument("name")
@signed_in
def show(session: Session, name: str) -> None:
    """Show a domain by its NAME or ID: how it stands, what is to be published, what proves it."""
    found = finding.domain(session.api, name)
    session.show(found, lambda: showing.facts(_facts(found)))


@domain.command(
    "add", cls=Command, examples=("portalctl domain add example.com", "portalctl domain add somebody@example.com")
)
@click.argument("name")
@signed_in
def add(session: Session, name: str) -> None:
    """Add a NAME: a domain, or a mailbox."""
    added = session.api.post("domains", body={"name": name})
    session.show(added, lambda: showing.line(f"{added['name']} is added. Prove it: portalctl domain prove {name}"))


@domain.command(
    "prove",
    cls=Command,
    examples=(
        "portalctl domain prove example.com",
        "portalctl domain prove www.example.com --method http-file --wait",
        "portalctl domain prove example.com --method constructed-email --mailbox hostmaster@example.com",
    ),
)
@click.argument("name")
@click.option("--method", type=click.Choice(_METHODS), help="As last time where it is left out.")
@click.option("--mailbox", metavar="ADDRESS", help="For methods by mail.")
@click.option("--cname", is_flag=True, help="For dns-change: an alias instead of a text record.")
@click.option("--wait", "waits", is_flag=True, help="Look again and again until it is proven.")
@click.option("--timeout", default=USUAL_SECONDS, show_default=True, type=click.FloatRange(0), metavar="SECONDS")
@signed_in
def prove(
    session: Session, name: str, method: str | None, mailbox: str | None, timeout: float, *, cname: bool, waits: bool
) -> None:
    """Begin to prove a NAME, and say what to publish; one that is not there yet is added."""
    found = _found_or_added(session, name)
    body: dict[str, Any] = {"method": method or found["method"]}
    body |= {"sent_to": mailbox} if mailbox else {}
    body |= {"cname": True} if cname else {}
    begun = session.api.post("domains", found["id"], "attempts", body=body)
    if not waits:
        session.show(begun, lambda: _instruct(begun))
        return
    if not session.as_json:
        _instruct(begun)
    proved = _until_proved(session, begun, timeout)
    session.show(proved, lambda: showing.line(proved["said"]))


@domain.command("look", cls=Command, examples=("portalctl domain look example.com",))
@click.argument("name")
@signed_in
def look(session: Session, name: str) -> None:
    """Have everybody look for a NAME's proof now, and say what they saw; exit code 3 where it is not there."""
    found = finding.domain(session.api, name)
    asked = session.api.post("domains", found["id"], "looks", body={})
    progress, ends = Progress(), time.monotonic() + USUAL_SECONDS
    try:
        while _is_looking(asked) and time.monotonic() < ends:
            progress.tell(f"{asked['name']}: looking")
            time.sleep(_PAUSE)
            asked = session.api.look("domains", asked["id"])
    finally:
        progress.end()
    newest = next(iter(session.api.get("domains", asked["id"], "looks", limit=1)["results"]), None)
    session.show({"domain": asked, "look": newest}, lambda: _seen(asked, newest))
    if asked["state"] not in {"proved", "ends-soon"}:
        raise Failure(
            Outcome.REFUSED, f"{asked['name']} is not proven.", newest["next_step"] if newest else "", code="not-proven"
        )


@domain.command(
    "wait", cls=Command, examples=("portalctl domain wait example.com", "portalctl domain wait example.com --json")
)
@click.argument("name")
@click.option("--timeout", default=USUAL_SECONDS, show_default=True, type=click.FloatRange(0), metavar="SECONDS")
@signed_in
def wait(session: Session, name: str, timeout: float) -> None:
    """Look again and again until a NAME is proven: exit code 0 then, 6 where it failed, 7 when it takes too long."""
    proved = _until_proved(session, finding.domain(session.api, name), timeout)
    session.show(proved, lambda: showing.line(proved["said"]))


@domain.command("looks", cls=Command, examples=("portalctl domain looks example.com --limit 5",))
@click.argument("name")
@listing
@signed_in
def looks(session: Session, name: str, reach: Reach) -> None:
    """List the looks at a NAME, the newest first."""
    columns = Columns(
        ("WHEN", "SEEN", "PERSPECTIVES", "WHAT"),
        lambda row: (showing.moment(row["at"]), row["reason"] == "seen", row["agreement"], row["sentence"]),
    )
    show_list(session, ("domains", finding.domain(session.api, name)["id"], "looks"), columns, reach)


@domain.command(
    "publish-by",
    cls=Command,
    examples=("portalctl domain publish-by example.com 019ab0d4-6f2e-7c3a-9d51-8e4b6a2f1c70",),
)
@click.argument("name")
@click.argument("way", metavar="WAY")
@signed_in
def publish_by(session: Session, name: str, way: str) -> None:
    """Let a WAY, by its ID, publish a NAME's proofs from the next attempt on; “hand” leaves it to people."""
    found = finding.domain(session.api, name)
    body = {"way": None if way == "hand" else way}
    after = session.api.post("domains", found["id"], "publishing", body=body)
    by = f"by way {after['publishing']}" if after["publishing"] else "by hand"
    session.show(after, lambda: showing.line(f"{after['name']} is published {by}."))


@domain.command("retire", cls=Command, examples=("portalctl domain retire example.com",))
@click.argument("name")
@signed_in
def retire(session: Session, name: str) -> None:
    """Retire a NAME: what was proven counts no more."""
    _turn(session, name, "retirement")


@domain.command("revive", cls=Command, examples=("portalctl domain revive example.com",))
@click.argument("name")
@signed_in
def revive(session: Session, name: str) -> None:
    """Take a retired NAME up again."""
    _turn(session, name, "revival")


def _turn(session: Session, name: str, deed: str) -> None:
    after = session.api.post("domains", finding.domain(session.api, name)["id"], deed, body={})
    session.show(after, lambda: showing.line(after["said"]))


def _found_or_added(session: Session, name: str) -> dict[str, Any]:
    try:
        return finding.domain(session.api, name)
    except Failure as failure:
        if failure.outcome is not Outcome.NOT_FOUND:
            raise
    return dict(session.api.post("domains", body={"name": name}))


def _facts(found: dict[str, Any]) -> list[tuple[str, Any]]:
    proof, attempt = found["proof"] or {}, found["attempt"] or {}
    told = attempt.get("instruction") or {}
    return [
        ("Domain", found["name"]),
        ("State", found["state"]),
        ("", found["said"]),
        ("Next step", found["next_step"]),
        ("Usable until", showing.moment(found["usable_until"])),
        ("Proven by", f"{proof['method']} ({proof['rules']})" if proof else ""),
        ("DNSSEC", proof.get("dnssec")),
        ("Corroborated", proof.get("corroborated") if proof else ""),
        ("To do", told.get("line")),
        ("Until", showing.moment(attempt.get("ends_at"))),
        ("Contacts", attempt.get("contacts")),
        ("Methods", [f"{each['slug']} ({each['document']} {each['number']})" for each in found["methods"]]),
        ("Published by", found["publishing"] or "hand"),
        ("ID", found["id"]),
    ]


def _instruct(begun: dict[str, Any]) -> None:
    """What to do, each part on a line of its own, so that it can be copied."""
    attempt = begun["attempt"]
    if attempt is None:
        showing.line(begun["said"])
        return
    told = attempt["instruction"]
    if attempt["automatic"]:
        showing.line("The portal publishes it by itself.")
    if told is None:
        showing.line(begun["next_step"] or "The portal looks up which mailboxes the DNS names.")
        return
    kinds = {"txt": "TXT record", "cname": "CNAME record", "file": "File", "mail": "Mail"}
    showing.facts(
        [
            (kinds[told["kind"]], told["owner"]),
            ("Within", f"{told['within']} in the zone {told['zone']}" if told["within"] else ""),
            ("Value", told["value"]),
            ("Whole line", told["line"] if told["line"] != told["owner"] else ""),
            ("Until", showing.moment(attempt["ends_at"])),
        ]
    )
    if told["kind"] == "mail":
        showing.line("Whoever reads it approves on the page behind its link.")
    else:
        showing.line(f"Once it is there: portalctl domain look {begun['name']}")


def _is_looking(found: dict[str, Any]) -> bool:
    return bool(found["attempt"]) and found["attempt"]["state"] == "verifying"


def _until_proved(session: Session, found: dict[str, Any], seconds: float) -> dict[str, Any]:
    name = found["name"]
    progress, deadline = Progress(), time.monotonic() + seconds
    with Interruptible(lambda: f"What was begun stays. Look again: portalctl domain look {name}"):
        try:
            return _proved(session, found, progress, deadline)
        finally:
            progress.end()


def _proved(session: Session, found: dict[str, Any], progress: Progress, deadline: float) -> dict[str, Any]:
    look_at = time.monotonic()
    while True:
        attempt = found["attempt"]
        progress.tell(f"{found['name']}: {found['state']}")
        if attempt is None or attempt["state"] == "failed":
            if found["state"] in {"proved", "ends-soon"}:
                return found
            raise Failure(Outcome.FAILED, found["said"], found["next_step"], code="not-proven")
        if time.monotonic() > deadline:
            raise Failure(
                Outcome.TIMED_OUT,
                f"{found['name']} is not proven yet.",
                f"{found['next_step']} Look again: portalctl domain look {found['name']}",
            )
        by_mail = (attempt["instruction"] or {"kind": "mail"})["kind"] == "mail"
        if not by_mail and not _is_looking(found) and time.monotonic() >= look_at and not attempt["looks_again_at"]:
            found = session.api.post("domains", found["id"], "looks", body={})
            look_at = time.monotonic() + _BETWEEN_LOOKS
            continue
        time.sleep(_PAUSE)
        found = session.api.look("domains", found["id"])


def _seen(found: dict[str, Any], newest: dict[str, Any] | None) -> None:
    if newest is None:
        showing.line(found["said"])
        return
    showing.line(newest["sentence"])
    if newest["places"]:
        showing.table(
            ("WHERE", "REGION", "RESULT", "SAW"),
            [
                (each["name"], each["region"], each["result"], each["saw"] or each["remark"])
                for each in newest["places"]
            ],
        )
    if newest["agreement"]:
        showing.line(f"Perspectives: {newest['agreement']}")
