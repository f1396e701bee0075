"""Opens pages as the web service does and says what each took: run by `tests.bench.pages`, in the web's environment.

Everything but the network: middleware, session, permissions, queries, template.
"""

import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from django.conf import settings
from django.db import connection
from django.test import Client

from lifecycle.certificates.models import Certificate, CertificateKey, FoundBy
from lifecycle.requests.models import CertificateRequest
from portal.foundation.access.models import User
from portal.foundation.lists.paging import SIZE, _write
from portal.foundation.tenancy.context import acting_for
from portal.foundation.tenancy.models import Tenant

FAR = 1000  # the page that is as far away as anybody pages
WARM = 5


def main(runs: str, path: str) -> None:
    """Measure every page *runs* times; write the figures to *path*."""
    settings.ALLOWED_HOSTS = ["testserver"]
    told = {"SELECT 1": _bare(int(runs))}
    for name, client, address in _pages():
        told[name] = _page(client, address, int(runs))
        sys.stderr.write(f"{name:45} {told[name]}\n")
    Path(path).write_text(json.dumps(told))


def _bare(runs: int) -> dict[str, float]:
    def look() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")

    return _taken(look, runs)


def _page(client: Client, address: Callable[[int], str], runs: int) -> dict[str, float]:
    addresses = iter([address(number) for number in range(runs + WARM)])

    def look() -> None:
        response = client.get(next(addresses))
        assert response.status_code == 200, (response.status_code, response.request["PATH_INFO"])

    for _ in range(WARM):
        look()
    return _taken(look, runs)


def _taken(look: Callable[[], None], runs: int) -> dict[str, float]:
    times, cpu = [], time.process_time()
    for _ in range(runs):
        began = time.perf_counter()
        look()
        times.append(1000 * (time.perf_counter() - began))
    used = 1000 * (time.process_time() - cpu) / runs
    return {
        "p50": statistics.median(times),
        "p95": statistics.quantiles(times, n=20)[18],
        "max": max(times),
        "cpu": used,
    }


def _pages() -> Iterator[tuple[str, Client, Callable[[int], str]]]:
    acme = Tenant.objects.get(slug="acme")
    petra, vera, ada, olu = (_signed_in(short) for short in ("petra", "vera", "ada", "olu"))
    known = _Known(acme)
    for who, client in (("everybody's", vera), ("her own", petra)):
        for what, query in known.lists(everybodys=client is vera).items():
            yield f"certificates, {who}: {what}", client, lambda number, query=query: _list(query(number))
    for what, query in known.requests().items():
        yield f"requests: {what}", vera, lambda number, query=query: f"/t/acme/requests/?{query(number)}"
    yield "certificate", vera, lambda number: f"/t/acme/certificates/{known.certificates[number % 200].pk}/"
    yield "home, everybody's", vera, lambda _number: "/t/acme/"
    yield "home, her own", petra, lambda _number: "/t/acme/"
    for what, (client, address) in _others(vera, ada, olu).items():
        yield what, client, lambda _number, address=address: address
    yield "wizard step", petra, lambda _number: f"/t/acme/requests/{known.draft.pk}/key/"
    yield "request's page", vera, lambda number: f"/t/acme/requests/{known.completed[number % 50].pk}/"


def _others(auditor: Client, administrator: Client, operator: Client) -> dict[str, tuple[Client, str]]:
    """The lists that are not of certificates or requests."""
    acme = "/t/acme"
    return {
        "people": (administrator, f"{acme}/people/"),
        "people: search": (administrator, f"{acme}/people/?q=person 19"),
        "journal: newest": (auditor, f"{acme}/journal/"),
        "journal: oldest": (auditor, f"{acme}/journal/?sort=oldest"),
        "journal: one kind of deed": (auditor, f"{acme}/journal/?deed=request:complete"),
        "journal: by the portal itself": (auditor, f"{acme}/journal/?who=portal"),
        "journal: words that no line has": (auditor, f"{acme}/journal/?words=nobody-wrote-this"),
        "policies": (administrator, f"{acme}/policies/"),
        "profiles": (administrator, f"{acme}/profiles/"),
        "operator: tenants": (operator, "/platform/tenants/"),
        "operator: authorities": (operator, "/platform/authorities/"),
        "operator: overview": (operator, "/platform/"),
    }


def _signed_in(short: str) -> Client:
    client = Client()
    client.force_login(User.objects.get(subject__startswith=f"{short}@"))
    return client


def _list(query: str) -> str:
    return f"/t/acme/certificates/?{query}"


class _Known:
    """Things that are there to be looked for."""

    def __init__(self, tenant: Tenant) -> None:
        self._tenant = tenant
        with acting_for(tenant.pk):
            self.certificates = list(Certificate.objects.order_by("fingerprint")[:200])
            self.completed = list(CertificateRequest.objects.filter(state="completed").order_by("-pk")[:50])
            petra = User.objects.get(subject="petra@acme.example")
            drafts = CertificateRequest.objects.filter(requested_by=petra.pk, state="draft")
            self.draft = drafts.latest("pk")  # the world's own; the others are copies of it
            self._keys = {
                kind: [
                    row.key
                    for row in CertificateKey.objects.filter(
                        kind=kind, certificate__in=[one.pk for one in self.certificates]
                    )
                ]
                for kind in FoundBy
            }
            self._far = {
                sort: self._cursor(sort)
                for sort in ("-issued_at", "issued_at", "name", "-name", "not_after", "-not_after")
            }

    def _cursor(self, sort: str) -> str:
        rows = Certificate.objects.order_by(sort, f"{sort[0] if sort[0] == '-' else ''}pk")
        last = list(rows[SIZE * (FAR - 1) - 1 : SIZE * (FAR - 1)]) or list(rows.reverse()[SIZE : SIZE + 1])
        return _write(last[0], sort.removeprefix("-"))

    def lists(self, *, everybodys: bool) -> dict[str, Callable[[int], str]]:
        def always(query: str) -> Callable[[int], str]:
            return lambda _number: query

        def one_of(kind: FoundBy) -> Callable[[int], str]:
            return lambda number: f"q={self._keys[kind][number % len(self._keys[kind])]}"

        month = f"{self.certificates[0].not_after:%Y-%m}"
        plain = {
            "newest": "",
            "by name": "sort=name",
            "by name, Z to A": "sort=-name",
            "by end": "sort=expires",
            "by end, last first": "sort=-expires",
            "oldest": "sort=issued",
            "active": "status=active",
            "expired": "status=expired",
            "revoked": "status=revoked",
            "revoked, by name": "status=revoked&sort=name",
            "uploaded": "source=uploaded",
            "uploaded, by name": "source=uploaded&sort=name",
            "of a profile": "profile=desktop-signing",
            "of a profile, by name": "profile=desktop-signing&sort=name",
            "RSA keys": "key=rsa-2048",
            "RSA keys, by end": "key=rsa-2048&sort=expires",
            "keys that nobody has": "key=rsa-4096",
            "of an issuer": "issuer=Corporate Sub CA 2",
            "of an issuer, by name": "issuer=Corporate Sub CA 2&sort=name",
            "end in 30 days": "ends=30",
            "end in 30 days, by name": "ends=30&sort=name",
            "end in a month": f"expires={month}",
            "active RSA uploaded, by end": "status=active&key=rsa-2048&source=uploaded&sort=expires",
            "search: everybody's domain": "q=bench.example",
            "search: every host": "q=n",
            "search: a domain of many": "q=costa.bench.example",
            "search: a name's beginning": "q=petra",
            "search: nothing": "q=nobody-has-this-name",
        }
        found = {what: always(query) for what, query in plain.items()}
        if everybodys:
            far = {
                "-issued": "-issued_at",
                "issued": "issued_at",
                "name": "name",
                "-name": "-name",
                "expires": "not_after",
                "-expires": "-not_after",
            }
            found |= {
                f"page {FAR} by {sort}": always(f"sort={sort}&after={self._far[column]}")
                for sort, column in far.items()
            }
            found["of an owner"] = always("owner=petra@acme.example")
            found["of an owner, by name"] = always("owner=petra@acme.example&sort=name")
        return found | {
            "search: serial": one_of(FoundBy.SERIAL),
            "search: fingerprint": one_of(FoundBy.FINGERPRINT),
            "search: key": one_of(FoundBy.SPKI),
            "search: e-mail": one_of(FoundBy.EMAIL),
            "search: host": one_of(FoundBy.DOMAIN),
        }

    def requests(self) -> dict[str, Callable[[int], str]]:
        queries = {
            "newest": "",
            "oldest": "sort=asked",
            "drafts": "state=draft",
            "waiting for a review": "state=in review",
            "rekeys": "kind=rekey",
            "of a person": "person=petra@acme.example",
        }
        return {what: lambda _number, query=query: query for what, query in queries.items()}
