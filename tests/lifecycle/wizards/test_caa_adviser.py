"""The CAA adviser: asked by people, answered by the validation worker, judged for every profile."""

from datetime import timedelta

import psycopg2
import pytest

from lifecycle.authorities.models import CertificateAuthority
from lifecycle.validation import surveying, surveys, tasks
from lifecycle.validation.account import account_uri
from lifecycle.validation.caa import Answer, LookupFailed, Reason, Record
from lifecycle.validation.models import CaaSurvey
from portal.foundation import clock
from portal.foundation.audit.models import AuditEvent
from portal.foundation.outbox.models import Errand
from portal.foundation.tenancy.context import acting_for, current_unit
from tests.fakes.zone import Unforgiving
from tests.rows import everything
from tests.web.browsing import Visitor, said
from tests.world import prove, serving

pytestmark = pytest.mark.django_db(transaction=True)

ADVISER = "/t/acme/caa/"
NAME = "a.www.acme.example"


class Dns(Unforgiving):
    """The DNS as a table of records by label; what is no tuple is why there was no answer."""

    def __init__(self, names=()):
        self.names = dict(names)
        self.asked = []
        self.units = []

    def caa(self, name, ends):  # noqa: ARG002 - the protocol's
        self.asked.append(name)
        self.units.append(current_unit())
        found = self.names.get(name, ())
        if isinstance(found, Reason):
            raise LookupFailed(found, name, "a detail", "192.0.2.53:53")
        return Answer(name, found, 300, "192.0.2.53:53")


def record(value, tag="issue", flags=0):
    return Record(flags, tag, value.encode())


OTHERS = {"www.acme.example": (record("ca.elsewhere.example"),), "acme.example": (record("ca.acme.example"),)}


def promised():
    return list(Errand.objects.filter(task=tasks.survey.name, done_at=None).order_by("pk"))


def work(dns):
    with serving("validation"):
        for errand in promised():
            surveying.answer(errand, errand.args[0], dns)
    return dns


def asked(person, name=NAME):
    return Visitor(person).open(ADVISER).press("Look it up", name=name)


def surveyed(person, dns, name=NAME):
    page = asked(person, name)
    work(dns)
    return page.visitor.open(page.address)


def rows(page, caption):
    [table] = [each for each in page.all("table") if said(each).startswith(caption)]
    return [[said(cell) for cell in row] for row in table.iter("tr")][1:]


# --- asking ----------------------------------------------------------------------------------------------------------


def test_a_name_is_asked_about_and_the_page_waits_for_the_worker(acme, petra):
    page = asked(petra, "A.WWW.acme.example.")
    with acting_for(acme.pk):
        [survey] = CaaSurvey.objects.all()
    assert (survey.name, survey.asked_by, survey.answered_at) == (NAME, petra.pk, None)
    assert page.address == f"{ADVISER}{survey.pk}/"
    assert page.visitor.client.get(f"{page.address}found/").status_code == 200
    dns = work(Dns())
    assert set(dns.asked) == {NAME, "www.acme.example", "acme.example", "example"}
    assert set(dns.units) == {None}
    assert page.visitor.client.get(f"{page.address}found/").status_code == 286
    with acting_for(acme.pk):
        codes = list(AuditEvent.objects.filter(subject=str(survey.pk)).order_by("pk").values_list("code", flat=True))
    assert codes == ["caa:ask", "caa:survey"]


@pytest.mark.parametrize(
    ("written", "kept"),
    [("*.acme.example", "*.acme.example"), ("@acme.example", "@acme.example"), ("petra@Acme.example", "@acme.example")],
)
def test_wildcards_and_mail_domains_are_names_too(acme, petra, written, kept):
    asked(petra, written)
    with acting_for(acme.pk):
        assert CaaSurvey.objects.get().name == kept


@pytest.mark.parametrize("name", ["", "com", "a..b", "*", "10.0.0.1", "a b.example", "x" * 300, "@", "a@", "@com"])
def test_what_is_no_name_is_not_looked_up(petra, owner, name):
    page = Visitor(petra).open(ADVISER)
    before = everything(owner)
    page = page.press("Look it up", name=name)
    assert page.status == 422
    assert page.complaints
    assert everything(owner) == before


def test_a_name_is_looked_at_once_in_ten_seconds_whoever_asks(acme, petra, dan):
    now = clock.now()
    with clock.frozen(now):
        first = asked(petra).address
        assert asked(dan).address == first  # one is under way
        work(Dns())
    with clock.frozen(now + surveys.PAUSE - timedelta(seconds=1)):
        assert asked(dan).address == first
        assert promised() == []
    with clock.frozen(now + surveys.PAUSE):
        assert asked(dan).address != first
    assert len(promised()) == 1


def test_a_survey_that_nobody_answered_is_promised_once_more(acme, petra):
    now = clock.now()
    with clock.frozen(now):
        first = asked(petra).address
    with clock.frozen(now + surveys.FORGOTTEN + timedelta(seconds=1)):
        assert asked(petra).address == first
    assert len(promised()) == 2
    work(Dns())
    with acting_for(acme.pk):
        assert CaaSurvey.objects.count() == 1


def test_a_person_asks_for_so_many_names_a_minute_and_no_more(acme, petra, dan, owner):
    now = clock.now()
    with clock.frozen(now):
        with acting_for(acme.pk, person=petra.pk):
            for number in range(surveys.MOST):
                surveys.ask(f"n{number}.example", by=petra.pk)
        page = Visitor(petra).open(ADVISER)
        before = everything(owner)
        page = page.press("Look it up", name="more.example")
        assert page.status == 429
        assert page.complaints[0].startswith("You asked for 20 names within a minute")
        assert everything(owner) == before
        assert asked(dan, "more.example").status == 200
    with clock.frozen(now + surveys.SPAN):
        assert asked(petra, "other.example").status == 200


# --- the worker ------------------------------------------------------------------------------------------------------


def test_an_errand_that_comes_twice_changes_nothing_the_second_time(acme, petra, owner):
    asked(petra)
    [errand] = promised()
    work(Dns())
    before = everything(owner, but={"outbox_errand"})
    with serving("validation"):
        surveying.answer(errand, errand.args[0], Dns(OTHERS))
    assert everything(owner, but={"outbox_errand"}) == before


def test_the_web_service_cannot_answer_a_survey_and_nobody_can_answer_it_twice(acme, petra):
    with acting_for(acme.pk), pytest.raises(psycopg2.Error), _as_psycopg():
        CaaSurvey.objects.create(name=NAME, asked_by=petra.pk, answered_at=clock.now(), seen={"found": {}})
    asked(petra)
    with pytest.raises(psycopg2.Error), acting_for(acme.pk), _as_psycopg():
        CaaSurvey.objects.update(seen={"found": {}})  # the web has no right to
    work(Dns())
    with serving("validation"), pytest.raises(psycopg2.Error), acting_for(acme.pk), _as_psycopg():
        CaaSurvey.objects.update(seen={"found": {}})


class _as_psycopg:  # noqa: N801 - reads like a function
    """Django's wrapper off: what the database itself said."""

    def __enter__(self):
        return self

    def __exit__(self, kind, error, _trace):
        if error is not None and error.__cause__ is not None:
            raise error.__cause__
        return False


# --- the verdicts ----------------------------------------------------------------------------------------------------


def test_each_label_is_shown_and_the_one_that_counts_is_marked(acme, petra):
    page = surveyed(petra, Dns({**OTHERS, "example": Reason.TIMED_OUT}))
    labels = {row[0]: row[1] for row in rows(page, "CAA records on each label")}
    assert list(labels) == [NAME, "www.acme.exampleThese count", "acme.example", "example"]
    assert labels[NAME] == "None"
    assert labels["www.acme.exampleThese count"].startswith('0 issue "ca.elsewhere.example"')
    assert "did not answer in time" in labels["example"]


def test_every_profile_with_such_names_gets_its_verdict_and_the_record_that_would_help(acme, petra):
    page = surveyed(petra, Dns(OTHERS))
    [[profile, verdict, why]] = rows(page, "Verdict for each profile")
    assert verdict == "May not issue"
    assert "permit only ca.elsewhere.example to issue" in why
    assert "RFC 8659 4.2" in why
    assert 'www.acme.example. CAA 0 issue "ca.acme.example"' in why
    assert profile == "TLS Server"


def test_parameters_are_judged_on_the_terms_of_the_tenant_and_of_what_is_proven(acme, petra):
    ours = f"ca.acme.example; accounturi={account_uri(acme)}; validationmethods=ca-tbr-7"
    dns = Dns({NAME: (record(ours),)})
    assert rows(surveyed(petra, dns), "Verdict for each profile")[0][1] == "May not issue"
    prove(acme, "acme.example", by=petra)
    with clock.frozen(clock.now() + timedelta(minutes=1)):
        assert rows(surveyed(petra, dns), "Verdict for each profile")[0][1] == "May issue"
        theirs = Dns({NAME: (record("ca.acme.example; accounturi=acct:globex@localhost"),)})
    with clock.frozen(clock.now() + timedelta(minutes=2)):
        assert rows(surveyed(petra, theirs), "Verdict for each profile")[0][1] == "May not issue"


def test_a_label_that_cannot_be_asked_is_no_consent(petra):
    page = surveyed(petra, Dns({"www.acme.example": Reason.SERVER_FAILED}))
    [[_profile, verdict, why]] = rows(page, "Verdict for each profile")
    assert verdict == "May not issue"
    assert "SERVFAIL" in why


def test_mail_is_judged_by_issuemail_and_for_profiles_with_mailboxes(acme, petra):
    page = surveyed(petra, Dns({"acme.example": (record(";", "issue"),)}), "@acme.example")
    verdicts = rows(page, "Verdict for each profile")
    assert "TLS Server" not in {row[0] for row in verdicts}
    assert verdicts
    assert {row[1] for row in verdicts} == {"May issue"}
    assert page.heading == "Mail of acme.example"


def test_the_records_that_let_only_us_issue_name_the_account(acme, petra):
    page = surveyed(petra, Dns(), "acme.example")
    lines = [said(code) for code in page.all("code")]
    for tag in ("issue", "issuewild", "issuemail"):
        assert f'acme.example. CAA 0 {tag} "ca.acme.example; accounturi={account_uri(acme)}"' in lines
    assert "Let only Acme Industries Issuing CA issue, and only for you" in page.text


def test_the_adviser_publishes_account_identities_and_labels(acme, petra):
    page = Visitor(petra).open(ADVISER)
    with acting_for(acme.pk):
        named = {each for authority in CertificateAuthority.objects.all() for each in authority.caa_identities}
    assert named
    for word in (account_uri(acme), "ca-tbr-7", "ca-tbr-18", *named):
        assert word in page.text


# --- what if ---------------------------------------------------------------------------------------------------------


def test_what_if_is_judged_and_nothing_is_kept(petra, owner):
    page = surveyed(petra, Dns(OTHERS))
    before = everything(owner)
    page = page.press("Judge these records", records='www.acme.example. CAA 0 issue "ca.acme.example"')
    assert [row[1] for row in rows(page, "Verdict for each profile, were")] == ["May issue"]
    page = page.press("Judge these records", records='CAA 0 issue ";"')
    assert [row[1] for row in rows(page, "Verdict for each profile, were")] == ["May not issue"]
    assert everything(owner) == before


def test_what_if_begins_with_what_is_there(petra):
    page = surveyed(petra, Dns(OTHERS))
    assert page.value("records").strip() == 'www.acme.example. CAA 0 issue "ca.elsewhere.example"'


@pytest.mark.parametrize("line", ["nonsense", "other.example. CAA 0 issue x", 'CAA 300 issue "x"', 'CAA 0 issue "x'])
def test_a_line_that_cannot_be_read_is_named(petra, line):
    page = surveyed(petra, Dns(OTHERS))
    page = page.press("Judge these records", records=f'CAA 0 issue "ca.acme.example"\n{line}')
    assert page.status == 422
    assert page.complaints[0].startswith("Line 2 cannot be read")
    assert "Then it would be" not in page.text


def test_another_tenants_survey_is_not_there(acme, hank, petra):
    page = asked(petra)
    assert Visitor(hank).open(page.address).status == 404
    assert Visitor(hank).open(page.address.replace("/acme/", "/globex/")).status == 404
