"""The journal for programs: its lines, how it stands, its verification, and its export.

An export is noted first and taken then, so that a program that repeats its POST notes it once.
"""

import hashlib
from collections.abc import Iterator
from datetime import timedelta
from html import unescape
from typing import Any, ClassVar
from uuid import UUID

from django.http import HttpResponseBase
from django.urls import reverse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.request import Request
from rest_framework.response import Response

from portal.foundation import clock
from portal.foundation.api.bodies import NothingSerializer, judged, taken
from portal.foundation.api.endpoint import Endpoint, between_units
from portal.foundation.api.lists import Listing, page_serializer, parameters_of
from portal.foundation.audit import chain
from portal.foundation.audit.models import AuditCheckpoint, AuditEvent, AuditSeal
from portal.foundation.tenancy.errors import NotHere
from portal.web.journal import views
from portal.web.journal.api_shapes import (
    JournalExportingSerializer,
    JournalExportSerializer,
    JournalLineDetailSerializer,
    JournalLineSerializer,
    JournalStandingSerializer,
    JournalVerificationSerializer,
)
from portal.web.journal.errors import ExportOver
from portal.web.journal.filters import JournalFilters
from portal.web.journal.standing import Standing, finding_of
from portal.web.journal.subjects import Line, lines_of

TAKEN_WITHIN = timedelta(minutes=15)
"""How long the file of an export that was noted can be had: later somebody else would take what this one asked for."""


def plain(line: Line) -> dict[str, Any]:
    return {
        "id": str(line.event.pk),
        "at": line.event.at.isoformat(),
        "actor": line.event.actor,
        "actor_name": line.who,
        "code": line.event.code,
        "subject": line.event.subject,
        "said": unescape(line.title),
        "facts": line.event.facts,
    }


@extend_schema_view(
    get=extend_schema(
        operation_id="journal_list",
        summary="List the journal",
        parameters=parameters_of(JournalFilters),
        responses=page_serializer(JournalLineSerializer, "JournalLine"),
    )
)
class JournalList(Listing):
    """Newest first unless asked otherwise."""

    def get(self, request: Request) -> Response:
        filters = JournalFilters(request.query_params)

        def rows(found: list[AuditEvent]) -> Iterator[dict[str, Any]]:
            return map(plain, lines_of(self.asked, found))

        return self.page(filters.lines(), rows, by="at", descending=filters.sort != "oldest", filters=filters)


@extend_schema_view(
    get=extend_schema(
        operation_id="journal_read", summary="Read a line of the journal", responses=JournalLineDetailSerializer
    )
)
class JournalLine(Endpoint):
    """Everything about one line: what it says, how it is sealed, and which checkpoint covers it."""

    def get(self, _request: Request, pk: UUID) -> Response:
        event = AuditEvent.objects.filter(pk=pk).first()
        if event is None:
            raise NotHere
        [line] = lines_of(self.asked, [event])
        seal = AuditSeal.objects.filter(event=pk).order_by("sequence").first()
        return Response(
            {
                **plain(line),
                "digest": bytes(event.digest).hex(),
                "intact": bytes(event.digest) == event.computed_digest(),
                "seal": _sealed(seal),
                "checkpoint": _covering(seal),
                "before": _neighbour(seal, -1),
                "after": _neighbour(seal, 1),
            }
        )


def _sealed(seal: AuditSeal | None) -> dict[str, Any] | None:
    if seal is None:
        return None
    return {"row": seal.sequence, "previous": bytes(seal.previous).hex(), "digest": bytes(seal.digest).hex()}


def _covering(seal: AuditSeal | None) -> dict[str, Any] | None:
    covered = AuditCheckpoint.objects.filter(sequence__gte=seal.sequence).order_by("sequence").first() if seal else None
    if covered is None:
        return None
    return {"row": covered.sequence, "at": covered.at.isoformat(), "key": covered.key}


def _neighbour(seal: AuditSeal | None, step: int) -> str | None:
    beside = AuditSeal.objects.filter(sequence=seal.sequence + step).first() if seal else None
    return str(beside.event_id) if beside else None


@extend_schema_view(
    get=extend_schema(
        operation_id="journal_standing", summary="Read how the journal stands", responses=JournalStandingSerializer
    )
)
class JournalStanding(Endpoint):
    """How long it is, up to where it is signed, and what its last verification found."""

    def get(self, _request: Request) -> Response:
        return Response(_standing())


def _standing() -> dict[str, Any]:
    """Inside a unit of work."""
    stands = Standing.read()
    notice = stands.notice
    return {
        "rows": stands.rows,
        "signed_to": stands.checkpoint.sequence if stands.checkpoint else 0,
        "unsigned_since": stands.unsigned_since.isoformat() if stands.unsigned_since else None,
        "verified": _verification(stands.verified) if stands.verified else None,
        "verifying": stands.is_walking,
        "notice": f"{notice['title']}: {notice['text']}" if notice else None,
    }


def _verification(line: AuditEvent) -> dict[str, Any]:
    told = line.facts
    intact = told.get("intact", True)
    return {
        "line": str(line.pk),
        "at": line.at.isoformat(),
        "intact": intact,
        "rows": told["rows"],
        "checkpoints": told["checkpoints"],
        "signed_to": told["signed_to"],
        "finding": None if intact else finding_of(line),
    }


@extend_schema_view(
    post=extend_schema(
        operation_id="journal_verify",
        summary="Verify the journal",
        description="Up to the present: at once or, where that takes more than a moment, by a worker (202).",
        request=NothingSerializer,
        responses={201: JournalVerificationSerializer, 202: JournalStandingSerializer},
    )
)
class JournalVerifications(Endpoint):
    """What is found is a line of the journal, too."""

    @between_units
    def post(self, request: Request) -> Response:
        taken(request.data, NothingSerializer)
        line = views.verified(self.asked.tenant.pk, by=self.asked.person.pk)
        if line is not None:
            return Response(_verification(line), status=201)
        with self.unit():
            return Response(_standing(), status=202)


@extend_schema_view(
    post=extend_schema(
        operation_id="journal_export",
        summary="Export the journal",
        description="Notes the export and has its end signed; its file can be had for 15 minutes at `file`.",
        request=JournalExportingSerializer,
        responses={201: JournalExportSerializer},
    )
)
class JournalExports(Endpoint):
    """All of it or, with filters, an extract that still proves itself."""

    @between_units
    def post(self, request: Request) -> Response:
        given = taken(request.data, JournalExportingSerializer)
        filters = judged(JournalFilters({name: str(value) for name, value in given.items()}))
        line = views.note_export(self.asked.tenant.pk, filters, by=self.asked.person.pk)
        where = reverse("api-journal-export-file", kwargs={"tenant": self.asked.tenant.slug, "pk": line.pk})
        until = (line.at + TAKEN_WITHIN).isoformat()
        answer = {"id": str(line.pk), "whole": not filters.chips, "file": where, "until": until}
        return Response(answer, status=201, headers={"Location": where})


@extend_schema_view(
    get=extend_schema(
        operation_id="journal_export_file",
        summary="Download an export of the journal",
        responses={(200, "application/zip"): OpenApiTypes.BINARY},
    )
)
class JournalExportFile(Endpoint):
    """A ZIP file that can be checked without the portal; for whoever asked for the export."""

    answers_files: ClassVar[bool] = True

    @between_units
    def get(self, _request: Request, pk: UUID) -> HttpResponseBase:
        mine = {"code": "journal:export", "actor": str(self.asked.person.pk)}
        with self.unit():
            line = AuditEvent.objects.filter(pk=pk, **mine).first()
            head = chain.head()
        if line is None:
            raise NotHere
        if clock.now() > line.at + TAKEN_WITHIN:
            raise ExportOver
        typed = dict(each.split("=", 1) for each in line.facts["filters"])
        answer = views.exported(self.asked, JournalFilters(typed))
        state = f"{line.pk} {head.sequence if head else 0}".encode()
        answer["ETag"] = f'W/"{hashlib.sha256(state).hexdigest()[:32]}"'  # the same rows, packed at another moment
        return answer
