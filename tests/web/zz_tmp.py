import pytest
import tests.web.test_pages as tp
from tests.web.pages import _journal
from tests.world import issued, submitted
pytestmark = pytest.mark.django_db

def mine(world):
    issued(world.people["petra"], world.tenants["acme"])
    submitted(world.people["petra"], world.tenants["acme"])
    return list(_journal(world))

def test_words(world, monkeypatch):
    monkeypatch.setattr(tp, "visits", mine)
    tp.test_every_word_of_every_page_goes_through_gettext(world, monkeypatch)
