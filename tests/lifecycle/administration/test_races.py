"""Two administrators at the very same moment: one saves, the other one is told, and there is one version."""

import pytest

from lifecycle.administration.subjects import subject_of
from lifecycle.authorities.models import CertificateProfile
from lifecycle.authorities.profiles import ProfileChangedMeanwhile, Wish, new_version
from lifecycle.policies.asks import Asks
from lifecycle.policies.errors import AgreementChangedMeanwhile, PolicyChangedMeanwhile
from lifecycle.policies.models import Policy, SubscriberAgreement
from lifecycle.policies.services import change_policies, publish_agreement
from portal.foundation.audit.models import AuditEvent
from portal.foundation.tenancy.context import acting_for
from tests.world import at_once

pytestmark = pytest.mark.django_db(transaction=True)


def test_policies(acme, ada):
    with acting_for(acme.pk):
        subject = subject_of(CertificateProfile.objects.in_force("desktop-signing"))
        asks = Asks.of(Policy.objects.in_force(profile="desktop-signing", operation="rekey"))
    stricter = Asks(**{**asks.content(), "approvals": 1})

    def save():
        with acting_for(acme.pk):
            wanted, seen = {"rekey": stricter}, {"rekey": 1}
            return change_policies("desktop-signing", wanted, seen=seen, subject=subject, by=ada.pk)

    results = at_once(4, save)
    assert sum(isinstance(result, PolicyChangedMeanwhile) for result in results) == 3, results
    with acting_for(acme.pk):
        assert Policy.objects.in_force(profile="desktop-signing", operation="rekey").version == 2
        assert AuditEvent.objects.filter(code="policy:change").count() == 1


def test_profiles(acme, ada):
    with acting_for(acme.pk):
        first = CertificateProfile.objects.in_force("desktop-signing")
    shorter = Wish(first.title, first.area, first.trust, first.authority_id, {**first.content, "days": 30})

    def save():
        with acting_for(acme.pk):
            return new_version("desktop-signing", shorter, seen=1, longest_life=None, by=ada.pk)

    results = at_once(4, save)
    assert sum(isinstance(result, ProfileChangedMeanwhile) for result in results) == 3, results
    with acting_for(acme.pk):
        assert CertificateProfile.objects.in_force("desktop-signing").version == 2
        assert AuditEvent.objects.filter(code="profile:create").count() == 1


def test_agreements(acme, ada):
    def publish():
        with acting_for(acme.pk):
            return publish_agreement(slug="subscriber", language="en", title="T", text="Text", seen=1, by=ada.pk)

    results = at_once(4, publish)
    assert sum(isinstance(result, AgreementChangedMeanwhile) for result in results) == 3, results
    with acting_for(acme.pk):
        assert SubscriberAgreement.in_force("subscriber").version == 2
        assert AuditEvent.objects.filter(code="agreement:publish").count() == 1
