"""Ways to publish: what is taken in, what is refused, and who can read their secrets."""

import base64
from dataclasses import replace
from urllib.parse import urlsplit

import pytest

from lifecycle.validation import control
from lifecycle.validation.methods import METHODS
from lifecycle.validation.models import Domain, PublishingWay
from lifecycle.validation.publishing import errors, promises, sealing, services
from lifecycle.validation.publishing.services import Wanted
from lifecycle.validation.publishing.troubles import Trouble, Why
from lifecycle.validation.publishing.words import WORDS, words_of
from portal.config import config
from portal.foundation.audit.models import AuditEvent
from portal.foundation.outbox.models import Errand
from portal.foundation.sealed import CannotOpen, public_of, seal, unseal
from portal.foundation.tenancy.context import acting_for
from portal.foundation.tenancy.models import PLATFORM
from tests.plugins.services import surroundings
from tests.rows import everything

SECRET = base64.b64encode(b"a secret of 32 bytes, no fewer!!").decode()
UPDATES = Wanted(
    title="Our name server", kind="rfc2136", address="ns1.acme.example", zone="acme.example", key_name="portal.acme",
    algorithm="hmac-sha256", secret=SECRET,
)  # fmt: skip
HOOK = Wanted(title="Our hook", kind="webhook", address="https://hooks.acme.example/portal?a=b")


def added(tenant, person, wanted=UPDATES):
    with acting_for(tenant.pk, person=person.pk):
        return services.add_way(wanted, by=person.pk)


@pytest.fixture
def opening(monkeypatch):
    """Hold the publishing worker's private key."""
    private = surroundings().places.secret("publishing-key").read_text()
    monkeypatch.setattr(sealing, "config", replace(config, publishing_key=private))


def test_a_way_is_kept_with_its_secret_sealed(acme, ada, owner, opening):
    way = added(acme, ada).way
    assert (way.address, way.zone, way.key_name, way.algorithm, way.made_by) == (
        "ns1.acme.example:53", "acme.example", "portal.acme", "hmac-sha256", str(ada.pk),
    )  # fmt: skip
    assert sealing.secret_of(way) == base64.b64decode(SECRET)


def test_nothing_but_the_publishing_worker_can_read_the_secret(acme, ada, owner):
    assert config.publishing_public_key
    assert not config.publishing_key  # the web service's
    way = added(acme, ada).way
    for clear in (SECRET, base64.b64decode(SECRET).decode(), base64.b64decode(SECRET).hex()):
        assert clear not in str(everything(owner))
    assert base64.b64decode(SECRET) not in bytes(way.sealed_secret)
    assert SECRET not in repr(UPDATES)
    with acting_for(acme.pk):
        [line] = AuditEvent.objects.filter(code="publishing:add")
    assert line.subject == str(way.pk)


@pytest.mark.parametrize("moved", ["id", "tenant_id", "kind", "address"])
def test_a_secret_opens_in_its_own_row_alone(acme, globex, ada, opening, moved):
    way = added(acme, ada).way
    setattr(
        way, moved, {"id": globex.pk, "tenant_id": globex.pk, "kind": "webhook", "address": "evil.example:53"}[moved]
    )
    with pytest.raises(Trouble) as met:
        sealing.secret_of(way)
    assert (met.value.why, met.value.lasting) == (Why.CANNOT_OPEN, True)


def test_sealing_is_not_the_same_twice_and_does_not_open_with_another_key():
    private, other = "11" * 32, "22" * 32
    one, two = (seal(b"secret", public_of(private), bound_to="here") for _ in range(2))
    assert one != two
    assert unseal(one, private, bound_to="here") == unseal(two, private, bound_to="here") == b"secret"
    for sealed, key, where in [
        (one, other, "here"), (one, private, "there"), (one[:-1], private, "here"), (b"", private, "here"),
        (b"\x02" + one[1:], private, "here"), (one[:1] + bytes(len(one) - 1), private, "here"),
        (one[:40] + bytes([one[40] ^ 1]) + one[41:], private, "here"), (one[:20], private, "here"),
    ]:  # fmt: skip
        with pytest.raises(CannotOpen):
            unseal(sealed, key, bound_to=where)


def test_a_hooks_secret_is_made_and_shown_once(acme, ada, owner, opening):
    made = added(acme, ada, HOOK)
    assert made.shown_once.startswith("whsec_")
    secret = base64.b64decode(made.shown_once.removeprefix("whsec_"))
    assert len(secret) == 32
    assert sealing.secret_of(made.way) == secret
    assert made.shown_once not in repr(made)
    assert made.shown_once[6:] not in str(everything(owner))
    assert added(acme, ada, HOOK).shown_once != made.shown_once


def test_a_hooks_secret_may_be_given_and_is_not_shown_then(acme, ada, opening):
    given = "whsec_" + base64.b64encode(b"g" * 24).decode()
    made = added(acme, ada, replace(HOOK, secret=given))
    assert (made.shown_once, sealing.secret_of(made.way)) == ("", b"g" * 24)


def test_the_journal_does_not_have_a_hooks_address(acme, ada):
    """It is known to be used as a secret by itself."""
    added(acme, ada, HOOK)
    with acting_for(acme.pk):
        [line] = AuditEvent.objects.filter(code="publishing:add")
    assert line.facts["host"] == urlsplit(HOOK.address).hostname
    assert "a=b" not in str(line.facts)


REFUSED = [
    (replace(UPDATES, kind="ftp"), errors.KindNotOffered),
    (replace(UPDATES, title=""), errors.TitleNotReadable),
    (replace(UPDATES, title=" \t"), errors.TitleNotReadable),
    (replace(UPDATES, title="a" * 81), errors.TitleNotReadable),
    (replace(UPDATES, title="a\u202eb"), errors.TitleNotReadable),
    (replace(UPDATES, zone=""), errors.NotAZone),
    (replace(UPDATES, zone="."), errors.NotAZone),
    (replace(UPDATES, zone="*.acme.example"), errors.NotAZone),
    (replace(UPDATES, zone="büro.example"), errors.NotAZone),
    (replace(UPDATES, key_name=""), errors.NotATsigKey),
    (replace(UPDATES, key_name="a b"), errors.NotATsigKey),
    (replace(UPDATES, algorithm="hmac-md5"), errors.NotATsigKey),
    (replace(UPDATES, algorithm="hmac-sha1"), errors.NotATsigKey),
    (replace(UPDATES, algorithm=""), errors.NotATsigKey),
    (replace(UPDATES, secret=""), errors.NotATsigKey),
    (replace(UPDATES, secret="not base64!"), errors.NotATsigKey),
    (replace(UPDATES, secret=base64.b64encode(b"k" * 15).decode()), errors.NotATsigKey),
    (replace(UPDATES, address=""), errors.NotADnsServer),
    (replace(UPDATES, address="ns1.acme.example:22"), errors.NotADnsServer),
    (replace(UPDATES, address="ns1.acme.example:5353"), errors.NotADnsServer),
    (replace(UPDATES, address="https://ns1.acme.example"), errors.NotADnsServer),
    (replace(UPDATES, address="10.0.0"), errors.NotADnsServer),
    (replace(UPDATES, address="2130706433"), errors.NotADnsServer),
    (replace(UPDATES, address="a b"), errors.NotADnsServer),
    (replace(HOOK, address="http://hooks.acme.example/"), errors.NotAHook),
    (replace(HOOK, address="https://hooks.acme.example:8443/"), errors.NotAHook),
    (replace(HOOK, address="https://hooks.acme.example:80/"), errors.NotAHook),
    (replace(HOOK, address="https://127.0.0.1/"), errors.NotAHook),
    (replace(HOOK, address="https://[::1]/"), errors.NotAHook),
    (replace(HOOK, address="https://user:pw@hooks.acme.example/"), errors.NotAHook),
    (replace(HOOK, address="https://hooks.acme.example/#x"), errors.NotAHook),
    (replace(HOOK, address="ftp://hooks.acme.example/"), errors.NotAHook),
    (replace(HOOK, address="https://hooks.acme.example/" + "a" * 300), errors.NotAHook),
    (replace(HOOK, address="https://hooks.acme.example/\r\nX: y"), errors.NotAHook),
    (replace(HOOK, address=""), errors.NotAHook),
    (replace(HOOK, secret="hunter2"), errors.NotAHookSecret),
    (replace(HOOK, secret="whsec_"), errors.NotAHookSecret),
    (replace(HOOK, secret="whsec_" + base64.b64encode(b"k" * 23).decode()), errors.NotAHookSecret),
    (replace(HOOK, secret="whsec_" + base64.b64encode(b"k" * 65).decode()), errors.NotAHookSecret),
    (replace(HOOK, secret=base64.b64encode(b"k" * 32).decode()), errors.NotAHookSecret),
]


@pytest.mark.parametrize(("wanted", "refusal"), REFUSED)
def test_what_could_not_work_is_refused_and_nothing_happens(acme, ada, owner, wanted, refusal):
    before = everything(owner)
    with pytest.raises(refusal) as refused:
        added(acme, ada, wanted)
    assert refused.value.advice
    assert len(wanted.secret) < 7 or wanted.secret not in f"{refused.value} {refused.value.advice}"
    assert everything(owner) == before


@pytest.mark.parametrize(("said", "kept"), [
    ("NS1.Acme.Example.", "ns1.acme.example:53"), ("ns1.acme.example:53", "ns1.acme.example:53"),
    ("198.51.100.53", "198.51.100.53:53"), ("2001:db8::53", "[2001:db8::53]:53"),
    ("[2001:db8::53]:53", "[2001:db8::53]:53"), ("[2001:db8::53]", "[2001:db8::53]:53"),
])  # fmt: skip
def test_a_server_is_kept_in_one_spelling(acme, ada, said, kept):
    assert added(acme, ada, replace(UPDATES, address=said)).way.address == kept


def test_without_a_key_nothing_is_taken_in(acme, ada, owner, monkeypatch):
    monkeypatch.setattr(services, "config", replace(config, publishing_public_key=""))
    before = everything(owner)
    with pytest.raises(errors.PublishingNotSetUp):
        added(acme, ada)
    assert everything(owner) == before


def test_a_retired_way_is_named_by_no_domain(acme, ada):
    way = added(acme, ada).way
    with acting_for(acme.pk, person=ada.pk):
        domain = control.add("www.acme.example", kind="dns", method="dns-change", by=ada.pk)
        control.publish_by(domain, way, by=ada.pk)
    with acting_for(acme.pk, person=ada.pk):
        services.retire_way(way, by=ada.pk)
    with acting_for(acme.pk):
        assert Domain.objects.get(pk=domain.pk).publishing is None
        assert PublishingWay.objects.get(pk=way.pk).retired_at is not None
        assert AuditEvent.objects.get(code="publishing:retire").facts["domains"] == 1
    for deed in (services.retire_way, services.try_way):
        with acting_for(acme.pk, person=ada.pk), pytest.raises(errors.WayRetired):
            deed(PublishingWay.objects.get(pk=way.pk), by=ada.pk)


def test_a_try_is_promised_once_at_a_time(acme, ada):
    way = added(acme, ada).way
    for _twice in range(2):
        with acting_for(acme.pk, person=ada.pk):
            services.try_way(way, by=ada.pk)
    assert Errand.objects.filter(queue="publishing").count() == 1
    with acting_for(acme.pk):
        assert AuditEvent.objects.filter(code="publishing:try").count() == 1


def test_what_a_way_can_carry():
    can = {
        (kind, slug)
        for kind in PublishingWay.KINDS
        for slug, method in METHODS.items()
        if promises.can(PublishingWay(tenant_id=PLATFORM, kind=kind), method)
    }
    records = {"dns-change", "dns-persist"}
    assert can == {("rfc2136", slug) for slug in records} | {("webhook", slug) for slug in {*records, "http-file"}}


@pytest.mark.parametrize("why", [*Why, *WORDS, "name-timed-out", "something new"])
def test_whatever_a_way_met_is_said_in_words(why):
    way = PublishingWay(
        tenant_id=PLATFORM, kind="rfc2136", address="ns1.acme.example:53", zone="acme.example", key_name="portal.acme"
    )
    assert words_of(way) is None
    way.said = f"{why} {{detail}} <b>"
    words = words_of(way)
    assert words.sentence.endswith((".", "…"))
    assert words.next_step
    assert "{address}" not in words.sentence


def test_every_trouble_has_words():
    assert set(Why) <= set(WORDS)
