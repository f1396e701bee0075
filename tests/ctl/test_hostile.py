"""portalctl between strangers: an answer that would steer the terminal, a proxy, a token with something around it."""

import json
import os
import threading
import unicodedata
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat
from cryptography.hazmat.primitives.serialization.pkcs12 import serialize_key_and_certificates

from portal.ctl import finding
from portal.ctl.commands import certificates
from portal.ctl.outcomes import Outcome, Refused
from portal.ctl.places import origin_of
from tests.ctl.terminal import Ended, Terminal

TOKEN = "cpt_" + "a" * 43
EVIL = "red\x1b[31m \x9b31m \u202eeman"
"""ESC, the one-letter CSI of ISO 6429, and a mark that turns what follows around."""

_KEY = ec.generate_private_key(ec.SECP256R1())
_ID = "01a1fedc-be97-7856-aa56-1d059e0e3697"
_CERTIFICATE = {
    **dict.fromkeys(("name", "profile", "issuer", "serial", "fingerprint", "key_type", "status"), EVIL),
    **dict.fromkeys(("not_before", "not_after", "issued_at"), "2026-11-21T15:04:00+00:00"),
    **dict.fromkeys(("revoked_at", "revoked_for", "predecessor", "under_way"), None),
    "id": _ID,
    "alternative_names": [EVIL],
    "operations": [{"kind": EVIL, "title": EVIL, "why_not": EVIL}],
    "files": ["pem"],
}
_REQUEST = {
    **dict.fromkeys(("number", "kind", "title", "state", "profile", "said", "why", "factor"), EVIL),
    **dict.fromkeys(("made_at", "submitted_at"), "2026-11-21T15:04:00+00:00"),
    "id": _ID,
    "approvals": {"given": 0, "needed": 1},
    "steps": [{"slug": EVIL, "title": EVIL, "status": EVIL}],
    "may": [{"deed": EVIL, "why_not": EVIL}],
    "predecessor": None,
    "certificate": EVIL,
}
_NAME = {
    **dict.fromkeys(("name", "state", "said", "next_step", "publish"), EVIL),
    "ready": False,
    "control": {"proven": False, "said": EVIL, "ways": [{"domain": EVIL, "id": None}]},
}
_ANSWERS: dict[str, Any] = {
    "token": {
        "tenant": {"slug": "acme", "name": EVIL},
        "person": {"id": _ID, "name": EVIL, "email": EVIL},
        **dict.fromkeys(("name", "prefix", "expires_at"), EVIL),
        "scopes": [EVIL],
    },
    "certificates": {"results": [_CERTIFICATE], "next": None},
    f"certificates/{_ID}": _CERTIFICATE,
    f"requests/{_ID}": _REQUEST,
    f"requests/{_ID}/withdrawal": _REQUEST,
    f"requests/{_ID}/steps/domains": {"domains": [_NAME]},
    "people": {"results": [{"name": EVIL, "email": EVIL, "state": EVIL, "roles": [EVIL, "auditor"]}], "next": None},
}


class _Stranger(BaseHTTPRequestHandler):
    """Whatever is asked, it answers with words that would steer a terminal; it hears everything as a proxy, too."""

    heard: list[str]
    busy: int = 0  # how many POSTs are told that the first of them is still being answered

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.heard.append(f"{self.path} {self.headers.get('Authorization')}")
        if self.command == "POST" and type(self).busy:
            type(self).busy -= 1
            self.send_response(409)
            self.send_header("Retry-After", "0")
            self.send_header("Content-Length", "27")
            self.end_headers()
            self.wfile.write(b'{"code": "still-under-way"}')
            return
        found = _ANSWERS.get(self.path.partition("?")[0].removeprefix("/api/v1/t/acme/"))
        problem = {"title": EVIL, "detail": EVIL, "code": EVIL, "errors": [{"pointer": EVIL, "message": EVIL}]}
        content = b"-----" if "/files/" in self.path else json.dumps(found or problem, ensure_ascii=False).encode()
        self.send_response(200 if found or "/files/" in self.path else 422)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = _answer  # noqa: N815 - the library's names

    def log_message(self, *_what: object) -> None:
        """Say nothing: what was heard is kept."""


@pytest.fixture
def stranger() -> Iterator[ThreadingHTTPServer]:
    handler = type("Handler", (_Stranger,), {"heard": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def heard(server: ThreadingHTTPServer) -> list[str]:
    return server.RequestHandlerClass.heard  # type: ignore[attr-defined,no-any-return]


def at(server: ThreadingHTTPServer, home: Path, **more: str) -> Terminal:
    url = f"http://127.0.0.1:{server.server_port}"
    return Terminal(
        home, {"PORTALCTL_URL": url, "PORTALCTL_TENANT": "acme", "PORTALCTL_TOKEN": TOKEN, "NO_COLOR": "1", **more}
    )


def steers(done: Ended) -> set[str]:
    """What of an output is no text; the ends of its lines are."""
    said = (done.out + done.err).replace("\r\n", "\n")
    return {sign for sign in said if sign != "\n" and unicodedata.category(sign) in {"Cc", "Cf", "Cs"}}


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("whoami", 0),
        ("whoami --json", 0),
        ("list", 0),
        ("list --csv", 0),
        ("list --json", 0),
        (f"show {_ID}", 0),
        (f"download {_ID} --out file", 0),
        ("people list --csv", 0),
        (f"requests show {_ID}", 0),
        (f"withdraw {_ID}", 0),
        (f"domains {_ID}", 0),
        ("policies list", 3),
        ("policies list --json", 3),
    ],
)
def test_nothing_that_a_stranger_wrote_steers_the_terminal(
    stranger: ThreadingHTTPServer, tmp_path: Path, command: str, code: int
) -> None:
    done = at(stranger, tmp_path).run(*command.split())
    assert done.code == code, done.err
    assert "red" in done.out + done.err
    assert steers(done) == set()


def test_a_post_whose_process_died_is_waited_for_as_long_as_the_portal_takes(
    stranger: ThreadingHTTPServer, tmp_path: Path
) -> None:
    """ADR 27: for a minute the same key is told 409, every five seconds; then it is carried out."""
    stranger.RequestHandlerClass.busy = 12  # type: ignore[attr-defined]
    assert at(stranger, tmp_path).run("withdraw", _ID).code == 0
    assert len(heard(stranger)) == 1 + 12 + 1


def test_what_stays_under_way_is_no_rules_refusal() -> None:
    assert Refused(409, {"code": "still-under-way"}).outcome is Outcome.UNREACHABLE
    assert Refused(409, {"code": "any-other"}).outcome is Outcome.REFUSED


@pytest.mark.parametrize("encoding", [Encoding.DER, Encoding.PEM])
@pytest.mark.parametrize("sealed", [False, True])
def test_no_key_is_uploaded_in_any_form(
    stranger: ThreadingHTTPServer, tmp_path: Path, encoding: Encoding, *, sealed: bool
) -> None:
    seal = BestAvailableEncryption(b"a passphrase") if sealed else NoEncryption()
    (tmp_path / "key").write_bytes(_KEY.private_bytes(encoding, PrivateFormat.PKCS8, seal))
    (tmp_path / "pfx").write_bytes(serialize_key_and_certificates(b"me", _KEY, None, None, seal))
    for name in ("key", "pfx"):
        refused = at(stranger, tmp_path).run("upload", name)
        assert (refused.code, "Nothing of it was sent" in refused.err) == (2, True), refused.err
    assert heard(stranger) == []


def test_programs_get_the_very_words(stranger: ThreadingHTTPServer, tmp_path: Path) -> None:
    assert at(stranger, tmp_path).run("whoami", "--json").json["tenant"]["name"] == EVIL


def test_a_list_in_a_cell_is_told_as_in_a_table(stranger: ThreadingHTTPServer, tmp_path: Path) -> None:
    assert at(stranger, tmp_path).run("people", "list", "--csv").out.splitlines()[1].endswith('eman, auditor"')


def test_a_proxy_never_hears_a_token_in_the_clear(stranger: ThreadingHTTPServer, tmp_path: Path) -> None:
    proxy = f"http://127.0.0.1:{stranger.server_port}"
    there = {"PORTALCTL_URL": "http://127.0.0.1:9", "http_proxy": proxy, "ALL_PROXY": proxy}
    assert at(stranger, tmp_path, **there).run("whoami").code == 8
    assert heard(stranger) == []


@pytest.mark.parametrize("around", ["{}\n", " {}\r\n"])
def test_what_a_file_has_around_a_token_is_left_out(stranger: ThreadingHTTPServer, tmp_path: Path, around: str) -> None:
    assert at(stranger, tmp_path, PORTALCTL_TOKEN=around.format(TOKEN)).run("whoami").code == 0
    assert heard(stranger) == [f"/api/v1/t/acme/token Bearer {TOKEN}"]


@pytest.mark.parametrize("wrong", [f"{TOKEN}\nX-Evil: 1", f"{TOKEN}€", f"{TOKEN}é", f"{TOKEN} b"])
def test_a_token_that_is_none_is_refused_and_never_shown(
    stranger: ThreadingHTTPServer, tmp_path: Path, wrong: str
) -> None:
    for terminal, command in (
        (at(stranger, tmp_path, PORTALCTL_TOKEN=wrong), ("whoami",)),
        (at(stranger, tmp_path, PORTALCTL_TOKEN=wrong), ("login", f"http://127.0.0.1:{stranger.server_port}", "acme")),
    ):
        refused = terminal.run(*command)
        assert refused.code == 2, refused.err
        assert TOKEN not in refused.out + refused.err
        assert not terminal.config.exists()
    assert heard(stranger) == []


@pytest.mark.parametrize("url", ["https://[::1", "https://host:99999", "https://a b", "https://:pw@host", "https://@h"])
def test_what_is_no_address_is_refused_and_no_accident(tmp_path: Path, url: str) -> None:
    refused = Terminal(tmp_path).run("login", url, "acme", stdin=f"{TOKEN}\n")
    assert refused.code == 2
    assert refused.err.startswith("Error:")


@pytest.mark.parametrize("url", ["https://[::1]:8443", "https://host:8443", "http://[::1]", "https://PORTAL.example"])
def test_addresses_stay_as_they_are(url: str) -> None:
    assert origin_of(url) == url


def test_a_link_that_lies_in_a_folder_of_many_is_not_written_through(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.write_text("mine")
    where = tmp_path / "file.pem"
    (tmp_path / f".file.pem.{os.getpid()}").symlink_to(mine)
    certificates.write(where, b"certificate", force=False)
    assert (mine.read_text(), where.read_text(), where.is_symlink()) == ("mine", "certificate", False)
    where.unlink()
    where.symlink_to(mine)
    certificates.write(where, b"certificate", force=True)
    assert (mine.read_text(), where.read_text()) == ("mine", "certificate")
    assert {path.name for path in tmp_path.iterdir()} == {"mine", "file.pem", f".file.pem.{os.getpid()}"}


def test_a_serial_of_sixteen_octets_is_a_serial_and_an_id_may_be_written_large() -> None:
    asked: list[tuple[str, ...]] = []

    class Api:
        def get(self, *parts: str) -> dict[str, Any]:
            asked.append(parts)
            return {}

        def pages(self, *_parts: str, **_query: Any) -> Iterator[dict[str, Any]]:
            yield {"results": [{**_CERTIFICATE, "serial": "7" * 32, "id": "the-one"}]}

    finding.certificate(Api(), "7" * 32)  # type: ignore[arg-type]
    finding.certificate(Api(), _ID.upper())  # type: ignore[arg-type]
    assert asked == [("certificates", "the-one"), ("certificates", _ID)]
