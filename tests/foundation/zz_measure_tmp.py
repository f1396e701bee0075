import time, tracemalloc, resource, hashlib
import pytest
from portal.foundation import clock
from portal.foundation.audit import chain, check_journal
from portal.foundation.audit.export import Scope, stream
from portal.foundation.audit.models import AuditEvent, AuditSeal
from portal.foundation.audit.sealer import seal
from portal.foundation.audit.verify import verify
from portal.foundation.tenancy.context import acting_for
from tests.foundation.notarised import entered_key, sign
from tests.world import serving, signed_in
pytestmark = pytest.mark.django_db
N = 50_000
def test_it(acme, vera, petra, client, owner, tmp_path):
    from portal.foundation.ids import uuid7
    key = entered_key()
    with acting_for(acme.pk):
        for base in range(0, N, 5000):
            rows = []
            for n in range(base, base + 5000):
                e = AuditEvent(id=uuid7(), tenant_id=acme.pk, at=clock.now(), actor=str(petra.pk) if n % 3 else "worker:signing", code=("request:submit","request:begin","sign-in:accept")[n % 3], subject=str(uuid7()), facts={"n": n})
                e.digest = e.computed_digest(); rows.append(e)
            AuditEvent.objects.bulk_create(rows)
    t = time.time()
    with serving("relay"):
        while seal(acme.pk): pass
    print("seal", time.time() - t)
    sign(acme.pk, key)
    owner.execute("ANALYZE audit_auditevent"); owner.execute("ANALYZE audit_auditseal")
    t = time.time(); v = verify(acme.pk); print("verify", v.rows, v.finding, time.time() - t)
    m0 = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    t = time.time(); size = 0
    p = tmp_path / "e.zip"
    with p.open("wb") as f:
        for piece in stream(Scope(acme, chain.FOREVER, clock.now(), {})): f.write(piece); size += len(piece)
    print("export", size, time.time() - t, "rss growth kB", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - m0)
    t = time.time(); print(check_journal.check(p, set(), [])); print("check", time.time() - t)
    client = signed_in(client, vera)
    for q in ("", "?deed=sign-in:accept", "?who=petra", "?who=portal", "?who=Nobody Here", "?about=x", "?about=petra@acme.example", "?words=99", "?words=zzzz", "?since=2026-01-01&until=2030-01-01", "?deed=policy:change", "?sort=oldest"):
        ts = []
        for _ in range(5):
            t = time.time(); r = client.get("/t/acme/journal/" + q); ts.append(time.time() - t); assert r.status_code == 200
        print(f"{q:50} {min(ts)*1000:.0f} ms median {sorted(ts)[2]*1000:.0f}")
