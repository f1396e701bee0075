"""What a policy limits binds the very next request, and what is signed; public trust binds the names of servers."""

from datetime import timedelta

import pytest
from cryptography import x509
from django.db import connection
from django.test.utils import CaptureQueriesContext

from lifecycle.authorities import lints
from lifecycle.authorities.models import CertificateProfile, Trust
from lifecycle.policies.rules import PolicyForbids
from lifecycle.requests import judgement, services
from lifecycle.requests.kinds import Kind
from portal.foundation.tenancy.context import acting_for
from tests.fakes import orders
from tests.lifecycle.test_lints import broken, candidate
from tests.web.browsing import Visitor, nothing_happens
from tests.world import begun, filled, issued, next_policies, serving, submit, submitted

NAMES = "a.acme.example\nb.acme.example\nc.acme.example"
SERVER_AUTH = "1.3.6.1.5.5.7.3.1"


def refused(act):
    with pytest.raises(PolicyForbids) as refusal:
        act()
    return [broken.rule.slug for broken in refusal.value.broken]


def test_the_longest_validity_of_a_policy_shortens_what_the_profile_allows(petra, acme):
    next_policies(acme, limits={"longest_days": 10})

    for profile in ("desktop-signing", "tls-server"):
        made = issued(petra, acme, profile=profile)
        assert made.not_after - made.not_before == timedelta(days=10, seconds=-1)


def test_a_rekey_that_would_end_later_than_the_policy_allows_is_refused(petra, acme, owner):
    source = issued(petra, acme)
    next_policies(acme, limits={"longest_days": 10})
    draft = filled(petra, acme, source=source)

    with nothing_happens(owner):
        assert refused(lambda: submit(draft, petra)) == ["policy-lifetime"]


def test_more_names_than_the_policy_allows_are_refused_where_they_are_written_and_at_the_end(petra, acme, owner):
    draft = filled(petra, acme, profile="tls-server", dns=NAMES)
    source = issued(petra, acme, profile="tls-server", dns=NAMES)
    rekey = filled(petra, acme, source=source)
    next_policies(acme, limits={"most_names": 2})

    page = Visitor(petra).open(f"/t/acme/requests/{draft.pk}/confirm/")
    assert page.address.endswith("/names/"), "the answer is not accepted any more"
    with nothing_happens(owner):
        assert page.press("Next").complaints == ["One certificate takes at most 2 names; these are 3."]
        assert refused(lambda: submit(rekey, petra)) == ["most-names"]


def test_no_more_open_requests_than_the_policy_allows(petra, dan, acme, owner):
    next_policies(acme, limits={"most_open": 2})
    first, _second = submitted(petra, acme), begun(petra, acme)

    with nothing_happens(owner):
        assert refused(lambda: begun(petra, acme)) == ["most-open"]
    assert begun(dan, acme), "everybody has their own"
    assert begun(petra, acme, profile="secure-email"), "and every kind"
    with acting_for(acme.pk, person=petra.pk):
        services.withdraw(first.pk, by=petra.pk)
    assert begun(petra, acme)


def test_a_limit_that_was_lowered_counts_for_the_drafts_that_are_there(petra, acme, owner):
    begun(petra, acme)
    draft = filled(petra, acme)
    next_policies(acme, limits={"most_open": 1})

    with nothing_happens(owner):
        assert refused(lambda: submit(draft, petra)) == ["most-open"]


@pytest.mark.rule("0.R10", "0.R11")
@pytest.mark.parametrize("profile", ["desktop-signing", "tls-server"])
def test_what_is_switched_off_is_in_no_menu_and_refused_for_the_next_request_and_every_draft(
    petra, acme, owner, profile
):
    source = issued(petra, acme, profile=profile)
    begun_before = filled(petra, acme, source=source)
    page = f"/t/acme/certificates/{source.pk}/"
    visitor = Visitor(petra)
    assert "Rekey" in visitor.open(page).buttons()
    next_policies(acme, enabled=False)

    assert "Rekey" not in visitor.open(page).buttons()
    with nothing_happens(owner):
        assert visitor.post("/t/acme/requests/begin/rekey/", {"certificate": str(source.pk)}).status == 422
        assert refused(lambda: submit(begun_before, petra)) == ["switched-on"]
        assert refused(lambda: begun(petra, acme, Kind.ISSUE, profile=profile)) == ["switched-on"]


def public(tenant):
    """Let the next certificates for servers be publicly trusted ones."""
    with serving("owner"), acting_for(tenant.pk):
        old = CertificateProfile.objects.in_force("tls-server")
        same = {name: getattr(old, name) for name in ("slug", "title", "area", "authority", "content")}
        CertificateProfile(**same, version=2, trust=Trust.PUBLIC_TLS).save(force_insert=True)


def test_a_publicly_trusted_profile_issues_for_names_of_the_public_dns(petra, acme):
    public(acme)

    certificate = issued(petra, acme, profile="tls-server", dns="www.acme.com\nacme.com").x509

    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["www.acme.com", "acme.com"]
    page = Visitor(petra)
    draft = begun(petra, acme, profile="tls-server")
    page = page.open(f"/t/acme/requests/{draft.pk}/subject/").press("Next").press("Next", dns="www.acme.internal")
    assert "names of the public DNS alone" in page.complaints[0]


def server(name="www.acme.com", *names, public=True, **changes):
    alternative = tuple(map(x509.DNSName, names or (name,)))
    usual = {"extended_key_usages": (SERVER_AUTH,), "key_usages": frozenset({"digital_signature"})}
    said = {**usual, "alternative_names": alternative, "public": public, **changes}
    return orders.order(subject=orders.name(name), **said)


def test_a_good_servers_certificate_leaves_nothing_to_say():
    assert lints.complaints_about(candidate(server()), lints.ALWAYS) == ()
    assert lints.complaints_about(candidate(server("*.acme.com")), lints.ALWAYS) == ()
    assert lints.complaints_about(candidate(server("www.demo.test", public=False)), lints.ALWAYS) == ()
    assert lints.complaints_about(candidate(server("Acme", "www.demo.test", public=False)), lints.ALWAYS) == ()


@pytest.mark.parametrize(
    "order",
    [
        server("www.acme.com", "shop.acme.com"),
        server("www.demo.test"),
        server("WWW.acme.com", "WWW.acme.com"),
        server("co.uk"),
        server("*.co.uk", public=False),
        server("10.0.0.1", public=False),
        server(alternative_names=()),
        server(alternative_names=(x509.DNSName("www.acme.com"), x509.RFC822Name("a@acme.com"))),
    ],
)
def test_a_servers_certificate_with_a_wrong_name_is_not_signed(order):
    assert "server-names" in broken(candidate(order))


def test_the_judgement_is_one_query_however_many_names_there_are(petra, acme):
    requests = [submitted(petra, acme, profile="tls-server", dns=NAMES) for _number in range(2)]
    for request, queries in zip(requests, (None, 1), strict=True):
        with serving("signing"), acting_for(acme.pk, person=petra.pk), CaptureQueriesContext(connection) as said:
            found = judgement.request_to_judge(request.pk)
            assert found is not None
            judgement.judge(found, authority=found.profile.authority_id)
        if queries:
            assert len(said) == queries, [query["sql"][:80] for query in said]
