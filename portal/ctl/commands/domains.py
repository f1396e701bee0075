"""Domains and mailboxes: the ledger, beginning to prove one, and waiting until its proof was seen."""

import time
from typing import Any

import click

from portal.ctl import finding, proving, showing
from portal.ctl.asking import Interruptible
from portal.ctl.examples import Command, Group
from portal.ctl.outcomes import Failure, Outcome
from portal.ctl.proving import USUAL_SECONDS
from portal.ctl.session import Columns, Reach, Session, listing, show_list, signed_in, told
from portal.ctl.waiting import Progress

_STATES = ("new", "pending", "verifying", "proved", "ends-soon", "lapsed", "failed", "retired", "attention")
_METHODS = ("dns-change", "http-file", "dns-persist", "constructed-email", "caa-email", "txt-email", "mailbox")
_PAUSE, _LONGEST_LOOK = 2.0, 180.0

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
    session.show(added, told(added, "{name} is added. Prove it: portalctl domain prove {name}"))


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
    proved = proving.until_proved(session, begun, timeout)
    session.show(proved, lambda: showing.line(proved["said"]))


@domain.command("look", cls=Command, examples=("portalctl domain look example.com",))
@click.argument("name")
@signed_in
def look(session: Session, name: str) -> None:
    """Have everybody look for a NAME's proof now, and say what they saw; exit code 3 where it is not there."""
    found = finding.domain(session.api, name)
    before = _newest_look(session, found)
    asked = session.api.post("domains", found["id"], "looks", body={})
    progress, ends = Progress(), time.monotonic() + _LONGEST_LOOK
    with Interruptible(lambda: f"The look goes on. See what it met: portalctl domain looks {asked['name']} --limit 1"):
        try:
            while proving.is_looking(asked) or (
                (newest := _newest_look(session, asked)) == before and proving.open_attempt(asked)
            ):
                if time.monotonic() > ends:
                    raise Failure(
                        Outcome.TIMED_OUT,
                        f"Nobody has looked at {asked['name']} yet.",
                        f"The look goes on. See what it met: portalctl domain looks {asked['name']} --limit 1",
                    )
                progress.tell(f"{asked['name']}: looking")
                time.sleep(_PAUSE)
                asked = session.api.look("domains", asked["id"])
        finally:
            progress.end()
    session.show({"domain": asked, "look": newest}, lambda: _seen(newest))
    if newest.get("reason") != "seen":
        next_step = newest.get("next_step") or asked["next_step"]
        raise Failure(Outcome.REFUSED, f"{asked['name']} is not proven.", next_step, code="not-proven")


@domain.command(
    "wait", cls=Command, examples=("portalctl domain wait example.com", "portalctl domain wait example.com --json")
)
@click.argument("name")
@click.option("--timeout", default=USUAL_SECONDS, show_default=True, type=click.FloatRange(0), metavar="SECONDS")
@signed_in
def wait(session: Session, name: str, timeout: float) -> None:
    """Look again and again until a NAME is proven: exit code 0 then, 6 where it failed, 7 when it takes too long."""
    proved = proving.until_proved(session, finding.domain(session.api, name), timeout)
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
    to_do = attempt.get("instruction") or {}
    return [
        ("Domain", found["name"]),
        ("State", found["state"]),
        ("", found["said"]),
        ("Next step", found["next_step"]),
        ("Usable until", showing.moment(found["usable_until"])),
        ("Proven by", f"{proof['method']} ({proof['rules']})" if proof else ""),
        ("DNSSEC", proof.get("dnssec")),
        ("Corroborated", proof.get("corroborated") if proof else ""),
        ("To do", to_do.get("line")),
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
    to_do = attempt["instruction"]
    if attempt["automatic"]:
        showing.line("The portal publishes it by itself.")
    if to_do is None:
        showing.line("The portal looks up which mailboxes the DNS names.")
        showing.line(f"See whom: portalctl domain show {begun['name']}")
        return
    kinds = {"txt": "TXT record", "cname": "CNAME record", "file": "File", "mail": "Mail"}
    showing.facts(
        [
            (kinds[to_do["kind"]], to_do["owner"]),
            ("Within", f"{to_do['within']} in the zone {to_do['zone']}" if to_do["within"] else ""),
            ("Value", to_do["value"]),
            ("Whole line", to_do["line"] if to_do["line"] != to_do["owner"] else ""),
            ("Until", showing.moment(attempt["ends_at"])),
        ]
    )
    if to_do["kind"] == "mail":
        showing.line("Whoever reads it approves on the page behind its link.")
    else:
        showing.line(f"Once it is there: portalctl domain look {begun['name']}")


def _newest_look(session: Session, found: dict[str, Any]) -> dict[str, Any]:
    """The newest look at a domain; empty where there is none."""
    return dict(next(iter(session.api.get("domains", found["id"], "looks", limit=1)["results"]), {}))


def _seen(newest: dict[str, Any]) -> None:
    if not newest:
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
