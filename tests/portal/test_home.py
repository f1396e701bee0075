"""The home page of a large tenant: its figures are true, and what is settled hides nothing that is not."""

from collections import Counter

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from portal.foundation import clock
from tests.web.browsing import Visitor, said
from tests.world import issued

pytestmark = pytest.mark.django_db(transaction=True)

MANY = 8_000

# copies of the one certificate there is, two thirds of them somebody else's
_COPIES = """
SET session_replication_role = replica;
INSERT INTO certificates_certificate
SELECT made.* FROM (SELECT * FROM certificates_certificate LIMIT 1) c, generate_series(1, %(count)s) n,
       LATERAL jsonb_populate_record(NULL::certificates_certificate, to_jsonb(c) || jsonb_build_object(
         'id', lpad(to_hex(n), 8, '0') || '-0000-7000-8000-000000000000', 'made_from', gen_random_uuid(),
         'serial', md5(n::text), 'fingerprint', md5(n::text) || md5(n || 'f'), 'name', 'copy ' || n,
         'owner', CASE n %% 3 WHEN 0 THEN c.owner ELSE gen_random_uuid() END,
         'not_after', %(now)s::timestamptz + n %% %(days)s * interval '1 day' + interval '1 hour')) made;
"""
_REVOKED = """
INSERT INTO certificates_revocation (id, tenant_id, authority_id, shard_id, serial, certificate_id, reason, at, by)
SELECT gen_random_uuid(), tenant_id, authority_id, shard_id, serial, id, 'superseded', now(), 'test'
  FROM certificates_certificate WHERE name LIKE 'copy %0'
"""
_REPLACED = """
INSERT INTO certificates_certificate
SELECT made.* FROM certificates_certificate c,
       LATERAL jsonb_populate_record(NULL::certificates_certificate, to_jsonb(c) || jsonb_build_object(
         'id', gen_random_uuid(), 'made_from', gen_random_uuid(), 'serial', md5(c.serial), 'predecessor_id', c.id,
         'not_after', c.not_after + interval '1 year')) made
 WHERE c.name LIKE 'copy %' AND c.name <> 'copy 27'
"""


def crowded(owner, count: int, days: int) -> None:
    owner.execute(_COPIES, {"count": count, "days": days, "now": clock.now()})


def chart(visitor: Visitor) -> dict[str, int]:
    """Read the table that stands for the picture: how many end in each month that its link names."""
    rows = [row for row in visitor.open("/t/acme/").all("tr") if row.find(".//td[@class='num']") is not None]
    return {
        next(row.iter("a")).get("href").partition("expires=")[2]: int(said(row.find(".//td[@class='num']")))
        for row in rows
    }


def test_the_chart_counts_every_certificate_of_the_tenant_and_of_a_person(owner, petra, vera, acme):
    issued(petra, acme)
    crowded(owner, MANY, days=390)
    owner.execute(_REVOKED)
    owner.execute(
        "SELECT to_char(not_after AT TIME ZONE 'UTC', 'YYYY-MM'), owner::text FROM certificates_certificate c"
        " WHERE not_after > %s AND NOT EXISTS (SELECT 1 FROM certificates_revocation r WHERE r.certificate_id = c.id)",
        [clock.now()],
    )
    found = owner.fetchall()

    for person, rows in ((vera, found), (petra, [row for row in found if row[1] == str(petra.pk)])):
        told, true = chart(Visitor(person)), Counter(month for month, _owner in rows)
        assert len(told) == 12
        assert told == {month: true[month] for month in told}
    assert sum(true.values()) < len(found)
    assert sum(chart(Visitor(vera)).values()) > 5_000


def test_certificates_that_were_replaced_hide_none_that_was_not(owner, petra, acme):
    issued(petra, acme)
    crowded(owner, 27, days=28)  # every third is Petra's: nine, of which the one that ends last has no successor
    owner.execute(_REPLACED)
    visitor = Visitor(petra)

    page = visitor.open("/t/acme/")

    assert page.heading == "1 thing needs you"
    assert "copy 27" in page.text
    assert "copy 3" not in page.text


def test_home_asks_as_much_of_a_person_with_many_certificates_as_of_one_with_few(owner, petra, acme):
    issued(petra, acme)
    few = _queries(petra)
    crowded(owner, 60, days=28)
    assert _queries(petra) == few


def _queries(person) -> int:
    visitor = Visitor(person)
    with CaptureQueriesContext(connection) as captured:
        assert visitor.client.get("/t/acme/").status_code == 200
    return len(captured.captured_queries)
