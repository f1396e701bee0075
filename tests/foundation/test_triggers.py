"""What the database holds whoever writes: machines, submitted answers, rows that never change."""

import re
from itertools import product

import psycopg2
import pytest
from psycopg2 import sql
from psycopg2.errors import CheckViolation

from lifecycle.requests.states import ATTEMPT, LIFE, Outcome, State
from lifecycle.validation.models import STORED
from lifecycle.validation.states import CONTROL, LOOK, ControlState
from portal.demo.postgresql import OWNER
from portal.foundation.audit.sealer import seal_everything
from portal.foundation.states import Machine
from portal.foundation.tenancy.context import acting_for
from tests.world import begun, filled, issued, serving, submitted, token_of

pytestmark = pytest.mark.django_db

MACHINES = {
    "requests_certificaterequest": ("state", LIFE, State),
    "requests_issuanceattempt": ("outcome", ATTEMPT, Outcome),
    "validation_caacheck": ("state", LOOK, STORED),
    "validation_domaincontrol": ("state", CONTROL, ControlState),
}

BESIDE = {
    "validation_domaincontrol": "proved_at = CASE WHEN %(to)s = 'proved' THEN timestamptz '2026-01-01' END, ",
}
"""What has to be true besides of a row in a state."""

NEVER_CHANGES = {
    "access_apitoken": {"last_used_at", "revoked_at"},
    "access_invitation": {"sent_at", "expires_at", "taken_at", "taken_by", "withdrawn_at"},
    "access_look": {"ended_at"},
    "audit_auditcheckpoint": set(),
    "audit_auditevent": set(),
    "audit_auditseal": set(),
    "audit_journalkey": set(),
    "auth2fa_challenge": {
        "notes", "prompt", "tries", "sends", "sent_at", "expires_at", "answered_at", "spent_at",
    },
    "auth2fa_enrolment": {"label", "memory", "confirmed_at", "removed_at"},
    "authorities_certificateauthority": set(),
    "authorities_certificateprofile": set(),
    "authorities_crlshard": {"handed_out"},
    "certificates_certificate": set(),
    "certificates_certificatekey": set(),
    "certificates_revocation": set(),
    "policies_agreementacceptance": set(),
    "policies_policy": set(),
    "policies_subscriberagreement": set(),
    "requests_approval": set(),
    "requests_issuanceattempt": {"outcome"},
    "requests_notice": set(),
    "validation_caacheck": {"state", "checked_at", "reason", "evidence"},
    "validation_caasurvey": {"answered_at", "seen"},
    "validation_controllook": set(),
    "validation_domain": {"method", "publishing_id", "proved_at", "retired_at"},
    "validation_domaincontrol": {"state", "proved_at", "corroborated", "dnssec", "reason"},
    "validation_proofnotice": set(),
    "validation_publishingway": {"retired_at", "tried_at", "said"},
}  # fmt: skip
"""Tables whose rows are facts, and the columns of each that may still change."""

ANOTHER = {
    "uuid": "gen_random_uuid()",
    "character varying": "'?'",
    "text": "'?'",
    "integer": "{} + 1",
    "bigint": "{} + 1",
    "smallint": "{} + 1",
    "boolean": "NOT {}",
    "jsonb": "to_jsonb({}::text || 'x')",
    "bytea": "{} || 'x'::bytea",
    "timestamp with time zone": "coalesce({}, now()) + interval '1 day'",
}
"""How a column's value is made into another one of its type."""


@pytest.fixture
def machine_rows(owner, acme, petra):
    """A row of every table that has a machine."""
    certificate = issued(petra, acme)
    with acting_for(acme.pk):
        return {
            "requests_certificaterequest": str(certificate.made_from),
            "requests_issuanceattempt": str(_attempt(owner)),
            "validation_caacheck": _look(owner, acme),
            "validation_domaincontrol": _control(owner, acme),
        }


def _attempt(owner):
    owner.execute("SELECT id FROM requests_issuanceattempt")
    return owner.fetchone()[0]


def _look(owner, acme):
    owner.execute(
        "INSERT INTO validation_caacheck (id, tenant_id, name, terms, state, asked_at, asked_by, checked_at, reason,"
        " evidence) VALUES (gen_random_uuid(), %s, 'www.acme.example', '{}', 'verifying', now(), 'test', now(), '',"
        " '{}') RETURNING id::text",
        [str(acme.pk)],
    )
    return owner.fetchone()[0]


def _control(owner, acme):
    """Write down an attempt to prove a domain, with a look that saw the value and so would let it be proved."""
    for statement in _OF_DOMAINS:
        owner.execute(statement, {"tenant": str(acme.pk)})
    owner.execute("SELECT id::text FROM validation_domaincontrol")
    return owner.fetchone()[0]


_OF_DOMAINS = (
    (
        "INSERT INTO validation_domain (id, tenant_id, name, kind, method, added_at, added_by)"
        " VALUES (gen_random_uuid(), %(tenant)s, 'acme.example', 'dns', 'dns-change', now(), 'test')"
    ),
    (
        "INSERT INTO validation_domaincontrol (id, tenant_id, domain_id, method, value, nonce, sent_to, automatic,"
        " state, asked_at, asked_by, ends_at, rules, corroborated, dnssec, reason)"
        " SELECT gen_random_uuid(), tenant_id, id, method, 'v', '', '', false, 'pending', now(), 'test', now(), 'BR',"
        " false, '', '' FROM validation_domain"
    ),
    (
        "INSERT INTO validation_controllook (id, tenant_id, control_id, at, reason, evidence)"
        " SELECT gen_random_uuid(), tenant_id, id, now(), 'seen', '{}' FROM validation_domaincontrol"
    ),
)


def quietly(cursor, query, args):
    """Write past every trigger: how a row gets into a state that a test wants to leave."""
    cursor.execute("SET session_replication_role = replica")
    cursor.execute(query, args)
    cursor.execute("SET session_replication_role = origin")


def test_every_table_with_a_machine_is_in_the_table_of_this_test(owner):
    owner.execute("SELECT tgrelid::regclass::text FROM pg_trigger WHERE tgname = 'follows_machine'")
    assert {table for (table,) in owner.fetchall()} == set(MACHINES)


@pytest.mark.parametrize("table", MACHINES)
def test_the_databases_arrows_are_exactly_those_of_the_code(owner, machine_rows, table):
    column, machine, states = MACHINES[table]
    row, name = machine_rows[table], sql.Identifier(table)
    beside = sql.SQL(BESIDE.get(table, ""))
    update = sql.SQL("UPDATE {} SET {}{} = %(to)s WHERE id = %(row)s").format(name, beside, sql.Identifier(column))
    taken = set()
    for source, target in product(states, states):
        quietly(owner, update, {"to": source, "row": row})
        if follows(owner, update, {"to": target, "row": row}, f"no arrow from {source} to {target}"):
            taken.add((str(source), str(target)))
    assert {pair for pair in taken if pair[0] != pair[1]} == machine.pairs
    assert {pair for pair in taken if pair[0] == pair[1]} == {(str(state), str(state)) for state in states}


def follows(cursor, update, args, complaint):
    try:
        cursor.execute(update, args)
    except CheckViolation as refused:
        if complaint not in str(refused):
            raise
        return False
    return True


@pytest.mark.parametrize("table", MACHINES)
def test_nothing_is_born_anywhere_but_at_the_start(owner, machine_rows, table):
    column, machine, states = MACHINES[table]
    owner.execute(
        "SELECT string_agg(quote_ident(attname), ', ') FROM pg_attribute"
        " WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped AND attname NOT IN ('id', %s)",
        [table, column],
    )
    others = sql.SQL(owner.fetchone()[0])
    copy = sql.SQL("INSERT INTO {} (id, {}, {}) SELECT gen_random_uuid(), %s, {} FROM {} WHERE id = %s").format(
        sql.Identifier(table), sql.Identifier(column), others, others, sql.Identifier(table)
    )
    count = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))
    for state in set(states) - {machine.initial}:
        with pytest.raises(CheckViolation, match=f"starts at {machine.initial}, not at {state}"):
            owner.execute(copy, [state, machine_rows[table]])
    owner.execute(count)
    assert owner.fetchone() == (1,)
    with pytest.raises(psycopg2.IntegrityError, match="duplicate key"):  # the right state passes on to the next fence
        owner.execute(copy, [machine.initial, machine_rows[table]])


def test_a_state_that_no_machine_knows_is_refused_even_past_the_triggers(owner, acme, petra):
    draft = begun(petra, acme)
    with pytest.raises(CheckViolation, match="request_state_is_known"):
        quietly(owner, "UPDATE requests_certificaterequest SET state = 'done' WHERE id = %s", [str(draft.pk)])
    owner.execute("SET session_replication_role = origin")
    owner.execute("SELECT state FROM requests_certificaterequest")
    assert owner.fetchall() == [("draft",)]


@pytest.mark.parametrize(
    "change",
    [
        "answers = '{}'",
        "answers = jsonb_set(answers, '{subject,common_name}', '\"Somebody Else\"')",
        "kind = 'rekey'",
        "requested_by = gen_random_uuid()",
        "profile_id = gen_random_uuid()",
        "policy_id = gen_random_uuid()",
        "predecessor_id = gen_random_uuid()",
        "challenge = gen_random_uuid()",
    ],
)
@pytest.mark.rule("0.R35")
def test_what_was_submitted_stands_whoever_writes(owner, table_owner, acme, petra, change):
    request = submitted(petra, acme)
    owner.execute("SELECT to_jsonb(r) FROM requests_certificaterequest r")
    before = owner.fetchone()
    table_owner.execute("SELECT set_config('portal.tenant', %s, false)", [str(acme.pk)])
    for cursor in (owner, table_owner):
        with pytest.raises(CheckViolation, match="a submitted request does not change"):
            cursor.execute(f"UPDATE requests_certificaterequest SET {change} WHERE id = %s", [str(request.pk)])
    owner.execute("SELECT to_jsonb(r) FROM requests_certificaterequest r")
    assert owner.fetchone() == before


def test_a_drafts_answers_may_change_and_so_may_the_end_of_a_submitted_request(owner, acme, petra):
    draft = filled(petra, acme)
    owner.execute("UPDATE requests_certificaterequest SET answers = '{}' WHERE id = %s", [str(draft.pk)])
    request = submitted(petra, acme)
    owner.execute("UPDATE requests_certificaterequest SET why_failed = 'a note' WHERE id = %s", [str(request.pk)])
    assert owner.rowcount == 1


# --- rows that never change -----------------------------------------------------------------------------------------


def test_the_tables_that_never_change_are_those_that_say_so_in_the_database(owner):
    owner.execute(
        "SELECT tgrelid::regclass::text, pg_get_functiondef(tgfoid), tgenabled FROM pg_trigger"
        " WHERE tgname = 'never_changes'"
    )
    found = {}
    for table, body, enabled in owner.fetchall():
        assert enabled == "O"
        may = re.search(r"to_jsonb\(NEW\) - '\{(.*?)\}'", body)
        found[table] = set(filter(None, may[1].split(",")))
    assert found == NEVER_CHANGES


@pytest.fixture
def one_of_each(owner, acme, petra, a_challenge):
    """A row in every table of facts, of acme; written by the services wherever one writes it."""
    certificate = issued(petra, acme)
    token_of(petra, acme)
    with serving("relay"):
        seal_everything()
    a_challenge()
    given = {"tenant": str(acme.pk), "certificate": str(certificate.pk), "person": str(petra.pk)}
    owner.execute(
        "INSERT INTO certificates_revocation (id, tenant_id, authority_id, shard_id, serial, certificate_id, reason,"
        " at, by) SELECT gen_random_uuid(), tenant_id, authority_id, shard_id, serial, id, 'superseded', now(), 'test'"
        " FROM certificates_certificate WHERE id = %(certificate)s",
        given,
    )
    owner.execute(
        "INSERT INTO requests_notice (id, tenant_id, person_id, subject, occasion, at)"
        " VALUES (gen_random_uuid(), %(tenant)s, %(person)s, %(certificate)s, 'test', now())",
        given,
    )
    for statement in _OTHERS:
        owner.execute(statement, given)
    _look(owner, acme)
    _control(owner, acme)
    for statement in _ABOUT_DOMAINS:
        owner.execute(statement, given)


_ABOUT_DOMAINS = (
    (
        "INSERT INTO validation_proofnotice (id, tenant_id, control_id, person_id, occasion, at)"
        " SELECT gen_random_uuid(), tenant_id, id, %(person)s, 'test', now() FROM validation_domaincontrol"
    ),
    (
        "INSERT INTO validation_caasurvey (id, tenant_id, name, asked_at, asked_by, seen)"
        " VALUES (gen_random_uuid(), %(tenant)s, 'acme.example', now(), %(person)s, '{}')"
    ),
    (
        "INSERT INTO validation_publishingway (id, tenant_id, title, kind, address, zone, key_name, algorithm,"
        " sealed_secret, made_at, made_by, said) VALUES (gen_random_uuid(), %(tenant)s, 'ours', 'rfc2136', 'a:53', 'z',"
        " 'k', 'hmac-sha256', 'x', now(), 'test', '')"
    ),
)


_OTHERS = (
    (
        "INSERT INTO access_invitation (id, tenant_id, email, name, roles, invited_by, invited_at, expires_at)"
        " VALUES (gen_random_uuid(), %(tenant)s, 'new@acme.example', 'New', '[]', %(person)s, now(), now())"
    ),
    (
        "INSERT INTO access_look (id, tenant_id, person_id, reason, began_at, until)"
        " VALUES (gen_random_uuid(), %(tenant)s, %(person)s, 'test', now(), now())"
    ),
    "INSERT INTO audit_journalkey (fingerprint, spki, key_id, since) VALUES ('f', 'x', 'ab', now())",
    (
        "INSERT INTO audit_auditcheckpoint (id, tenant_id, sequence, previous, head, at, key, signature)"
        " VALUES (gen_random_uuid(), %(tenant)s, 1, 0, 'x', now(), 'f', 'x')"
    ),
    (
        "INSERT INTO auth2fa_enrolment (id, person_id, factor, label, secret, memory, made_at)"
        " VALUES (gen_random_uuid(), %(person)s, 'totp', 'phone', 'x', '{}', now())"
    ),
    (
        "INSERT INTO requests_approval (id, tenant_id, request_id, reviewer, approves, comment, at)"
        " SELECT gen_random_uuid(), tenant_id, id, gen_random_uuid(), true, '', now() FROM requests_certificaterequest"
    ),
)


@pytest.fixture
def a_challenge(owner, petra):
    """Write down a challenge that was never answered."""

    def make():
        owner.execute(
            "INSERT INTO auth2fa_challenge (id, person_id, factor, settings, purpose, about, deed, notes, prompt,"
            " tries, sends, asked_at, sent_at, expires_at) VALUES (gen_random_uuid(), %s, 'email-code',"
            " '{\"tries\": 5}', 'p', 'a', 'd', '{}', '{}', 0, 1, now(), now(), now())",
            [str(petra.pk)],
        )

    return make


@pytest.mark.rule("0.R13")
def test_no_column_of_a_fact_can_be_changed_and_no_fact_deleted_not_even_by_a_superuser(owner, one_of_each):
    tried = 0
    for table, may_change in NEVER_CHANGES.items():
        name = sql.Identifier(table)
        owner.execute(
            "SELECT attname, format_type(atttypid, NULL) FROM pg_attribute"
            " WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped",
            [table],
        )
        columns = owner.fetchall()
        owner.execute(sql.SQL("SELECT to_jsonb(t) FROM {} t ORDER BY 1").format(name))
        before = owner.fetchall()
        assert before, f"{table} holds nothing that could be changed"
        for column, kind in columns:
            if column in may_change:
                continue
            another = sql.SQL(ANOTHER[kind]).format(sql.Identifier(column))
            change = sql.SQL("UPDATE {} SET {} = {}").format(name, sql.Identifier(column), another)
            with pytest.raises(CheckViolation, match=f"rows of {table} never change"):
                owner.execute(change)
            tried += 1
        with pytest.raises(CheckViolation, match=f"rows of {table} never change"):
            owner.execute(sql.SQL("DELETE FROM {}").format(name))
        owner.execute(sql.SQL("SELECT to_jsonb(t) FROM {} t ORDER BY 1").format(name))
        assert owner.fetchall() == before
    assert tried > 100


def test_the_owner_of_the_tables_cannot_change_a_fact_either(table_owner, owner, acme, one_of_each):
    table_owner.execute("SELECT current_user, set_config('portal.tenant', %s, false)", [str(acme.pk)])
    assert table_owner.fetchone()[0] == OWNER
    for table in set(NEVER_CHANGES) - {"auth2fa_challenge", "auth2fa_enrolment"}:
        table_owner.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table)))
        assert table_owner.fetchone()[0] > 0, f"the owner sees nothing in {table}"
        column = "since" if table == "audit_journalkey" else "id"
        for deed in (f"UPDATE {{}} SET {column} = DEFAULT", "DELETE FROM {}"):
            with pytest.raises(CheckViolation, match="never change"):
                table_owner.execute(sql.SQL(deed).format(sql.Identifier(table)))


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ("tries = 3", "tries = 2"),
        ("sends = 3", "sends = 2"),
        ("sent_at = now()", "sent_at = now() - interval '1 hour'"),
        ("tries = 1, answered_at = now()", "answered_at = NULL"),
        ("tries = 1, answered_at = now()", "answered_at = now() + interval '1 hour'"),
        ("tries = 1, answered_at = now()", "tries = 2"),
        ("tries = 1, answered_at = now(), spent_at = now()", "spent_at = NULL"),
        ("tries = 1", "tries = 6"),
        ("tries = 0", "answered_at = now()"),
        ("tries = 1", "spent_at = now()"),
    ],
)
@pytest.mark.rule("0.R35")
def test_what_happened_to_a_challenge_stays_whoever_writes(owner, a_challenge, first, then):
    a_challenge()
    owner.execute(f"UPDATE auth2fa_challenge SET {first}")
    owner.execute("SELECT to_jsonb(c) FROM auth2fa_challenge c")
    before = owner.fetchall()
    with pytest.raises(CheckViolation):
        owner.execute(f"UPDATE auth2fa_challenge SET {then}")
    owner.execute("SELECT to_jsonb(c) FROM auth2fa_challenge c")
    assert owner.fetchall() == before


def test_a_machine_in_the_database_needs_one_in_the_code():
    assert all(isinstance(machine, Machine) for _column, machine, _states in MACHINES.values())
    for _column, machine, states in MACHINES.values():
        assert {state for pair in machine.pairs for state in pair} == {str(state) for state in states}
