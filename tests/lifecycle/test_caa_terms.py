"""With which terms a request's names are judged: hosts and mailboxes, account, methods (RFC 8657, RFC 9495, C15)."""

from dataclasses import dataclass, field

import pytest

from lifecycle.authorities.models import Trust
from lifecycle.requests.looks import caa_terms, looked, needs_looks
from lifecycle.requests.models import IssuanceAttempt, request_of
from lifecycle.requests.orders import names_to_check
from lifecycle.validation.account import account_uri
from lifecycle.validation.caa import Answer, Record
from lifecycle.validation.models import CaaCheck
from lifecycle.validation.words import told
from portal.foundation.tenancy.context import acting_for
from tests.fakes.zone import Zone
from tests.world import carry_out, filled, issuer_domain, look, next_policies, prove, submitted

pytestmark = pytest.mark.django_db


@dataclass(frozen=True)
class Records(Zone):
    """A zone in which names have the CAA records that a test writes down, whatever their tags."""

    records: dict[str, tuple[Record, ...]] = field(default_factory=dict)

    def caa(self, name, _ends):
        return Answer(name, self.records.get(name, ()), 60, "192.0.2.53:53")


def saying(name, value, tag="issue"):
    return Records(records={name: (Record(0, tag, value.encode()),)})


def reasons(request):
    with acting_for(request.tenant_id):
        return {check.name: check.reason for check in CaaCheck.objects.order_by("asked_at")}


def terms_of(request):
    with acting_for(request.tenant_id):
        return caa_terms(request_of(request.pk))


# --- mailboxes -------------------------------------------------------------------------------------------------------


@pytest.mark.rule("0.R28")
def test_mailboxes_are_asked_about_by_their_domain_once(petra, acme):
    next_policies(acme, checks_caa=True)
    request = filled(petra, acme, profile="secure-email", email="a@Acme.example\nb@acme.EXAMPLE\nc@mail.acme.example")
    terms = terms_of(request)
    assert [*terms] == ["@acme.example", "@mail.acme.example"]
    assert all(each.mail and each.identities == (issuer_domain("acme"),) for each in terms.values())
    with acting_for(acme.pk):
        assert request.answers["domains"]["names"] == names_to_check(request) == [*terms]


def test_a_domain_that_forbids_its_mailboxes_ends_the_request(petra, acme):
    next_policies(acme, checks_caa=True)
    request = submitted(petra, acme, profile="secure-email")
    look(request, saying("acme.example", "other.example", tag="issuemail"))

    done = carry_out(request)

    assert done.state == "failed"
    assert "acme.example" in done.why_failed
    with acting_for(acme.pk):
        check = CaaCheck.objects.get(reason="others-named")
        assert (check.name, check.evidence["governing"], check.evidence["asked"]) == (
            "@acme.example", "issuemail", ["acme.example"],
        )  # fmt: skip
        assert told(check).publish == f'acme.example. CAA 0 issuemail "{issuer_domain("acme")}"'
        assert "mail of acme.example" in told(check).sentence


def test_who_may_issue_for_hosts_says_nothing_about_mailboxes(petra, acme):
    next_policies(acme, checks_caa=True)
    request = submitted(petra, acme, profile="secure-email")
    look(request, saying("acme.example", "other.example", tag="issue"))
    assert reasons(request)["@acme.example"] == "not-restricted"
    assert carry_out(request).state == "completed"


def test_who_may_issue_for_mailboxes_says_nothing_about_hosts(petra, acme):
    request = submitted(petra, acme, profile="tls-server", dns="www.acme.example")
    look(request, saying("acme.example", ";", tag="issuemail"))
    assert reasons(request)["www.acme.example"] == "not-restricted"
    assert carry_out(request).state == "completed"


@pytest.mark.parametrize(
    ("profile", "trust", "checks", "asked"),
    [
        ("secure-email", Trust.PRIVATE, False, False),
        ("secure-email", Trust.PRIVATE, True, True),
        ("secure-email", Trust.PUBLIC_SMIME, False, True),
        ("tls-server", Trust.PRIVATE, False, False),
        ("tls-server", Trust.PUBLIC_TLS, False, True),
        ("desktop-signing", Trust.PRIVATE, True, False),
        ("desktop-signing", Trust.PUBLIC_SMIME, True, False),
    ],
)
def test_names_are_asked_about_where_the_policy_says_so_and_in_public_trust_always(
    petra, acme, profile, trust, checks, asked
):
    request = filled(petra, acme, profile=profile)
    request.policy.checks_caa, request.profile.trust = checks, trust
    assert needs_looks(request) is asked
    with acting_for(acme.pk):
        assert bool(looked(request)) is asked
        assert all(each.corroborated is (trust != Trust.PRIVATE) for each in caa_terms(request).values())


# --- account and methods ---------------------------------------------------------------------------------------------


def test_a_record_for_the_tenants_account_permits_and_one_for_anothers_ends_the_request(petra, acme, globex):
    request = submitted(petra, acme, profile="tls-server", dns="www.acme.example")
    look(request, saying("acme.example", f"{issuer_domain('acme')}; accounturi={account_uri(acme)}"))
    assert reasons(request)["www.acme.example"] == "named"

    look(request, saying("acme.example", f"{issuer_domain('acme')}; accounturi={account_uri(globex)}"))
    assert reasons(request)["www.acme.example"] == "other-account"
    assert carry_out(request).state == "failed"
    with acting_for(acme.pk):
        assert not IssuanceAttempt.objects.filter(request=request).exists()


def test_whoever_proves_nothing_satisfies_no_list_of_methods(petra, acme):
    request = submitted(petra, acme, profile="tls-server", dns="www.acme.example")
    assert terms_of(request)["www.acme.example"].methods == ()
    look(request, saying("acme.example", f"{issuer_domain('acme')}; validationmethods=ca-tbr-7"))
    assert reasons(request)["www.acme.example"] == "unproven"
    assert carry_out(request).state == "failed"


@pytest.mark.parametrize(("methods", "reason"), [("ca-tbr-18,ca-tbr-7", "named"), ("ca-tbr-18", "other-method")])
def test_the_method_of_the_proof_is_the_one_that_records_permit(petra, acme, methods, reason):
    next_policies(acme, proves_control=True, checks_caa=True)
    request = submitted(petra, acme, profile="tls-server", dns="www.acme.example\n*.acme.example")
    terms = terms_of(request)
    assert {name: each.methods for name, each in terms.items()} == dict.fromkeys(terms, ("ca-tbr-7",))
    look(request, saying("acme.example", f"{issuer_domain('acme')}; validationmethods={methods}"))
    assert set(reasons(request).values()) >= {reason}
    assert carry_out(request).state == ("completed" if reason == "named" else "failed")


def test_a_look_made_under_one_proof_counts_for_nothing_under_another(petra, acme):
    """Records may permit one method and not the other."""
    next_policies(acme, proves_control=True, checks_caa=True)
    request = submitted(petra, acme, profile="tls-server", dns="www.acme.example")
    prove(acme, "www.acme.example", by=petra, method="http-file")
    assert terms_of(request)["www.acme.example"].methods == ("ca-tbr-18",)
    assert carry_out(request).state == "validating"


def test_of_one_domains_mailboxes_only_what_holds_for_all_counts(petra, acme):
    next_policies(acme, proves_control=True, checks_caa=True)
    for name in ("acme.example", "mail.acme.example", "a@acme.example"):
        prove(acme, name, by=petra)
    request = filled(petra, acme, profile="secure-email", email="a@acme.example\nb@acme.example\nc@mail.acme.example")
    found = {name: each.methods for name, each in terms_of(request).items()}
    assert found == {"@acme.example": (), "@mail.acme.example": ("ca-tbr-7",)}
