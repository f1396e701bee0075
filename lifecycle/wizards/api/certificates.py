"""Certificates for programs: the lists, one of them, and its files.

What is seen and what is possible is decided where the pages decide it (`sight`, `inventory`).
"""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from lifecycle.certificates import exports, selectors
from lifecycle.certificates.models import Certificate, Reason, Source, Status
from lifecycle.certificates.naming import alternative_names
from lifecycle.requests import proposals
from lifecycle.requests.kinds import Kind
from lifecycle.wizards.certificate_lists import HEAVY, CertificateFilters, order_of, profiles_of
from lifecycle.wizards.inventory import Offers, certificate_of, file_of
from portal.foundation.api.endpoint import Endpoint
from portal.foundation.api.lists import Listing, page_serializer, parameters_of


class PossibleSerializer(serializers.Serializer[Any]):
    """An operation that starts from a certificate, and what stands against it now, if anything."""

    kind = serializers.ChoiceField([kind.value for kind in Kind])
    title = serializers.CharField()
    why_not = serializers.CharField(allow_blank=True, help_text="Empty where it is possible now.")


class CertificateSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    name = serializers.CharField(help_text="The common name.")
    status = serializers.ChoiceField([status.value for status in Status])
    source = serializers.ChoiceField([source.value for source in Source])  # type: ignore[assignment]
    profile = serializers.CharField(allow_null=True, help_text="Null for one that was issued elsewhere.")
    issuer = serializers.CharField()
    owner = serializers.UUIDField(help_text="The person who asked for it.")
    serial = serializers.CharField(help_text="Hexadecimal, no leading zeros.")
    fingerprint = serializers.CharField(help_text="SHA-256 of the certificate, hexadecimal.")
    spki_sha256 = serializers.CharField(help_text="SHA-256 of its public key (SubjectPublicKeyInfo), hexadecimal.")
    key_type = serializers.CharField()
    not_before = serializers.DateTimeField()
    not_after = serializers.DateTimeField()
    issued_at = serializers.DateTimeField()
    revoked_at = serializers.DateTimeField(allow_null=True)
    revoked_for = serializers.ChoiceField(Reason.values, allow_null=True)
    predecessor = serializers.UUIDField(allow_null=True)
    request = serializers.UUIDField(allow_null=True, help_text="The request that it was issued for.")
    under_way = serializers.UUIDField(allow_null=True, help_text="The open request that starts from it.")


class CertificateDetailSerializer(CertificateSerializer):
    alternative_names = serializers.ListField(child=serializers.CharField())
    operations = PossibleSerializer(many=True)
    files = serializers.ListField(
        child=serializers.ChoiceField(sorted(exports.FORMATS)), help_text="What `…/files/{form}` has."
    )


def plain(certificate: Certificate) -> dict[str, Any]:
    """What a list says of a certificate; needs `with_facts` and `with_request_under_way`."""
    return {
        "id": str(certificate.pk),
        "name": certificate.name,
        "status": certificate.status.value,
        "source": certificate.source,
        "profile": certificate.profile.slug if certificate.profile else None,
        "issuer": certificate.issuer,
        "owner": str(certificate.owner),
        "serial": certificate.serial,
        "fingerprint": certificate.fingerprint,
        "spki_sha256": certificate.spki_sha256,
        "key_type": certificate.key_type,
        "not_before": certificate.not_before.isoformat(),
        "not_after": certificate.not_after.isoformat(),
        "issued_at": certificate.issued_at.isoformat(),
        "revoked_at": _moment(certificate.revoked_at),  # type: ignore[attr-defined]
        "revoked_for": certificate.revoked_for,  # type: ignore[attr-defined]
        "predecessor": _id(certificate.predecessor_id),
        "request": _id(certificate.made_from),
        "under_way": _id(certificate.under_way_pk),  # type: ignore[attr-defined]
    }


def _id(pk: UUID | None) -> str | None:
    return str(pk) if pk else None


def _moment(at: Any) -> str | None:
    return at.isoformat() if at else None


def in_full(certificate: Certificate, offers: Offers) -> dict[str, Any]:
    acts = offers.acts(certificate)
    return {
        **plain(certificate),
        "alternative_names": alternative_names(certificate.x509),
        "operations": [{"kind": act.kind, "title": str(act.word), "why_not": str(act.refusal)} for act in acts],
        "files": sorted(exports.FORMATS),
    }


@extend_schema_view(
    get=extend_schema(
        operation_id="certificates_list",
        summary="List certificates",
        parameters=parameters_of(CertificateFilters),
        responses=page_serializer(CertificateSerializer, "Certificate"),
    )
)
class CertificateList(Listing):
    """Those that the person may see; `q` searches by name, e-mail address, domain, serial or fingerprint."""

    def get(self, _request: Request) -> Response:
        filters = CertificateFilters(self.asked, "", profiles_of(""))
        found = proposals.with_request_under_way(selectors.inventory(filters.wanted())).defer(*HEAVY)
        by, descending = order_of(filters)
        return self.page(found, _rows, by=by, descending=descending, filters=filters)


def _rows(rows: list[Certificate]) -> Iterator[dict[str, Any]]:
    return map(plain, rows)


@extend_schema_view(
    get=extend_schema(
        operation_id="certificates_read", summary="Read a certificate", responses=CertificateDetailSerializer
    )
)
class CertificateDetail(Endpoint):
    """With its names, what can be done with it and what stands against that."""

    def get(self, _request: Request, pk: UUID) -> Response:
        return Response(in_full(certificate_of(self.asked, pk), Offers.read(self.asked)))


@extend_schema_view(
    get=extend_schema(
        operation_id="certificates_download",
        summary="Download a certificate",
        parameters=[OpenApiParameter("form", str, "path", enum=sorted(exports.FORMATS))],
        responses={(200, form.media_type): OpenApiTypes.BINARY for form in exports.FORMATS.values()},
    )
)
class CertificateFile(Endpoint):
    """The certificate in one of its forms, with or without its chain."""

    answers_files = True

    def get(self, _request: Request, pk: UUID, form: str) -> HttpResponse:
        return file_of(self.asked, pk, form)
