"""What may stand in a certificate as the name of a host; and what may not, each told in words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.foundation.names import UnusableName, dns_name, is_under_public_suffix, mailbox

LABEL = "a" * 63


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("example.com", "example.com"),
        ("WWW.Example.COM", "www.example.com"),
        ("www.example.com.", "www.example.com"),
        ("*.example.com", "*.example.com"),
        ("*.EXAMPLE.com.", "*.example.com"),
        ("1.example.com", "1.example.com"),
        ("3com.example", "3com.example"),
        ("a--b.example", "a--b.example"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("BÜCHER.example", "xn--bcher-kva.example"),
        ("bu\u0308cher.example", "xn--bcher-kva.example"),
        ("faß.example", "xn--fa-hia.example"),
        ("пример.example", "xn--e1afmkfd.example"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("例え.example", "xn--r8jz45g.example"),
        (f"{LABEL}.example", f"{LABEL}.example"),
        (f"{LABEL}.{LABEL}.{LABEL}.{'a' * 53}.example", f"{LABEL}.{LABEL}.{LABEL}.{'a' * 53}.example"),
        ("host.corp", "host.corp"),
        ("www.github.io", "www.github.io"),
        ("a.b.c.d.e.f.g.h.example", "a.b.c.d.e.f.g.h.example"),
    ],
)
def test_a_good_name_has_one_spelling(written, meant):
    assert dns_name(written) == meant
    assert dns_name(meant) == meant


UNSEEN = "characters that cannot be seen"
STAR = "a star stands only alone"
HOST = "only the name of the host"
DOT = "a dot too many"
ADDRESS = "an IP address or looks like one"
LETTERS = "is not letters, digits and hyphens within"
IDNA = "letters that names in the DNS do not take"
DRESSED = "looks like an encoded name and is none"
LONG_PART = "a part between two dots is longer"
LONG = "it is longer than 253"
SUFFIX = "registered directly under it"
NOT_SERVERS = "are not given to servers"

MALFORMED = {
    UNSEEN: [
        "\ufeffwww.example.com", "www\u200b.example.com", "www\u202e.example.com", "www\u2066.example.com",
        "www.exam\u00adple.com", "www.example.com\x00", "\x1bwww.example.com", "www.example.com\x7f",
        "www .example.com", "www\u00a0.example.com", "www\u3000.example.com", "www\u2028.example.com",
        "www.\ufffd.example", "www.\ue000.example", "www.\udc80.example", "www\t.example.com",
    ],
    STAR: [
        "*", "*.", "www.*.example.com", "*.*.example.com", "w*.example.com", "*w.example.com", "www.example.*",
        "**.example.com", "*example.com", "www*.example.com", "a.*",
    ],
    HOST: [
        "https://www.example.com", "http://example.com/", "www.example.com/path", "www.example.com:443",
        "//www.example.com", "petra@example.com", "mailto:petra@example.com", "::1", "2001:db8::1", "[::1]",
        "fe80::1%eth0", "dns:www.example.com", "user:word@example.com",
    ],
    DOT: [".", "..", ".example.com", "www..example.com", "www.example.com..", "*..example.com", "...", ".com"],
    ADDRESS: ["127.0.0.1", "192.0.2.1", "10.1", "0.0.0.0", "256.256.256.256", "*.0.2.1", "www.example.1", "1.2.3.4."],
    LETTERS: [
        "-www.example.com", "www-.example.com", "www.-example.com", "www.example-.com", "www.exa_mple.com",
        "_acme.example.com", "www.exam!ple.com", "www.example.com;", "www,example.com", "www.example.com'",
        '"www.example.com"', "<www.example.com>", "www.exam$ple.com", "www.exam&ple.com", "www.exam(ple).com",
        "www.exam+ple.com", "www.exam=ple.com", "www.exam?ple.com", "www.exam#ple.com", "www.exam\\ple.com",
        "www.exam^ple.com", "www.exam`ple.com", "www.exam{ple}.com", "www.exam|ple.com", "www.exam~ple.com",
        "%77ww.example.com", "-.example.com", "--.example.com", "0x7f.0.0._", "www.example.-",
    ],
    IDNA: [
        "www。example.com", "☃.example", "a☃b.example", "ⅷ.example", "ﬁ.example", "אa.example",
        "a\u0661\u06f1.example", "\u0301a.example", "\uff41\uff42\uff43.example", "·.example",
    ],
    DRESSED: [
        "xn--a.example", "xn--ls8h.example", "ab--cd.example", "xn--u-ccb.example", "zz--top.example",
        "xn--1ch.example", "xn--example.example", "www.xn--0.example",
    ],
    LONG_PART: [f"{LABEL}a.example", f"www.{'b' * 64}.com", f"{'ü' * 60}.example"],
    LONG: [
        f"{LABEL}.{LABEL}.{LABEL}.{'a' * 54}.example", "a." * 130 + "com",
        f"*.{LABEL}.{LABEL}.{LABEL}.{'a' * 53}.example",
    ],
    SUFFIX: ["com", "co.uk", "*.com", "*.co.uk", "intranet", "*.corp", "xn--p1ai", "рф", "kawasaki.jp", "test"],
    NOT_SERVERS: ["1.0.0.127.in-addr.arpa", "localhost", "www.localhost", "abcdef.onion", "ip6.arpa", "*.onion"],
}  # fmt: skip


@pytest.mark.parametrize(("why", "name"), [(why, name) for why, names in MALFORMED.items() for name in names])
def test_a_name_that_is_none_is_refused_in_words(why, name):
    with pytest.raises(UnusableName) as refused:
        dns_name(name)

    assert why in str(refused.value)
    assert str(refused.value).isprintable()


def test_there_are_enough_of_them():
    assert len({name for names in MALFORMED.values() for name in names}) > 88


def test_a_long_name_is_shown_shortened():
    with pytest.raises(UnusableName) as refused:
        dns_name("!" * 100_000)
    assert len(str(refused.value)) < 250


@given(st.text(max_size=80))
def test_whatever_is_written_is_a_name_in_its_one_spelling_or_refused(text):
    try:
        name = dns_name(text)
    except UnusableName:
        return
    assert name.isascii()
    assert name == name.lower()
    assert dns_name(name) == name


@pytest.mark.parametrize(
    ("name", "public"),
    [("www.example.com", True), ("*.example.co.uk", True), ("www.demo.test", False), ("host.corp", False)],
)
def test_the_public_dns_ends_where_the_list_says(name, public):
    assert is_under_public_suffix(name) is public


def test_a_mailbox_keeps_the_case_of_its_own_part_only():
    assert mailbox("Petra@ACME.Example") == "Petra@acme.example"
