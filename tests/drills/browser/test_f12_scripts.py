"""F12: what people and browsers do wrong, as scripts: each operation, with and without a code, at each bad moment.

However it is gone about, each request ends once, with the certificate that its person meant:
the key that they saw last, the name, the old certificate's end.
"""

import re
from typing import Any

import pytest
from cryptography import x509
from playwright.sync_api import expect

from lifecycle.authorities.csr import read_csr
from lifecycle.certificates.models import Certificate
from lifecycle.requests.models import CertificateRequest
from portal.foundation.outbox.models import Errand
from portal.foundation.tenancy.context import acting_for
from tests.drills import invariants
from tests.drills.browser import moments as at
from tests.drills.browser.moments import FINAL, GUARDED, PLAIN, WITHOUT_SCRIPT, Moment, Scene, Wanted
from tests.journeys.test_journeys import until_ready

SCRIPTS: list[tuple[Moment, str, bool]] = [
    *((moment, action, True) for moment in (*PLAIN, *GUARDED) for action in FINAL),
    *((moment, "rekey", False) for moment in WITHOUT_SCRIPT),
]
FEW = [
    (at.sent_again_after_the_code, "rekey", True), (at.two_certificates_in_two_tabs, "rekey", True),
    (at.another_key_in_the_other_tab, "issue", True), (at.pressed_twice, "rekey", False),
    (at.gone_back_and_pressed_again, "issue", True), (at.signed_out_at_the_code, "rekey", True),
]  # fmt: skip


@pytest.mark.rule("0.R30")
@pytest.mark.drill("F12", goal="30 of 30 scripts end right")
def test_whatever_goes_wrong_in_the_browser_each_request_ends_once_and_right(
    drill, portal, owner, world, acme, petra, surf
):
    assert len(SCRIPTS) == 30
    chosen = SCRIPTS if drill.times(0, soak=1) else FEW
    right = 0
    for moment, action, script in chosen:
        policy = {"factor": "email-code", "factor_settings": {"sends_per_hour": 60}} if moment in GUARDED else {}
        scene = Scene(portal, acme, petra, surf, action, script, policy or {"factor": "", "factor_settings": {}})
        try:
            moment(scene)
            for wish in scene.wanted:
                wish.page.bring_to_front()
                until_ready(wish.page)
                _is_right(wish)
        except Exception as wrong:
            seen = [wish.page.url for wish in scene.wanted]
            wrong.add_note(f"{moment.__name__}, {action}, {'with' if script else 'without'} script; {seen}")
            raise
        scene.wanted[0].page.context.close()
        right += 1
    invariants.at_rest(owner)
    drill.measured(scripts=f"{right}/{len(chosen)}")


def _is_right(wish: Wanted) -> None:
    """One request, one errand, one certificate; and of all that one could get wrong, nothing is."""
    expect(wish.page.locator("h1")).to_contain_text(wish.name)
    with acting_for(wish.draft.tenant_id):
        made: Any = Certificate.objects.get(made_from=wish.draft.pk)
        errands = Errand.objects.filter(task__endswith="execute_request", args__0=str(wish.draft.pk)).count()
        if wish.source is not None:
            assert Certificate.objects.filter(predecessor=wish.source).count() == 1
            assert CertificateRequest.objects.filter(predecessor=wish.source).count() == 1
            assert made.not_after == wish.source.not_after
    assert errands == 1
    [common_name] = x509.load_der_x509_certificate(bytes(made.der)).subject.get_attributes_for_oid(
        x509.NameOID.COMMON_NAME
    )
    assert common_name.value == wish.name
    assert made.spki_sha256 == read_csr(wish.key).spki_fingerprint
    links = wish.page.locator(f'main a[href*="/certificates/{made.pk}/"]')
    expect(links.first).to_be_attached()
    assert re.search(str(made.pk), wish.page.content())
