"""Whose key signs, and what is issued.  Versioned rows; requests and certificates name a version."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar, Self

from cryptography import x509
from django.db import models

from lifecycle.authorities.names import NAME_KINDS
from portal.foundation import clock
from portal.foundation.tenancy.models import TenantKey, TenantManager, TenantModel


class Trust(models.TextChoices):
    """Which public rules bind a profile (requirements section 8); no administrator lifts the first two."""

    PUBLIC_TLS = "public-tls"
    PUBLIC_SMIME = "public-smime"
    PRIVATE = "private"


class CertificateAuthority(TenantModel):
    """A CA: where its key is, and its own certificate.  Holds no secret.

    A new certificate or key is a new row with a higher version; certificates stay with
    the row that signed them.
    """

    slug = models.SlugField(max_length=60, db_index=False)
    version = models.PositiveIntegerField(default=1)
    name = models.CharField(max_length=120)
    backend = models.CharField(max_length=20, default="pkcs11")
    key_id = models.CharField(max_length=64)  # CKA_ID, hexadecimal: labels need not be unique in a token
    certificate_der = models.BinaryField()
    caa_identities = models.JSONField(default=list)  # issuer domain names that CAA records may name (RFC 8659 4.2)
    parent = TenantKey("self", null=True, related_name="+")
    made_at = models.DateTimeField(default=clock.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "slug", "version"], name="authority_version_once"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def certificate(self) -> x509.Certificate:
        return x509.load_der_x509_certificate(bytes(self.certificate_der))

    def chain(self) -> list[x509.Certificate]:
        """This CA's certificate and those above it, the root last."""
        found, here = [], self
        while True:
            found.append(here.certificate)
            if here.parent is None:
                return found
            here = here.parent


@dataclass(frozen=True, slots=True)
class Terms:
    """What a profile promises, read from its JSON once and checked."""

    key_types: tuple[str, ...]
    key_usage: dict[str, tuple[str, ...]]  # by the key's family: "ec", "rsa"
    extended_key_usages: tuple[str, ...]
    subject: tuple[str, ...]  # fields a subscriber fills in, in this order
    fixed_subject: dict[str, str]  # what every certificate of the profile says
    alternative_names: tuple[str, ...]  # kinds, by their slug in `lifecycle.authorities.names.NAME_KINDS`
    common_name_from: str  # the kind whose first name is the common name where nobody is asked for one; or ""
    days: int
    krs: bool  # whether keys are archived, so that they can be recovered (2.R1)

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Self:
        return cls(
            key_types=tuple(content["key_types"]),
            key_usage={family: tuple(usages) for family, usages in content["key_usage"].items()},
            extended_key_usages=tuple(content["extended_key_usages"]),
            subject=tuple(content["subject"]),
            fixed_subject=dict(content.get("fixed_subject", {})),
            alternative_names=tuple(content.get("alternative_names", ())),
            common_name_from=str(content.get("common_name_from", "")),
            days=int(content["days"]),
            krs=content.get("krs") is True,
        )

    @property
    def lifetime(self) -> timedelta:
        return timedelta(days=self.days)

    @property
    def names_are_in_dns(self) -> bool:
        """Whether its names have owners who can be asked in the DNS (0.D)."""
        return any(NAME_KINDS[kind].in_dns for kind in self.alternative_names)


class Profiles(TenantManager["CertificateProfile"]):
    def in_force(self, slug: str) -> "CertificateProfile | None":
        return self.filter(slug=slug).order_by("-version").select_related("authority").first()

    def all_in_force(self) -> "list[CertificateProfile]":
        """The newest version of every profile, by title."""
        newest = self.order_by("slug", "-version").distinct("slug").select_related("authority")
        return sorted(newest, key=lambda profile: profile.title)


class CertificateProfile(TenantModel):
    """What is issued: keys, usages, names, lifetime; and the product area whose menu shows it (0.R9)."""

    slug = models.SlugField(max_length=60, db_index=False)
    version = models.PositiveIntegerField(default=1)
    title = models.CharField(max_length=120)
    area = models.SlugField(max_length=60, db_index=False)
    trust = models.CharField(max_length=20, choices=Trust)
    authority = TenantKey(CertificateAuthority, related_name="+")
    content = models.JSONField()
    made_at = models.DateTimeField(default=clock.now)
    made_by = models.CharField(max_length=60, default="")

    objects: ClassVar[Profiles] = Profiles()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "slug", "version"], name="profile_version_once"),
            models.CheckConstraint(condition=models.Q(trust__in=Trust.values), name="profile_trust_is_known"),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def terms(self) -> Terms:
        return Terms.from_json(self.content)


class CrlShard(TenantModel):
    """Which serials one CRL will hold.  Full after 18,000 handed out: 1 MB with every one of them revoked."""

    FULL = 18_000

    authority = TenantKey(CertificateAuthority, related_name="+")
    number = models.PositiveIntegerField()
    handed_out = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "authority", "number"], name="shard_number_once"),
            models.CheckConstraint(condition=models.Q(handed_out__lte=18_000), name="shard_is_not_overfull"),
        ]
