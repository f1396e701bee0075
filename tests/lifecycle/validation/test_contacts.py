"""Proving by mail: to whom it goes, what its link does, once, and what nobody can do without it."""

import re
from datetime import timedelta

import pytest
from django.core import mail, signing
from django.test import Client
from django.urls import reverse

from lifecycle.validation import contacts, control, proving
from lifecycle.validation.errors import ApprovalOver, DecidedByMail
from lifecycle.validation.proofs import proof_for
from lifecycle.validation.questions import Asked
from portal.foundation import clock
from portal.foundation.audit.models import AuditEvent
from portal.foundation.outbox.drain import TryLater, run
from portal.foundation.outbox.models import Errand
from portal.foundation.tenancy.context import acting_for
from portal.foundation.tenancy.models import Tenant
from tests.fakes.everywhere import PLACES, Everywhere
from tests.lifecycle.validation.proofs import added, begun, looked, looks_at, promised, reread, work
from tests.rows import everything
from tests.web.browsing import Visitor
from tests.world import at_once, serving

pytestmark = pytest.mark.django_db(transaction=True)

ADMIN = "admin@shop.example"
CAA_AND_TXT = {
    (Asked.CAA, "shop.example"): [("contactemail", b"it@shop.example"), ("contactemail", b"ops@hoster.example")],
    (Asked.TXT, "_validation-contactemail.shop.example"): [b"it@shop.example", b"ops@hoster.example"],
}


@pytest.fixture(autouse=True)
def _nobody_asks_for_more(monkeypatch):
    monkeypatch.setattr(proving, "_needs", [])


def deliver():
    """Do what the messages worker does, with its grants; return the letters."""
    for _round in range(2):
        for errand in Errand.objects.filter(queue="messages", done_at=None):
            with serving("messages"):
                run(errand)
            errand.refresh_from_db()
            assert errand.done_at, errand.last_error
    return mail.outbox


def link_in(letter):
    [link] = re.findall(r"^ {4}http\S+?(/approval/\S+)$", letter.body, re.MULTILINE)
    return link


def asked(tenant, person, name="shop.example", method="constructed-email", sent_to=ADMIN):
    kind = "mailbox" if "@" in name else "dns"
    domain = added(tenant, person, name, kind=kind, method=method)
    return begun(tenant, person, domain, method, sent_to=sent_to)


def codes(tenant, subject):
    with acting_for(tenant.pk):
        lines = AuditEvent.objects.filter(subject=str(subject)).order_by("at", "id")
        return [(line.code, line.actor) for line in lines]


# --- the whole way -------------------------------------------------------------------------------------------------


@pytest.mark.rule("1.R20")
@pytest.mark.parametrize(
    ("name", "method", "sent_to"),
    [
        ("shop.example", "constructed-email", ADMIN),
        ("shop.example", "caa-email", "ops@hoster.example"),
        ("shop.example", "txt-email", "it@shop.example"),
        ("petra@shop.example", "mailbox", "petra@shop.example"),
    ],
)
def test_whoever_reads_the_mailbox_approves(acme, petra, name, method, sent_to):
    attempt = asked(acme, petra, name, method, sent_to)
    internet = work(Everywhere(CAA_AND_TXT))
    assert internet.units == [None] * len(internet.units)
    [letter] = deliver()
    assert letter.to == [sent_to]
    assert "Acme Industries" in letter.body
    assert name in letter.body
    page = Visitor().open(link_in(letter))
    assert "Acme Industries" in page.text
    assert name in page.text
    assert reread(attempt).state == "pending"  # opening it does nothing
    done = page.press("Approve")
    assert (done.status, reread(attempt).state) == (200, "verifying")
    work(Everywhere(CAA_AND_TXT))
    assert reread(attempt).state == "proved"
    assert looks_at(attempt)[-1].reason == "seen"
    assert ("control:approve", "link:approval") in codes(acme, attempt.pk)


def test_not_me_ends_it_and_is_told(acme, petra, ada):
    attempt = asked(acme, petra)
    [letter] = deliver()
    Visitor().open(link_in(letter)).press("Not me")
    assert (reread(attempt).state, reread(attempt).reason) == ("failed", "refused-by-mail")
    assert ("control:give up", "link:approval") in codes(acme, attempt.pk)
    told = deliver()[1:]
    assert sorted(letter.to[0] for letter in told) == [ada.email, petra.email]
    assert all(ADMIN in letter.body for letter in told)


# --- whom the DNS names --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["caa-email", "txt-email"])
def test_no_mail_goes_where_the_dns_does_not_send_it(acme, petra, method):
    attempt = asked(acme, petra, method=method, sent_to="evil@attacker.example")
    work(Everywhere(CAA_AND_TXT))
    assert reread(attempt).reason == "no-such-contact"
    assert looks_at(attempt)[-1].evidence["facts"]["contacts"] == ["it@shop.example", "ops@hoster.example"]
    assert deliver() == []


def test_contacts_can_be_found_out_first(acme, petra):
    attempt = asked(acme, petra, method="caa-email", sent_to="")
    assert attempt.nonce == ""
    work(Everywhere(CAA_AND_TXT))
    assert (reread(attempt).state, reread(attempt).reason) == ("pending", "choose-contact")
    assert deliver() == []
    with clock.frozen(clock.now() + timedelta(minutes=1)):
        looked(acme, petra, attempt)
    assert len(promised(contacts.find_contacts)) == 1


@pytest.mark.parametrize("reason", ["timed-out", "bogus", "server-failed"])
def test_a_dns_that_fails_sends_no_mail(acme, petra, reason):
    attempt = asked(acme, petra, method="caa-email", sent_to="it@shop.example")
    work(Everywhere({(Asked.CAA, "shop.example"): reason}))
    assert (reread(attempt).state, reread(attempt).reason) == ("pending", reason)
    assert deliver() == []


def test_a_contact_that_is_gone_when_it_is_approved_proves_nothing(acme, petra):
    attempt = asked(acme, petra, method="txt-email", sent_to="it@shop.example")
    work(Everywhere(CAA_AND_TXT))
    [letter] = deliver()
    Visitor().open(link_in(letter)).press("Approve")
    work(Everywhere())
    assert (reread(attempt).state, reread(attempt).reason) == ("pending", "no-such-contact")


def test_perspectives_have_to_see_the_same_contact(acme, petra, monkeypatch):
    """BR 3.2.2.4.13: to corroborate, the same selected contact address has to be observed."""
    monkeypatch.setattr(proving, "_needs", [lambda: True])
    attempt = asked(acme, petra, method="caa-email", sent_to="it@shop.example")
    work(Everywhere(CAA_AND_TXT))
    [letter] = deliver()
    Visitor().open(link_in(letter)).press("Approve")
    work(Everywhere(CAA_AND_TXT, {"ashburn": {}, "tokyo": {}}, PLACES))
    assert reread(attempt).reason == "not-corroborated"


# --- the link ------------------------------------------------------------------------------------------------------


def _forged(attempt, **instead):
    parts = {"tenant": attempt.tenant_id.hex, "control": attempt.pk.hex, "nonce": attempt.nonce, **instead}
    return signing.dumps(list(parts.values()), salt="domain-approval")


def test_a_link_is_used_once(acme, petra, owner):
    attempt = asked(acme, petra)
    [letter] = deliver()
    first, second = Visitor().open(link_in(letter)), Visitor().open(link_in(letter))
    first.press("Approve")
    before = everything(owner)
    for page in (second.press("Approve"), second.press("Not me"), Visitor().open(link_in(letter))):
        assert page.status == 409
        assert ApprovalOver.code in page.text or "could still be approved" in page.text
    assert everything(owner) == before
    assert reread(attempt).state == "verifying"


def test_pressed_at_once_counts_once(acme, petra):
    attempt = asked(acme, petra)

    def press():
        with serving("web"), acting_for(acme.pk):
            contacts.approve(attempt.pk, attempt.nonce)

    outcomes = at_once(4, press)
    assert sum(outcome is None for outcome in outcomes) == 1
    assert len(promised(proving.prove)) == 1


@pytest.mark.parametrize("moment", ["late", "anew", "retired", "suspended", "closed"])
def test_a_link_counts_no_more(acme, petra, owner, moment):
    attempt = asked(acme, petra)
    [letter] = deliver()
    at = clock.now()
    with acting_for(acme.pk, person=petra.pk):
        if moment == "anew":
            control.begin(attempt.domain, method="dns-change", by=petra.pk)
        elif moment == "retired":
            control.retire(attempt.domain, by=petra.pk)
    if moment in {"suspended", "closed"}:
        column = "suspended_at" if moment == "suspended" else "closes_at"
        with serving("owner"):
            Tenant.objects.filter(pk=acme.pk).update(**{column: at - timedelta(days=1)})
    if moment == "late":
        at = attempt.ends_at
    before = everything(owner)
    with clock.frozen(at):
        assert Visitor().open(link_in(letter)).status == 409
    with pytest.raises(ApprovalOver), clock.frozen(at), acting_for(acme.pk):
        contacts.approve(attempt.pk, attempt.nonce)
    assert everything(owner) == before


def test_a_link_of_another_tenant_attempt_or_mail_opens_nothing(acme, globex, petra, hank, owner):
    mine, other = asked(acme, petra), asked(globex, hank)
    links = [
        _forged(mine, tenant=globex.pk.hex),
        _forged(mine, control=other.pk.hex),
        _forged(mine, nonce=other.nonce),
        _forged(mine, nonce=""),
        _forged(mine)[:-1] + "x",
        signing.dumps([acme.pk.hex, mine.pk.hex, mine.nonce], salt="invitation"),
        "nothing",
        "x" * 5000,
    ]
    before = everything(owner)
    for link in links:
        assert Visitor().open(f"{reverse('domain-approval')}?link={link}").status == 409
    assert everything(owner) == before


def test_an_attempt_by_dns_has_no_link_that_could_be_made_for_it(acme, petra):
    attempt = begun(acme, petra, added(acme, petra, "shop.example"), "dns-change")
    assert attempt.nonce == ""
    with pytest.raises(ApprovalOver), acting_for(acme.pk):
        contacts.standing(attempt.pk, "")


def test_the_link_leaves_the_address_bar_at_once(acme, petra):
    asked(acme, petra)
    [letter] = deliver()
    answer = Client().get(link_in(letter))
    assert (answer.status_code, answer["Location"]) == (302, "/approval/")
    assert "no-store" in answer["Cache-Control"]


def test_a_mailbox_is_never_proven_by_its_own_domains_contact(acme, petra):
    """What approves a domain says nothing about the domain of whoever approves (security.md 2.4)."""
    attempt = asked(acme, petra, method="txt-email", sent_to="ops@hoster.example")
    work(Everywhere(CAA_AND_TXT))
    [letter] = deliver()
    Visitor().open(link_in(letter)).press("Approve")
    work(Everywhere(CAA_AND_TXT))
    assert reread(attempt).domain_id == attempt.domain_id
    with acting_for(acme.pk):
        for name in ("hoster.example", "www.hoster.example", "ops@hoster.example"):
            assert proof_for(name, trust="public-tls", corroborated=False, moment=clock.now()) is None


# --- the mail ------------------------------------------------------------------------------------------------------


def test_no_mail_server_no_loss(acme, petra, monkeypatch):
    attempt = asked(acme, petra)
    [errand] = promised(contacts.send_approval)

    def down(*_args, **_kwargs):
        raise OSError("down")

    with monkeypatch.context() as patched:
        patched.setattr("django.core.mail.EmailMessage.send", down)
        with serving("messages"), pytest.raises(TryLater):
            contacts.send_approval.run(errand)
    assert ("control:send", "worker:messages") not in codes(acme, attempt.pk)
    assert len(deliver()) == 1


def test_no_mail_for_what_is_over(acme, petra):
    attempt = asked(acme, petra)
    begun(acme, petra, attempt.domain, "dns-change")
    assert deliver() == []


def test_the_secret_is_in_the_mail_alone(acme, petra, owner, caplog):
    attempt = asked(acme, petra)
    [letter] = deliver()
    link = link_in(letter).partition("link=")[2]
    Visitor().open(link_in(letter)).press("Approve")
    work()
    for table in ("audit_auditevent", "outbox_errand", "validation_controllook", "auth2fa_signedin"):
        owner.execute(
            f"SELECT count(*) FROM {table} t WHERE t::text LIKE %s OR t::text LIKE %s",
            [f"%{attempt.nonce}%", f"%{link}%"],
        )
        assert owner.fetchone() == (0,)
    assert attempt.nonce not in caplog.text
    assert link not in caplog.text


def test_a_dns_that_fails_behind_an_approval_is_asked_again_and_nobody_has_to_approve_twice(acme, petra):
    attempt = asked(acme, petra, method="txt-email", sent_to="it@shop.example")
    work(Everywhere(CAA_AND_TXT))
    [letter] = deliver()
    Visitor().open(link_in(letter)).press("Approve")
    down = Everywhere({(Asked.TXT, "_validation-contactemail.shop.example"): "timed-out"})
    with pytest.raises(TryLater):
        work(down)
    assert reread(attempt).state == "verifying"
    work(Everywhere(CAA_AND_TXT))
    assert reread(attempt).state == "proved"


def test_a_mail_that_the_dns_kept_back_can_be_asked_for_again(acme, petra):
    attempt = asked(acme, petra, method="caa-email", sent_to="it@shop.example")
    work(Everywhere({(Asked.CAA, "shop.example"): "timed-out"}))
    assert deliver() == []
    with clock.frozen(clock.now() + timedelta(minutes=1)):
        looked(acme, petra, attempt)
        work(Everywhere(CAA_AND_TXT))
    assert len(deliver()) == 1
    with pytest.raises(DecidedByMail), clock.frozen(clock.now() + timedelta(minutes=2)):
        looked(acme, petra, attempt)
