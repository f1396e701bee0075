"""The pages of one journal: a tenant's for its auditors and administrators, the platform's for its operators.

The same views serve both; the guard has settled whose journal it is, and `place` finds the
addresses.
"""

import time
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse

from portal.foundation import clock
from portal.foundation.audit import chain, export
from portal.foundation.audit.models import AuditCheckpoint, AuditEvent, AuditSeal, JournalKey, record
from portal.foundation.audit.verify import verify
from portal.foundation.lists.paging import page_of
from portal.foundation.outbox.heartbeat import STALE, Heartbeat
from portal.foundation.tenancy.context import acting_for
from portal.foundation.tenancy.errors import NotHere
from portal.foundation.tenancy.middleware import TenantRequest
from portal.notary import promises, services
from portal.web.journal.filters import JournalFilters, none_yet
from portal.web.journal.presentation import facts_of, told_in_full
from portal.web.journal.standing import Standing, chip_of
from portal.web.journal.subjects import lines_of

WALKED_AT_ONCE = 20_000
"""Rows that are verified while the person waits, about two seconds; more are an errand."""

SIGNED_WITHIN = 5.0  # seconds that an export waits for a fresh checkpoint


def place(request: TenantRequest, name: str, **more: Any) -> str:
    """Return the address of a journal page in the journal that *request* is about."""
    if request.seat.of_platform:
        return reverse(f"platform-{name}", kwargs=more)
    return reverse(name, kwargs={"tenant": request.tenant.slug, **more})


def journal_list(request: TenantRequest) -> HttpResponse:
    with acting_for(request.tenant.pk):
        filters = JournalFilters(request.GET)
        page = page_of(filters.lines(), by="at", descending=filters.sort != "oldest", asked=request.GET)
        lines = lines_of(request, page.rows)
        context = {
            "lines": [(line, chip_of(line), place(request, "journal-line", pk=line.event.pk)) for line in lines],
            "standing": Standing.read(),
            "filters": filters.chips,
            "filter_form": filters,
            "pages": page,
            "searched": bool(filters.chips),
            "empty": none_yet(filters),
            "list_url": place(request, "journal"),
            "verify_url": place(request, "journal-verify"),
            "export_url": place(request, "journal-export"),
        }
        return render(request, "journal/list.html", context)


def journal_line(request: TenantRequest, pk: UUID) -> HttpResponse:
    """Everything about one line: what it says, how it is sealed, and which checkpoint covers it."""
    with acting_for(request.tenant.pk):
        event = AuditEvent.objects.filter(pk=pk).first()
        if event is None:
            raise NotHere
        [line] = lines_of(request, [event])
        seal = AuditSeal.objects.filter(event=pk).order_by("sequence").first()
        covered = AuditCheckpoint.objects.filter(sequence__gte=seal.sequence).order_by("sequence") if seal else None
        context = {
            "line": line,
            "chip": chip_of(line),
            "facts": facts_of(event, seal, covered.first() if covered is not None else None),
            "content": told_in_full(event),
            "intact": bytes(event.digest) == event.computed_digest(),
            "before_url": _neighbour(request, seal, -1),
            "after_url": _neighbour(request, seal, 1),
            "list_url": place(request, "journal"),
        }
        return render(request, "journal/line.html", context)


def _neighbour(request: TenantRequest, seal: AuditSeal | None, step: int) -> str:
    beside = AuditSeal.objects.filter(sequence=seal.sequence + step).first() if seal else None
    return place(request, "journal-line", pk=beside.event_id) if beside else ""


def journal_verify(request: TenantRequest) -> HttpResponse:
    verified(request.tenant.pk, by=request.person.pk)
    return redirect(place(request, "journal"))


def verified(tenant_id: UUID, *, by: UUID) -> AuditEvent | None:
    """Verify up to the present, and return the line that says so; None where it takes more than a moment.

    Then an errand does it.  Outside any unit of work.
    """
    with acting_for(tenant_id):
        head = chain.head()
        if head is not None and head.sequence > WALKED_AT_ONCE:
            promises.ask_for_verification(by=by)
            return None
    began = time.monotonic()
    verdict = verify(tenant_id)
    with acting_for(tenant_id):
        line = services.note_verification(verdict, by=by, seconds=time.monotonic() - began)
        if verdict.finding is not None:
            promises.ask_for_verification(by=by)  # a worker finds it too, and that alarms the operators
    return line


def journal_export(request: TenantRequest) -> StreamingHttpResponse:
    """The journal, or what its filters leave of it, as a ZIP file that can be checked without the portal."""
    note_export(request.tenant.pk, filters := JournalFilters(request.GET), by=request.person.pk)
    return exported(request, filters)


def note_export(tenant_id: UUID, filters: JournalFilters, *, by: UUID) -> AuditEvent:
    """Write down who takes a copy of what, and have its end signed.  Outside any unit of work."""
    with acting_for(tenant_id):
        typed = [f"{name}={value}" for name, value in filters.told().items()]
        line = record(actor=by, code="journal:export", subject=tenant_id, filters=typed)
        promises.ask_for_checkpoint()
        asked_at = _end()
    _await_checkpoint(tenant_id, asked_at)
    return line


def exported(request: TenantRequest, filters: JournalFilters) -> StreamingHttpResponse:
    """The file of an export that was noted.  Outside any unit of work."""
    with acting_for(request.tenant.pk):
        narrow = filters.narrow
        who = {"made_by": str(request.person.pk), "made_for": request.person.name, "filters": filters.told()}
        scope = export.Scope(request.tenant, _end(), clock.now(), who, narrow)
    name = f"journal-{request.tenant.slug}-{scope.taken_at:%Y%m%d-%H%M}{'-extract' if narrow else ''}.zip"
    return StreamingHttpResponse(
        _streamed(scope),
        content_type="application/zip",
        headers={"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "private"},
    )


def _end() -> int:
    head = chain.head()
    return head.sequence if head else 0


def _streamed(scope: export.Scope) -> Iterator[bytes]:
    yield from (piece for piece in export.stream(scope) if piece)


def _await_checkpoint(tenant_id: UUID, row: int) -> None:
    """Wait until *row* is signed, where a worker lives that could do it, and for no longer than `SIGNED_WITHIN`."""
    lately = clock.now() - STALE
    if not (JournalKey.objects.exists() and Heartbeat.objects.filter(service="signing", at__gte=lately).exists()):
        return
    ends = time.monotonic() + SIGNED_WITHIN
    while time.monotonic() < ends:
        with acting_for(tenant_id):
            if not row or AuditCheckpoint.objects.filter(sequence__gte=row).exists():
                return
        time.sleep(0.2)
