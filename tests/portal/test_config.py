"""The environment: read once, whole, and refused with every fault at once."""

from dataclasses import FrozenInstanceError, asdict
from pathlib import Path

import pytest

from portal.config import SERVICES, Misconfigured, read

SECRET = "s" * 31 + "7"
PASSWORD = "pa55-of-nobody"


@pytest.fixture
def good(tmp_path) -> dict[str, str]:
    (tmp_path / "session").write_text(f"{SECRET}\n")
    (tmp_path / "factor").write_text(SECRET[::-1])
    return {
        "PORTAL_SERVICE": "web",
        "PORTAL_ORIGIN": "https://portal.example",
        "PORTAL_SECRET_KEY_FILE": str(tmp_path / "session"),
        "PORTAL_FACTOR_KEY_FILE": str(tmp_path / "factor"),
        "DATABASE_URL": f"postgresql://web:{PASSWORD}@db.example:5433/portal",
        "REDIS_URL": f"redis://:{PASSWORD}@redis.example:6379/0",
        "MAIL_URL": f"smtp+tls://sender:{PASSWORD}@mail.example:587",
        "PKI_BASE_URL": "http://pki.example/",
    }


def faults(environment: dict[str, str]) -> list[str]:
    with pytest.raises(Misconfigured) as refused:
        read(environment)
    head, *lines = str(refused.value).splitlines()
    assert head == "The portal cannot start:"
    return [line.removeprefix("  - ") for line in lines]


def test_what_makes_sense_is_read_into_one_typed_object(good):
    config = read(good)
    assert (config.service, config.origin, config.host, config.secure) == (
        "web", "https://portal.example", "portal.example", True,
    )  # fmt: skip
    assert config.secret_key == SECRET
    assert config.factor_key == SECRET[::-1].encode()
    assert asdict(config.database) == {
        "user": "web", "password": PASSWORD, "host": "db.example", "port": "5433", "name": "portal",
    }  # fmt: skip
    assert (config.mail.scheme, config.mail.host, config.mail.port, config.mail.user, config.mail.tls) == (
        "smtp", "mail.example", 587, "sender", True,
    )  # fmt: skip
    assert config.pki_base_url == "http://pki.example"
    assert config.mail_from == "portal@portal.example"
    assert (config.demo, config.log_level, config.holds_token, config.database_owner) == (False, "INFO", False, None)


def test_it_does_not_change_afterwards(good):
    with pytest.raises(FrozenInstanceError):
        read(good).demo = True


GOOD = [
    # what is said, what is read
    ({"PORTAL_ORIGIN": "http://localhost:8000"}, lambda c: c.secure is False),
    ({"PORTAL_ORIGIN": "http://127.0.0.1:8000"}, lambda c: c.host == "127.0.0.1"),
    ({"PORTAL_ORIGIN": "http://[::1]:8000"}, lambda c: c.host == "::1"),
    ({"PORTAL_ORIGIN": " https://portal.example/ "}, lambda c: c.origin == "https://portal.example"),
    ({"PORTAL_SERVICE": ""}, lambda c: c.service == "tool"),
    ({"DATABASE_URL": "postgresql://web:x@/portal?host=/run/pg&port=5432"}, lambda c: c.database.host == "/run/pg"),
    (
        {"DATABASE_URL": "postgres://w%40b:p%2Fw@db/po%20rtal"},
        lambda c: (c.database.user, c.database.password, c.database.name) == ("w@b", "p/w", "po rtal"),
    ),
    ({"DATABASE_OWNER_URL": "postgresql://owner:x@db/portal"}, lambda c: c.database_owner.user == "owner"),
    ({"REDIS_URL": "redis+socket:///run/redis.sock?virtual_host=2"}, lambda c: c.redis_url.startswith("redis+socket")),
    ({"REDIS_URL": "rediss://redis:6380/1"}, lambda c: c.redis_url.startswith("rediss")),
    ({"MAIL_URL": "smtp://mail.example"}, lambda c: (c.mail.port, c.mail.tls) == (25, False)),
    ({"MAIL_URL": "file:///var/mail", "PORTAL_DEMO": "1"}, lambda c: c.mail.folder == "/var/mail"),
    ({"MAIL_FROM": "ca@acme.example"}, lambda c: c.mail_from == "ca@acme.example"),
    ({"LOG_LEVEL": "DEBUG"}, lambda c: c.log_level == "DEBUG"),
    ({"PORTAL_DEMO_ZONE": "/var/zone.json", "PORTAL_DEMO": "1"}, lambda c: c.demo_zone == "/var/zone.json"),
    ({"PORTAL_TRUSTED_PROXIES": ""}, lambda c: not c.trusted_proxies.trust("") and not c.trusted_proxies.networks),
    (
        {"PORTAL_TRUSTED_PROXIES": "unix, 192.0.2.1,2001:db8::/64"},
        lambda c: (
            [c.trusted_proxies.trust(who) for who in ("", "192.0.2.1", "2001:db8::7", "192.0.2.2", "2001:db8:1::")]
            == [True, True, True, False, False]
        ),
    ),
    ({"DNS_RESOLVERS": ""}, lambda c: c.dns_resolvers == ()),
    ({"DNS_RESOLVERS": "192.0.2.1"}, lambda c: [*map(str, c.dns_resolvers)] == ["192.0.2.1:53"]),
    (
        {"DNS_RESOLVERS": "127.0.0.1:5353, [::1]:54,2001:db8::1", "PORTAL_SERVICE": "validation"},
        lambda c: [*map(str, c.dns_resolvers)] == ["127.0.0.1:5353", "[::1]:54", "[2001:db8::1]:53"],
    ),
    ({"PUBLISHING_PUBLIC_KEY": "AB" * 32}, lambda c: (c.publishing_public_key, c.publishing_key) == ("ab" * 32, "")),
    ({}, lambda c: (c.publishing_public_key, c.outbound_routes, c.outbound_authorities) == ("", {}, "")),
    (
        {"OUTBOUND_ROUTES": "203.0.113.80:80=127.0.0.1:8080, [2001:db8::1]:443=[::1]:8443", "PORTAL_DEMO": "1"},
        lambda c: c.outbound_routes == {("203.0.113.80", 80): ("127.0.0.1", 8080), ("2001:db8::1", 443): ("::1", 8443)},
    ),
    ({"JOURNAL_KEY_ID": "01AB"}, lambda c: (c.journal_key_id, c.journal_anchors) == ("01ab", "")),
    ({"JOURNAL_ANCHORS": "/mnt/anchors"}, lambda c: (c.journal_key_id, c.journal_anchors) == ("", "/mnt/anchors")),
    (
        {"PORTAL_SERVICE": "signing", "PKCS11_MODULE": "/m.so", "PKCS11_TOKEN": "t", "PKCS11_PIN_FILE": "/pin"},
        lambda c: c.holds_token,
    ),
]


@pytest.mark.parametrize(("said", "holds"), GOOD)
def test_every_form_that_makes_sense_is_taken(good, said, holds):
    assert holds(read({**good, **said}))


ORIGIN = "PORTAL_ORIGIN must be like https://portal.example"
DATABASE = "is not of the form postgresql://user:password@host:port/name"
MAIL = "MAIL_URL is none of smtp://host:port, smtp+tls://host:port, file:///folder"
REDIS = "REDIS_URL is none of redis://host:port/0, rediss://host:port/0, redis+socket:///path"

DNS = "DNS_RESOLVERS is not of the form 192.0.2.1:53,[2001:db8::1]:53"

PROXIES = "PORTAL_TRUSTED_PROXIES is not of the form unix,192.0.2.1,2001:db8::/64"

ROUTES = "OUTBOUND_ROUTES is not of the form 192.0.2.1:53,[2001:db8::1]:53"
NO_KEY = "PUBLISHING_PUBLIC_KEY is no key: 64 hexadecimal digits, as `manage.py print_publishing_key` says them"

BAD = [
    (
        "OUTBOUND_ROUTES",
        "203.0.113.80:80=127.0.0.1:8080",
        "OUTBOUND_ROUTES is set; only a demo may lead addresses elsewhere",
    ),
    ("OUTBOUND_ROUTES", "203.0.113.80:80", ROUTES),
    ("OUTBOUND_ROUTES", "www.example:80=127.0.0.1:8080", ROUTES),
    (
        "OUTBOUND_ROUTES",
        "8.8.8.8:80=127.0.0.1:8080",
        "OUTBOUND_ROUTES leads 8.8.8.8 elsewhere, which is no address of documentation",
    ),
    (
        "OUTBOUND_ROUTES",
        "127.0.0.1:80=127.0.0.1:8080",
        "OUTBOUND_ROUTES leads 127.0.0.1 elsewhere, which is no address of documentation",
    ),
    (
        "OUTBOUND_ROUTES",
        "203.0.113.80:80=10.0.0.1:80",
        "OUTBOUND_ROUTES leads to 10.0.0.1, which is not this machine's loopback",
    ),
    ("OUTBOUND_CA_FILE", "/nowhere.pem", "OUTBOUND_CA_FILE names /nowhere.pem, and there is no such file"),
    ("PUBLISHING_PUBLIC_KEY", "ab" * 31, NO_KEY),
    ("PUBLISHING_PUBLIC_KEY", "xy" * 32, NO_KEY),
    (
        "PUBLISHING_KEY_FILE",
        "/etc/key",
        "PUBLISHING_KEY_FILE is set for web; only the publishing worker may open what is sealed",
    ),
    ("PORTAL_TRUSTED_PROXIES", "proxy.example", PROXIES),
    ("PORTAL_TRUSTED_PROXIES", "192.0.2.1,", PROXIES),
    ("PORTAL_TRUSTED_PROXIES", "192.0.2.1/24", PROXIES),
    ("PORTAL_TRUSTED_PROXIES", "*", PROXIES),
    ("PORTAL_TRUSTED_PROXIES", "0.0.0.0/0", "PORTAL_TRUSTED_PROXIES trusts everybody; name the proxies alone"),
    ("PORTAL_TRUSTED_PROXIES", "unix,::/0", "PORTAL_TRUSTED_PROXIES trusts everybody; name the proxies alone"),
    ("DNS_RESOLVERS", "resolver.example:53", DNS),
    ("DNS_RESOLVERS", "192.0.2.1:port", DNS),
    ("DNS_RESOLVERS", "192.0.2.1:0", DNS),
    ("DNS_RESOLVERS", "192.0.2.1:65536", DNS),
    ("DNS_RESOLVERS", "192.0.2.1,,192.0.2.2", DNS),
    ("DNS_RESOLVERS", "192.0.2.256", DNS),
    (
        "PORTAL_SERVICE",
        "hsm",
        f"PORTAL_SERVICE is 'hsm'; it must be one of {', '.join(SERVICES)}",
    ),
    ("PORTAL_ORIGIN", "", "PORTAL_ORIGIN is not set"),
    ("PORTAL_ORIGIN", "portal.example", ORIGIN),
    ("PORTAL_ORIGIN", "ftp://portal.example", ORIGIN),
    ("PORTAL_ORIGIN", "https://", ORIGIN),
    ("PORTAL_ORIGIN", "https://[::1", ORIGIN),
    ("PORTAL_ORIGIN", "https://portal.example:port", ORIGIN),
    ("PORTAL_ORIGIN", "https://me@portal.example", ORIGIN),
    ("PORTAL_ORIGIN", "https://portal.example/sub", f"{ORIGIN}, without a path"),
    ("PORTAL_ORIGIN", "https://portal.example?x", f"{ORIGIN}, without a path"),
    ("PORTAL_ORIGIN", "https://portal.example#x", f"{ORIGIN}, without a path"),
    (
        "PORTAL_ORIGIN",
        "http://portal.example",
        "PORTAL_ORIGIN must begin with https://; plain http is for this machine's loopback alone",
    ),
    (
        "PORTAL_ORIGIN",
        "http://localhost.evil.example",
        "PORTAL_ORIGIN must begin with https://; plain http is for this machine's loopback alone",
    ),
    ("DATABASE_URL", "", "DATABASE_URL is not set"),
    ("DATABASE_URL", "mysql://web:x@db/portal", f"DATABASE_URL {DATABASE}"),
    ("DATABASE_URL", "postgresql://web:x@db/", f"DATABASE_URL {DATABASE}"),
    ("DATABASE_URL", "postgresql://web:x@db:port/portal", f"DATABASE_URL {DATABASE}"),
    ("DATABASE_URL", "postgresql://db/portal", "DATABASE_URL names no user"),
    ("DATABASE_OWNER_URL", "nonsense", f"DATABASE_OWNER_URL {DATABASE}"),
    ("REDIS_URL", "", "REDIS_URL is not set"),
    ("REDIS_URL", "memory://", REDIS),
    ("REDIS_URL", "redis://", REDIS),
    ("REDIS_URL", "redis://host:port/0", REDIS),
    ("MAIL_URL", "", "MAIL_URL is not set"),
    ("MAIL_URL", "mail.example:25", MAIL),
    ("MAIL_URL", "smtp://", MAIL),
    ("MAIL_URL", "smtp://mail.example:smtp", MAIL),
    ("MAIL_URL", "file://", MAIL),
    ("MAIL_URL", "file:///var/mail", "MAIL_URL names a folder; only a demo may keep its mail there"),
    ("JOURNAL_KEY_ID", "my key", "JOURNAL_KEY_ID is no CKA_ID: pairs of hexadecimal digits, 64 at most"),
    ("JOURNAL_KEY_ID", "abc", "JOURNAL_KEY_ID is no CKA_ID: pairs of hexadecimal digits, 64 at most"),
    ("JOURNAL_KEY_ID", "ab" * 33, "JOURNAL_KEY_ID is no CKA_ID: pairs of hexadecimal digits, 64 at most"),
    (
        "JOURNAL_ANCHORS",
        "anchors",
        "JOURNAL_ANCHORS must name a folder from the root, such as /var/lib/portal/anchors",
    ),
    ("PKI_BASE_URL", "", "PKI_BASE_URL is not set"),
    ("PKI_BASE_URL", "https://pki.example", "PKI_BASE_URL must begin with http://"),
    ("PORTAL_DEMO", "yes", "PORTAL_DEMO is 'yes'; it must be one of 0, 1"),
    ("LOG_LEVEL", "LOUD", "LOG_LEVEL is 'LOUD'; it must be one of DEBUG, INFO, WARNING, ERROR, CRITICAL"),
    ("PORTAL_SECRET_KEY_FILE", "", "PORTAL_SECRET_KEY_FILE is not set"),
    (
        "PORTAL_SECRET_KEY_FILE",
        "/nowhere/key",
        "PORTAL_SECRET_KEY_FILE: /nowhere/key cannot be read (No such file or directory)",
    ),
    ("PORTAL_FACTOR_KEY_FILE", "/", "PORTAL_FACTOR_KEY_FILE: / cannot be read (Is a directory)"),
    ("PKCS11_MODULE", "/m.so", "PKCS11_MODULE is set for the web service; it must not reach the token"),
]


@pytest.mark.parametrize(("name", "value", "fault"), BAD)
def test_nonsense_is_refused_by_the_variables_name(good, name, value, fault):
    said = faults({**good, name: value})
    assert fault in said
    assert [line for line in said if name in line] == said or name == "PKCS11_MODULE"


def test_the_validation_worker_does_not_start_without_a_resolver(good):
    assert faults({**good, "PORTAL_SERVICE": "validation", "DNS_RESOLVERS": " "}) == [
        "DNS_RESOLVERS is not set; the validation worker cannot work without a resolver"
    ]


def test_the_publishing_worker_does_not_start_without_a_resolver_and_its_key(good, tmp_path):
    publishing = {**good, "PORTAL_SERVICE": "publishing"}
    assert faults(publishing) == [
        "PUBLISHING_KEY_FILE is not set",
        "DNS_RESOLVERS is not set; the publishing worker cannot work without a resolver",
    ]
    (tmp_path / "key").write_text("k" * 64)
    told = {**publishing, "DNS_RESOLVERS": "127.0.0.1", "PUBLISHING_KEY_FILE": str(tmp_path / "key")}
    assert faults(told) == ["PUBLISHING_KEY_FILE names a file that does not hold 64 hexadecimal digits"]
    (tmp_path / "key").write_text("ab" * 32 + "\n")
    assert read(told).publishing_key == "ab" * 32
    assert "abab" not in repr(read(told))


@pytest.mark.parametrize("service", ["web", "signing", "validation", "messages", "relay", "migrate", "tool"])
def test_nobody_else_may_hold_the_publishing_workers_key(good, tmp_path, service):
    (tmp_path / "key").write_text("ab" * 32)
    told = {**good, "PORTAL_SERVICE": service, "PUBLISHING_KEY_FILE": str(tmp_path / "key")}
    complaint = f"PUBLISHING_KEY_FILE is set for {service}; only the publishing worker may open what is sealed"
    assert complaint in faults(told)


def test_the_signing_worker_does_not_start_without_a_token(good):
    assert faults({**good, "PORTAL_SERVICE": "signing"}) == [
        "PKCS11_MODULE is not set; the signing worker cannot work without a token"
    ]
    assert faults({**good, "PORTAL_SERVICE": "signing", "PKCS11_MODULE": "/m.so"}) == [
        "PKCS11_TOKEN is not set",
        "PKCS11_PIN_FILE is not set",
    ]


def test_a_secret_that_is_too_short_to_be_one_is_refused(good):
    Path(good["PORTAL_SECRET_KEY_FILE"]).write_text("changeme")
    assert faults(good) == [f"PORTAL_SECRET_KEY_FILE: {good['PORTAL_SECRET_KEY_FILE']} holds fewer than 32 characters"]


def test_every_fault_is_named_at_once(good):
    assert len(faults({})) == 7
    said = faults({"PORTAL_SERVICE": "x", "PORTAL_ORIGIN": "http://a.example", "LOG_LEVEL": "x", "MAIL_URL": "x"})
    assert [line.split()[0].rstrip(":") for line in said] == [
        "PORTAL_SERVICE", "PORTAL_ORIGIN", "DATABASE_URL", "MAIL_URL", "PKI_BASE_URL", "PORTAL_SECRET_KEY_FILE",
        "PORTAL_FACTOR_KEY_FILE", "REDIS_URL", "LOG_LEVEL",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL", "MAIL_URL"])
def test_an_address_with_a_password_may_stand_in_a_file(good, tmp_path, name):
    value = good.get(name, "postgresql://owner:x@db/portal")
    (tmp_path / "address").write_text(f"{value}\n")
    told = {key: text for key, text in good.items() if key != name} | {f"{name}_FILE": str(tmp_path / "address")}
    assert read(told) == read({**good, name: value})
    assert faults({**told, f"{name}_FILE": "/nowhere"})[0] == (
        f"{name}_FILE: /nowhere cannot be read (No such file or directory)"
    )


def test_no_secret_shows_in_what_is_printed_of_the_configuration(good):
    said = repr(read({**good, "DATABASE_OWNER_URL": f"postgresql://owner:{PASSWORD}@db/portal"}))
    assert "portal.example" in said
    for secret in (SECRET, SECRET[::-1], PASSWORD):
        assert secret not in said


@pytest.mark.parametrize("name", ["DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL", "MAIL_URL"])
@pytest.mark.parametrize(
    "address", ["postgresql://web:{}/x@db/portal", "smtp://me:{}/x@mail:25", "nonsense:{}", "redis://me:{}[@redis/0"]
)
def test_no_secret_shows_in_a_complaint_about_it(good, name, address):
    for line in faults({**good, name: address.format(PASSWORD)}):
        assert PASSWORD not in line
