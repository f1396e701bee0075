"""Claiming domains and beginning to prove them: what is refused, what is promised, what stands in the journal."""

from datetime import timedelta

import pytest
from django.db import IntegrityError

from lifecycle.validation import contacts, control, proving
from lifecycle.validation.errors import (
    AlreadyThere,
    AttemptOver,
    ChooseMailbox,
    DecidedByMail,
    DomainRetired,
    LookedAMomentAgo,
    MethodNotUsable,
    NotAutomatic,
    TooManyMails,
    UnusableDomain,
)
from lifecycle.validation.models import Domain, DomainControl, PublishingWay
from lifecycle.validation.publishing import tasks as publishing
from lifecycle.validation.selectors import PAUSE
from portal.config import config
from portal.foundation import clock
from portal.foundation.audit.models import AuditEvent
from portal.foundation.outbox.models import Errand
from portal.foundation.tenancy.context import acting_for
from tests.fakes.everywhere import Everywhere
from tests.lifecycle.validation.proofs import added, begun, looked, promised, reread
from tests.rows import everything
from tests.world import serving

pytestmark = pytest.mark.django_db(transaction=True)


def codes(tenant, subject):
    with acting_for(tenant.pk):
        return list(AuditEvent.objects.filter(subject=str(subject)).order_by("at", "id").values_list("code", flat=True))


# --- claiming ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("shop.example", "shop.example"),
        (" Shop.Example. ", "shop.example"),
        ("*.shop.example", "shop.example"),
        ("www.bücher.example", "www.xn--bcher-kva.example"),
    ],
)
def test_a_domain_is_kept_in_its_one_spelling(acme, petra, written, kept):
    domain = added(acme, petra, written)
    assert domain.name == kept
    assert codes(acme, domain.pk) == ["domain:add"]


@pytest.mark.parametrize(
    "name",
    [
        "", "com", "*.co.uk", "localhost", "192.0.2.1", "1.2.0.192.in-addr.arpa", "a..b.example", "a b.example",
        "-.example", "_x.shop.example", "*.*.shop.example", "http://shop.example/", "x@shop.example",
        "shop.example\u202e", f"{'a' * 64}.example",
    ],
)  # fmt: skip
def test_what_nobody_could_prove_is_not_taken(acme, petra, owner, name):
    before = everything(owner)
    with pytest.raises(UnusableDomain):
        added(acme, petra, name)
    assert everything(owner) == before


def test_a_domain_stands_once_in_a_tenant_and_nobody_learns_of_others(acme, globex, petra, hank, owner):
    added(acme, petra, "shop.example")
    before = everything(owner)
    with pytest.raises(AlreadyThere):
        added(acme, petra, "SHOP.example")
    assert everything(owner) == before
    assert added(globex, hank, "shop.example").tenant_id == globex.pk


@pytest.mark.parametrize(
    ("name", "kind", "method"),
    [
        ("shop.example", "dns", "mailbox"),
        ("petra@shop.example", "mailbox", "dns-change"),
        ("shop.example", "dns", "no-such-method"),
    ],
)
def test_a_method_for_something_else_is_refused(acme, petra, owner, name, kind, method):
    before = everything(owner)
    with pytest.raises(MethodNotUsable), acting_for(acme.pk, person=petra.pk):
        control.add(name, kind=kind, method=method, by=petra.pk)
    assert everything(owner) == before


def test_a_method_ends_with_its_day(acme, petra):
    domain = added(acme, petra, "shop.example")
    with clock.frozen(control.clock.now().replace(year=2028, month=3, day=15)), pytest.raises(MethodNotUsable):
        begun(acme, petra, domain, "constructed-email", sent_to="admin@shop.example")


# --- beginning -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["dns-change", "http-file"])
def test_every_beginning_has_a_value_of_its_own(acme, globex, petra, hank, method):
    domains = [added(acme, petra, f"{n}.shop.example") for n in "abc"]
    values = [begun(acme, petra, domain, method).value for domain in [*domains, *domains]]
    values.append(begun(globex, hank, added(globex, hank, "a.shop.example"), method).value)
    assert len(set(values)) == 7


def test_a_new_beginning_gives_up_the_one_before(acme, petra):
    domain = added(acme, petra, "shop.example")
    first = begun(acme, petra, domain, "dns-change")
    second = begun(acme, petra, domain, "http-file")
    assert (reread(first).state, reread(first).reason) == ("failed", "begun-anew")
    assert reread(second).state == "pending"
    assert codes(acme, first.pk) == ["control:begin", "control:give up"]
    assert reread(domain).method == "http-file"


def test_a_value_has_its_deadline(acme, petra):
    tls = begun(acme, petra, added(acme, petra, "shop.example"), "dns-change")
    mail = begun(acme, petra, added(acme, petra, "petra@shop.example", kind="mailbox", method="mailbox"), "mailbox")
    assert tls.ends_at - tls.asked_at == timedelta(days=30)
    assert mail.ends_at - mail.asked_at == timedelta(hours=24)


def test_a_proof_names_document_and_version(acme, petra):
    with clock.frozen(clock.now().replace(year=2026, month=11, day=21)):
        assert begun(acme, petra, added(acme, petra, "shop.example"), "dns-change").rules == "BR 2.3.0"


def test_a_cname_points_to_the_portal(acme, petra):
    value = begun(acme, petra, added(acme, petra, "shop.example"), "dns-change", cname=True).value
    label, _dot, host = value.partition(".")
    assert (len(label), host) == (32, config.host)


def test_a_retired_domain_is_not_proven(acme, petra, owner):
    domain = added(acme, petra, "shop.example")
    attempt = begun(acme, petra, domain, "dns-change")
    with acting_for(acme.pk, person=petra.pk):
        control.retire(domain, by=petra.pk)
    assert (reread(attempt).state, reread(attempt).reason) == ("failed", "retired")
    before = everything(owner)
    with pytest.raises(DomainRetired):
        begun(acme, petra, domain, "dns-change")
    assert everything(owner) == before
    with acting_for(acme.pk, person=petra.pk):
        control.revive(domain, by=petra.pk)
        control.revive(domain, by=petra.pk)
    assert begun(acme, petra, domain, "dns-change").state == "pending"
    assert codes(acme, domain.pk) == ["domain:add", "domain:retire", "domain:revive"]


# --- publishing by itself ------------------------------------------------------------------------------------------


def a_way(tenant, **columns):
    with acting_for(tenant.pk):
        row = {
            "title": "Zones",
            "kind": "rfc2136",
            "address": "ns.example:53",
            "sealed_secret": b"x",
            "made_by": "test",
        }
        way = PublishingWay(**{**row, **columns})
        way.save()
        return way


def published_by(tenant, person, domain, way):
    with acting_for(tenant.pk, person=person.pk):
        control.publish_by(domain, way, by=person.pk)


def test_the_portal_publishes_where_it_can(acme, petra):
    domain = added(acme, petra, "shop.example")
    published_by(acme, petra, domain, a_way(acme))
    attempt = begun(acme, petra, domain, "dns-change")
    assert attempt.automatic
    assert [errand.args for errand in promised(publishing.publish)] == [[str(attempt.pk)]]
    assert not begun(acme, petra, domain, "http-file").automatic  # a name server takes no files
    assert [errand.args for errand in promised(publishing.withdraw)] == [[str(attempt.pk)]]
    assert not begun(acme, petra, domain, "constructed-email", sent_to="admin@shop.example").automatic


def test_a_retired_way_publishes_nothing(acme, petra, owner):
    domain = added(acme, petra, "shop.example")
    way = a_way(acme, retired_at=clock.now())
    before = everything(owner)
    with pytest.raises(NotAutomatic):
        published_by(acme, petra, domain, way)
    assert everything(owner) == before


def test_nobody_publishes_through_anothers_way(acme, globex, petra):
    domain = added(acme, petra, "shop.example")
    with pytest.raises(IntegrityError):
        published_by(acme, petra, domain, a_way(globex))
    assert reread(domain).publishing_id is None


# --- mail ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address", ["", "root@shop.example", "admin@other.example", "admin@shop.example, evil@other.example", "admin"]
)
def test_mail_goes_to_nobody_else(acme, petra, owner, address):
    domain = added(acme, petra, "shop.example")
    before = everything(owner)
    with pytest.raises(ChooseMailbox):
        begun(acme, petra, domain, "constructed-email", sent_to=address)
    assert everything(owner) == before


def test_mail_is_promised_and_its_secret_is_nowhere_but_in_the_row(acme, petra, owner):
    domain = added(acme, petra, "shop.example")
    attempt = begun(acme, petra, domain, "constructed-email", sent_to="admin@shop.example")
    assert [errand.args for errand in promised(contacts.send_approval)] == [[str(attempt.pk)]]
    assert len(attempt.nonce) == 32
    assert attempt.value == ""
    owner.execute("SELECT count(*) FROM audit_auditevent WHERE facts::text LIKE %s", [f"%{attempt.nonce}%"])
    assert owner.fetchone() == (0,)


def test_strangers_get_few_mails(acme, petra, owner):
    domain = added(acme, petra, "shop.example")
    for _ in range(contacts.MOST_A_DAY):
        begun(acme, petra, domain, "constructed-email", sent_to="admin@shop.example")
    before = everything(owner)
    with pytest.raises(TooManyMails):
        begun(acme, petra, domain, "constructed-email", sent_to="postmaster@shop.example")
    assert everything(owner) == before
    with clock.frozen(clock.now() + timedelta(days=1, seconds=5)):
        begun(acme, petra, domain, "constructed-email", sent_to="admin@shop.example")


# --- looking -------------------------------------------------------------------------------------------------------


def test_a_look_is_promised_once(acme, petra):
    attempt = begun(acme, petra, added(acme, petra, "shop.example"), "dns-change")
    for _ in range(3):
        looked(acme, petra, attempt)
    assert reread(attempt).state == "verifying"
    assert len(promised(proving.prove)) == 1
    assert codes(acme, attempt.pk) == ["control:begin", "control:look"]


def test_a_look_in_vain_rests(acme, petra, owner):
    attempt = begun(acme, petra, added(acme, petra, "shop.example"), "dns-change")
    looked(acme, petra, attempt)
    work(Everywhere())
    before = everything(owner)
    with pytest.raises(LookedAMomentAgo) as refused:
        looked(acme, petra, attempt)
    assert 1 <= refused.value.facts["seconds"] <= PAUSE.total_seconds() + 1
    assert everything(owner) == before
    with clock.frozen(clock.now() + PAUSE + timedelta(seconds=1)):
        looked(acme, petra, attempt)
    assert len(promised(proving.prove)) == 1


def work(internet):
    with serving("validation"):
        for errand in promised(proving.prove):
            proving.answer(errand, errand.args[0], internet)


def test_what_is_over_is_not_looked_for(acme, petra, owner):
    domain = added(acme, petra, "shop.example")
    first = begun(acme, petra, domain, "dns-change")
    second = begun(acme, petra, domain, "dns-change")
    before = everything(owner)
    with pytest.raises(AttemptOver):
        looked(acme, petra, first)
    with clock.frozen(second.ends_at), pytest.raises(AttemptOver):
        looked(acme, petra, second)
    assert everything(owner) == before


def test_what_a_mail_decides_is_not_looked_for(acme, petra, owner):
    attempt = begun(acme, petra, added(acme, petra, "shop.example"), "constructed-email", sent_to="admin@shop.example")
    before = everything(owner)
    with pytest.raises(DecidedByMail):
        looked(acme, petra, attempt)
    assert everything(owner) == before


# --- whose it is ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("deed", ["begin", "look_now", "retire", "revive", "publish_by"])
def test_nobody_touches_anothers_domain(acme, globex, petra, hank, owner, deed):
    domain = added(acme, petra, "shop.example")
    attempt = begun(acme, petra, domain, "dns-change")
    deeds = {
        "begin": lambda: control.begin(domain, method="dns-change", by=hank.pk),
        "look_now": lambda: control.look_now(attempt, by=hank.pk),
        "retire": lambda: control.retire(domain, by=hank.pk),
        "revive": lambda: control.revive(domain, by=hank.pk),
        "publish_by": lambda: control.publish_by(domain, None, by=hank.pk),
    }
    before = everything(owner)
    with pytest.raises((Domain.DoesNotExist, DomainControl.DoesNotExist)), acting_for(globex.pk, person=hank.pk):
        deeds[deed]()
    assert everything(owner) == before


def test_errands_carry_ids_alone(acme, petra):
    domain = added(acme, petra, "shop.example")
    looked(acme, petra, begun(acme, petra, domain, "dns-change"))
    begun(acme, petra, domain, "constructed-email", sent_to="admin@shop.example")
    assert all(len(arg) == 36 for errand in Errand.objects.filter(tenant_id=acme.pk) for arg in errand.args)


def test_a_tenant_sends_no_more_mails_a_day_than_it_could_need(acme, petra, monkeypatch):
    """Each to another mailbox: whoever may claim one could otherwise write to all the world."""
    monkeypatch.setattr(contacts, "MOST_IN_ALL", 3)
    for number in range(3):
        begun(
            acme, petra, added(acme, petra, f"n{number}@strangers.example", kind="mailbox", method="mailbox"), "mailbox"
        )
    before = Errand.objects.count()
    with pytest.raises(TooManyMails) as refused:
        begun(acme, petra, added(acme, petra, "n3@strangers.example", kind="mailbox", method="mailbox"), "mailbox")
    assert 86_000 < refused.value.facts["seconds"] <= 86_400
    assert Errand.objects.count() == before
