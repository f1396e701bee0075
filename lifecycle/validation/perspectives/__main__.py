"""Starts a remote perspective, makes the keys for one, and checks what one signed.

`python -m lifecycle.validation.perspectives`.
"""

import argparse
import json
import sys
from pathlib import Path

from lifecycle.validation.fetcher import Fetcher
from lifecycle.validation.perspectives.identity import ASKER, IDENTITY, Identity, make_identity
from lifecycle.validation.perspectives.protocol import again, holds
from lifecycle.validation.resolver import DnsResolver
from lifecycle.validation.witness import Witness
from portal.perspectives import NAME, certificate_in
from portal.servers import Server, routes_from_text


def main(arguments: list[str]) -> int:
    told = _parser().parse_args(arguments)
    try:
        match told.deed:
            case "make-identity":
                make_identity(told.name, told.folder)
            case "verify":
                return 0 if _verify(told.certificate) else 1
            case _:
                _serve(told)
    except (OSError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _verify(file: Path) -> bool:
    """Say for each observation in the row on standard input whether the holder of the certificate signed it."""
    certificate, row = certificate_in(file.read_bytes()), json.loads(sys.stdin.buffer.read())
    if not isinstance(row, dict) or not isinstance(row.get("observations"), list) or not row["observations"]:
        raise ValueError("standard input holds no row of perspectives with observations")
    observed = [again(each, str(row.get("name"))) for each in row["observations"]]
    verdicts = [holds(each, certificate) for each in observed]
    for each, held in zip(observed, verdicts, strict=True):
        asked = f"{each.question.asked} {each.question.name}{each.question.path}"
        sys.stdout.write(f"{asked}: {'signed' if held else 'NOT signed'} by {each.perspective}\n")
    return all(verdicts)


def _serve(told: argparse.Namespace) -> None:
    from lifecycle.validation.perspectives.service import serve  # noqa: PLC0415 - gunicorn is for this deed alone

    identity = Identity.at(told.identity)
    asker = certificate_in((told.identity / ASKER).read_bytes())
    resolver = DnsResolver(told.resolvers)
    serve(Witness(identity.name, resolver, Fetcher(resolver, told.routes)), identity, asker, told.listen)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m lifecycle.validation.perspectives", description=__doc__)
    deeds = parser.add_subparsers(dest="deed", required=True)
    making = deeds.add_parser("make-identity", help="make a key and its certificate in a folder")
    making.add_argument("--name", type=_name, required=True, help="as the portal's list of perspectives calls it")
    making.add_argument("folder", type=Path)
    verifying = deeds.add_parser("verify", help="check a row of evidence, on standard input, against a certificate")
    verifying.add_argument("--certificate", type=Path, required=True, help="the one that was in the list at that time")
    serving = deeds.add_parser("serve", help="answer look-ups")
    serving.add_argument("--listen", required=True, help="address and port, as 0.0.0.0:8443")
    serving.add_argument("--resolvers", type=_resolvers, required=True, help="validating resolvers, as 192.0.2.1:53")
    serving.add_argument(
        "--identity",
        type=Path,
        required=True,
        help=f"the folder with {IDENTITY} of make-identity, and {ASKER}, the certificate of the one who may ask",
    )
    serving.add_argument("--routes", type=routes_from_text, default={}, help=argparse.SUPPRESS)  # for demos and tests
    return parser


def _name(text: str) -> str:
    if not NAME.fullmatch(text):
        raise argparse.ArgumentTypeError("is not made of small letters, digits and hyphens")
    return text


def _resolvers(text: str) -> tuple[Server, ...]:
    return tuple(Server.from_text(each.strip()) for each in text.split(","))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
