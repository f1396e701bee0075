"""Certificates of other authorities, given by programs: read, checked and kept as the page does it."""

from typing import Any

from django.urls import reverse
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from lifecycle.authorities.keys import kind_of
from lifecycle.certificates import services
from lifecycle.certificates.bundles import LARGEST_FILE, Bundle, Found
from lifecycle.certificates.models import Certificate
from lifecycle.certificates.naming import alternative_names, common_name, display_name, serial_text
from lifecycle.certificates.selectors import already_here
from lifecycle.wizards.sight import certificates_visible_to as visible
from lifecycle.wizards.uploading import UploadForm
from portal.foundation.api.bodies import judged, posted, taken
from portal.foundation.api.endpoint import Endpoint, between_units
from portal.foundation.tenancy.middleware import TenantRequest


class UploadSerializer(serializers.Serializer[Any]):
    text = serializers.CharField(
        max_length=LARGEST_FILE,
        trim_whitespace=False,
        help_text="PEM, one or many, with or without their chains; or DER or PKCS#7 in base64. At most 1 MB in UTF-8.",
    )
    dry_run = serializers.BooleanField(default=False, help_text="Say what was found, and keep nothing.")


class FoundSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    issuer = serializers.CharField(allow_blank=True)
    serial = serializers.CharField(help_text="Hexadecimal, no leading zeros.")
    fingerprint = serializers.CharField(help_text="SHA-256 of the certificate, hexadecimal.")
    key_type = serializers.CharField()
    not_before = serializers.DateTimeField()
    not_after = serializers.DateTimeField()
    alternative_names = serializers.ListField(child=serializers.CharField())
    chain = serializers.ListField(child=serializers.CharField(), help_text="Who stands above it in what was sent.")
    was_here = serializers.BooleanField(help_text="Such a one is left as it is.")
    certificate = serializers.UUIDField(allow_null=True, help_text="The one here, for whoever may see it.")


class UploadedSerializer(serializers.Serializer[Any]):
    saved = serializers.BooleanField(help_text="False after a dry run, and where all of them were here before.")
    found = FoundSerializer(many=True)
    left_out = serializers.IntegerField(help_text="Certificates of authorities that stand above none of these.")


@extend_schema_view(
    post=extend_schema(
        operation_id="certificates_upload",
        summary="Upload certificates that were issued elsewhere",
        request=UploadSerializer,
        responses={200: UploadedSerializer, 201: UploadedSerializer},
    )
)
class CertificateUpload(Endpoint):
    """All of them or none; they are seen in lists, and nothing acts on them."""

    @between_units
    def post(self, request: Request) -> Response:
        given = taken(request.data, UploadSerializer)
        # between the units, because reading a long bundle takes its time
        bundle = judged(UploadForm(posted({"text": given["text"]}))).bundle
        if bundle is None:
            raise TypeError("a valid form has read its bundle")
        with self.unit():
            before = already_here([one.fingerprint for one in bundle.found])
            made = [] if given["dry_run"] else services.upload(bundle.found, by=self.asked.person.pk)
            answer = {"saved": bool(made), **_told(self.asked, bundle, before, made)}
        if not made:
            return Response(answer)
        where = reverse("api-certificate", kwargs={"tenant": self.asked.tenant.slug, "pk": made[0].pk})
        return Response(answer, status=201, headers={"Location": where} if len(made) == 1 else {})


def _told(
    asked: TenantRequest, bundle: Bundle, before: dict[str, Certificate], made: list[Certificate]
) -> dict[str, Any]:
    here = {**before, **{row.fingerprint: row for row in made}}
    return {
        "found": [
            {
                **_facts(one),
                "was_here": one.fingerprint in before,
                "certificate": _seen(asked, here.get(one.fingerprint)),
            }
            for one in bundle.found
        ],
        "left_out": bundle.left_out,
    }


def _facts(one: Found) -> dict[str, Any]:
    certificate = one.certificate
    kind = kind_of(certificate.public_key())
    return {
        "name": display_name(certificate),
        "issuer": common_name(certificate.issuer),
        "serial": serial_text(certificate.serial_number),
        "fingerprint": one.fingerprint,
        "key_type": kind.slug if kind else "other",
        "not_before": certificate.not_valid_before_utc.isoformat(),
        "not_after": certificate.not_valid_after_utc.isoformat(),
        "alternative_names": alternative_names(certificate),
        "chain": [display_name(each) for each in one.chain],
    }


def _seen(asked: TenantRequest, row: Certificate | None) -> str | None:
    return str(row.pk) if row is not None and visible(asked) in (None, row.owner) else None
