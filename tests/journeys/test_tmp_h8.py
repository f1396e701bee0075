import pytest
from tests.web import pages
from tests.journeys import test_every_page as t
from tests.journeys.test_every_page import test_axe_finds_nothing_serious_and_no_page_is_wider_than_the_screen  # noqa
pytestmark = pytest.mark.xdist_group("browser")
@pytest.fixture(autouse=True)
def few(monkeypatch):
    def visits(world):
        out=[]
        for part in (pages._domains, pages._publishing, pages._adviser, pages._administration):
            out += [v for v in part(world) if v.route.startswith(("domain-","publishing-","caa-","rules-"))]
        return out
    monkeypatch.setattr(t, "visits", visits)
