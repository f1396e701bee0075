"""Storing what was signed, and revoking.  The caller is inside `acting_for(tenant)`."""

from dataclasses import dataclass
from uuid import UUID

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from lifecycle.authorities.keys import kind_of, spki, spki_fingerprint
from lifecycle.certificates.models import Certificate, CertificateKey, CompromisedKey, FoundBy, Reason, Revocation
from portal.foundation import clock
from portal.foundation.audit.models import record
from portal.foundation.writing import insert


def serial_text(serial: int) -> str:
    """A serial as it is stored and searched: lower-case hexadecimal without leading zeros (2.R16)."""
    return f"{serial:x}"


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
    public_key = delivered.public_key()
    row = Certificate(
        authority_id=origin.authority,
        profile_id=origin.profile,
        shard_id=origin.shard,
        predecessor_id=origin.predecessor,
        made_by=origin.operation,
        made_from=origin.request,
        owner=origin.owner,
        der=delivered.public_bytes(Encoding.DER),
        serial=serial_text(delivered.serial_number),
        fingerprint=delivered.fingerprint(hashes.SHA256()).hex(),
        spki_sha256=spki_fingerprint(spki(public_key)),
        name=_common_name(delivered),
        key_type=kind.slug if (kind := kind_of(public_key)) else "other",
        not_before=delivered.not_valid_before_utc,
        not_after=delivered.not_valid_after_utc,
    )
    insert(row)
    insert(*(CertificateKey(certificate=row, kind=kind, key=key[:250]) for kind, key in _keys(delivered, row)))
    return row


def _common_name(certificate: x509.Certificate) -> str:
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value) if names else certificate.subject.rfc4514_string()


def _keys(certificate: x509.Certificate, row: Certificate) -> set[tuple[FoundBy, str]]:
    found = {
        (FoundBy.NAME, row.name.lower()),
        (FoundBy.SERIAL, row.serial),
        (FoundBy.FINGERPRINT, row.fingerprint),
        (FoundBy.SPKI, row.spki_sha256),
    }
    for email in certificate.subject.get_attributes_for_oid(NameOID.EMAIL_ADDRESS):
        found.add((FoundBy.EMAIL, str(email.value).lower()))
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return found
    found |= {(FoundBy.EMAIL, address.lower()) for address in names.get_values_for_type(x509.RFC822Name)}
    return found


def revoke(certificate: Certificate, *, reason: Reason, by: object) -> Revocation:
    """Write down that *certificate* must not be trusted from now on."""
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
