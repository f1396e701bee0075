"""Storing what was signed or uploaded, and revoking.  The caller is inside `acting_for(tenant)`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from django.db import IntegrityError

from lifecycle.authorities.keys import kind_of, spki, spki_fingerprint
from lifecycle.certificates.bundles import Found
from lifecycle.certificates.errors import IssuedElsewhere, TooManyNames, UploadedMeanwhile
from lifecycle.certificates.models import (
    Certificate,
    CertificateKey,
    CompromisedKey,
    Reason,
    Revocation,
    Source,
)
from lifecycle.certificates.naming import LONGEST, common_name, display_name, keys_of, serial_text
from lifecycle.certificates.selectors import already_here
from portal.foundation import clock
from portal.foundation.audit.models import record
from portal.foundation.writing import insert

MOST_KEYS = 10_000
"""Names and other keys of all certificates of one upload: what one statement writes in half a second."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a certificate comes from; what its bytes do not say."""

    authority: UUID
    profile: UUID
    shard: UUID
    request: UUID
    operation: str
    owner: UUID
    predecessor: UUID | None


def store(delivered: x509.Certificate, origin: Origin) -> Certificate:
    """Keep a certificate that was delivered and checked, with the keys it is found by."""
    row = Certificate(
        authority_id=origin.authority,
        profile_id=origin.profile,
        shard_id=origin.shard,
        predecessor_id=origin.predecessor,
        made_by=origin.operation,
        made_from=origin.request,
        owner=origin.owner,
        **_told_by(delivered),
    )
    insert(row)
    insert(*(CertificateKey(certificate=row, kind=kind, key=key) for kind, key in keys_of(delivered)))
    return row


def _told_by(certificate: x509.Certificate) -> dict[str, Any]:
    """The columns that repeat what the bytes say, so that lists need not read them."""
    public_key = certificate.public_key()
    return {
        "der": certificate.public_bytes(Encoding.DER),
        "serial": serial_text(certificate.serial_number),
        "fingerprint": certificate.fingerprint(hashes.SHA256()).hex(),
        "spki_sha256": spki_fingerprint(spki(public_key)),
        "name": display_name(certificate),
        "issuer": common_name(certificate.issuer)[:LONGEST],
        "key_type": kind.slug if (kind := kind_of(public_key)) else "other",
        "not_before": certificate.not_valid_before_utc,
        "not_after": certificate.not_valid_after_utc,
    }


def upload(found: Sequence[Found], *, by: UUID) -> list[Certificate]:
    """Keep certificates of other authorities; those that are here already are left as they are."""
    here = already_here([one.fingerprint for one in found])
    rows, keys = [], []
    for one in found:
        if one.fingerprint in here:
            continue
        row = Certificate(
            source=Source.UPLOADED,
            made_by="upload",
            owner=by,
            chain=b"".join(each.public_bytes(Encoding.DER) for each in one.chain),
            **_told_by(one.certificate),
        )
        rows.append(row)
        keys += [CertificateKey(certificate=row, kind=kind, key=key) for kind, key in keys_of(one.certificate)]
        if len(keys) > MOST_KEYS:
            raise TooManyNames(limit=MOST_KEYS)
    try:
        insert(*rows)
    except IntegrityError as error:
        if "certificate_uploaded_once" in str(error):
            raise UploadedMeanwhile from None
        raise
    insert(*keys)
    for row in rows:
        record(
            actor=by,
            code="certificate:upload",
            subject=row.pk,
            serial=row.serial,
            fingerprint=row.fingerprint,
            issuer=row.issuer,
        )
    return rows


def revoke(certificate: Certificate, *, reason: Reason, by: object) -> Revocation:
    """Write down that *certificate* must not be trusted from now on; raise for one that was issued elsewhere (4.R8)."""
    if certificate.authority_id is None or certificate.shard_id is None:
        raise IssuedElsewhere(issuer=certificate.issuer_word)
    revocation = Revocation(
        authority_id=certificate.authority_id,
        shard_id=certificate.shard_id,
        serial=certificate.serial,
        certificate=certificate,
        reason=reason,
        by=str(by),
    )
    insert(revocation)
    record(actor=by, code="certificate:revoke", subject=certificate.pk, serial=certificate.serial, reason=reason)
    return revocation


def revoke_orphan(serial: str, *, authority: UUID, shard: UUID, by: str) -> Revocation:
    """Write a serial on the CRL that the token may have signed and nobody received."""
    revocation = Revocation(
        authority_id=authority, shard_id=shard, serial=serial, reason=Reason.CESSATION, at=clock.now(), by=by
    )
    insert(revocation)
    record(actor=by, code="certificate:revoke-orphan", subject=serial, authority=authority)
    return revocation


def report_compromised(spki_sha256: str, *, how_known: str) -> None:
    """Let nobody on this platform certify that key again (BR 6.1.1.3)."""
    CompromisedKey.objects.bulk_create(
        [CompromisedKey(spki_sha256=spki_sha256, how_known=how_known)], ignore_conflicts=True
    )
