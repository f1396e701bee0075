"""DNS updates at a real name server: what it takes, and each way in which it says no."""

import base64
import socket
import struct
from contextlib import contextmanager
from dataclasses import replace
from threading import Thread

import dns.flags
import dns.name
import dns.rcode
import dns.tsig
import dns.update
import pytest

from lifecycle.validation.publishing import updates
from lifecycle.validation.publishing.reaching import Reach
from lifecycle.validation.publishing.troubles import Trouble
from lifecycle.validation.publishing.updates import Record, Zone
from tests.fakes.primary import KEY, SECRET, Primary
from tests.fakes.web_server import Names, listening_in

ADDRESS = "203.0.113.53"
SERVER = "ns1.acme.example"
OWNER = "_portal-validation.www.acme.example"
VALUE = Record(OWNER, "txt", "value-1")


@pytest.fixture(scope="module")
def primary(tmp_path_factory):
    server = Primary(tmp_path_factory.mktemp("primary"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(autouse=True)
def _empty(primary):
    for text in primary.records(OWNER):
        updates.remove(zone(), Record(OWNER, "txt", text.strip('"')), reach(primary.port))
    yield
    for target in primary.records(OWNER, "CNAME"):
        updates.remove(zone(), Record(OWNER, "cname", target), reach(primary.port))


def zone(**changes):
    known = Zone(f"{SERVER}:53", "acme.example", KEY, "hmac-sha256", base64.b64decode(SECRET))
    return replace(known, **changes)


def reach(port, *addresses, seconds=2.0):
    names = Names({SERVER: [addresses or [ADDRESS]]})
    return Reach(names, {(ADDRESS, 53): ("127.0.0.1", port)}, seconds=seconds)


def trouble(deed, *args):
    with pytest.raises(Trouble) as met:
        deed(*args)
    return met.value.why, met.value.lasting


def test_a_value_is_published_and_withdrawn_twice_each_without_harm(primary):
    for _twice in range(2):
        updates.add(zone(), VALUE, reach(primary.port))
        assert primary.records(OWNER) == ['"value-1"']
    for _twice in range(2):
        updates.remove(zone(), VALUE, reach(primary.port))
        assert primary.records(OWNER) == []


def test_what_others_published_there_stays(primary):
    updates.add(zone(), Record(OWNER, "txt", "somebody else's"), reach(primary.port))
    updates.add(zone(), VALUE, reach(primary.port))
    assert primary.records(OWNER) == ['"somebody else\'s"', '"value-1"']
    updates.remove(zone(), VALUE, reach(primary.port))
    assert primary.records(OWNER) == ['"somebody else\'s"']


def test_a_value_says_what_it_says_whatever_signs_are_in_it(primary):
    text = 'ca.example; accounturi=acct:acme@portal.example; policy="wildcard" \\ ' + "x" * 300
    updates.add(zone(), Record(OWNER, "txt", text), reach(primary.port))
    [seen] = primary.records(OWNER)
    assert seen.replace('" "', "")[1:-1].replace('\\"', '"').replace("\\\\", "\\") == text
    updates.remove(zone(), Record(OWNER, "txt", text), reach(primary.port))
    assert primary.records(OWNER) == []


def test_an_alias_takes_anothers_place(primary):
    for target in ("one.portal.example.", "two.portal.example."):
        updates.add(zone(), Record(OWNER, "cname", target), reach(primary.port))
        assert primary.records(OWNER, "CNAME") == [target]


def test_a_server_may_be_named_by_its_address(primary):
    updates.add(zone(server=f"{ADDRESS}:53"), VALUE, reach(primary.port))
    assert primary.records(OWNER) == ['"value-1"']


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"secret": b"n" * 32}, "dns-key"),
        ({"key_name": "nobody.acme"}, "dns-key"),
        ({"algorithm": "hmac-sha512"}, "dns-key"),
        ({"name": "www.acme.example"}, "dns-zone"),
        ({"name": "example"}, "dns-zone"),
    ],
)
def test_what_the_server_refuses_it_refuses_for_good(primary, changes, why):
    assert trouble(updates.add, zone(**changes), VALUE, reach(primary.port)) == (why, True)
    assert primary.records(OWNER) == []


def test_a_zone_that_the_key_may_not_change_is_refused(primary):
    closed = zone(name="closed.example")
    why, lasting = trouble(updates.add, closed, Record("a.closed.example", "txt", "v"), reach(primary.port))
    assert why in {"dns-zone", "dns-refused", "dns-key"}
    assert lasting
    assert primary.records("a.closed.example") == []


@pytest.mark.parametrize("owner", ["www.globex.example", "acme.example.evil.example", "xacme.example", "example"])
def test_nobody_is_called_for_a_name_outside_the_zone(primary, owner):
    with listening_in() as dialled:
        assert trouble(updates.add, zone(), Record(owner, "txt", "v"), reach(primary.port)) == ("outside-zone", True)
    assert dialled == []


@pytest.mark.parametrize("addresses", [
    ["127.0.0.1"], ["10.0.0.53"], [ADDRESS, "10.0.0.53"], ["::ffff:127.0.0.1"], ["169.254.169.254"], ["203.0.113.54"],
])  # fmt: skip
def test_nobody_inside_is_called(primary, addresses):
    with listening_in() as dialled:
        met = trouble(updates.add, zone(), VALUE, reach(primary.port, *addresses))
    assert (met, dialled) == (("special-address", True), [])


def test_nobody_inside_is_called_by_its_address_either(primary):
    with listening_in() as dialled:
        met = trouble(updates.add, zone(server="127.0.0.1:53"), VALUE, reach(primary.port))
    assert (met, dialled) == (("special-address", True), [])


# --- servers that are none ------------------------------------------------------------------------------------------


@contextmanager
def server_that(answers):
    """Take one message at a time over TCP, and say what *answers* makes of it; None says nothing."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            try:
                theirs, _address = listening.accept()
            except OSError:
                return
            with theirs:
                theirs.settimeout(5)
                length = struct.unpack("!H", theirs.recv(2))[0]
                said = answers(theirs.recv(length))
                if said is None:
                    theirs.recv(1)
                else:
                    theirs.sendall(said)

    Thread(target=serve, daemon=True).start()
    yield listening.getsockname()[1]
    listening.shutdown(socket.SHUT_RDWR)
    listening.close()


def answered(code, *, signed_with=None):
    def answers(wire):
        response = dns.update.UpdateMessage("acme.example", id=int.from_bytes(wire[:2]))
        response.flags |= dns.flags.QR
        response.set_rcode(code)
        if signed_with:
            response.use_tsig({dns.name.from_text(KEY): dns.tsig.Key(KEY, signed_with)})
        said = response.to_wire()
        return struct.pack("!H", len(said)) + said

    return answers


def always(said):
    return lambda _wire: said


@pytest.mark.parametrize(("answers", "met"), [
    (answered(dns.rcode.NOERROR), ("dns-unsigned", True)),
    (answered(dns.rcode.SERVFAIL), ("dns-failed", False)),
    (answered(dns.rcode.NOTIMP), ("dns-failed", False)),
    (answered(dns.rcode.REFUSED), ("dns-refused", True)),
    (answered(dns.rcode.NOTZONE), ("dns-zone", True)),
    (always(None), ("too-slow", False)),
    (always(b""), ("dns-nonsense", False)),
    (always(b"\x00\x05hello"), ("dns-nonsense", False)),
    (always(b"HTTP/1.1 400 Bad Request\r\n\r\n"), ("dns-nonsense", False)),
    (always(b"\xff\xff" + b"\0" * 65535), ("dns-nonsense", False)),
])  # fmt: skip
def test_no_answer_but_a_signed_one_says_that_all_is_well(answers, met):
    with server_that(answers) as port:
        assert trouble(updates.add, zone(), VALUE, reach(port, seconds=0.5)) == met


def test_an_answer_signed_with_another_secret_is_none():
    other = base64.b64encode(b"o" * 32).decode()
    with server_that(answered(dns.rcode.NOERROR, signed_with=other)) as port:
        assert trouble(updates.add, zone(), VALUE, reach(port)) == ("dns-key", True)


def test_nobody_at_the_port_is_told_as_that():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    assert trouble(updates.add, zone(), VALUE, reach(port)) == ("not-connected", False)
