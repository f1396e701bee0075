"""Every filter and every order of the lists, at 100,000 rows: how PostgreSQL finds them, as the application's role.

The filters are read off the page, so that a new one is asked for as well.  A plan fails
that scans a table, that sorts the tenant, or that touches thousands of rows to show 25.
"""

import json
from collections.abc import Iterator
from itertools import chain, product
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from django.db import connection
from django.test.utils import CaptureQueriesContext

from portal.foundation.tenancy.context import acting_for
from tests.bulk import without_indexes
from tests.web.browsing import Page, Visitor, _controls
from tests.world import filled, issued

ROWS = 100_000
LARGEST = 80_000  # of them belong to the tenant that is looked at
BIG = {
    "certificates_certificate",
    "certificates_certificatekey",
    "certificates_revocation",
    "requests_certificaterequest",
    "audit_auditevent",
}
MOST_TOUCHED = 6_000
"""Rows one query may read: what a filter leaves of the tenant may be sorted while it is few; the tenant may not."""

# what is typed into a field that offers no choices
TYPED = {
    "number": "RQ-2222-2222",
    "owner": "petra@acme.example",
    "person": "petra@acme.example",
    "expires": "2027-03",
    "ends_from": "2027-02-01",
    "ends_until": "2026-12-31",
}
# what most of a tenant answers to is not here: all keys are rightly read for it, and how often that is so is chance
SEARCHED = ("petra", "host-77.example", "zone-7.example", "nobody", "7a", "0x" + "a" * 40, "f" * 64)

_CROWD = """
SET session_replication_role = replica;
INSERT INTO certificates_certificate
SELECT made.* FROM (SELECT * FROM certificates_certificate LIMIT 1) c,
       (SELECT id FROM tenancy_tenant WHERE slug = 'globex') other, generate_series(1, {rows}) n,
       LATERAL jsonb_populate_record(NULL::certificates_certificate, to_jsonb(c) || jsonb_build_object(
         'id', lpad(to_hex(n), 8, '0') || '-0000-7000-8000-000000000000',
         'tenant_id', CASE WHEN n <= {largest} THEN c.tenant_id ELSE other.id END,
         'made_from', gen_random_uuid(), 'der', '\\x00', 'serial', md5(n::text),
         'fingerprint', md5(n::text) || md5(n || 'f'), 'spki_sha256', md5(n || 's') || md5(n || 'k'),
         'name', 'host-' || n %% 50000 || '.zone-' || n %% 1000 || '.example',
         'owner', CASE WHEN n %% 20 = 0 THEN c.owner ELSE md5((n %% 500)::text)::uuid END,
         'issuer', CASE WHEN n %% 20 = 0 THEN 'Elsewhere ' || n %% 7 ELSE c.issuer END,
         'key_type', (ARRAY['ec-p256', 'ec-p256', 'rsa-2048', 'ec-p384'])[1 + n %% 4],
         'not_after', c.not_before + (n %% 700 - 330) * interval '1 day' + n * interval '1 second',
         'issued_at', c.issued_at - (n * 7919 %% 70000) * interval '10 minutes')
      || CASE WHEN n %% 20 = 0 THEN
         '{{"source": "uploaded", "authority_id": null, "profile_id": null, "shard_id": null,
            "made_from": null}}'::jsonb
         ELSE '{{}}'::jsonb END) made;
INSERT INTO certificates_certificatekey (id, tenant_id, certificate_id, kind, key)
SELECT gen_random_uuid(), c.tenant_id, c.id, k.kind, k.key
  FROM certificates_certificate c, LATERAL (VALUES ('name', c.name), ('serial', c.serial), ('spki', c.spki_sha256),
       ('fingerprint', c.fingerprint), ('domain', split_part(c.name, '.', 2) || '.example'),
       ('domain', CASE WHEN c.serial < '1' THEN 'example.com' ELSE split_part(c.name, '.', 2) || '.example' END))
       AS k (kind, key) WHERE c.der = '\\x00' ON CONFLICT DO NOTHING;
INSERT INTO certificates_revocation (id, tenant_id, authority_id, shard_id, serial, certificate_id, reason, at, by)
SELECT gen_random_uuid(), tenant_id, authority_id, shard_id, serial, id, 'superseded', now(), 'test'
  FROM certificates_certificate WHERE source = 'issued' AND hashtext(serial) %% 40 = 0;
INSERT INTO requests_certificaterequest
SELECT made.* FROM (SELECT * FROM requests_certificaterequest WHERE state = 'draft' LIMIT 1) r,
       (SELECT id FROM tenancy_tenant WHERE slug = 'globex') other, generate_series(1, {rows}) n,
       LATERAL jsonb_populate_record(NULL::requests_certificaterequest, to_jsonb(r) || jsonb_build_object(
         'id', lpad(to_hex(n), 8, '0') || '-0000-7000-8000-000000000000', 'number', 'RQ-' || n,
         'tenant_id', CASE WHEN n <= {largest} THEN r.tenant_id ELSE other.id END,
         'kind', (ARRAY['issue', 'rekey'])[1 + (n %% 5) / 3],
         'state', CASE n %% 1000 WHEN 1 THEN 'draft' WHEN 2 THEN 'failed' WHEN 3 THEN 'in review' ELSE 'completed' END,
         'made_at', r.made_at - n * interval '1 minute',
         'requested_by', CASE WHEN n %% 20 = 0 THEN r.requested_by ELSE md5((n %% 500)::text)::uuid END)) made;
"""


def test_no_list_scans_or_sorts_the_tenant(owner, petra, vera, acme, globex):
    issued(petra, acme)
    filled(petra, acme)
    with without_indexes(owner, *BIG):
        owner.execute(_CROWD.format(rows=ROWS, largest=LARGEST).replace("%%", "%"))
    owner.execute(f"ANALYZE {', '.join(BIG)}")
    faults: dict[str, list[str]] = {}
    seen: set[str] = set()
    for person, address, orders in (
        (vera, "/t/acme/certificates/", 6),
        (petra, "/t/acme/certificates/", 2),
        (vera, "/t/acme/requests/", 2),
        (petra, "/t/acme/requests/", 2),
    ):
        for query in _queries(Visitor(person).open(address), orders):
            at = f"{address}?{urlencode(query)}"
            for statement in _statements(person, at):
                if statement not in seen:
                    seen.add(statement)
                    if found := list(_faults(acme, statement)):
                        faults.setdefault(f"{person.name}: {at}", []).extend(found)
    assert faults == {}
    assert len(seen) > 100


def _queries(page: Page, most_orders: int) -> Iterator[dict[str, str]]:
    """Every filter alone, with its first and its last value, in so many orders; every search; and a page behind."""
    [form] = [form for box in page.having_class("filters") for form in box.iter("form")]
    fields = {control.get("name"): list(_offered(control)) for control in _controls(form)}
    orders = fields.pop("sort")[:most_orders]
    filters = [{}, *({name: value} for name, values in fields.items() for value in {values[0]: 1, values[-1]: 1})]
    if "certificates" in page.address:
        yield from ({"q": text} for text in SEARCHED)
        yield {"q": "zone-7.example", "sort": "name"}
    for order, narrowed in product(orders, filters):
        yield {**narrowed, **({"sort": order} if order else {})}
    for order in orders:
        yield {"sort": order, "after": _far(page, order)}


def _offered(control: Any) -> Iterator[str]:
    if control.tag == "select":
        options = [option.get("value", "") for option in control.iter("option")]
        yield from (value for value in options if value or control.get("name") == "sort")
    elif control.get("type") != "hidden":
        yield TYPED[control.get("name")]


def _far(page: Page, order: str) -> str:
    """The cursor of the next page."""
    first = page.visitor.open(f"{page.address.partition('?')[0]}?{urlencode({'sort': order})}")
    return parse_qs(urlsplit(first.links()["Next"]).query)["after"][0]


def _statements(person, at: str) -> list[str]:
    visitor = Visitor(person)
    with CaptureQueriesContext(
        connection,
    ) as captured:
        assert visitor.client.get(at).status_code == 200, at
    return [one["sql"] for one in captured.captured_queries if any(table in one["sql"] for table in BIG)]


def _faults(tenant, statement: str) -> Iterator[str]:
    with acting_for(tenant.pk), connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {statement.replace('%', '%%')}")
        told = cursor.fetchone()[0]
    plan = (json.loads(told) if isinstance(told, str) else told)[0]["Plan"]
    for node in _nodes(plan):
        kind, loops = node["Node Type"], node["Actual Loops"]
        touched = loops * (node["Actual Rows"] + node.get("Rows Removed by Filter", 0))
        if kind == "Seq Scan" and node["Relation Name"] in BIG and loops:
            yield f"scans {node['Relation Name']}"
        elif "Scan" in kind and touched > MOST_TOUCHED:
            yield f"{kind} touches {touched:.0f} rows of {node.get('Relation Name') or node.get('Index Name')}"
        elif kind in {"Sort", "Incremental Sort"} and touched > MOST_TOUCHED:
            yield f"sorts {touched:.0f} rows"


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    yield from chain.from_iterable(map(_nodes, plan.get("Plans", ())))
