"""The pages of publishing ways: added with a secret that nobody reads again, tried in words, retired."""

import base64
import csv
import io
from dataclasses import replace

import pytest

from lifecycle.validation.models import Domain, PublishingWay
from lifecycle.validation.publishing import tasks
from lifecycle.wizards.domain_ledger import ways
from portal.config import config
from portal.foundation import clock
from portal.foundation.audit.models import AuditEvent
from portal.foundation.outbox.models import Errand
from portal.foundation.tenancy.context import acting_for
from tests.lifecycle.validation.proofs import added
from tests.rows import everything
from tests.web.browsing import Visitor, said
from tests.world import serving

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "/t/acme/publishing/"
SECRET = base64.b64encode(b"a secret of 32 bytes, no fewer!!").decode()
UPDATES = {
    "title": "Our name server",
    "kind": "rfc2136",
    "address": "ns1.acme.example",
    "zone": "acme.example",
    "key_name": "portal.acme",
    "algorithm": "hmac-sha256",
    "secret": SECRET,
}
HOOK = {"title": "Our hook", "kind": "webhook", "address": "https://hooks.acme.example/portal"}


def way_added(person, answers):
    return Visitor(person).open(f"{LIST}add/").press("Add the way", **answers)


def only(tenant):
    with acting_for(tenant.pk):
        return PublishingWay.objects.get()


def test_a_way_is_added_and_no_page_shows_its_secret_again(acme, ada, vera):
    page = way_added(ada, UPDATES)
    assert page.heading.startswith("Our name server")
    assert "Not tried yet" in page.text
    for person in (ada, vera):
        for address in (LIST, page.address, f"{LIST}export.csv"):
            assert SECRET not in Visitor(person).client.get(address).content.decode()
    with acting_for(acme.pk):
        assert AuditEvent.objects.filter(code="publishing:add").count() == 1


def test_a_refused_form_does_not_send_the_secret_back(ada, owner):
    page = Visitor(ada).open(f"{LIST}add/")
    before = everything(owner)
    page = page.press("Add the way", **{**UPDATES, "zone": "not a zone"})
    assert page.status == 422
    assert page.complaints == [
        "“not a zone” is no zone. Write the name of the zone that takes updates, like example.com."
    ]
    assert SECRET not in page.response.content.decode()
    assert page.value("title") == "Our name server"
    assert everything(owner) == before


def test_a_hooks_secret_is_shown_once_and_not_kept_by_any_cache(ada, owner):
    page = way_added(ada, HOOK)
    [secret] = [said(code) for code in page.all("code")]
    assert secret.startswith("whsec_")
    assert page.response["Cache-Control"] == "no-store"
    page = page.follow("I have kept it")
    assert secret not in page.response.content.decode()
    assert secret not in str(everything(owner))


def test_a_shown_secret_is_not_in_what_a_log_would_write():
    assert "whsec" not in repr({"secret": ways._Shown("whsec_x")})


@pytest.mark.parametrize("missing", ["title", "address", "kind"])
def test_what_every_way_needs_is_asked_for(ada, missing):
    page = way_added(ada, {**UPDATES, missing: ""} if missing != "kind" else UPDATES)
    if missing == "kind":
        page = Visitor(ada).post(f"{LIST}add/", {**UPDATES, "kind": "carrier-pigeon"})
    assert page.status == 422
    assert page.complaints


def test_without_a_key_for_secrets_the_page_says_so_and_offers_nothing(ada, monkeypatch):
    monkeypatch.setattr(ways, "config", replace(config, publishing_public_key=""))
    page = Visitor(ada).open(f"{LIST}add/")
    assert "Add the way" not in page.buttons()
    assert "Its operator has to give it the key for that." in page.text


def test_a_try_is_promised_once_and_told_in_words(acme, ada):
    page = way_added(ada, UPDATES).press("Try it")
    assert "Being tried" in page.text
    [button] = [each for each in page.all("button") if said(each) == "Try it"]
    assert button.get("aria-disabled") == "true"
    page.press("Try it")
    assert Errand.objects.filter(task=tasks.try_way.name, done_at=None).count() == 1
    assert page.visitor.client.get(f"{page.address}standing/").status_code == 200
    with serving("owner"):
        Errand.objects.filter(task=tasks.try_way.name).update(done_at=clock.now())
    with serving("publishing"), acting_for(acme.pk):
        PublishingWay.objects.update(tried_at=clock.now(), said="dns-key BADKEY")
    assert page.visitor.client.get(f"{page.address}standing/").status_code == 286
    page = page.visitor.open(page.address)
    assert "The server refused the update: it does not know the key portal.acme" in page.text
    assert "Failed last" in page.text


def test_retiring_names_the_domains_and_they_go_back_to_people(acme, ada, petra):
    page = way_added(ada, UPDATES)
    domain, way = added(acme, petra, "acme.example"), only(acme)
    Visitor(petra).post(f"/t/acme/domains/{domain.pk}/publishing/", {"way": str(way.pk)})
    assert "acme.example" in page.visitor.open(page.address).links()
    page = page.visitor.open(page.address).follow("Retire")
    assert "1 domain relies on it" in page.text
    page = page.press("Retire the way")
    assert "Retired" in page.text
    assert "Try it" not in page.buttons()
    with acting_for(acme.pk):
        assert Domain.objects.get().publishing_id is None
    assert page.visitor.post(f"{page.address}retire/", {}).status == 409


def test_the_list_narrows_and_exports(acme, ada, vera):
    way_added(ada, UPDATES)
    way_added(ada, HOOK)
    page = Visitor(vera).open(f"{LIST}?kind=webhook")
    assert "Our hook" in page.links()
    assert "Our name server" not in page.links()
    assert "Nothing matches" in Visitor(vera).open(f"{LIST}?state=retired").text
    response = Visitor(vera).client.get(f"{LIST}export.csv")
    rows = list(csv.reader(io.StringIO(response.content.decode())))
    assert [row[0] for row in rows[1:]] == ["Our hook", "Our name server"]


@pytest.mark.parametrize("who", ["petra", "wei", "vera"])
def test_only_administrators_add_try_and_retire(world, acme, ada, owner, who):
    way_added(ada, UPDATES)
    way = only(acme)
    visitor = Visitor(world.people[who])
    visitor.open("/t/acme/")
    before = everything(owner)
    assert visitor.post(f"{LIST}add/", HOOK).status == 403
    for act in ("try", "retire"):
        assert visitor.post(f"{LIST}{way.pk}/{act}/", {}).status == 403
    assert visitor.open(f"{LIST}{way.pk}/").status == (200 if who == "vera" else 403)
    assert everything(owner) == before
