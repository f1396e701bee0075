"""`/healthz`: this process answers.  `/readyz`: it can work, and how the others are."""

from django.db import Error as DatabaseError
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse

from portal.foundation import clock
from portal.foundation.outbox.heartbeat import heard_from, is_well
from portal.foundation.outbox.models import Errand
from portal.foundation.outbox.registry import QUEUES
from portal.foundation.tenancy.role import Unfenced, refuse_unfenced_role

_migrated = False


def healthz(_request: HttpRequest) -> JsonResponse:
    return JsonResponse({"status": "ok"})


def readyz(_request: HttpRequest) -> JsonResponse:
    """503 only for what this process itself cannot work without: database and migrations.

    A token, a broker or a worker that is away is told as degraded, with 200: taking the
    web service out of the balancer would not bring it back.
    """
    try:
        if not _is_migrated():
            return JsonResponse({"status": "unavailable", "database": "migrations are missing"}, status=503)
        refuse_unfenced_role()
        services = {service: _told(service) for service in (*QUEUES, "relay")}
        oldest = Errand.objects.filter(done_at=None, parked_at=None, due_at__lte=clock.now()).order_by("due_at").first()
        parked = Errand.objects.exclude(parked_at=None).filter(done_at=None)[:1].count()
    except Unfenced as unfenced:
        return JsonResponse({"status": "unavailable", "database": str(unfenced)}, status=503)
    except DatabaseError:
        return JsonResponse({"status": "unavailable", "database": "does not answer"}, status=503)
    well = all(said["state"] == "ok" for said in services.values()) and not parked
    return JsonResponse(
        {
            "status": "ok" if well else "degraded",
            "database": "ok",
            "services": services,
            "oldest_due_errand_seconds": round((clock.now() - oldest.due_at).total_seconds(), 1) if oldest else 0,
            "parked_errands": bool(parked),
        }
    )


def _told(service: str) -> dict[str, object]:
    heard = heard_from(service)
    if not heard:
        return {"state": "never heard of"}
    # anybody may ask, so nobody is told what the trouble is: the operator's page and the log have that
    told = [(name, is_well(fact)) for heartbeat in heard for name, fact in heartbeat.facts.items()]
    facts = {name: "ok" if all(well for other, well in told if other == name) else "trouble" for name, _ in told}
    state = "silent" if heard[0].stale else "ailing" if "trouble" in facts.values() else "ok"
    return {"state": state, "heard": heard[0].at.isoformat(timespec="seconds"), **facts}


def _is_migrated() -> bool:
    global _migrated  # noqa: PLW0603 - once true it stays true for this process; asking costs a dozen queries
    if not _migrated:
        executor = MigrationExecutor(connection)
        _migrated = not executor.migration_plan(executor.loader.graph.leaf_nodes())
    return _migrated
