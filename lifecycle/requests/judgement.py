"""Whether a request that was submitted may still be issued: the signing worker's own look at the stored rows.

A web service that somebody took over can ask, not decide: what policy, consent and
second factor demand is read here again, under the versions that the request names.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import TypeVar
from uuid import UUID

from django.db import connection, models
from django.utils.translation import gettext as _

from auth2fa.challenges import digest
from lifecycle.authorities.models import CertificateProfile, Trust
from lifecycle.certificates.models import Certificate
from lifecycle.policies.models import Policy
from lifecycle.policies.rules import Looked, PolicyForbids, Proposal, Source, Verdict, enforce
from lifecycle.requests.controls import judged as controlled
from lifecycle.requests.controls import names_to_prove, proofs_of
from lifecycle.requests.kinds import UseCase
from lifecycle.requests.looks import caa_terms, judged, needs_looks
from lifecycle.requests.models import CertificateRequest
from lifecycle.requests.orders import alternative_names_of, names_to_check, not_after_of
from lifecycle.validation.models import CaaCheck, DomainControl
from portal.foundation import clock
from portal.foundation.tenancy.context import current_tenant_id
from portal.foundation.tenancy.models import Tenant

Row = TypeVar("Row", bound=models.Model)

_SOURCE = {field.attname: field.column for field in Certificate._meta.concrete_fields}  # noqa: SLF001 - documented
_WITH: dict[type[models.Model], tuple[str, ...]] = {CertificateProfile: ("authority",)}


class LookAgain(Exception):
    """Looks at names or proofs of control are missing or too old: they belong to the validation worker (C17, C18)."""


GROWS_OLD = frozenset({"caa-permits", "domain-proven"})
"""Rules about what was seen outside, which the validation worker may look at once more."""


class MayNotBeIssued(Exception):
    """A stored row is missing or says no; the sentence is for the person who asked."""


# One query, written out: Django takes three milliseconds to compose it.  Who locks the request is the only one who
# may open an attempt for it.
_TO_JUDGE = f"""
SELECT r.*, {", ".join(f'source."{column}" AS "source_{column}"' for column in _SOURCE.values())},
       EXISTS (SELECT 1 FROM policies_agreementacceptance a
                WHERE a.tenant_id = r.tenant_id AND a.certificate_request = r.id
                  AND a.person_id = r.requested_by) AS agreed,
       (SELECT c.deed FROM auth2fa_challenge c
         WHERE c.id = r.challenge AND c.person_id = r.requested_by AND c.spent_at IS NOT NULL) AS spent_deed,
       (SELECT v.at FROM certificates_revocation v
         WHERE v.tenant_id = r.tenant_id AND v.certificate_id = r.predecessor_id) AS source_revoked_at,
       EXISTS (SELECT 1 FROM certificates_certificate c
                WHERE c.tenant_id = r.tenant_id AND c.spki_sha256 = r.answers #>> '{{key,spki}}') AS key_is_used,
       EXISTS (SELECT 1 FROM certificates_compromisedkey k
                WHERE k.spki_sha256 = r.answers #>> '{{key,spki}}') AS key_is_compromised,
       (SELECT count(DISTINCT a.reviewer) FROM requests_approval a
         WHERE a.tenant_id = r.tenant_id AND a.request_id = r.id AND a.approves
           AND a.reviewer <> r.requested_by) AS approved_by,
       EXISTS (SELECT 1 FROM policies_policy mine JOIN policies_policy later
                   ON later.tenant_id = mine.tenant_id AND later.profile = mine.profile
                  AND later.operation = mine.operation AND later.version > mine.version
                WHERE mine.tenant_id = r.tenant_id AND mine.id = r.policy_id
                  AND later.made_at <= r.submitted_at) AS policy_was_over,
       EXISTS (SELECT 1 FROM authorities_certificateprofile mine JOIN authorities_certificateprofile later
                   ON later.tenant_id = mine.tenant_id AND later.slug = mine.slug AND later.version > mine.version
                WHERE mine.tenant_id = r.tenant_id AND mine.id = r.profile_id
                  AND later.made_at <= r.submitted_at) AS profile_was_over,
       (SELECT jsonb_agg(newest) FROM (
           SELECT DISTINCT ON (c.name, c.terms) c.name, c.terms, c.state, c.reason, c.checked_at
             FROM validation_caacheck c
            WHERE c.tenant_id = r.tenant_id AND c.state <> 'verifying'
              AND c.name = ANY (ARRAY(
                  SELECT each #>> '{{}}' FROM jsonb_path_query(r.answers, '$.domains.names[*]') each))
            ORDER BY c.name, c.terms, c.asked_at DESC, c.id DESC) newest) AS looks
  FROM requests_certificaterequest r
  LEFT JOIN certificates_certificate source ON source.tenant_id = r.tenant_id AND source.id = r.predecessor_id
 WHERE r.tenant_id = %(tenant)s AND r.id = %(request)s
   FOR UPDATE OF r
"""  # noqa: S608 - the columns are the model's


def request_to_judge(pk: UUID) -> CertificateRequest | None:
    """Lock a request and read everything its judgement needs."""
    tenant = current_tenant_id()
    for request in CertificateRequest.objects.raw(_TO_JUDGE, {"tenant": tenant, "request": pk}):
        request.tenant = _known(Tenant, tenant)
        request.profile = _known(CertificateProfile, request.profile_id)
        request.policy = _known(Policy, request.policy_id)
        if request.predecessor_id:
            columns = [getattr(request, f"source_{column}") for column in _SOURCE.values()]
            request.predecessor = Certificate.from_db(connection.alias, list(_SOURCE), columns)
        return request
    return None


@lru_cache(maxsize=10_000)
def _known(model: type[Row], pk: UUID) -> Row:
    """Read a row that never changes once for the life of this process.

    Versions have a trigger that keeps them; a tenant's slug stands in every certificate it was ever issued.
    Only a row that the unit of work's own request names is looked up, and keys do not cross tenants.
    """
    return model._default_manager.select_related(*_WITH.get(model, ())).get(pk=pk)  # noqa: SLF001 - documented


def judge(request: CertificateRequest, *, authority: UUID) -> None:
    """Raise `MayNotBeIssued` unless every row that policy, consent and factor demand is there (0.R12, 0.R33).

    *authority* came with the errand, which the web service wrote; only the profile's own may sign.
    """
    if request.profile.authority_id != authority:
        raise MayNotBeIssued(_("The request was sent to an authority that does not issue this kind of certificate."))
    promised = request.policy.agreement or request.profile.trust != Trust.PRIVATE  # BR and S/MIME BR 9.6.3
    if promised and not request.agreed:  # type: ignore[attr-defined]
        raise MayNotBeIssued(_("The consent to the subscriber agreement is missing."))
    if not _is_confirmed(request):
        raise MayNotBeIssued(_("The second factor was not given for what this request says now."))
    if request.policy_was_over or request.profile_was_over:  # type: ignore[attr-defined]
        raise MayNotBeIssued(_("The rules for this kind of certificate had changed before the request was submitted."))
    if request.approved_by < request.policy.approvals:  # type: ignore[attr-defined]
        raise MayNotBeIssued(_("Not as many reviewers approved this request as its policy wants."))
    proposal = _proposal(request)
    try:
        enforce(proposal)
    except PolicyForbids as refusal:
        if all(broken.rule.slug in GROWS_OLD for broken in refusal.broken) and not _forbidden(proposal):
            raise LookAgain from refusal
        raise MayNotBeIssued(str(refusal)) from refusal


def _forbidden(proposal: Proposal) -> bool:
    """Whether somebody's word stands against it; of names that are not proven yet nobody knows what it will be."""
    if not all(proof.counts for proof in proposal.proven):
        return False
    return any(looked.verdict is Verdict.FORBIDS for looked in proposal.looked)


def _looked(request: CertificateRequest, proofs: Mapping[str, DomainControl]) -> tuple[Looked, ...]:
    """Judge the looks that the query found: by the names that the draft kept, which the web service wrote.

    So those have to be the names that the certificate will have.
    """
    if not needs_looks(request):
        return ()
    names = names_to_check(request)
    if request.answers.get("domains", {}).get("names") != names:
        raise MayNotBeIssued(_("The names that were checked are not those that the certificate would have."))
    terms = {name: theirs.spelled() for name, theirs in caa_terms(request, proofs).items()}
    checks = {
        row["name"]: CaaCheck(**{**row, "checked_at": datetime.fromisoformat(row["checked_at"])})
        for row in json.loads(request.looks or "[]")  # type: ignore[attr-defined]
        if row["terms"] == terms.get(row["name"])
    }
    return judged(names, checks, clock.now())


def reports_compromise(request: CertificateRequest) -> bool:
    """Whether somebody really said, by a submitted request, that others may know the old certificate's key."""
    return request.submitted_at is not None and request.use_case == UseCase.COMPROMISED and _is_confirmed(request)


def _is_confirmed(request: CertificateRequest) -> bool:
    """Whether the second factor that the policy demands was spent on what the request says."""
    if not request.policy.factor:
        return True
    return bool(request.spent_deed == digest(request.purpose, request.digest()))  # type: ignore[attr-defined]


def _proposal(request: CertificateRequest) -> Proposal:
    """The facts of `proposals.of_request`, as rows that this query has read already."""
    now = clock.now()
    not_before = now.replace(microsecond=0)
    old = request.predecessor
    proofs = proofs_of(request)  # one query, and none where nothing has to be proven
    source = (
        None
        if old is None
        else Source(
            not_after=old.not_after,
            revoked_at=request.source_revoked_at,  # type: ignore[attr-defined]
            spki_sha256=old.spki_sha256,
            open_request="",  # the database lets no second one in
        )
    )
    return Proposal(
        operation=request.kind,
        enabled=request.policy.enabled,
        now=now,
        trust=request.profile.trust,
        longest_life=request.profile.terms.lifetime,
        source=source,
        not_before=not_before,
        not_after=not_after_of(request, not_before),
        spki_sha256=request.answers["key"]["spki"],
        key_is_used=request.key_is_used,  # type: ignore[attr-defined]
        key_is_compromised=request.key_is_compromised,  # type: ignore[attr-defined]
        names=len(alternative_names_of(request)),
        limits=request.policy.limits,
        looked=_looked(request, proofs),
        proven=controlled(names_to_prove(request), proofs),
    )
