"""HTTP that nobody can turn inside: real sockets, and the interpreter's own word on whom we called."""

import ast
import gzip
import socket
import time
from ipaddress import ip_network
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.foundation.outbound import Caps, Fetch, NotFetched, Reason, fetch
from portal.foundation.outbound.special import SPECIAL, why_special
from portal.foundation.outbound.urls import target_of
from tests.fakes.web_server import Names, answer, certificate, listening_in, saying, web_server

ROOT = Path(__file__).resolve().parents[2]
PUBLIC = "203.0.113.80"
HOST = "www.example"
ROOMY, QUICK = (Caps(body=128, redirects=10, seconds=seconds) for seconds in (5.0, 0.6))


def routes(server, *, port=80):
    return {(PUBLIC, port): ("127.0.0.1", server.port)}


def get(server, url=f"http://{HOST}/file", *, names=None, caps=ROOMY, **kwargs):
    names = names or Names({HOST: [[PUBLIC]]})
    return fetch(Fetch(url, **kwargs), names=names, caps=caps, routes=routes(server))


def refused(server, url=f"http://{HOST}/file", **kwargs):
    """Why nothing came, and whom we called meanwhile."""
    started = time.monotonic()
    with listening_in() as dialled, pytest.raises(NotFetched) as failure:
        get(server, url, **kwargs)
    assert time.monotonic() - started < kwargs.get("caps", ROOMY).seconds + 1.0
    assert failure.value.url.isprintable()
    assert failure.value.detail.isprintable()
    return failure.value, dialled


# --- one door -------------------------------------------------------------------------------------------------------


def test_nobody_else_opens_http():
    """Import contracts know packages of others; these two are the standard library's."""
    openers = set()
    for path in (each for name in ("portal", "lifecycle", "auth2fa") for each in (ROOT / name).rglob("*.py")):
        imported = {
            alias.name if isinstance(node, ast.Import) else f"{node.module}.{alias.name}"
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Import | ast.ImportFrom)
            for alias in node.names
        }
        if any(name.startswith(("http.client", "urllib.request")) for name in imported):
            openers.add(str(path.relative_to(ROOT)))
    assert openers == {
        "portal/foundation/outbound/client.py",
        "lifecycle/validation/perspectives/client.py",  # to addresses that the operator wrote down, with keys for both
        "portal/demo/supervisor.py",  # asks its own child whether it is well
    }


# --- addresses ------------------------------------------------------------------------------------------------------

INSIDE = [
    "127.0.0.1", "127.255.255.254", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254",
    "100.64.0.1", "100.127.255.255", "0.0.0.0", "0.1.2.3", "192.0.0.8", "192.0.0.170", "192.0.2.1", "192.88.99.1",
    "192.88.99.2", "192.31.196.1", "192.52.193.1", "192.175.48.1", "198.18.0.1", "198.19.255.255", "198.51.100.1",
    "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::ffff:10.0.0.1", "64:ff9b::7f00:1",
    "64:ff9b:1::1", "100::1", "100:0:0:1::1", "2001::1", "2001:0:1:2::", "2001:2::1", "2001:10::1", "2001:20::1",
    "2001:30::1", "2001:1ff:ffff::", "2001:db8::1", "2002:7f00:1::", "2002:808:808::", "2620:4f:8000::1", "3fff::1",
    "5f00::1", "fc00::1", "fd12:3456::1", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "4000::1", "8000::1",
    "1::1", "", "localhost", "127.1", "0x7f000001", "2130706433", "010.0.0.1", "8.8.8.8 ", "fd00::%1",
]  # fmt: skip
OUTSIDE = [
    "8.8.8.8", "1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255",
    "128.0.0.0", "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "192.0.1.0", "192.167.255.255",
    "192.169.0.0", "198.17.255.255", "198.20.0.0", "223.255.255.255", "2001:200::1", "2001:4860:4860::8888",
    "2001:db7:ffff::1", "2001:db9::1", "2003::1", "2606:4700::1111", "2a00::1", "3ffe::1",
]  # fmt: skip


@pytest.mark.parametrize("address", INSIDE)
def test_addresses_inside_are_refused(address):
    assert why_special(address)


@pytest.mark.parametrize("address", OUTSIDE)
def test_addresses_beside_them_are_not(address):
    assert not why_special(address)


def test_every_block_is_refused_from_its_first_to_its_last_address():
    for block in SPECIAL:
        assert why_special(str(block[0]))
        assert why_special(str(block[-1]))
    assert ip_network("192.0.2.0/24") in SPECIAL


@pytest.mark.parametrize("address", INSIDE)
def test_a_name_that_leads_inside_is_not_fetched(address):
    with web_server(saying(answer(200, b"value"))) as server:
        failure, dialled = refused(server, names=Names({HOST: [[address]]}))
        assert (failure.reason, dialled, server.requests) == (Reason.SPECIAL_ADDRESS, [], [])


@pytest.mark.parametrize("answers", [
    [PUBLIC, "127.0.0.1"], ["127.0.0.1", PUBLIC], [PUBLIC, PUBLIC, PUBLIC, PUBLIC, PUBLIC, "10.1.2.3"],
    [PUBLIC, "::ffff:127.0.0.1"], [PUBLIC, "::1"],
])  # fmt: skip
def test_one_address_inside_among_others_is_enough(answers):
    with web_server(saying(answer(200, b"value"))) as server:
        failure, dialled = refused(server, names=Names({HOST: [answers]}))
        assert (failure.reason, dialled) == (Reason.SPECIAL_ADDRESS, [])


def test_a_name_without_addresses_is_not_fetched():
    with web_server(saying()) as server:
        assert refused(server, names=Names({HOST: [[]]}))[0].reason == Reason.NO_ADDRESS


def test_what_is_checked_is_what_is_used():
    """A name server that says something else the second time finds nobody who asks."""
    with web_server(saying(answer(200, b"value"))) as server:
        names = Names({HOST: [[PUBLIC], ["127.0.0.1"]]})
        with listening_in() as dialled:
            assert get(server, names=names).body == b"value"
        assert (names.asked, dialled) == ([HOST], [("127.0.0.1", server.port)])


def test_a_redirect_to_the_same_host_asks_no_second_time():
    def say(theirs, request):
        theirs.sendall(answer(200, b"value") if b"/there" in request else answer(302, b"", "Location: /there"))

    with web_server(say) as server:
        names = Names({HOST: [[PUBLIC], ["127.0.0.1"]]})
        assert get(server, names=names).body == b"value"
        assert names.asked == [HOST]


def test_the_next_address_is_tried_where_the_first_does_not_answer():
    with web_server(saying(answer(200, b"value"))) as server, socket.create_server(("127.0.0.1", 0)) as closed:
        dead = closed.getsockname()[1]
        closed.close()
        fetched = fetch(
            Fetch(f"http://{HOST}/"),
            names=Names({HOST: [["203.0.113.81", PUBLIC]]}),
            caps=ROOMY,
            routes={("203.0.113.81", 80): ("127.0.0.1", dead), **routes(server)},
        )
        assert (fetched.address, fetched.status) == (PUBLIC, 200)


def test_routes_open_their_own_address_and_port_and_nothing_else():
    with web_server(saying(answer(200, b"value"))) as server:
        failure, dialled = refused(server, names=Names({HOST: [["203.0.113.81"]]}))
        assert (failure.reason, dialled) == (Reason.SPECIAL_ADDRESS, [])
        failure, dialled = refused(server, f"https://{HOST}/")  # only port 80 is led anywhere
        assert (failure.reason, dialled) == (Reason.SPECIAL_ADDRESS, [])


# --- addresses on the web -------------------------------------------------------------------------------------------

BAD_URLS = [
    ("ftp://www.example/", Reason.WRONG_SCHEME), ("file:///etc/passwd", Reason.WRONG_SCHEME),
    ("gopher://www.example/", Reason.WRONG_SCHEME), ("//www.example/", Reason.WRONG_SCHEME),
    ("javascript:alert(1)", Reason.WRONG_SCHEME), ("www.example", Reason.WRONG_SCHEME),
    ("http://www.example:8080/", Reason.WRONG_PORT), ("http://www.example:22/", Reason.WRONG_PORT),
    ("http://www.example:0/", Reason.WRONG_PORT), ("http://www.example:65536/", Reason.BAD_ADDRESS),
    ("http://www.example:x/", Reason.BAD_ADDRESS),
    ("http://user@www.example/", Reason.BAD_ADDRESS), ("http://user:pw@www.example/", Reason.BAD_ADDRESS),
    ("http://@www.example/", Reason.BAD_ADDRESS), ("http://www.example#@evil.example/", Reason.BAD_ADDRESS),
    ("http://www.example/#part", Reason.BAD_ADDRESS), ("http://www.example/#", Reason.BAD_ADDRESS),
    ("http://", Reason.BAD_ADDRESS), ("http:///path", Reason.BAD_ADDRESS), ("http://./", Reason.BAD_ADDRESS),
    ("http://127.0.0.1/", Reason.BARE_ADDRESS), ("http://127.1/", Reason.BARE_ADDRESS),
    ("http://2130706433/", Reason.BARE_ADDRESS), ("http://0x7f.0.0.1/", Reason.BARE_ADDRESS),
    ("http://0x7f000001/", Reason.BARE_ADDRESS), ("http://0177.0.0.1/", Reason.BARE_ADDRESS),
    ("http://www.example.1/", Reason.BARE_ADDRESS), ("http://[::1]/", Reason.BARE_ADDRESS),
    ("http://[::ffff:127.0.0.1]/", Reason.BARE_ADDRESS), ("http://[fe80::1%25eth0]/", Reason.BARE_ADDRESS),
    ("http://8.8.8.8/", Reason.BARE_ADDRESS), ("http://8.8.8.8./", Reason.BARE_ADDRESS),
    ("http://[::1/", Reason.BAD_ADDRESS), ("http://www..example/", Reason.BAD_ADDRESS),
    ("http://-www.example/", Reason.BAD_ADDRESS), ("http://www%2eexample/", Reason.BAD_ADDRESS),
    ("http://wwwä.example/", Reason.BAD_ADDRESS), ("http://www\u3002example/", Reason.BAD_ADDRESS),
    ("http://127\uff0e0.0.1/", Reason.BAD_ADDRESS), ("http://www.example/\r\nHost: evil", Reason.BAD_ADDRESS),
    ("http://www.example/a b", Reason.BAD_ADDRESS), ("http://www.example/\x00", Reason.BAD_ADDRESS),
    ("http://www.exa\tmple/", Reason.BAD_ADDRESS), ("\nhttp://www.example/", Reason.BAD_ADDRESS),
    ("http://www.example\\@evil.example/", Reason.BAD_ADDRESS), ("http://www.example/\x7f", Reason.BAD_ADDRESS),
    (f"http://{'a' * 64}.example/", Reason.BAD_ADDRESS), (f"http://{'a.' * 127}example/", Reason.BAD_ADDRESS),
    (f"http://www.example/{'a' * 2000}", Reason.BAD_ADDRESS), ("", Reason.BAD_ADDRESS),
]  # fmt: skip


@pytest.mark.parametrize(("url", "reason"), BAD_URLS)
def test_an_address_that_we_do_not_fetch_is_refused_before_anybody_is_asked(url, reason):
    with web_server(saying(answer(200))) as server:
        names = Names({})
        failure, dialled = refused(server, url, names=names)
        assert (failure.reason, names.asked, dialled) == (reason, [], [])


@pytest.mark.parametrize(("url", "host", "port", "path"), [
    ("http://www.example", "www.example", 80, "/"),
    ("HTTP://WWW.Example./a?b=c", "www.example", 80, "/a?b=c"),
    ("http://www.example?b", "www.example", 80, "/?b"),
    ("http://xn--bcher-kva.example:443/%0d%0a", "xn--bcher-kva.example", 443, "/%0d%0a"),
    ("https://a_b.example:80/", "a_b.example", 80, "/"),
    ("https://www.example/a/../b;c", "www.example", 443, "/a/../b;c"),
])  # fmt: skip
def test_what_is_fetched_is_taken_apart_once(url, host, port, path):
    target = target_of(url)
    assert (target.host, target.port, target.path) == (host, port, path)


# --- redirects ------------------------------------------------------------------------------------------------------

AWAY = [
    ("http://127.0.0.1/", Reason.BARE_ADDRESS), ("http://169.254.169.254/latest/meta-data/", Reason.BARE_ADDRESS),
    ("http://inside.example/", Reason.SPECIAL_ADDRESS), ("//inside.example/", Reason.SPECIAL_ADDRESS),
    ("http://metadata.example/", Reason.SPECIAL_ADDRESS), ("http://mapped.example/", Reason.SPECIAL_ADDRESS),
    ("http://www.example:6379/", Reason.WRONG_PORT), ("https://www.example:8443/", Reason.WRONG_PORT),
    ("file:///etc/passwd", Reason.WRONG_SCHEME), ("gopher://www.example:70/_x", Reason.WRONG_SCHEME),
    ("data:text/plain,value", Reason.WRONG_SCHEME), ("http://user:pw@www.example/", Reason.BAD_ADDRESS),
    ("/#fragment", Reason.BAD_ADDRESS), ("/a b", Reason.BAD_ADDRESS), ("/\x00", Reason.BAD_ADDRESS),
    ("/\xe4", Reason.BAD_ADDRESS), ("/a\r\n b", Reason.BAD_ADDRESS), ("", Reason.BAD_ADDRESS),
    ("http://wwwä.example/", Reason.BAD_ADDRESS), ("/" + "a" * 2000, Reason.BAD_ADDRESS),
    ("http://[::1]/", Reason.BARE_ADDRESS), ("\\\\inside.example/", Reason.BAD_ADDRESS),
    ("/file", Reason.REDIRECT_LOOP), (f"http://{HOST}/file", Reason.REDIRECT_LOOP),
    (f"HTTP://{HOST.upper()}/file", Reason.REDIRECT_LOOP),
]  # fmt: skip
INSIDE_NAMES = {
    HOST: [[PUBLIC]],
    "inside.example": [["127.0.0.1"]],
    "metadata.example": [["169.254.169.254"]],
    "mapped.example": [["::ffff:127.0.0.1"]],
}


@pytest.mark.parametrize("status", [301, 302, 307, 308])
@pytest.mark.parametrize(("location", "reason"), AWAY)
def test_a_redirect_is_judged_like_the_first_address(status, location, reason):
    head = f"HTTP/1.1 {status} Found\r\nLocation: ".encode() + location.encode("latin-1") + b"\r\n\r\n"
    with web_server(saying(head)) as server:
        failure, dialled = refused(server, names=Names(INSIDE_NAMES))
        assert (failure.reason, dialled) == (reason, [("127.0.0.1", server.port)])
        assert [hop.status for hop in failure.hops] == [status]
        assert len(server.requests) == 1


def test_a_redirect_without_a_location_leads_nowhere():
    with web_server(saying(answer(301))) as server:
        assert refused(server)[0].reason == Reason.BAD_ADDRESS


@pytest.mark.parametrize("status", [300, 303, 304, 305, 306, 309])
def test_other_redirects_are_answers(status):
    with web_server(saying(answer(status, b"", "Location: /there"))) as server:
        fetched = get(server)
        assert (fetched.status, len(server.requests)) == (status, 1)


def counting(theirs, request):
    at = int(request.split(b" ")[1][2:] or 0)
    theirs.sendall(answer(302, b"", f"Location: /n{at + 1}"))


def test_ten_redirects_are_followed_and_no_eleventh():
    def nine(theirs, request):
        if b"/n10 " in request:
            theirs.sendall(answer(200, b"value"))
        else:
            counting(theirs, request)

    with web_server(nine) as server:
        fetched = get(server, f"http://{HOST}/n0")
        assert (fetched.body, len(fetched.hops), fetched.url) == (b"value", 11, f"http://{HOST}/n10")
    with web_server(counting) as server:
        assert refused(server, f"http://{HOST}/n0")[0].reason == Reason.TOO_MANY_REDIRECTS
        assert len(server.requests) == 11


def test_where_redirects_are_not_followed_nobody_else_is_called():
    with web_server(saying(answer(307, b"", "Location: http://other.example/"))) as server:
        names = Names({HOST: [[PUBLIC]]})
        failure, _dialled = refused(server, names=names, caps=Caps(seconds=1.0), method="POST", body=b"{}")
        assert (failure.reason, failure.detail, names.asked) == (
            Reason.REDIRECTED, "http://other.example/", [HOST],
        )  # fmt: skip


# --- what comes back ------------------------------------------------------------------------------------------------


def drip(*pieces, every=0.05):
    def say(theirs, _request):
        for piece in pieces:
            theirs.sendall(piece)
        while True:
            theirs.sendall(b"a")
            time.sleep(every)

    return say


def endless(*pieces, block=b"a" * 65536):
    def say(theirs, _request):
        for piece in pieces:
            theirs.sendall(piece)
        while True:
            theirs.sendall(block)

    return say


def silent(theirs, _request):
    theirs.recv(1)


HEAD = b"HTTP/1.1 200 OK\r\n"
BOMB = gzip.compress(b"\0" * 10_000_000)
HOSTILE = {
    "silence": (silent, Reason.TOO_SLOW),
    "a status line, letter by letter": (drip(b"HTTP/1.1 200 "), Reason.TOO_SLOW),
    "a header, letter by letter": (drip(HEAD, b"X: "), Reason.TOO_SLOW),
    "a body, letter by letter": (drip(HEAD, b"Content-Length: 128\r\n\r\n"), Reason.TOO_SLOW),
    "a chunk, letter by letter": (drip(HEAD, b"Transfer-Encoding: chunked\r\n\r\n5;"), Reason.TOO_SLOW),
    "a status line without an end": (endless(b"HTTP/1.1 200 "), Reason.TOO_LARGE),
    "a header without an end": (endless(HEAD, b"X: "), Reason.TOO_LARGE),
    "headers without an end": (endless(HEAD, block=b"X: y\r\n" * 1000), (Reason.TOO_LARGE, Reason.NOT_HTTP)),
    "a body without an end": (endless(HEAD, b"\r\n"), Reason.TOO_LARGE),
    "a body of a gigabyte": (endless(HEAD, b"Content-Length: 1000000000\r\n\r\n"), Reason.TOO_LARGE),
    "129 bytes": (saying(answer(200, b"a" * 129)), Reason.TOO_LARGE),
    "129 bytes, and their number untold": (saying(HEAD, b"\r\n", b"a" * 129), Reason.TOO_LARGE),
    "chunks without an end": (
        endless(HEAD, b"Transfer-Encoding: chunked\r\n\r\n", block=b"1\r\na\r\n" * 1000), Reason.TOO_LARGE),
    "a chunk's extension without an end": (
        endless(HEAD, b"Transfer-Encoding: chunked\r\n\r\n1;"), (Reason.TOO_LARGE, Reason.NOT_HTTP)),
    "a chunk of minus one": (saying(HEAD, b"Transfer-Encoding: chunked\r\n\r\n-1\r\nabc"), Reason.NOT_HTTP),
    "a chunk of minus one, without an end": (
        endless(HEAD, b"Transfer-Encoding: chunked\r\n\r\n-1\r\n"), Reason.TOO_LARGE),
    "a chunk that is no number": (saying(HEAD, b"Transfer-Encoding: chunked\r\n\r\nx\r\nabc"), Reason.NOT_HTTP),
    "a body that breaks off": (saying(HEAD, b"Content-Length: 100\r\n\r\nabc"), Reason.NOT_HTTP),
    "a hundred times wait": (endless(block=b"HTTP/1.1 100 Continue\r\n\r\n" * 100), Reason.TOO_LARGE),
    "a bomb": (saying(answer(200, BOMB, "Content-Encoding: gzip")), Reason.ENCODED),
    "something compressed": (saying(answer(200, b"x", "Content-Encoding: br")), Reason.ENCODED),
    "nothing": (saying(), Reason.NOT_HTTP),
    "another protocol": (saying(b"SSH-2.0-OpenSSH_9.2\r\n"), Reason.NOT_HTTP),
    "HTTP of 1991": (saying(b"<html>value</html>"), Reason.NOT_HTTP),
    "a status that is no number": (saying(b"HTTP/1.1 abc OK\r\n\r\n"), Reason.NOT_HTTP),
    "a status below 100": (saying(b"HTTP/1.1 99 OK\r\n\r\n"), Reason.NOT_HTTP),
    "a status above 999": (saying(b"HTTP/1.1 2000 OK\r\n\r\n"), Reason.NOT_HTTP),
    "TLS": (saying(b"\x16\x03\x01\x00\x05hello\r\n"), Reason.NOT_HTTP),
    "zeros": (saying(b"\0" * 1000), Reason.NOT_HTTP),
    "a reset": (lambda theirs, _request: theirs.setsockopt(
        socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0"), (Reason.NOT_CONNECTED, Reason.NOT_HTTP)),
}  # fmt: skip


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_answer_is_given_up_in_time(what):
    say, reason = HOSTILE[what]
    with web_server(say) as server:
        failure, dialled = refused(server, caps=QUICK if reason == Reason.TOO_SLOW else ROOMY)
        assert failure.reason in (reason if isinstance(reason, tuple) else (reason,))
        assert dialled == [("127.0.0.1", server.port)]
        assert failure.address == PUBLIC


GOOD = [
    answer(200, b"the-value", "Content-Type: text/plain"),
    HEAD + b"Transfer-Encoding: chunked\r\n\r\n4\r\nthe-\r\n5;x=y\r\nvalue\r\n0\r\nTrailer: x\r\n\r\n",
    HEAD + b"X: y\r\n z\r\n\r\nthe-value",
    answer(301, b"", "Location: /file"),
    b"HTTP/1.1 100 Continue\r\n\r\n" + answer(404, b"gone"),
]
CHANGE = st.tuples(st.integers(0, 300), st.sampled_from(["cut", "byte", "twice", "insert"]), st.binary(max_size=8))


def changed(good: bytes, changes: list[tuple[int, str, bytes]]) -> bytes:
    for where, how, what in changes:
        at = where % (len(good) + 1)
        good = {
            "cut": good[:at],
            "byte": good[:at] + what[:1] + good[at + 1 :],
            "twice": good[:at] + good[at : at + 20] * 2 + good[at + 20 :],
            "insert": good[:at] + what + good[at:],
        }[how]
    return good


@settings(max_examples=500, deadline=None, derandomize=True, database=None)
@given(good=st.sampled_from(GOOD), changes=st.lists(CHANGE, max_size=4))
def test_whatever_comes_it_is_an_answer_or_a_reason(good, changes):
    """Answers with something wrong in them: nothing but `NotFetched` comes of it, and nothing beyond the caps."""
    with web_server(saying(changed(good, changes))) as server:
        try:
            fetched = get(server)
        except NotFetched as failure:
            assert str(failure).isascii()  # noqa: PT017 - both outcomes are right
        else:
            assert len(fetched.body) <= QUICK.body
            assert 100 <= fetched.status <= 999


@pytest.mark.parametrize("what", ["a body without an end", "chunks without an end", "headers without an end"])
def test_an_endless_answer_is_hung_up_on(what):
    with web_server(HOSTILE[what][0]) as server:
        refused(server)
        assert server.gone.wait(5.0)


SHORT = {"-5", "1e3", "0x10", "9" * 5000, "5, 5", ""}  # `http.client` takes them for no length at all


@pytest.mark.parametrize("number", ["9" * 10, "-5", "1e3", "0x10", "9" * 5000, "5, 5", ""])
def test_a_length_that_makes_no_sense_is_not_believed(number):
    """What is read is bounded by our own number, whatever the other side says."""
    with web_server(saying(HEAD, f"Content-Length: {number}\r\n\r\n".encode(), b"value")) as server:
        if number in SHORT:
            assert get(server).body == b"value"
        else:
            assert refused(server)[0].reason == Reason.NOT_HTTP


def test_the_time_counts_for_all_redirects_together():
    def slow(theirs, request):
        time.sleep(0.15)
        counting(theirs, request)

    with web_server(slow) as server:
        assert refused(server, f"http://{HOST}/n0", caps=QUICK)[0].reason == Reason.TOO_SLOW
        assert len(server.requests) < 8


def test_128_bytes_come_as_they_are():
    body = bytes(range(128))
    with web_server(saying(answer(200, body, "X-Header: \x01\x7f", "Set-Cookie: a=b"))) as server:
        fetched = get(server)
        assert (fetched.body, fetched.status, fetched.address) == (body, 200, PUBLIC)


@pytest.mark.parametrize("status", [204, 401, 403, 404, 418, 500, 503, 999])
def test_every_other_status_is_an_answer(status):
    with web_server(saying(answer(status))) as server:
        assert get(server).status == status


# --- what is sent ---------------------------------------------------------------------------------------------------


def test_nothing_is_sent_but_what_is_said_here(monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9/")
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:9/")
    with web_server(saying(answer(200, b"", "Set-Cookie: a=b"))) as server:
        with listening_in() as dialled:
            get(server)
            get(server)
        assert dialled == [("127.0.0.1", server.port)] * 2
        for request in server.requests:
            assert request.decode().split("\r\n") == [
                "GET /file HTTP/1.1", "Host: www.example", "User-Agent: certificate-portal", "Accept: */*",
                "Accept-Encoding: identity", "Connection: close", "", "",
            ]  # fmt: skip


def test_a_body_goes_with_its_length():
    with web_server(saying(answer(204))) as server:
        get(server, method="POST", body=b'{"a":1}', headers={"Content-Type": "application/json"})
        [request] = server.requests
        assert request.startswith(b"POST /file HTTP/1.1\r\n")
        assert b"\r\nContent-Length: 7\r\n" in request
        assert request.endswith(b'\r\n\r\n{"a":1}')


def test_a_header_ends_no_line():
    with web_server(saying(answer(204))) as server:
        failure, _dialled = refused(server, headers={"X": "a\r\nHost: evil.example"})
        assert failure.reason == Reason.NOT_HTTP
        assert server.requests in ([], [b""])


# --- TLS ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def pem(tmp_path):
    return certificate(tmp_path, HOST)


def over_tls(server, *, url=f"https://{HOST}/", **kwargs):
    return fetch(
        Fetch(url, **kwargs),
        names=Names({HOST: [[PUBLIC]], "other.example": [[PUBLIC]]}),
        caps=Caps(seconds=2.0),
        routes=routes(server, port=443),
    )


def test_a_certificate_is_judged_unless_the_caller_says_otherwise(pem):
    with web_server(saying(answer(200, b"value")), pem) as server:
        with pytest.raises(NotFetched) as failure:
            over_tls(server)
        assert (failure.value.reason, server.requests) == (Reason.NOT_TRUSTED, [])
        assert over_tls(server, judged=False).body == b"value"
        assert over_tls(server, authorities=str(pem)).body == b"value"
        with pytest.raises(NotFetched) as failure:  # good, and somebody else's
            over_tls(server, url="https://other.example/", authorities=str(pem))
        assert failure.value.reason == Reason.NOT_TRUSTED


def test_a_server_without_tls_is_told_apart():
    with web_server(saying(answer(200))) as server:
        with pytest.raises(NotFetched) as failure:
            over_tls(server)
        assert failure.value.reason in {Reason.TLS_FAILED, Reason.TOO_SLOW}
