"""The demo's own name server and the page that changes what it says."""

import json
import socket
from pathlib import Path

import pytest
from django.test import Client

from lifecycle.validation.caa import LookupFailed, Reason, permits, relevant_set
from lifecycle.validation.resolver import DnsResolver
from portal.config import Server, config
from portal.demo import zone
from portal.demo.embedded import NameServer
from portal.demo.external import OwnResolvers
from portal.demo.places import Places

ACME = ("ca.acme.example",)


@pytest.fixture
def named(tmp_path):
    server = NameServer(Places(tmp_path))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def file(named):
    return Path(named.environment("web")["PORTAL_DEMO_ZONE"])


@pytest.fixture
def resolver(named):
    return DnsResolver([Server("127.0.0.1", named.port)])


def verdict(name, resolver):
    try:
        return str(permits(relevant_set(name, resolver, patience=1.0), ACME).reason)
    except LookupFailed as failure:
        return str(failure.reason)


def test_every_name_of_the_demo_shows_what_it_is_there_for(resolver):
    names = (*(name.full for name in zone.START), "*.wildcard.demo.test", "*.wild.demo.test", "gone.demo.test")
    assert {name: verdict(name, resolver) for name in names} == {
        "www.demo.test": Reason.NAMED,
        "shop.demo.test": Reason.NAMED,
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
        "broken.demo.test": Reason.SERVER_FAILED,
        "silent.demo.test": Reason.TIMED_OUT,
        "gone.demo.test": Reason.NO_RECORDS,
    }
    assert verdict("www.example.org", resolver) == Reason.REFUSED


def test_a_name_that_forbids_can_be_mended_and_put_back_while_the_server_runs(resolver, file):
    zone.replace(file, "forbidden", ('0 issue "ca.acme.example"',))
    assert verdict("forbidden.demo.test", resolver) == Reason.NAMED
    assert verdict("alias.demo.test", resolver) == Reason.NAMED
    assert verdict("www.demo.test", resolver) == Reason.NAMED
    zone.put_back(file)
    assert verdict("forbidden.demo.test", resolver) == Reason.OTHERS_NAMED
    assert zone.read(file) == zone.START


def test_more_records_than_a_datagram_holds_come_over_tcp(resolver, file):
    zone.replace(file, "plain", tuple(f'0 issue "ca{n}.{"x" * 60}.example"' for n in range(zone.MOST)))
    found = relevant_set("plain.demo.test", resolver)
    assert len(found.records) == zone.MOST


def test_nonsense_does_not_end_the_server(named, resolver):
    with socket.socket(type=socket.SOCK_DGRAM) as sender:
        for nonsense in (b"", b"\x00", b"\xff" * 600):
            sender.sendto(nonsense, ("127.0.0.1", named.port))
    with socket.create_connection(("127.0.0.1", named.port)) as half:
        half.sendall(b"\xff\xff\x00")
    assert verdict("www.demo.test", resolver) == Reason.NAMED
    assert named.child.alive


def test_who_is_told_of_it(named):
    told = {service: sorted(named.environment(service)) for service in ("web", "signing", "validation", "tool")}
    assert told == {
        "web": ["PORTAL_DEMO_ZONE"],
        "signing": [],
        "validation": ["DNS_RESOLVERS"],
        "tool": ["DNS_RESOLVERS", "PORTAL_DEMO_ZONE"],
    }
    own = OwnResolvers("192.0.2.53")
    assert own.environment("validation") == {"DNS_RESOLVERS": "192.0.2.53"}
    assert own.environment("web") == {}


# --- the page --------------------------------------------------------------------------------------------------------


@pytest.fixture
def page(db):
    file = Path(config.demo_zone)
    zone.put_back(file)
    yield Client()
    zone.put_back(file)


def records_of(label):
    return next(name.caa for name in zone.read(Path(config.demo_zone)) if name.label == label)


def test_the_records_of_a_name_are_replaced_and_put_back(page):
    sent = page.post(
        "/demo/dns/forbidden/", {"records": ' 00 issue "ca.acme.example" \r\n\r\n128 IODEF "mailto:a@b"\r\n'}
    )
    assert (sent.status_code, sent.headers["Location"]) == (302, "/demo/dns/")
    assert records_of("forbidden") == ('0 issue "ca.acme.example"', '128 IODEF "mailto:a@b"')
    assert "IODEF" in page.get("/demo/dns/").content.decode()
    assert page.post("/demo/dns/forbidden/", {"records": ""}).status_code == 302
    assert records_of("forbidden") == ()
    assert page.post("/demo/dns/").status_code == 302
    assert zone.read(Path(config.demo_zone)) == zone.START


NO_RECORDS = [
    "ca.acme.example",
    "0 issue ca.acme.example",
    '256 issue "x"',
    '0 is-sue "x"',
    '0 issue "x" y',
    '0 issue "x\\"',
    '0 issue "é"',
    "\n".join(['0 issue "x"'] * (zone.MOST + 1)),
    "x" * 5000,
]


@pytest.mark.parametrize("text", NO_RECORDS)
def test_what_is_no_record_is_refused_and_nothing_changes(page, text):
    before = records_of("www")
    refused = page.post("/demo/dns/www/", {"records": text})
    assert refused.status_code == 422
    assert "There is a problem" in refused.content.decode()
    assert records_of("www") == before


def test_markup_in_a_record_is_shown_as_text(page):
    page.post("/demo/dns/plain/", {"records": '0 issue "<script>alert(1)</script>"'})
    shown = page.get("/demo/dns/").content.decode()
    assert "&lt;script&gt;alert(1)" in shown
    assert "<script>alert" not in shown


@pytest.mark.parametrize("label", ["silent", "broken", "alias", "not-there"])
def test_a_name_that_has_no_records_of_its_own_has_no_page(page, label):
    assert page.get(f"/demo/dns/{label}/").status_code == 404
    assert page.post(f"/demo/dns/{label}/", {"records": ""}).status_code == 404


def test_a_file_that_somebody_else_wrote_half_is_never_read(tmp_path):
    file = tmp_path / "dns" / "zone.json"
    zone.replace(file, "www", ())
    assert [path.name for path in file.parent.iterdir()] == ["zone.json"]
    assert set(json.loads(file.read_text())) == {name.label for name in zone.START}
