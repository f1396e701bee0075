"""Proofs as people publish them: in real zones (Knot) behind a real resolver (Unbound), and on a web server.

Everything between is real: the value is begun first and the zone written then, as people do it.
"""

import pytest

from lifecycle.validation import contacts, diagnosis, proving
from lifecycle.validation.account import account_uri
from lifecycle.validation.fetcher import Fetcher
from lifecycle.validation.methods import METHODS
from lifecycle.validation.observing import everywhere
from lifecycle.validation.witness import Witness
from portal.config import config
from tests.fakes.internet import Internet
from tests.fakes.web_server import answer, web_server
from tests.lifecycle.validation.proofs import added, begun, looked, looks_at, promised, reread
from tests.world import serving

pytestmark = pytest.mark.django_db(transaction=True)

HOST = "203.0.113.80"

CASES = {
    # label: (method, what stands in the zone of the label's domain, {v} being the value, what comes of it)
    "good": ("dns-change", '_portal-validation.{d} TXT "{v}"', "seen"),
    "beside": ("dns-change", '_portal-validation.{d} TXT "v=spf1 -all"\n_portal-validation.{d} TXT "{v}"', "seen"),
    "split": ("dns-change", '_portal-validation.{d} TXT "{v:.9}" "{v9}"', "seen"),
    "followed": ("dns-change", '_portal-validation.{d} CNAME proof.{d}\nproof.{d} TXT "{v}"', "seen"),
    "pointing": ("cname", "_portal-validation.{d} CNAME {v}.", "seen"),
    "nothing": ("dns-change", "", "nothing-there"),
    "other": ("dns-change", '_portal-validation.{d} TXT "hello"', "other-value"),
    "quoted": ("dns-change", '_portal-validation.{d} TXT "\\"{v}\\""', "quoted"),
    "shouted": ("dns-change", '_portal-validation.{d} TXT "{V}"', "altered"),
    "dotless": ("dns-change", '_portal-validation.{d}.shop.test TXT "{v}"', "missing-dot"),
    "apex": ("dns-change", '{d} TXT "{v}"', "wrong-name"),
    "aliased": ("dns-change", "_portal-validation.{d} CNAME elsewhere.{d}", "alias"),
    "circling": (
        "dns-change",
        "_portal-validation.{d} CNAME a.{d}\na.{d} CNAME _portal-validation.{d}",
        "server-failed",
    ),
    "staying": ("dns-persist", '_validation-persist.{d} TXT "{v}; accounturi={a}; policy=wildcard"', "seen"),
    "stranger": (
        "dns-persist",
        '_validation-persist.{d} TXT "{v}; accounturi=acct:globex@elsewhere.example; policy=wildcard"',
        "persist-other-account",
    ),
    "filed": ("http-file", "{d} A 203.0.113.80", "seen"),
    "moved": ("http-file", "{d} A 203.0.113.80", "seen"),
    "fileless": ("http-file", "{d} A 203.0.113.80", "file-missing"),
    "homeless": ("http-file", "", "no-address"),
    "inside": ("http-file", "{d} A 192.0.2.9", "special-address"),
}
BOGUS = "www.broken.test"
NOT_TOLD_BY_ALL = {"circling": {"server-failed", "alias-loop"}}
"""Unbound ends a circle itself or leaves it to us, by its version."""


class Files:
    """Serves what `files` hold by host; redirects one host to another."""

    def __init__(self):
        self.files = {}

    def __call__(self, theirs, request):
        path, host = request.split()[1].decode(), _host(request)
        if host.startswith("moved.") and "sent" not in path:
            theirs.sendall(answer(302, b"", f"Location: http://filed.shop.test/sent{path}"))
            return
        body = self.files.get((host, path))
        theirs.sendall(answer(404) if body is None else answer(200, body))


def _host(request):
    [line] = [line for line in request.split(b"\r\n") if line.lower().startswith(b"host:")]
    return line.partition(b":")[2].strip().decode()


def written(label, attempt, account):
    _method, lines, _reason = CASES[label]
    value = attempt.value
    return lines.format(d=label, v=value, v9=value[9:], V=value.upper(), a=account).splitlines()


def served(label, attempt):
    """Path and host of the file that proves it, where there is one."""
    path = METHODS["http-file"].path(attempt.value)
    if label == "filed":
        return {("filed.shop.test", path): attempt.value.encode()}
    return {("filed.shop.test", f"/sent{path}"): f"{attempt.value}\n".encode()} if label == "moved" else {}


@pytest.mark.rule("4.R18")
def test_proofs_and_the_usual_mistakes(acme, petra, tmp_path, monkeypatch):
    monkeypatch.setattr(proving, "_needs", [])
    attempts = {}
    for label, (slug, _lines, _reason) in CASES.items():
        domain = added(acme, petra, f"{label}.shop.test")
        method = "dns-change" if slug == "cname" else slug
        attempts[label] = begun(acme, petra, domain, method, cname=slug == "cname", issuer="ca.portal.example")
    broken = begun(acme, petra, added(acme, petra, BOGUS), "dns-change")
    for attempt in (*attempts.values(), broken):
        looked(acme, petra, attempt)

    account = account_uri(acme)
    zone = [line for label, attempt in attempts.items() for line in written(label, attempt, account)]
    files = Files()
    for label, attempt in attempts.items():
        files.files |= served(label, attempt)
    internet = Internet(
        tmp_path,
        {
            ".": (),
            "test.": (),
            "shop.test.": tuple(zone),
            "broken.test.": (f'_portal-validation.www TXT "{broken.value}"',),
        },
        {".": "nsec", "test.": "opt-out", "shop.test.": "nsec3", "broken.test.": "nsec"},
        ds={"broken.test.": ["broken.test. DS 1 13 2 " + "00" * 32]},
    )
    internet.start()
    try:
        with web_server(files) as server:
            fetcher = Fetcher(internet.resolver, {(HOST, 80): ("127.0.0.1", server.port)})
            here = Witness("primary", internet.resolver, fetcher)

            def ask(questions, *, corroborated):
                return everywhere(questions, corroborated=False, primary=here)

            with serving("validation"):
                for errand in promised(proving.prove):
                    proving.answer(errand, errand.args[0], ask)
    finally:
        internet.stop()

    met = {label: reread(attempt).reason for label, attempt in attempts.items()}
    expected = {label: reason for label, (_slug, _lines, reason) in CASES.items()}
    for label, reasons in NOT_TOLD_BY_ALL.items():
        if met[label] in reasons:
            expected[label] = met[label]
    assert met == expected
    assert {label for label, attempt in attempts.items() if reread(attempt).state == "proved"} == {
        label for label, reason in expected.items() if reason == "seen"
    }
    assert reread(attempts["good"]).dnssec == "secure"
    assert (reread(broken).state, reread(broken).reason) == ("pending", "bogus")
    [look] = looks_at(attempts["dotless"])
    assert "_portal-validation.dotless.shop.test.shop.test" in diagnosis.told(look).sentence
    [look] = looks_at(attempts["pointing"])
    assert config.host in attempts["pointing"].value
    assert look.evidence["primary"][0]["found"]["authentic"] is True


def test_contacts_are_found_in_real_records(acme, petra, tmp_path, monkeypatch):
    monkeypatch.setattr(proving, "_needs", [])
    by_caa = begun(acme, petra, added(acme, petra, "www.shop.test"), "caa-email", sent_to="it@shop.test")
    by_txt = begun(acme, petra, added(acme, petra, "mail.shop.test"), "txt-email", sent_to="ops@hoster.example")
    nobody = begun(acme, petra, added(acme, petra, "none.shop.test"), "txt-email", sent_to="it@shop.test")
    zone = ('@ CAA 0 contactemail "it@shop.test"', '_validation-contactemail.mail TXT "ops@hoster.example"')
    internet = Internet(
        tmp_path, {".": (), "test.": (), "shop.test.": zone}, {".": "nsec", "test.": "opt-out", "shop.test.": "nsec3"}
    )
    internet.start()
    try:
        here = Witness("primary", internet.resolver, Fetcher(internet.resolver))

        def ask(questions, *, corroborated):
            return everywhere(questions, corroborated=False, primary=here)

        with serving("validation"):
            for errand in promised(contacts.find_contacts):
                contacts.find(errand, ask)
    finally:
        internet.stop()
    assert [reread(attempt).reason for attempt in (by_caa, by_txt, nobody)] == [
        "contact-found",
        "contact-found",
        "no-such-contact",
    ]
    assert [errand.args for errand in promised(contacts.send_approval)] == [[str(by_caa.pk)], [str(by_txt.pk)]]
