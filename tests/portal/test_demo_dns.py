"""The DNS of the demo, with its real name server and its real resolver, and the page that changes what it says."""

import time
import urllib.request

import dns.message
import dns.query
import pytest
from django.test import Client

from lifecycle.validation.caa import LookupFailed, Reason, Terms, permits, relevant_set
from lifecycle.validation.questions import Asked
from lifecycle.validation.resolver import DnsResolver
from portal.demo import documents, records, zone
from portal.demo.documents import Document
from portal.demo.external import OwnResolvers
from portal.demo.liar import Liar
from portal.demo.nameserver import NameServer
from portal.demo.places import Places, Unusable
from portal.servers import Server, routes_from_text
from tests.plugins.services import surroundings

ACME = Terms(("ca.acme.example",))


@pytest.fixture
def named(tmp_path):
    server = NameServer(Places(tmp_path))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def stage(named):
    return named.stage


@pytest.fixture
def resolver(named):
    return DnsResolver([named.resolver.server])


def verdict(name, resolver):
    try:
        return str(permits(relevant_set(name, resolver), ACME).reason)
    except LookupFailed as failure:
        return str(failure.reason)


def test_every_name_of_the_demo_shows_what_it_is_there_for(resolver):
    names = (*(name.full for name in zone.START), "*.wildcard.demo.test", "*.wild.demo.test", "gone.demo.test")
    assert {name: verdict(name, resolver) for name in names} == {
        "demo.test": Reason.NO_RECORDS,
        "www.demo.test": Reason.NAMED,
        "shop.demo.test": Reason.NAMED,
        "stranger.demo.test": Reason.OTHER_ACCOUNT,
        "forbidden.demo.test": Reason.OTHERS_NAMED,
        "nobody.demo.test": Reason.NOBODY_NAMED,
        "critical.demo.test": Reason.UNKNOWN_CRITICAL,
        "typo.demo.test": Reason.MALFORMED,
        "wildcard.demo.test": Reason.NAMED,
        "*.wildcard.demo.test": Reason.NOBODY_NAMED,
        "wild.demo.test": Reason.NOBODY_NAMED,
        "*.wild.demo.test": Reason.NAMED,
        "alias.demo.test": Reason.OTHERS_NAMED,
        "plain.demo.test": Reason.NO_RECORDS,
        "files.demo.test": Reason.NO_RECORDS,
        "broken.demo.test": Reason.BOGUS,
        "silent.demo.test": Reason.TIMED_OUT,
        "gone.demo.test": Reason.NO_RECORDS,
        "unsigned.test": Reason.NO_RECORDS,
        "www.unsigned.test": Reason.NAMED,
        "lame.unsigned.test": Reason.EXCUSED,
    }


def test_one_zone_is_signed_and_the_other_is_not(resolver):
    ends = time.monotonic() + 10
    assert resolver.caa("www.demo.test", ends).authentic
    assert not resolver.caa("www.unsigned.test", ends).authentic
    assert verdict("www.unsigned.test", resolver) == Reason.NAMED


def test_a_name_that_forbids_can_be_mended_and_put_back_while_the_server_runs(resolver, stage):
    records.replace(stage, "forbidden.demo.test", {"CAA": ('0 issue "ca.acme.example"',)})
    assert verdict("forbidden.demo.test", resolver) == Reason.NAMED
    assert verdict("alias.demo.test", resolver) == Reason.NAMED
    assert verdict("www.demo.test", resolver) == Reason.NAMED
    assert records.changed(stage)
    records.put_back(stage)
    assert verdict("forbidden.demo.test", resolver) == Reason.OTHERS_NAMED
    assert not records.changed(stage)


def test_what_was_changed_outlives_the_server(tmp_path):
    for restart in range(2):
        server = NameServer(Places(tmp_path))
        server.start()
        try:
            if not restart:
                records.add(server.stage, "new.unsigned.test", "TXT", "kept")
                records.add(server.stage, "new.demo.test", "TXT", "kept and signed")
            told = DnsResolver([server.resolver.server]).records("new.demo.test", Asked.TXT, time.monotonic() + 10)
            assert (told.values, told.authentic) == ((b"kept and signed",), True)
            assert records.of(server.stage, "new.unsigned.test").lines == [("TXT", "kept")]
        finally:
            server.stop()


def test_what_the_story_said_is_the_start(stage):
    records.begin_with(stage, "shop.demo.test", {"CAA": ('0 issue "ca.globex.example"',)})
    records.begin_with(stage, "_portal-validation.demo.test", {"TXT": ("of the story",)})
    records.replace(stage, "shop.demo.test", {})
    records.add(stage, "other.demo.test", "A", zone.WEB)
    records.put_back(stage)
    found = {name.full: name.lines for name in records.every(stage) if name.lines}
    assert found["shop.demo.test"] == [("CAA", '0 issue "ca.globex.example"')]
    assert found["_portal-validation.demo.test"] == [("TXT", "of the story")]
    assert "other.demo.test" not in found


def test_an_alias_takes_the_place_of_everything_and_makes_place(stage):
    records.add(stage, "plain.demo.test", "TXT", "one")
    records.add(stage, "plain.demo.test", "TXT", "two")
    records.add(stage, "plain.demo.test", "TXT", "two")
    assert records.of(stage, "plain.demo.test").lines == [("TXT", "one"), ("TXT", "two"), ("A", zone.WEB)]
    records.add(stage, "plain.demo.test", "CNAME", "www.demo.test")
    assert records.of(stage, "plain.demo.test").lines == [("CNAME", "www.demo.test")]
    records.add(stage, "plain.demo.test", "TXT", "one")
    assert records.of(stage, "plain.demo.test").lines == [("TXT", "one")]


def test_more_records_than_a_datagram_holds_come_over_tcp(resolver, stage):
    many = tuple(f'0 issue "ca{n}.{"x" * 60}.example"' for n in range(zone.MOST))
    records.replace(stage, "plain.demo.test", {"CAA": many})
    assert len(relevant_set("plain.demo.test", resolver).records) == zone.MOST


def test_who_is_told_of_it(named):
    services = ("web", "signing", "validation", "publishing", "messages", "tool")
    told = {service: sorted(named.environment(service)) for service in services}
    assert told == {
        "web": ["PORTAL_DEMO_ZONE"],
        "signing": [],
        "validation": ["DNS_RESOLVERS", "OUTBOUND_ROUTES"],
        "publishing": ["DNS_RESOLVERS", "OUTBOUND_ROUTES"],
        "messages": [],
        "tool": ["DNS_RESOLVERS", "OUTBOUND_ROUTES", "PORTAL_DEMO_ZONE"],
    }
    assert set(routes_from_text(named.routes)) == {("203.0.113.80", 80), ("203.0.113.53", 53)}
    own = OwnResolvers("192.0.2.53")
    assert own.environment("validation") == {"DNS_RESOLVERS": "192.0.2.53"}
    assert own.environment("web") == {}


def test_without_the_programs_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.which", lambda *_arguments, **_how: None)
    with pytest.raises(Unusable, match="knotd is missing: install the Debian package knot"):
        NameServer(Places(tmp_path))


# --- the liar --------------------------------------------------------------------------------------------------------


def test_a_liar_says_something_else_only_as_long_as_the_file_is_there(named, stage):
    liar = Liar(named.authority.server, stage.lie)
    records.add(stage, "www.unsigned.test", "TXT", "the truth")

    def told(full, kind):
        wire = liar.answer(dns.message.make_query(full, kind).to_wire(), tcp=False)
        return [rdata.to_text() for rrset in dns.message.from_wire(wire).answer for rdata in rrset]

    honest = {(full, kind): told(full, kind) for full in ("www.unsigned.test", "demo.test") for kind in ("TXT", "A")}
    assert honest["www.unsigned.test", "TXT"] == ['"the truth"']
    stage.lie.touch()
    assert told("www.unsigned.test", "TXT") == ['"what another one published"']
    assert told("www.unsigned.test", "CAA") == told("plain.demo.test", "CAA") == ['0 issue "ca.elsewhere.example"']
    assert told("demo.test", "TXT") == []
    assert told("www.unsigned.test", "A") == honest["www.unsigned.test", "A"]
    assert told("test", "CAA") == []
    stage.lie.unlink()
    assert told("www.unsigned.test", "TXT") == ['"the truth"']


def test_a_liar_whose_name_server_is_away_says_nothing(stage):
    assert Liar(Server("127.0.0.1", 1), stage.lie).answer(dns.message.make_query("x", "A").to_wire(), tcp=True) is None
    assert Liar(stage.server, stage.lie).answer(b"\xff" * 40, tcp=False) is None


# --- the web server --------------------------------------------------------------------------------------------------


def fetched(named, host, path):
    port = routes_from_text(named.routes)[zone.WEB, 80][1]
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers={"Host": host})
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as refused:
        return refused.code, b""


def test_a_file_is_shown_under_its_name_and_no_other_and_nothing_else_is(named, stage, tmp_path):
    documents.put(named.files, Document("www.demo.test", "proof.txt", "value"))
    (tmp_path / "secret").write_text("secret")
    (named.files / "www.demo.test" / "link").symlink_to(tmp_path / "secret")
    shown = documents.PREFIX
    assert fetched(named, "www.demo.test", f"{shown}proof.txt") == (200, b"value")
    assert fetched(named, "WWW.demo.test:80", f"{shown}proof.txt") == (200, b"value")
    for host, path in (
        ("shop.demo.test", f"{shown}proof.txt"),
        ("www.demo.test", f"{shown}other.txt"),
        ("www.demo.test", "/proof.txt"),
        ("www.demo.test", f"{shown}../www.demo.test/proof.txt"),
        ("www.demo.test", f"{shown}..%2f..%2f..%2fsecret"),
        ("www.demo.test", f"{shown}link"),
        ("www.demo.test", shown),
        ("..", f"{shown}secret"),
    ):
        assert fetched(named, host, path) == (404, b""), (host, path)


# --- the pages -------------------------------------------------------------------------------------------------------


@pytest.fixture
def page(db, name_server):
    return Client()


@pytest.fixture
def of_all(page):
    return surroundings().names.stage


def test_the_records_of_a_name_are_replaced_and_put_back(page, of_all):
    sent = page.post(
        "/demo/dns/forbidden.demo.test/",
        {
            "caa": ' 00 issue "ca.acme.example" \r\n\r\n128 IODEF "mailto:a@b"\r\n',
            "txt": 'bare\r\n"quoted"\r\n',
            "address": "on",
        },
    )
    assert (sent.status_code, sent.headers["Location"]) == (302, "/demo/dns/")
    assert records.of(of_all, "forbidden.demo.test").lines == [
        *(("CAA", '0 issue "ca.acme.example"'), ("CAA", '128 IODEF "mailto:a@b"')),
        *(("TXT", '"quoted"'), ("TXT", "bare"), ("A", zone.WEB)),
    ]
    assert "IODEF" in page.get("/demo/dns/").content.decode()
    assert page.post("/demo/dns/forbidden.demo.test/", {"alias": "www.demo.test."}).status_code == 302
    assert records.of(of_all, "forbidden.demo.test").lines == [("CNAME", "www.demo.test")]
    assert page.post("/demo/dns/", {"start": "1"}).status_code == 302
    assert not records.changed(of_all)


def test_one_record_is_put_beside_the_others_also_of_a_name_that_is_new(page, of_all):
    wanted = {"name": "_Portal-Validation.demo.test.", "kind": "TXT", "value": "abc"}
    for value in ("abc", "def"):
        assert page.post("/demo/dns/", {**wanted, "value": value}).status_code == 302
    assert records.of(of_all, "_portal-validation.demo.test").lines == [("TXT", "abc"), ("TXT", "def")]
    assert page.get("/demo/dns/_portal-validation.demo.test/").status_code == 200


NOT_ADDED = [
    {"name": "www.example.org", "kind": "TXT", "value": "x"},
    {"name": "demo.test.example", "kind": "TXT", "value": "x"},
    {"name": "www.broken.demo.test", "kind": "TXT", "value": "x"},
    {"name": "silent.demo.test", "kind": "TXT", "value": "x"},
    {"name": "-www.demo.test", "kind": "TXT", "value": "x"},
    {"name": "www.demo.test", "kind": "MX", "value": "x"},
    {"name": "www.demo.test", "kind": "A", "value": "127.0.0.1"},
    {"name": "www.demo.test", "kind": "TXT", "value": "é"},
    {"name": "www.demo.test", "kind": "TXT", "value": "x" * 501},
    {"name": "www.demo.test", "kind": "CNAME", "value": "a b"},
    {"name": "demo.test", "kind": "CNAME", "value": "www.demo.test"},
    {"name": "", "kind": "TXT", "value": ""},
]


@pytest.mark.parametrize("given", NOT_ADDED)
def test_a_record_that_cannot_be_is_refused_and_nothing_changes(page, of_all, given):
    refused = page.post("/demo/dns/", given)
    assert refused.status_code == 422
    assert "There is a problem" in refused.content.decode()
    assert not records.changed(of_all)


NO_RECORDS = [
    *(
        {"caa": text}
        for text in (
            "ca.acme.example",
            "0 issue ca.acme.example",
            '256 issue "x"',
            '0 is-sue "x"',
            '0 issue "x" y',
            '0 issue "x\\"',
            '0 issue "é"',
            "\n".join(f'0 issue "x{n}"' for n in range(zone.MOST + 1)),
            "x" * 13_000,
        )
    ),
    {"txt": "x" * 501},
    {"alias": "www.demo.test", "txt": "x"},
    {"alias": "www.demo.test", "address": "on"},
]


@pytest.mark.parametrize("given", NO_RECORDS)
def test_what_is_no_record_is_refused_and_nothing_changes(page, of_all, given):
    refused = page.post("/demo/dns/www.demo.test/", given)
    assert refused.status_code == 422
    assert "There is a problem" in refused.content.decode()
    assert not records.changed(of_all)


def test_markup_in_a_record_is_shown_as_text(page):
    page.post("/demo/dns/plain.demo.test/", {"txt": "<script>alert(1)</script>"})
    shown = page.get("/demo/dns/").content.decode()
    assert "&lt;script&gt;alert(1)" in shown
    assert "<script>alert" not in shown


@pytest.mark.parametrize(
    "full", ["silent.demo.test", "broken.demo.test", "lame.unsigned.test", "not-there.demo.test", "www.example.org"]
)
def test_a_name_that_has_no_records_of_its_own_has_no_page(page, full):
    assert page.get(f"/demo/dns/{full}/").status_code == 404
    assert page.post(f"/demo/dns/{full}/", {"txt": "x"}).status_code == 404


def test_a_name_server_that_is_away_is_told_as_that(page):
    surroundings().names.stop()
    for path in ("/demo/dns/", "/demo/dns/www.demo.test/"):
        answer = page.get(path)
        assert answer.status_code == 503
        assert "name server does not answer" in answer.content.decode()


def test_a_file_is_put_there_replaced_and_removed(page, of_all):
    address = f"http://www.demo.test{documents.PREFIX}abc.txt"
    for text in ("first", "second"):
        assert page.post("/demo/files/", {"address": f" {address} ", "text": text}).status_code == 302
    assert [(each.address, each.text) for each in documents.every(surroundings().names.files)] == [(address, "second")]
    assert page.post("/demo/files/", {"remove": f"{address}x"}).status_code == 302
    assert "second" in page.get("/demo/files/").content.decode()
    assert page.post("/demo/files/", {"remove": address}).status_code == 302
    assert documents.every(surroundings().names.files) == []


@pytest.mark.parametrize(
    "address",
    [
        "https://www.demo.test/.well-known/pki-validation/a.txt",
        "http://www.demo.test/a.txt",
        "http://www.demo.test/.well-known/pki-validation/",
        "http://www.demo.test/.well-known/pki-validation/../a.txt",
        "http://www.demo.test/.well-known/pki-validation/..",
        "http://../.well-known/pki-validation/a.txt",
        "http://www.example.org/.well-known/pki-validation/a.txt",
        "http://broken.demo.test/.well-known/pki-validation/a.txt",
        "http://*.demo.test/.well-known/pki-validation/a.txt",
        "nothing",
        "",
    ],
)
def test_a_file_that_cannot_be_shown_is_refused(page, address):
    assert page.post("/demo/files/", {"address": address, "text": "x"}).status_code == 422
    assert documents.every(surroundings().names.files) == []


def test_one_perspective_is_lied_to_and_told_the_truth_again(page, of_all):
    page.post("/demo/perspectives/", {"lie": "1"})
    assert of_all.lie.exists()
    assert "Tell singapore the truth again" in page.get("/demo/perspectives/").content.decode()
    page.post("/demo/perspectives/", {"lie": "0"})
    assert not of_all.lie.exists()
    assert "Lie to singapore" in page.get("/demo/perspectives/").content.decode()
