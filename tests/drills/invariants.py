"""The promises I1 to I7 of `security.md` 3, read from every tenant's rows, the journal and what the token was asked.

    hold(owner)                             at any moment, also while workers are in the middle of something
    hold(owner, signed=spy.signed())        the same against what the token did; read its log before the rows
    at_rest(owner, accepted, signed=…)      once nothing is left to be done: each accepted request came to its end

*owner* is a superuser's cursor, whom no fence hides anything from.  `Broken` names everything that does not hold.

    I1  no accepted request is lost            a request under way has an errand that carries it on and is not parked
    I2  one certificate for each request       it is there exactly when the request is completed, under one serial
    I3  every serial is on record, once        nothing was signed that no attempt names, nor twice; orphans are listed
    I4  no kept key is lost or overwritten     nothing to read yet: the portal keeps nobody's private key
    I5  no effect without its row, no gap      each arrow, certificate, revocation, review and notice has its line, and
                                               no line tells of what is not there; at rest, every chain verifies
    I6  an error never counts as a pass        what was stored verifies; what its policy asks for had been given
    I7  a true state and a next step           states and attempts agree; a failure has a reason, an end has its notice
"""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from hashlib import sha256
from uuid import UUID

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - it is a class

from portal.foundation.audit.sealer import seal_everything
from portal.foundation.audit.verify import verify
from portal.foundation.tenancy.models import PLATFORM
from tests.world import serving

OVER = "('completed', 'failed', 'rejected', 'withdrawn')"


class Broken(AssertionError):
    """Says which invariant does not hold, and for what."""


def hold(owner: Cursor, *, signed: Sequence[bytes] | None = None, trials: int | None = None) -> None:
    """Raise `Broken` unless every promise that can be judged at any moment is kept.

    *signed* is the SHA-256 of whatever the token was asked to sign, in any order.  Where *trials* is given, exactly so
    many of these may be nobody's certificate: that is how often keys proved themselves.
    """
    with one_moment(owner):
        found = [f"{name}: {subject}" for name, statement in STATEMENTS for subject in _column(owner, statement)]
        found += [f"I6 what is stored verifies: certificate {each}" for each in _unverified(owner)]
        if signed is not None:
            found += _signatures(owner, signed, trials)
    if found:
        raise Broken("\n".join(found[:50]))


def at_rest(
    owner: Cursor, accepted: Collection[UUID] = (), *, signed: Sequence[bytes] | None = None, trials: int | None = None
) -> None:
    """Raise `Broken` unless `hold`, all of *accepted* ended, nothing is under way, and every journal verifies."""
    hold(owner, signed=signed, trials=trials)
    owner.execute(f"SELECT id FROM requests_certificaterequest WHERE state IN {OVER}")
    ended = {UUID(str(row[0])) for row in owner.fetchall()}
    found = [f"I1 an accepted request reached no end: {each}" for each in accepted if each not in ended]
    under_way = f"SELECT id FROM requests_certificaterequest WHERE state NOT IN {OVER} AND state NOT IN {WAITING}"
    found += [f"I1 still under way: {each}" for each in _column(owner, under_way)]
    found += [f"I3 still open: attempt {each}" for each in _column(owner, OPEN_ATTEMPTS)]
    found += list(_chains(owner))
    if found:
        raise Broken("\n".join(found[:50]))


WAITING = "('draft', 'in review')"  # for a person, for as long as it takes
OPEN_ATTEMPTS = "SELECT id FROM requests_issuanceattempt WHERE outcome = 'open'"

STATEMENTS = (
    # Each selects what breaks it: nothing, while it holds.
    (
        "I1 nothing carries the request on",
        """SELECT r.id FROM requests_certificaterequest r
            WHERE r.state IN ('validating', 'ready', 'executing') AND NOT EXISTS (
                  SELECT 1 FROM outbox_errand e
                   WHERE e.tenant_id = r.tenant_id AND e.done_at IS NULL AND e.args ->> 0 = r.id::text
                     AND e.task = CASE r.state WHEN 'validating' THEN 'lifecycle.requests.tasks.look_again'
                                               ELSE 'lifecycle.requests.tasks.execute_request' END)""",
    ),
    (
        "I1 parked, so that only an operator carries it on",
        """SELECT task || ' ' || args::text || ' ' || last_error FROM outbox_errand
            WHERE parked_at IS NOT NULL AND done_at IS NULL""",
    ),
    (
        "I2 certificates of a request",
        """SELECT r.id || ' is ' || r.state || ' and has ' || count(c.id)
             FROM requests_certificaterequest r
             LEFT JOIN certificates_certificate c ON c.tenant_id = r.tenant_id AND c.made_from = r.id
            GROUP BY r.id, r.state HAVING count(c.id) <> (r.state = 'completed')::int""",
    ),
    (
        "I2 a certificate under another serial than its request's signed attempt",
        """SELECT c.serial FROM certificates_certificate c
            WHERE c.source = 'issued' AND ARRAY[c.serial] IS DISTINCT FROM (
                  SELECT array_agg(a.serial ORDER BY a.serial) FROM requests_issuanceattempt a
                   WHERE a.tenant_id = c.tenant_id AND a.request_id = c.made_from AND a.outcome = 'signed')""",
    ),
    (
        "I3 an orphan's serial on the list that no abandoned attempt had",
        """SELECT v.serial FROM certificates_revocation v
            WHERE v.certificate_id IS NULL AND NOT EXISTS (
                  SELECT 1 FROM requests_issuanceattempt a
                   WHERE a.tenant_id = v.tenant_id AND a.authority_id = v.authority_id AND a.serial = v.serial
                     AND a.outcome = 'abandoned')""",
    ),
    (
        "I5 a request's arrows and its journal",
        """SELECT r.id || ' is ' || r.state || ' after ' || r.revision FROM requests_certificaterequest r
            WHERE (r.revision, (r.state <> 'draft')::int) <> (  -- in the order of no clock
                  SELECT count(*)::int,
                         (count(*) FILTER (WHERE j.facts ->> 'target' = r.state)
                        - count(*) FILTER (WHERE j.facts ->> 'source' = r.state))::int
                    FROM audit_auditevent j
                   WHERE j.tenant_id = r.tenant_id AND j.subject = r.id::text AND j.facts ? 'target')""",
    ),
    (
        "I5 issued certificates and their lines",
        """SELECT coalesce(c.id::text, 'no certificate for ' || j.subject)
             FROM (SELECT * FROM certificates_certificate WHERE source = 'issued') c
             FULL JOIN (SELECT * FROM audit_auditevent WHERE code = 'request:complete') j
                    ON j.tenant_id = c.tenant_id AND j.subject = c.made_from::text
                   AND j.facts ->> 'certificate' = c.id::text AND j.facts ->> 'serial' = c.serial
            WHERE c.id IS NULL OR j.id IS NULL""",
    ),
    (
        "I5 revocations and their lines",
        """SELECT coalesce(v.serial, 'no revocation for ' || j.subject)
             FROM certificates_revocation v
             FULL JOIN (SELECT * FROM audit_auditevent
                         WHERE code IN ('certificate:revoke', 'certificate:revoke-orphan')) j
                    ON j.tenant_id = v.tenant_id AND j.subject = coalesce(v.certificate_id::text, v.serial)
                   AND (j.code = 'certificate:revoke') = (v.certificate_id IS NOT NULL)
            WHERE v.id IS NULL OR j.id IS NULL""",
    ),
    (
        "I5 reviews and their lines",
        """SELECT coalesce(a.id::text, 'no review for ' || j.subject)
             FROM requests_approval a
             FULL JOIN (SELECT * FROM audit_auditevent WHERE code IN ('approval:give', 'approval:refuse')) j
                    ON j.tenant_id = a.tenant_id AND j.subject = a.request_id::text AND j.actor = a.reviewer::text
                   AND (j.code = 'approval:give') = a.approves
            WHERE a.id IS NULL OR j.id IS NULL""",
    ),
    (
        "I5 notices and their lines",
        """SELECT coalesce(n.id::text, 'no notice for ' || j.subject)
             FROM requests_notice n
             FULL JOIN (SELECT * FROM audit_auditevent WHERE code = 'notice:send') j
                    ON j.tenant_id = n.tenant_id AND j.subject = n.subject::text
                   AND j.facts ->> 'person' = n.person_id::text AND j.facts ->> 'occasion' = n.occasion
            WHERE n.id IS NULL OR j.id IS NULL""",
    ),
    (
        "I6 completed without what its policy asks for",
        """SELECT r.id FROM requests_certificaterequest r
             JOIN policies_policy p ON p.tenant_id = r.tenant_id AND p.id = r.policy_id
            WHERE r.state = 'completed' AND (
                  p.approvals > (SELECT count(DISTINCT a.reviewer) FROM requests_approval a
                                  WHERE a.tenant_id = r.tenant_id AND a.request_id = r.id AND a.approves
                                    AND a.reviewer <> r.requested_by)
               OR p.factor <> '' AND NOT EXISTS (SELECT 1 FROM auth2fa_challenge c
                      WHERE c.id = r.challenge AND c.person_id = r.requested_by AND c.spent_at IS NOT NULL)
               OR p.agreement <> '' AND NOT EXISTS (SELECT 1 FROM policies_agreementacceptance a
                      WHERE a.tenant_id = r.tenant_id AND a.certificate_request = r.id
                        AND a.person_id = r.requested_by))""",
    ),
    (
        "I6 issued although no look of the eight hours before permitted the name",
        """SELECT c.serial || ' ' || k.name
             FROM certificates_certificate c
             JOIN requests_certificaterequest r ON r.tenant_id = c.tenant_id AND r.id = c.made_from
             JOIN policies_policy p ON p.tenant_id = r.tenant_id AND p.id = r.policy_id AND p.checks_caa
            CROSS JOIN LATERAL (SELECT each #>> '{}' AS name
                                  FROM jsonb_path_query(r.answers, '$.domains.names[*]') each) k
            WHERE NOT EXISTS (SELECT 1 FROM validation_caacheck v
                               WHERE v.tenant_id = c.tenant_id AND v.name = k.name AND v.state = 'verified'
                                 AND v.checked_at BETWEEN c.issued_at - interval '8 hours' AND c.issued_at)""",
    ),
    (
        "I6 issued for a name that nobody had proven",
        """SELECT c.serial || ' ' || k.host
             FROM certificates_certificate c
             JOIN requests_certificaterequest r ON r.tenant_id = c.tenant_id AND r.id = c.made_from
             JOIN policies_policy p ON p.tenant_id = r.tenant_id AND p.id = r.policy_id AND p.proves_control
            CROSS JOIN LATERAL (SELECT regexp_replace(each #>> '{}', '^([*][.]|@)', '') AS host
                                  FROM jsonb_path_query(r.answers, '$.domains.names[*]') each) k
            WHERE NOT EXISTS (SELECT 1 FROM validation_domaincontrol v
                                JOIN validation_domain d ON d.tenant_id = v.tenant_id AND d.id = v.domain_id
                               WHERE v.tenant_id = c.tenant_id AND v.state = 'proved'
                                 AND v.proved_at BETWEEN c.issued_at - interval '398 days' AND c.issued_at
                                 AND (k.host = d.name OR k.host LIKE '%.' || d.name OR d.name LIKE '%@' || k.host))""",
    ),
    (
        "I7 an open attempt of a request that is not being carried out",
        """SELECT r.id || ' is ' || r.state FROM requests_certificaterequest r
             JOIN requests_issuanceattempt a ON a.tenant_id = r.tenant_id AND a.request_id = r.id
            WHERE a.outcome = 'open' AND r.state <> 'executing'""",
    ),
    (
        "I7 being carried out without an attempt, or failed without a reason",
        """SELECT r.id FROM requests_certificaterequest r
            WHERE r.state = 'failed' AND r.why_failed = '' OR r.state = 'executing' AND NOT EXISTS (
                  SELECT 1 FROM requests_issuanceattempt a
                   WHERE a.tenant_id = r.tenant_id AND a.request_id = r.id)""",
    ),
    (
        "I7 an end of which nobody is told",
        """SELECT r.id FROM requests_certificaterequest r
            WHERE r.state IN ('completed', 'failed', 'rejected') AND 1 <> (
                  SELECT count(*) FROM outbox_errand e
                   WHERE e.tenant_id = r.tenant_id AND e.task = 'lifecycle.requests.notices.send_notice'
                     AND e.args = jsonb_build_array(r.requested_by::text, r.id::text, 'request-' || r.state))""",
    ),
)


@contextmanager
def one_moment(owner: Cursor) -> Iterator[None]:
    """Let everything that is read inside be of the same moment, whatever workers write meanwhile."""
    owner.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
    try:
        yield
    finally:
        owner.execute("ROLLBACK")


def _column(owner: Cursor, statement: str) -> list[str]:
    owner.execute(statement)
    return [str(row[0]) for row in owner.fetchall()]


def _unverified(owner: Cursor) -> Iterator[str]:
    """Certificates that are not what was rehearsed, or that their authority did not sign (I6)."""
    owner.execute(
        """SELECT c.serial, c.der, i.certificate_der, a.rehearsal
             FROM certificates_certificate c
             JOIN authorities_certificateauthority i ON i.tenant_id = c.tenant_id AND i.id = c.authority_id
             LEFT JOIN requests_issuanceattempt a ON a.tenant_id = c.tenant_id AND a.authority_id = c.authority_id
                                                 AND a.serial = c.serial AND a.outcome = 'signed'
            WHERE c.source = 'issued'"""
    )
    for serial, der, issuer, rehearsal in owner.fetchall():
        same = rehearsal is not None and digest(bytes(rehearsal)) == digest(bytes(der))
        if not same or not _verifies(bytes(der), bytes(issuer)):
            yield serial


def _signatures(owner: Cursor, signed: Sequence[bytes], trials: int | None) -> list[str]:
    """Compare what the token did with what was written down before it was asked (I3)."""
    owner.execute(
        """SELECT a.rehearsal, a.serial, a.outcome, EXISTS (
                  SELECT 1 FROM certificates_revocation v WHERE v.certificate_id IS NULL AND v.tenant_id = a.tenant_id
                     AND v.authority_id = a.authority_id AND v.serial = a.serial)
             FROM requests_issuanceattempt a"""
    )
    attempts = {digest(bytes(rehearsal)): tuple(rest) for rehearsal, *rest in owner.fetchall()}
    times = Counter(signed)
    found = [f"I3 signed {count} times: {each.hex()}" for each, count in times.items() if count > 1]
    for asked, (serial, outcome, listed) in attempts.items():
        if outcome == "signed" and not times[asked]:
            found.append(f"I3 a certificate that the token did not sign: {serial}")
        if outcome == "abandoned" and times[asked] and not listed:
            found.append(f"I3 an orphan that may be signed is not on the list: {serial}")
    unknown = len(times.keys() - attempts.keys())
    if trials is not None and unknown != trials:
        found.append(f"I3 signatures of no attempt: {unknown}, of which {trials} were a key's trial")
    return found


def _chains(owner: Cursor) -> Iterator[str]:
    """Seal what waits, and name the first bad row of every tenant's journal (I5)."""
    with serving("relay"):
        while any(seal_everything().values()):
            pass
        for tenant in (*_column(owner, "SELECT id FROM tenancy_tenant"), str(PLATFORM)):
            if finding := verify(UUID(tenant)).finding:
                yield f"I5 the journal of tenant {tenant}: {finding}"


@lru_cache(maxsize=100_000)
def digest(der: bytes) -> bytes:
    """Return what a token is asked to sign for a certificate: SHA-256 over everything but the signature."""
    return sha256(x509.load_der_x509_certificate(der).tbs_certificate_bytes).digest()


@lru_cache(maxsize=100_000)
def _verifies(der: bytes, issuer: bytes) -> bool:
    try:
        x509.load_der_x509_certificate(der).verify_directly_issued_by(x509.load_der_x509_certificate(issuer))
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True
