"""Asking for certificates: a first one, a new key for one that there is, and going on with what was begun."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from portal.ctl import asking, drafting, finding, showing, waiting
from portal.ctl.asking import Codes, Detail, Interruptible
from portal.ctl.drafting import Answers, KeySource, Wish
from portal.ctl.examples import Command
from portal.ctl.outcomes import Failure, Outcome, usage
from portal.ctl.session import Session, signed_in

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def _together(*options: Decorator) -> Decorator:
    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


_KEYS = _together(
    click.option("--key-type", metavar="KIND", default="", help="ec-p256, ec-p384, rsa-2048, rsa-3072 or rsa-4096."),
    click.option("--key-file", type=click.Path(path_type=Path), help="Where the new private key goes."),
    click.option("--passphrase-file", type=_FILE, help="Its first line seals the new private key."),
    click.option("--no-passphrase", is_flag=True, help="Leave the new private key unsealed."),
    click.option("--csr", type=_FILE, help="Use this request (CSR); no key is made."),
)
_SUBMITTING = _together(
    click.option("--use-case", metavar="WHY", help="Why a key is replaced: lost, compromised or changed."),
    click.option("--message", metavar="TEXT", help="Kept with the request."),
    click.option("--set", "more", multiple=True, metavar="STEP.FIELD=VALUE", help="Any other answer; repeatable."),
    click.option("--agree", is_flag=True, help="Consent, also to the subscriber agreement, without being asked."),
    click.option("--code", default="", metavar="CODE", help="The code of the second factor."),
    click.option("--code-command", default="", metavar="COMMAND", help="Run this for the code, such as 'oathtool …'."),
    click.option("--no-wait", is_flag=True, help="Submit, and do not wait for the certificate."),
    click.option("--timeout", default=waiting.USUAL_SECONDS, show_default=True, type=click.FloatRange(0),
                 metavar="SECONDS", help="How long to wait for the certificate."),
)  # fmt: skip


@click.command(
    cls=Command,
    examples=(
        "portalctl request tls-server --dns www.example.com --dns example.com --days 90",
        'portalctl request desktop-signing --name "Petra Nováková" --set subject.organizational_unit=Legal',
        "portalctl request secure-email --name Petra --email petra@example.com --csr petra.csr --agree --no-wait",
    ),
)
@click.argument("profile_slug", metavar="PROFILE")
@click.option("--name", metavar="NAME", help="The name that the certificate is for.")
@click.option(
    "--dns", multiple=True, metavar="NAME", help="A name in the DNS; repeatable, the first is the common name."
)
@click.option("--email", multiple=True, metavar="ADDRESS", help="An e-mail address; repeatable.")
@click.option("--days", metavar="DAYS", help="How long it lives.")
@_KEYS
@_SUBMITTING
@signed_in
def request(session: Session, profile_slug: str, **said: Any) -> None:
    """Request a first certificate of PROFILE, with a key that is made on this machine.

    The private key is sealed with your passphrase and written before its request is sent; it is never sent itself.
    """
    wish = _wish(session, said, stem=said["name"] or next(iter(said["dns"] or said["email"]), ""))
    detail = session.api.post("requests", body={"kind": "issue", "profile": profile_slug})
    _carry_on(session, detail, wish, said)


@click.command(
    cls=Command,
    examples=(
        "portalctl rekey www.example.com --use-case lost",
        "portalctl rekey www.example.com --csr www.csr --use-case changed --agree --code-command 'oathtool -b @seed'",
        "portalctl rekey 6d1c2b7e-… --use-case compromised --passphrase-file secret --agree --no-wait",
    ),
)
@click.argument("certificate")
@_KEYS
@_SUBMITTING
@signed_in
def rekey(session: Session, certificate: str, **said: Any) -> None:
    """Give CERTIFICATE a new key: the same names, the same end. The old one goes on working until it is revoked.

    CERTIFICATE is an ID, a serial or a name. A request for it that you left behind is gone on with.
    """
    found = finding.certificate(session.api, certificate)
    act = next((act for act in found["operations"] if act["kind"] == "rekey"), None)
    if found["under_way"] is None and (act is None or act["why_not"]):
        why = act["why_not"] if act else "This certificate is not yours to rekey."
        raise Failure(Outcome.REFUSED, f"{found['name']} cannot be rekeyed: {why}", code="not-offered")
    if not said["key_type"] and found["key_type"] in _makeable():
        said["key_type"] = found["key_type"]
    wish = _wish(session, said, stem=found["name"])
    detail = session.api.post("requests", body={"kind": "rekey", "certificate": found["id"]})
    _carry_on(session, detail, wish, said)


@click.command(
    cls=Command,
    examples=(
        "portalctl submit RQ-7K2M-9PQX --code 123456",
        "portalctl submit RQ-7K2M-9PQX --csr www.csr --agree",
    ),
)
@click.argument("request_word", metavar="REQUEST")
@click.option("--csr", type=_FILE, help="The request (CSR) for the new key, if it was not given yet.")
@_SUBMITTING
@signed_in
def submit(session: Session, request_word: str, **said: Any) -> None:
    """Go on with a REQUEST that was begun before, from its first open step to its submission."""
    detail = finding.request(session.api, request_word)
    key = KeySource(session, said["csr"]) if said["csr"] else None
    wish = Wish(_answers(said), key, said["agree"], Codes(said["code"], said["code_command"]))
    _carry_on(session, detail, wish, said)


def _carry_on(session: Session, detail: Detail, wish: Wish, said: dict[str, Any]) -> None:
    """From wherever the request is to its certificate, or as far as was asked for."""
    number = detail["number"]
    session.say(f"Request {number}: {detail['title']}")
    key = wish.key
    with Interruptible(lambda: _how_to_go_on(number, key)):
        try:
            if detail["state"] == "draft":
                detail = asking.submit(session, drafting.settle(session, detail, wish), wish.codes)
        except Failure as failure:
            if not failure.facts and failure.outcome is not Outcome.INTERRUPTED:
                failure.facts = {"request": detail["id"], "number": number}
                failure.next_command = failure.next_command or _how_to_go_on(number, key)
            raise
    if not said["no_wait"]:
        detail = waiting.until_settled(session, detail, said["timeout"])
    written = key.written if key else {}
    session.show({"request": detail, **written}, lambda: _told(detail, written))


def _how_to_go_on(number: str, key: KeySource | None) -> str:
    csr = f" --csr {key.written['csr_file']}" if key and key.written else ""
    return f"{number} stays as it is. Go on with it: portalctl submit {number}{csr}"


def _told(detail: Detail, written: dict[str, str]) -> None:
    number = detail["number"]
    if detail["certificate"] is None:
        showing.line(f"{number} is submitted: {detail['said']} Wait for it: portalctl wait {number}")
        return
    key = f" Its private key is in {written['key_file']}." if written else ""
    click.echo(f"The certificate is issued.{key}")
    showing.line(f"Download it: portalctl download {detail['certificate']}")


def _wish(session: Session, said: dict[str, Any], *, stem: str) -> Wish:
    """Everything that the command line says, asked for and judged before anything is begun."""
    answers = _answers(said)
    kind = said["key_type"]
    if kind and kind not in _makeable():
        raise usage(f"“{kind}” is no kind of key that is made here.", f"Choose from: {', '.join(_makeable())}")
    key = KeySource(session, said["csr"], kind, said["key_file"])
    if said["csr"] is None:
        key.passphrase = asking.passphrase(session, said["passphrase_file"], none_wanted=said["no_passphrase"])
    return Wish(answers, key, said["agree"], Codes(said["code"], said["code_command"]), stem)


def _makeable() -> tuple[str, ...]:
    from portal.ctl.keys import KINDS  # noqa: PLC0415 - `--help` makes no keys

    return KINDS


_NAMED = {
    "name": ("subject", "common_name"),
    "dns": ("names", "dns"),
    "email": ("names", "email"),
    "days": ("validity", "days"),
    "use_case": ("confirm", "use_case"),
    "message": ("confirm", "message"),
}


def _answers(said: dict[str, Any]) -> Answers:
    """What the options answer, by step and field."""
    answers: dict[tuple[str, str], list[str]] = {}
    for option, place in _NAMED.items():
        if value := said.get(option):
            answers[place] = list(value) if isinstance(value, tuple) else [value]
    for text in said["more"]:
        where, equals, value = text.partition("=")
        step, dot, name = where.partition(".")
        if not (equals and dot and step and name):
            raise usage(f"“{text}” is not STEP.FIELD=VALUE.", "Write it like --set subject.common_name=Petra")
        if name in {"consent", "csr"}:
            raise usage(f"“{name}” is not set like this.", "Consent with --agree, and name a CSR with --csr FILE.")
        answers.setdefault((step, name), []).append(value)
    return answers
