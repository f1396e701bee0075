"""What tenants claim, how control of it was proven, and what was seen: evidence is immutable once it is there."""

from django.db import models
from django.db.models import Q

from lifecycle.validation.states import CaaState, ControlState
from portal.foundation import clock
from portal.foundation.tenancy.models import TenantKey, TenantModel

STORED = (CaaState.VERIFYING, CaaState.VERIFIED, CaaState.FAILED)


class CaaCheck(TenantModel):
    """One look at the CAA records that count for one name, (BR 3.2.2.8), and what remote perspectives saw of them.

    The verdict can be computed again from `evidence`.  Bound to the tenant and to the terms on which it was
    asked, so that what permits one authority, account or method proves nothing for another.
    """

    name = models.CharField(max_length=255, db_collation="C")  # A-labels; a wildcard has its star, mailboxes an @
    terms = models.JSONField()  # `caa.Terms`, spelled
    state = models.CharField(max_length=12, default=CaaState.VERIFYING, editable=False)
    asked_at = models.DateTimeField(default=clock.now)
    asked_by = models.CharField(max_length=60)
    checked_at = models.DateTimeField(null=True)
    reason = models.CharField(max_length=40, default="")  # a code of `lifecycle.validation.words`
    evidence = models.JSONField(default=dict)  # records, where they stood, labels asked, resolver, TTL, times

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "name", "terms"],
                condition=Q(state="verifying"),
                name="caa_one_look_at_a_time",
            ),
            models.CheckConstraint(condition=Q(state__in=[s.value for s in STORED]), name="caa_state_is_known"),
            models.CheckConstraint(
                condition=Q(state="verifying") | Q(checked_at__isnull=False),
                name="caa_answered_when_settled",
            ),
        ]
        indexes = [models.Index(fields=["tenant", "name", "asked_at"], name="caa_by_name")]

    def __str__(self) -> str:
        return f"{self.name}: {self.state}"


class PublishingWay(TenantModel):
    """How the portal publishes proofs for a tenant by itself: DNS updates (RFC 2136) or a webhook of the tenant's.

    The secret (TSIG key, hook key) is sealed for the publishing worker alone; nothing shows it again.
    """

    KINDS = ("rfc2136", "webhook")

    title = models.CharField(max_length=80)
    kind = models.CharField(max_length=10)
    address = models.CharField(max_length=300)  # rfc2136: host:port of the primary server; webhook: its https address
    zone = models.CharField(max_length=255, default="", db_collation="C")  # rfc2136: the zone that takes updates
    key_name = models.CharField(max_length=255, default="")  # rfc2136: of the TSIG key
    algorithm = models.CharField(max_length=20, default="")  # rfc2136: of the TSIG key, such as hmac-sha256
    sealed_secret = models.BinaryField()
    made_at = models.DateTimeField(default=clock.now)
    made_by = models.CharField(max_length=60)
    retired_at = models.DateTimeField(null=True)  # nothing is published through it any more
    tried_at = models.DateTimeField(null=True)
    said = models.CharField(max_length=300, default="")  # what the last try met; empty where it succeeded

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(kind__in=["rfc2136", "webhook"]), name="publishing_kind_is_known"),
        ]
        indexes = [models.Index(fields=["tenant", "title", "id"], name="publishing_by_title")]

    def __str__(self) -> str:
        return self.title


class Domain(TenantModel):
    """A domain or mailbox that a tenant claims; unique in the tenant, so that nobody learns what others claim."""

    KINDS = ("dns", "mailbox")

    name = models.CharField(max_length=255, db_collation="C")  # A-labels, lower case, no star; or a mailbox
    kind = models.CharField(max_length=10)
    method = models.SlugField(max_length=40, db_index=False)  # the one that it is to be proven by next
    publishing = TenantKey(PublishingWay, null=True, related_name="+")  # None: somebody publishes by hand
    added_at = models.DateTimeField(default=clock.now)
    added_by = models.CharField(max_length=60)
    proved_at = models.DateTimeField(null=True)  # of the newest proof, for lists to sort by; `DomainControl` decides
    retired_at = models.DateTimeField(null=True)  # nobody is warned about it any more; its proofs count no more

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "name"], name="domain_once_a_tenant"),
            models.CheckConstraint(condition=Q(kind__in=["dns", "mailbox"]), name="domain_kind_is_known"),
        ]
        indexes = [
            models.Index(fields=["tenant", "proved_at", "id"], name="domain_by_proof"),
            models.Index(fields=["tenant", "added_at", "id"], name="domain_by_addition"),
        ]

    def __str__(self) -> str:
        return self.name


class DomainControl(TenantModel):
    """One attempt to prove control of a domain by one method (BR 3.2.2.4), and the proof once it succeeded.

    `value` is what is published, random, for this tenant, domain and method alone; empty for methods by e-mail, where
    the link of the mail carries it.  How long a proof counts, `lifecycle.validation.reuse` derives by date.
    """

    domain = TenantKey(Domain, related_name="controls")
    method = models.SlugField(max_length=40, db_index=False)
    value = models.CharField(max_length=120, default="")
    nonce = models.CharField(max_length=40, default="")  # methods by e-mail: what makes each link a new one
    sent_to = models.CharField(max_length=254, default="")  # methods by e-mail: the address
    automatic = models.BooleanField(default=False)  # the portal publishes it by itself
    state = models.CharField(max_length=12, default=ControlState.PENDING, editable=False)
    asked_at = models.DateTimeField(default=clock.now)
    asked_by = models.CharField(max_length=60)
    ends_at = models.DateTimeField()  # the deadline of its value (C18)
    proved_at = models.DateTimeField(null=True)
    rules = models.CharField(max_length=40)  # document and version of the rules it was proven under, as "BR 2.2.6"
    corroborated = models.BooleanField(default=False)  # enough remote perspectives saw the same (BR 3.2.2.9)
    dnssec = models.CharField(max_length=10, default="")  # "secure" or "insecure" where the DNS was asked
    reason = models.CharField(max_length=40, default="")  # why it is over, or what the newest look met

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "domain", "method"],
                condition=Q(state__in=["pending", "verifying"]),
                name="control_one_attempt_at_a_time",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["pending", "verifying", "proved", "failed"]), name="control_state_is_known"
            ),
            models.CheckConstraint(
                condition=Q(state="proved", proved_at__isnull=False) | (~Q(state="proved") & Q(proved_at__isnull=True)),
                name="control_proved_when_proved",
            ),
        ]
        indexes = [
            models.Index(fields=["tenant", "domain", "asked_at"], name="control_by_domain"),
            models.Index(fields=["tenant", "ends_at"], name="control_open_ones", condition=Q(state="pending")),
        ]

    def __str__(self) -> str:
        return f"{self.method}: {self.state}"


class ControlLook(TenantModel):
    """One look for a proof: what the primary perspective and every remote one saw.  Never changes (BR 5.4.1)."""

    control = TenantKey(DomainControl, related_name="looks")
    at = models.DateTimeField(default=clock.now)
    reason = models.CharField(max_length=40)  # a code of `lifecycle.validation.diagnosis`; "seen" where it is there
    evidence = models.JSONField()  # observations of the primary and of every perspective, and what the quorum says

    class Meta:
        indexes = [models.Index(fields=["tenant", "control", "at"], name="look_by_control")]

    def __str__(self) -> str:
        return self.reason


class CaaSurvey(TenantModel):
    """What stood on a name and on every label above it, for the adviser.  Nothing is issued on it.

    Unlike a look it is bound to no terms and goes on above the records that count, so that people see what those
    overrule.
    """

    name = models.CharField(max_length=255, db_collation="C")  # as `CaaCheck.name`
    asked_at = models.DateTimeField(default=clock.now)
    asked_by = models.UUIDField()  # the person: how many they may ask for is counted
    answered_at = models.DateTimeField(null=True)
    seen = models.JSONField(default=dict)  # `surveying`: what a look came to, and what stood on each label

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "name"], condition=Q(answered_at=None), name="survey_one_at_a_time"
            ),
        ]
        indexes = [
            models.Index(fields=["tenant", "name", "asked_at"], name="survey_by_name"),
            models.Index(fields=["tenant", "asked_by", "asked_at"], name="survey_by_person"),
        ]

    def __str__(self) -> str:
        return self.name


class ProofNotice(TenantModel):
    """That a person was told of a proof or of an attempt, for one occasion; once."""

    control = TenantKey(DomainControl, related_name="+")
    person_id = models.UUIDField()
    occasion = models.CharField(max_length=20)  # of `lifecycle.validation.warning`
    at = models.DateTimeField(default=clock.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "control", "person_id", "occasion"], name="proof_notice_once"),
        ]

    def __str__(self) -> str:
        return self.occasion
