"""Certificates and the facts about them.  A status is derived from dates and rows, never stored."""

from enum import StrEnum
from typing import ClassVar

from cryptography import x509
from django.db import models
from django.db.models import OuterRef, Q, Subquery
from django.utils.translation import gettext_lazy as _

from lifecycle.authorities.models import CertificateAuthority, CertificateProfile, CrlShard
from portal.foundation import clock
from portal.foundation.tenancy.models import TenantKey, TenantManager, TenantModel


class Status(StrEnum):
    """The one vocabulary of what a certificate is now (requirements C14)."""

    ACTIVE = "active"
    EXPIRED = "expired"
    REVOKED = "revoked"


class Source(models.TextChoices):
    ISSUED = "issued", _("Issued here")
    UPLOADED = "uploaded", _("Uploaded")  # another authority's: kept in view, never operated on (4.R8)


class Certificates(TenantManager["Certificate"]):
    def with_facts(self) -> "models.QuerySet[Certificate]":
        """With everything a status is derived from, so that a list costs one query."""
        revocation = Revocation.objects.filter(certificate=OuterRef("pk"))
        return self.select_related("profile", "authority").annotate(
            revoked_at=Subquery(revocation.values("at")[:1]), revoked_for=Subquery(revocation.values("reason")[:1])
        )


class Certificate(TenantModel):
    """A certificate, as it is, and where it came from: issued here, or uploaded and kept in view."""

    source = models.CharField(max_length=10, choices=Source, default=Source.ISSUED)
    authority = TenantKey(CertificateAuthority, null=True, related_name="+")
    profile = TenantKey(CertificateProfile, null=True, related_name="+")
    shard = TenantKey(CrlShard, null=True, related_name="+")
    predecessor = TenantKey("self", null=True, related_name="successors")
    made_by = models.CharField(max_length=10)  # the operation: issue, rekey, …; upload
    made_from = models.UUIDField(null=True)  # the request; requests stand above certificates, so an id and no key
    chain = models.BinaryField(default=b"")  # of an uploaded one: its issuers' certificates, DER after DER
    owner = models.UUIDField()  # the person who asked for it
    der = models.BinaryField()
    serial = models.CharField(max_length=40, db_collation="C")  # hexadecimal, no leading zeros
    fingerprint = models.CharField(max_length=64, db_collation="C")  # SHA-256
    spki_sha256 = models.CharField(max_length=64, db_collation="C")
    name = models.CharField(max_length=250)  # the common name: what lists show
    issuer = models.CharField(max_length=250, default="")  # its common name
    key_type = models.CharField(max_length=20)
    not_before = models.DateTimeField()
    not_after = models.DateTimeField()
    issued_at = models.DateTimeField(default=clock.now)

    objects: ClassVar[Certificates] = Certificates()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "authority", "serial"], name="certificate_serial_once"),
            models.UniqueConstraint(fields=["tenant", "made_from"], name="certificate_once_a_request"),
            models.UniqueConstraint(
                fields=["tenant", "fingerprint"], condition=Q(source="uploaded"), name="certificate_uploaded_once"
            ),
            models.CheckConstraint(
                condition=Q(
                    source="issued",
                    authority__isnull=False,
                    profile__isnull=False,
                    shard__isnull=False,
                    made_from__isnull=False,
                )
                | Q(source="uploaded", authority=None, profile=None, shard=None, made_from=None, predecessor=None),
                name="certificate_source_is_told",
            ),
        ]
        indexes = [
            models.Index(fields=["tenant", "not_after", "id"], name="certificate_by_end"),
            # the end comes along, so that what is over, or not, is told apart without a look at the rows
            models.Index(fields=["tenant", "issued_at", "id", "not_after"], name="certificate_by_issue"),
            models.Index(fields=["tenant", "name", "id", "not_after"], name="certificate_by_name"),
            models.Index(fields=["tenant", "profile", "not_after", "id"], name="certificate_by_profile"),
            models.Index(fields=["tenant", "owner", "not_after", "id"], name="certificate_by_owner"),
            # what a list is narrowed to, and within it the order that it has unless another is chosen
            models.Index(fields=["tenant", "profile", "issued_at", "id"], name="certificate_newest_of_profile"),
            models.Index(fields=["tenant", "owner", "issued_at", "id"], name="certificate_newest_of_owner"),
            models.Index(fields=["tenant", "owner", "name", "id"], name="certificate_by_owner_and_name"),
            models.Index(fields=["tenant", "issuer", "issued_at", "id"], name="certificate_newest_of_issuer"),
            models.Index(fields=["tenant", "key_type", "issued_at", "id"], name="certificate_newest_of_key_type"),
            models.Index(fields=["tenant", "source", "issued_at", "id"], name="certificate_newest_of_source"),
            models.Index(fields=["tenant", "predecessor"], name="certificate_by_predecessor"),
            models.Index(fields=["tenant", "spki_sha256"], name="certificate_by_key"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def x509(self) -> x509.Certificate:
        return x509.load_der_x509_certificate(bytes(self.der))

    @property
    def is_uploaded(self) -> bool:
        return self.source == Source.UPLOADED

    @property
    def issuer_word(self) -> str:
        """Whom to ask about it."""
        return self.issuer or str(_("its issuer"))

    @property
    def status(self) -> Status:
        """Needs `Certificate.objects.with_facts()`: the revocation is a fact of its own."""
        if self.revoked_at is not None:  # type: ignore[attr-defined]
            return Status.REVOKED
        return Status.EXPIRED if self.not_after <= clock.now() else Status.ACTIVE


class FoundBy(models.TextChoices):
    NAME = "name"
    EMAIL = "email"
    DOMAIN = "domain"  # a DNS name, and each of its parents
    SERIAL = "serial"
    FINGERPRINT = "fingerprint"
    SPKI = "spki"


class CertificateKey(TenantModel):
    """One thing a certificate can be found by.  Looked up by `=` and `^@`, which reach an index under RLS."""

    certificate = TenantKey(Certificate, related_name="keys", on_delete=models.CASCADE)
    kind = models.CharField(max_length=12, choices=FoundBy)
    key = models.CharField(max_length=250, db_collation="C")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "kind", "key", "certificate"], name="certificate_key_once"),
            models.CheckConstraint(condition=Q(kind__in=FoundBy.values), name="certificate_key_kind_is_known"),
        ]
        indexes = [
            models.Index(fields=["tenant", "key", "certificate"], name="certificate_key_any_kind"),
            models.Index(fields=["tenant", "certificate", "key"], name="certificate_key_by_certificate"),
        ]


class Reason(models.TextChoices):
    """Revocation reasons by their RFC 5280 5.3.1 names."""

    UNSPECIFIED = "unspecified", _("none was given")
    KEY_COMPROMISE = "keyCompromise", _("the key may be known to others")
    AFFILIATION_CHANGED = "affiliationChanged", _("a name in it is no longer right")
    SUPERSEDED = "superseded", _("it was replaced by another one")
    CESSATION = "cessationOfOperation", _("it is no longer used")
    PRIVILEGE_WITHDRAWN = "privilegeWithdrawn", _("the right to it was withdrawn")


class Revocation(TenantModel):
    """A serial that must not be trusted: a certificate's, or an orphan's that nobody ever received."""

    authority = TenantKey(CertificateAuthority, related_name="+")
    shard = TenantKey(CrlShard, related_name="+")
    serial = models.CharField(max_length=40, db_collation="C")
    certificate = TenantKey(Certificate, null=True, related_name="+")
    reason = models.CharField(max_length=25, choices=Reason)
    at = models.DateTimeField(default=clock.now)
    by = models.CharField(max_length=60)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "authority", "serial"], name="revocation_once"),
            models.CheckConstraint(condition=Q(reason__in=Reason.values), name="revocation_reason_is_known"),
        ]
        indexes = [models.Index(fields=["tenant", "certificate"], name="revocation_by_certificate")]


class CompromisedKey(models.Model):
    """A public key reported or proven compromised.  A platform table: such a key is bad for every tenant."""

    spki_sha256 = models.CharField(primary_key=True, max_length=64, db_collation="C")
    since = models.DateTimeField(default=clock.now)
    how_known = models.CharField(max_length=200)

    @classmethod
    def is_listed(cls, fingerprint: str) -> bool:
        return cls.objects.filter(pk=fingerprint).exists()
