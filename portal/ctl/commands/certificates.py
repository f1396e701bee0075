"""Certificates: the list, one of them, and its files."""

import base64
import os
import secrets
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from portal.ctl import finding, showing
from portal.ctl.examples import Command
from portal.ctl.outcomes import usage
from portal.ctl.session import Columns, Reach, Session, listing, show_list, signed_in

COLUMNS = Columns(
    ("NAME", "STATUS", "PROFILE", "ENDS", "ID"),
    lambda row: (
        row["name"],
        row["status"],
        row["profile"] or "elsewhere",
        showing.day(row["not_after"]),
        row["id"],
    ),
)


@click.command(
    "list",
    cls=Command,
    examples=(
        "portalctl list",
        "portalctl list demo.test --status active --sort expires",
        "portalctl list --ends 30 --all --csv > ending.csv",
        "portalctl list --all --json | jq -r '.results[].name'",
    ),
)
@click.argument("search", required=False, default="")
@click.option("--status", type=click.Choice(["active", "expired", "revoked"]), help="Only these.")
@click.option("--of", metavar="PROFILE", help="Only of this profile, such as tls-server.")
@click.option("--source", metavar="SOURCE", help="Issued here, or uploaded.")
@click.option("--key", metavar="KIND", help="Only with such a key, such as ec-p256.")
@click.option("--issuer", metavar="NAME", help="Only of this issuer, by its common name.")
@click.option("--owner", metavar="EMAIL", help="Only this person's, where you may see all.")
@click.option("--ends", type=click.Choice(["7", "30", "90"]), help="Only what ends within so many days.")
@click.option("--ends-from", metavar="YYYY-MM-DD", help="Only what ends on this day or later.")
@click.option("--ends-until", metavar="YYYY-MM-DD", help="Only what ends on this day or earlier.")
@click.option(
    "--sort", type=click.Choice(["issued", "-issued", "name", "-name", "expires", "-expires"]), help="The order."
)
@listing
@signed_in
def list_(session: Session, search: str, of: str | None, reach: Reach, **filters: Any) -> None:
    """List the certificates that you may see; SEARCH is a name, address, domain, serial or fingerprint."""
    show_list(session, ("certificates",), COLUMNS, reach, q=search, profile=of, **filters)


@click.command(
    cls=Command,
    examples=(
        "portalctl show www.demo.test",
        "portalctl show 693b5b68e36c4a200d0e5d206f103212e9daaf9a",
        "portalctl show 6d1c2b7e-… --json",
    ),
)
@click.argument("certificate")
@signed_in
def show(session: Session, certificate: str) -> None:
    """Show a certificate by its ID, serial or name: names, key, life, and what can be done with it.

    A name means the newest certificate of its lineage.
    """
    found = finding.certificate(session.api, certificate)
    session.show(found, lambda: showing.facts(_facts(found)))


def _facts(found: dict[str, Any]) -> list[tuple[str, Any]]:
    possible = [f"{act['kind']}: {act['why_not'] or 'yes'}" for act in found["operations"]]
    return [
        ("Name", found["name"]),
        ("Status", found["status"]),
        ("Names", found["alternative_names"]),
        ("Profile", found["profile"]),
        ("Issuer", found["issuer"]),
        ("Valid from", showing.moment(found["not_before"])),
        ("Valid to", showing.moment(found["not_after"])),
        ("Key", found["key_type"]),
        ("Serial", found["serial"]),
        ("SHA-256", found["fingerprint"]),
        ("Revoked", showing.moment(found["revoked_at"])),
        ("Revoked for", found["revoked_for"]),
        ("Predecessor", found["predecessor"]),
        ("Under way", found["under_way"]),
        ("Possible", possible),
        ("Files", found["files"]),
        ("ID", found["id"]),
    ]


@click.command(
    cls=Command,
    examples=(
        "portalctl download www.demo.test",
        "portalctl download www.demo.test --form der --out server.cer",
        "portalctl download www.demo.test --out - | openssl x509 -noout -text",
    ),
)
@click.argument("certificate")
@click.option(
    "--form",
    default="pem",
    show_default=True,
    metavar="FORM",
    help="pem and p7b hold the chain; der and base64 the certificate alone.",
)
@click.option("--out", metavar="FILE", help="Where to write it; - is standard output. Otherwise the portal's name.")
@click.option("--force", is_flag=True, help="Write over a file that exists.")
@signed_in
def download(session: Session, certificate: str, form: str, out: str | None, *, force: bool) -> None:
    """Download a certificate by its ID, serial or name."""
    found = finding.certificate(session.api, certificate)
    if form not in found["files"]:
        raise usage(f"There is no form “{form}”.", f"There are: {', '.join(found['files'])}")
    file = session.api.file("certificates", found["id"], "files", form)
    if out == "-":
        sys.stdout.buffer.write(file.content)
        return
    where = Path(out or file.name)
    write(where, file.content, force=force)
    answer = {"certificate": found["id"], "form": form, "file": str(where)}
    session.show(answer, lambda: showing.line(f"{found['name']} is in {where}"))


@click.command(cls=Command, examples=("portalctl upload partner.pem --dry-run", "portalctl upload bundle.p7b"))
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Say what is in it, and keep nothing.")
@signed_in
def upload(session: Session, file: Path, *, dry_run: bool) -> None:
    """Upload certificates that were issued elsewhere: a FILE in PEM, DER or PKCS#7, with one or many.

    A file that holds a private key is not sent.
    """
    content = file.read_bytes()
    if b"PRIVATE KEY-----" in content:
        raise usage(f"{file} holds a private key. Nothing of it was sent.", "Name a file with certificates alone.")
    if b"-----BEGIN" not in content and not _are_certificates(content):  # a key in DER, or PKCS#12, has no such line
        raise usage(f"{file} holds no certificates in PEM, DER or PKCS#7. Nothing of it was sent.")
    # what stands around PEM may be in any alphabet, and says nothing
    text = content.decode(errors="replace") if b"-----BEGIN" in content else base64.b64encode(content).decode()
    found = session.api.post("certificates", "uploads", body={"text": text, "dry_run": dry_run})
    session.show(found, lambda: _uploaded(found))


def _are_certificates(der: bytes) -> bool:
    from cryptography import x509  # noqa: PLC0415 - most commands read none
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import pkcs7  # noqa: PLC0415

    for read in (x509.load_der_x509_certificate, pkcs7.load_der_pkcs7_certificates):
        with suppress(ValueError, UnsupportedAlgorithm):
            read(der)
            return True
    return False


def _uploaded(found: dict[str, Any]) -> None:
    rows = [
        (row["name"], row["issuer"], showing.day(row["not_after"]), "was here" if row["was_here"] else "new")
        for row in found["found"]
    ]
    showing.table(("NAME", "ISSUER", "ENDS", ""), rows)
    click.echo("The new ones are kept." if found["saved"] else "Nothing was kept.")


def write(where: Path, content: bytes, *, force: bool) -> None:
    """Write all of it or nothing; what exists is written over only by *force*."""
    if where.exists() and not force:
        raise usage(f"{where} exists already.", "Name another with --out, or write over it with --force.")
    fresh = where.with_name(f".{secrets.token_hex(8)}.portalctl")  # in a folder of many, nobody lays a link there
    try:
        with fresh.open("xb") as file:
            file.write(content)
        if force:
            fresh.replace(where)
        else:
            os.link(fresh, where)  # fails where somebody else was faster
    except OSError as fault:
        raise usage(f"{where} cannot be written: {fault.strerror}") from fault
    finally:
        fresh.unlink(missing_ok=True)
