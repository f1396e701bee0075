"""What must hold after every step of a walk, beyond what `tests.drills.invariants` asks of every drill.

Queries that must find nothing, read past row-level security over the rows of all tenants; none asks the code it judges.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from psycopg2.extensions import cursor as Cursor  # noqa: N812 - it is a class

from lifecycle.requests.states import LIFE
from portal.foundation import clock
from tests.stateful.surroundings import Dns, Judged

REQUEST, ATTEMPT, CERTIFICATE = "requests_certificaterequest", "requests_issuanceattempt", "certificates_certificate"
REVOCATION, EVENT = "certificates_revocation", "audit_auditevent"

_LIFE = f"""
SELECT subject, count(*) AS steps, (array_agg(target ORDER BY id DESC))[1] AS last, bool_and(source = before) AS whole
  FROM (SELECT id, subject, facts ->> 'source' AS source, facts ->> 'target' AS target,
               lag(facts ->> 'target', 1, 'draft') OVER (PARTITION BY subject ORDER BY id) AS before
          FROM {EVENT} WHERE code LIKE 'request:%%' AND facts ? 'source') AS each GROUP BY subject"""

_ENOUGH = """
(SELECT count(DISTINCT a.reviewer) FROM requests_approval a
  WHERE a.request_id = r.id AND a.approves AND a.reviewer <> r.requested_by)"""

PROMISES: dict[str, str] = {
    "I2: a key has two certificates": f"""
        SELECT spki_sha256 FROM {CERTIFICATE} GROUP BY tenant_id, spki_sha256 HAVING count(*) > 1""",
    "I5: the journal tells another life than the row": f"""
        SELECT r.number FROM {REQUEST} r LEFT JOIN ({_LIFE}) told ON told.subject = r.id::text
         WHERE coalesce(told.last, 'draft') <> r.state OR coalesce(told.steps, 0) <> r.revision OR NOT told.whole""",
    "I5: an arrow that LIFE does not have": f"""
        SELECT DISTINCT concat_ws(' ', facts ->> 'source', split_part(code, ':', 2), facts ->> 'target') FROM {EVENT}
         WHERE code LIKE 'request:%%' AND facts ? 'source' AND concat_ws('/', facts ->> 'source',
               split_part(code, ':', 2), facts ->> 'target') <> ALL (%(arrows)s)""",
    "I5: an effect and its line in the journal do not go together": f"""
        (SELECT 'begun', id::text FROM {REQUEST}
         UNION ALL SELECT 'acceptance', certificate_request::text FROM policies_agreementacceptance
         UNION ALL SELECT 'factor', id::text FROM auth2fa_challenge WHERE spent_at IS NOT NULL
         UNION ALL SELECT 'look', id::text || state FROM validation_caacheck WHERE state <> 'verifying'
         UNION ALL SELECT 'policy', id::text FROM policies_policy WHERE made_by <> 'test'
         UNION ALL SELECT 'agreement', id::text FROM policies_subscriberagreement WHERE version > 1)
        EXCEPT ALL
        (SELECT CASE code WHEN 'request:begin' THEN 'begun' WHEN 'factor:spend' THEN 'factor'
                     WHEN 'agreement:accept' THEN 'acceptance' WHEN 'agreement:publish' THEN 'agreement'
                     WHEN 'policy:change' THEN 'policy' WHEN 'caa:permit' THEN 'look' WHEN 'caa:refuse' THEN 'look' END,
                CASE code WHEN 'agreement:accept' THEN facts ->> 'request' WHEN 'caa:permit' THEN subject || 'verified'
                     WHEN 'caa:refuse' THEN subject || 'failed' ELSE subject END
           FROM {EVENT})""",
    "I6: went past its review without enough reviewers": f"""
        SELECT r.number FROM {REQUEST} r JOIN policies_policy p ON p.id = r.policy_id
         WHERE r.state IN ('ready', 'executing', 'completed') AND {_ENOUGH} < p.approvals""",
    "I6: was judged by its own requester": f"""
        SELECT r.number FROM {REQUEST} r
          JOIN requests_approval a ON a.request_id = r.id AND a.reviewer = r.requested_by""",
    "I6: was submitted without the factor that its policy wants": f"""
        SELECT r.number FROM {REQUEST} r JOIN policies_policy p ON p.id = r.policy_id AND p.factor <> ''
         WHERE r.submitted_at IS NOT NULL AND NOT EXISTS (SELECT 1 FROM auth2fa_challenge c WHERE c.id = r.challenge
               AND c.person_id = r.requested_by AND c.tenant_id = r.tenant_id AND c.spent_at IS NOT NULL)""",
    "I6: one answer of a factor for two requests": f"""
        SELECT challenge::text FROM {REQUEST} WHERE challenge IS NOT NULL AND submitted_at IS NOT NULL
         GROUP BY challenge HAVING count(*) > 1""",
    "I6: was submitted without the consent that its policy wants": f"""
        SELECT r.number FROM {REQUEST} r JOIN policies_policy p ON p.id = r.policy_id AND p.agreement <> ''
         WHERE r.submitted_at IS NOT NULL AND NOT EXISTS (SELECT 1 FROM policies_agreementacceptance a
               WHERE a.certificate_request = r.id AND a.person_id = r.requested_by)""",
    "I6: was submitted under rules that were over or switched off": f"""
        SELECT r.number FROM {REQUEST} r JOIN policies_policy p ON p.id = r.policy_id
         WHERE r.submitted_at IS NOT NULL AND (NOT p.enabled OR EXISTS (SELECT 1 FROM policies_policy later
               WHERE later.tenant_id = p.tenant_id AND later.profile = p.profile AND later.operation = p.operation
                 AND later.version > p.version AND later.made_at < r.submitted_at))""",
    "I7: was rejected, and nobody says why": f"""
        SELECT r.number FROM {REQUEST} r WHERE r.state = 'rejected' AND NOT EXISTS (
               SELECT 1 FROM requests_approval a WHERE a.request_id = r.id AND NOT a.approves AND a.comment <> '')""",
}
"""What is broken if the query finds something."""

_ALL = " UNION ALL ".join(
    f"SELECT '{words}' AS broken, array_agg(found::text) FROM ({query}) AS found HAVING count(*) > 0"
    for words, query in PROMISES.items()
)
_ARROWS = ["/".join(map(str, arrow)) for arrow in LIFE.arrows]


def broken(owner: Cursor) -> list[str]:
    """Return what does not hold now, each with the rows that show it."""
    owner.execute(_ALL, {"arrows": _ARROWS})
    return [f"{words}: {', '.join(rows)}" for words, rows in owner.fetchall()]


_BEFORE_SIGNING = f"""
SELECT r.id::text, a.leased_until, r.answers #> '{{domains,names}}', p.checks_caa, ARRAY_REMOVE(ARRAY[
       CASE WHEN a.outcome <> 'open' OR a.leased_until <= %(now)s THEN 'I3: its attempt is over' END,
       CASE WHEN r.state <> 'executing' THEN 'I5: its request is ' || r.state END,
       CASE WHEN t.suspended_at IS NOT NULL OR t.closes_at <= %(now)s THEN 'I6: its tenant is at rest' END,
       CASE WHEN NOT p.enabled THEN 'I6: the operation is switched off' END,
       CASE WHEN {_ENOUGH} < p.approvals THEN 'I6: not enough reviewers' END,
       CASE WHEN EXISTS (SELECT 1 FROM certificates_compromisedkey k WHERE k.spki_sha256 = a.spki_sha256)
            THEN 'I6: its key is compromised' END,
       CASE WHEN EXISTS (SELECT 1 FROM {CERTIFICATE} c WHERE c.made_from = r.id) THEN 'I2: there is one already' END,
       CASE WHEN EXISTS (SELECT 1 FROM {REVOCATION} v WHERE v.certificate_id = r.predecessor_id AND v.at < a.opened_at)
            THEN 'I6: the old certificate is revoked' END,
       CASE WHEN EXISTS (SELECT 1 FROM {CERTIFICATE} c WHERE c.id = r.predecessor_id AND c.not_after <= a.opened_at)
            THEN 'I6: the old certificate is over' END], NULL)
  FROM {ATTEMPT} a JOIN {REQUEST} r ON r.id = a.request_id JOIN policies_policy p ON p.id = r.policy_id
  JOIN tenancy_tenant t ON t.id = r.tenant_id WHERE a.serial = %(serial)s"""

_NEWEST_LOOK = """
SELECT state, checked_at FROM validation_caacheck
 WHERE name = %s AND state <> 'verifying' ORDER BY asked_at DESC, id DESC LIMIT 1"""

USABLE = timedelta(hours=8)  # BR 3.2.2.8


@dataclass(frozen=True)
class Witness:
    """Says of a serial, at the moment when the signer is asked, what stands against it (I2, I3, I6)."""

    owner: Cursor
    dns: Dns

    def __call__(self, serial: str) -> Judged | None:
        now = clock.now()
        self.owner.execute(_BEFORE_SIGNING, {"serial": serial, "now": now})
        found = self.owner.fetchone()
        if found is None:
            return None
        request, until, names, asks_dns, complaints = found
        if asks_dns:
            complaints += [f"I6: {name} is not known to permit" for name in names if not self._permits(name, now)]
        return Judged(request, until, tuple(complaints))

    def _permits(self, name: str, now: datetime) -> bool:
        """Whether the DNS itself said so within the time that counts, and nothing else was heard since."""
        said = self.dns.answered.get(name)
        self.owner.execute(_NEWEST_LOOK, [name])
        state, at = self.owner.fetchone() or ("", now - 2 * USABLE)
        return said is not None and said > now - USABLE and state == "verified" and at > now - USABLE


_TABLES = """
SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id'
 WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' ORDER BY 1"""

_NEWEST = "count(*), max(xmin::text::bigint)"


class Prints:
    """How many rows each tenant has, and which transaction wrote the newest: where both stay, nothing happened."""

    def __init__(self, owner: Cursor) -> None:
        self._owner = owner
        owner.execute(_TABLES)
        self._query = " UNION ALL ".join(
            f"SELECT coalesce(tenant_id::text, ''), '{table}', {_NEWEST} FROM {table} GROUP BY 1"
            for (table,) in owner.fetchall()
        )

    def take(self) -> Mapping[str, Mapping[str, tuple[int, int]]]:
        self._owner.execute(self._query)
        found: dict[str, dict[str, tuple[int, int]]] = {}
        for tenant, table, rows, newest in self._owner.fetchall():
            found.setdefault(tenant, {})[table] = (rows, newest)
        return found
