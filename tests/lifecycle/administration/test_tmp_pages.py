import re
import pytest
from tests.web import pages
from tests.web.test_pages import *
from tests.web.test_pages import _invalid,_inline,_from_elsewhere,_doubled_ids,_unlabelled,_reading_marks,_unmarked,_without_data
from tests.world import submitted
pytestmark = pytest.mark.django_db
for n in list(globals()):
    if n.startswith("test_"): del globals()[n]
def test_mine(world, monkeypatch):
    submitted(world.people["petra"], world.tenants["acme"])
    looks = list(pages._administration(world))
    faults = {}
    for visit in looks:
        page = looked_at(visit)
        if found := [*_invalid(page), *_inline(page), *_from_elsewhere(page), *_doubled_ids(page), *_unlabelled(page)]:
            faults[str(visit)] = found
    bare = {}
    with marked(monkeypatch):
        for visit in looks:
            page = looked_at(_reading_marks(visit))
            for text in _unmarked(page):
                if re.search(r"[^\W\d_]{2}", _without_data(text)):
                    bare.setdefault(text, set()).add(str(visit))
    import pprint; pprint.pprint(faults); pprint.pprint(bare)
    assert not faults and not bare
