"""Fences one to three: no unit of work, no rows; and in one, no rows but the tenant's own."""

import asyncio
import inspect
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID, uuid4

import pytest
from django.apps import apps
from django.db import DatabaseError, IntegrityError, OperationalError, ProgrammingError, connection, transaction
from django.db.models import Count, Prefetch
from psycopg2.errors import CheckViolation, ForeignKeyViolation

from auth2fa.models import Challenge
from lifecycle.authorities.models import CertificateProfile
from lifecycle.policies.models import Policy, SubscriberAgreement
from lifecycle.requests.models import CertificateRequest
from portal.foundation.access.models import Membership
from portal.foundation.audit.models import record
from portal.foundation.tenancy.context import (
    acting_as,
    acting_for,
    current_person_id,
    current_tenant_id,
    current_unit,
)
from portal.foundation.tenancy.errors import NoTenant
from portal.foundation.tenancy.models import PLATFORM, TenantModel
from portal.grants import GRANTS
from tests.world import begun, serving

pytestmark = pytest.mark.django_db


@pytest.fixture
def theirs(hank, globex):
    """A draft of globex, which nobody of acme may meet."""
    return begun(hank, globex)


@pytest.fixture
def ours(petra, acme):
    return begun(petra, acme)


def raw(query, *args):
    with connection.cursor() as cursor:
        cursor.execute(query, args)
        return cursor.fetchall() if cursor.description else cursor.rowcount


def everything(owner):
    owner.execute("SELECT id, state, revision, answers FROM requests_certificaterequest ORDER BY id")
    return owner.fetchall()


WITHOUT_A_UNIT = {
    "all": lambda: list(CertificateRequest.objects.all()),
    "filter": lambda: CertificateRequest.objects.filter(state="draft"),
    "get": lambda: CertificateRequest.objects.get(pk=uuid4()),
    "count": CertificateRequest.objects.count,
    "exists": CertificateRequest.objects.exists,
    "explain": CertificateRequest.objects.explain,
    "aggregate": lambda: CertificateRequest.objects.aggregate(Count("pk")),
    "iterator": lambda: next(CertificateRequest.objects.iterator()),
    "first": CertificateRequest.objects.first,
    "latest": lambda: CertificateRequest.objects.latest("made_at"),
    "in_bulk": CertificateRequest.objects.in_bulk,
    "values": lambda: CertificateRequest.objects.values("pk"),
    "none": CertificateRequest.objects.none,
    "raw": lambda: list(CertificateRequest.objects.raw("SELECT * FROM requests_certificaterequest")),
    "update": lambda: CertificateRequest.objects.update(why_failed="touched"),
    "delete": lambda: CertificateRequest.objects.all().delete(),
    "create": lambda: CertificateRequest.objects.create(kind="issue"),
    "get_or_create": lambda: CertificateRequest.objects.get_or_create(kind="issue"),
    "update_or_create": lambda: CertificateRequest.objects.update_or_create(kind="issue"),
    "bulk_update": lambda: CertificateRequest.objects.bulk_update([], ["why_failed"]),
    "select_for_update": CertificateRequest.objects.select_for_update,
    "a row of its own": lambda: CertificateRequest(kind="issue"),
    "acount": lambda: asyncio.run(CertificateRequest.objects.acount()),
}


@pytest.mark.parametrize("deed", WITHOUT_A_UNIT)
def test_outside_a_unit_of_work_there_is_no_tenant_data(owner, ours, theirs, deed):
    before = everything(owner)
    with pytest.raises(NoTenant):
        WITHOUT_A_UNIT[deed]()
    assert everything(owner) == before


ARGUMENTS = ((), ("pk",), ([],), ([], ["pk"]), ("made_at", "day"), ("made_at", "day", "ASC"))


def test_every_query_that_the_manager_knows_is_covered_and_not_only_those_somebody_thought_of(ours, theirs):
    manager = CertificateRequest.objects
    not_queries = {"check", "contribute_to_class", "deconstruct", "db_manager", "from_queryset"}
    names = {name for name in dir(manager) if not name.startswith("_") and callable(getattr(manager, name))}
    queries = {name for name in names - not_queries if not inspect.iscoroutinefunction(getattr(manager, name))}
    assert len(queries) > 40
    assert {name for name in queries if not refuses(getattr(manager, name))} == set()


def refuses(query):
    for arguments in ARGUMENTS:
        try:
            query(*arguments)
        except NoTenant:
            return True
        except TypeError:
            continue  # those were not its arguments
    return False


def test_without_a_unit_of_work_raw_queries_meet_a_table_without_rows(ours, theirs):
    assert raw("SELECT count(*) FROM requests_certificaterequest") == [(0,)]
    assert raw("SELECT count(*) FROM access_membership") == [(0,)]
    assert CertificateRequest._base_manager.count() == 0
    assert raw("UPDATE requests_certificaterequest SET why_failed = 'touched'") == 0


def test_units_of_work_do_not_nest(acme, globex):
    with acting_for(acme.pk):
        for inner in (acting_for(globex.pk), acting_for(acme.pk), acting_as(uuid4())):
            with pytest.raises(NoTenant, match="open already"), inner:
                pass
        assert current_tenant_id() == acme.pk
        assert raw("SELECT current_setting('portal.tenant')") == [(str(acme.pk),)]
    with acting_as(uuid4()), pytest.raises(NoTenant, match="open already"), acting_for(acme.pk):
        pass


def test_a_unit_of_work_cannot_hide_in_somebody_elses_transaction(acme):
    with transaction.atomic(), pytest.raises(RuntimeError, match="durable"), acting_for(acme.pk):
        pass
    assert current_unit() is None


def test_a_unit_of_work_is_all_or_nothing(owner, acme, petra):
    def half_a_deed():
        with acting_for(acme.pk, person=petra.pk):
            record(actor=petra.pk, code="test:one", subject="x")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        half_a_deed()
    owner.execute("SELECT count(*) FROM audit_auditevent")
    assert owner.fetchone() == (0,)
    assert current_unit() is None


WAYS_TO_LOOK = {
    "the manager": lambda pk: CertificateRequest.objects.filter(pk=pk).exists(),
    "the base manager": lambda pk: CertificateRequest._base_manager.filter(pk=pk).exists(),
    "a query written by hand": lambda pk: bool(raw("SELECT 1 FROM requests_certificaterequest WHERE id = %s", str(pk))),
    "a join": lambda pk: bool(
        raw(
            "SELECT 1 FROM tenancy_tenant t JOIN requests_certificaterequest r ON r.tenant_id = t.id WHERE r.id = %s",
            str(pk),
        )
    ),
    "raw()": lambda pk: bool(
        list(CertificateRequest.objects.raw("SELECT * FROM requests_certificaterequest WHERE id = %s", [str(pk)]))
    ),
    "a lock": lambda pk: bool(CertificateRequest._base_manager.select_for_update().filter(pk=pk)),
    "a look before and after, in one statement": lambda pk: bool(
        raw(
            "WITH found AS (SELECT id FROM requests_certificaterequest WHERE id = %s UNION ALL"
            " SELECT id FROM requests_certificaterequest WHERE id = %s) SELECT 1 FROM found",
            str(pk),
            str(pk),
        )
    ),
}


@pytest.mark.parametrize("way", WAYS_TO_LOOK)
def test_no_way_of_looking_finds_another_tenants_row(acme, ours, theirs, way):
    with acting_for(acme.pk):
        assert WAYS_TO_LOOK[way](ours.pk)
        assert not WAYS_TO_LOOK[way](theirs.pk)


def test_a_row_held_in_memory_cannot_be_refreshed_saved_or_deleted_from_another_tenants_unit(owner, acme, theirs):
    before = everything(owner)
    with acting_for(acme.pk):
        with pytest.raises(CertificateRequest.DoesNotExist):
            theirs.refresh_from_db()
        theirs.why_failed = "touched"
        with pytest.raises(DatabaseError):
            theirs.save(update_fields=["why_failed"])
    with acting_for(acme.pk):
        assert CertificateRequest._base_manager.filter(pk=theirs.pk).update(why_failed="touched") == 0
        assert raw("UPDATE requests_certificaterequest SET why_failed = 'touched' WHERE id = %s", str(theirs.pk)) == 0
    with serving("owner"), acting_for(acme.pk):
        assert CertificateRequest._base_manager.filter(pk=theirs.pk)._raw_delete("default") == 0
    assert everything(owner) == before


def test_related_objects_of_another_tenant_are_not_there(owner, acme, globex, ours, theirs):
    with acting_for(globex.pk):
        held = CertificateRequest.objects.get(pk=theirs.pk)
    with acting_for(acme.pk):
        with pytest.raises(CertificateProfile.DoesNotExist):
            _ = held.profile
        assert list(held.attempts.all()) == []
        related = CertificateRequest.objects.prefetch_related(
            Prefetch("attempts"), Prefetch("profile", CertificateProfile._base_manager.all())
        )
        assert {request.profile.tenant_id for request in related} == {acme.pk}


def test_no_model_shows_a_row_of_another_tenant(acme, globex, ours, theirs):
    """Every model that has a tenant, asked without its manager's help."""
    models = [model for model in apps.get_models() if issubclass(model, TenantModel)]
    readable = [model for model in models if "SELECT" in GRANTS[model._meta.db_table].get("web", ())]
    assert len(readable) >= 12
    for tenant in (acme, globex):
        with acting_for(tenant.pk):
            seen = {model: set(model._base_manager.values_list("tenant_id", flat=True)) for model in readable}
        assert all(tenants <= {tenant.pk} for tenants in seen.values())
        assert seen[CertificateRequest] == {tenant.pk}


def test_a_row_for_another_tenant_is_refused(owner, acme, globex):
    given = {"slug": "subscriber", "version": 9, "title": "t", "text": "t"}
    with serving("owner"):
        with pytest.raises(ProgrammingError, match="row-level security"), acting_for(acme.pk):
            SubscriberAgreement(tenant_id=globex.pk, **given).save(force_insert=True)
        with pytest.raises(ProgrammingError, match="row-level security"), acting_for(acme.pk):
            SubscriberAgreement.objects.bulk_create([SubscriberAgreement(tenant_id=globex.pk, **given)])
    owner.execute("SELECT count(*) FROM policies_subscriberagreement WHERE version = 9")
    assert owner.fetchone() == (0,)


def test_a_row_cannot_be_moved_to_another_tenant(owner, acme, globex, ours):
    with pytest.raises(ProgrammingError, match="row-level security"), acting_for(acme.pk):
        CertificateRequest.objects.filter(pk=ours.pk).update(tenant=globex)
    owner.execute("SELECT tenant_id::text FROM requests_certificaterequest")
    assert owner.fetchall() == [(str(acme.pk),)]


def test_a_reference_into_another_tenant_is_refused_although_foreign_keys_ignore_row_level_security(
    owner, acme, globex, petra
):
    with acting_for(globex.pk):
        profile = CertificateProfile.objects.first()
    with acting_for(acme.pk):
        policy = Policy.objects.first()
    with pytest.raises(IntegrityError) as refused, acting_for(acme.pk):
        CertificateRequest(kind="issue", requested_by=petra.pk, profile=profile, policy=policy).save(force_insert=True)
    assert isinstance(refused.value.__cause__, ForeignKeyViolation)
    assert "same_tenant" in str(refused.value)
    assert everything(owner) == []


def test_the_owner_of_the_tables_is_bound_as_well(table_owner, ours, theirs):
    table_owner.execute("SELECT count(*) FROM requests_certificaterequest")
    assert table_owner.fetchone() == (0,)
    table_owner.execute("UPDATE requests_certificaterequest SET why_failed = 'touched'")
    assert table_owner.rowcount == 0


@pytest.mark.parametrize("ending", ["commit", "rollback", "exception"])
def test_what_a_unit_of_work_told_postgresql_does_not_outlive_it(acme, ours, ending):
    """A used connection answers '' and not NULL; both must mean nobody."""
    unit = acting_for(acme.pk, person=ours.requested_by)
    if ending == "exception":
        with pytest.raises(ZeroDivisionError), unit:
            raise ZeroDivisionError
    else:
        with unit:
            if ending == "rollback":
                transaction.set_rollback(True)
    assert raw("SELECT current_setting('portal.tenant'), current_setting('portal.person')") == [("", "")]
    assert raw("SELECT count(*) FROM requests_certificaterequest") == [(0,)]
    assert current_unit() is None
    with pytest.raises(NoTenant):
        current_tenant_id()


def test_a_new_connection_that_nobody_told_anything_sees_nothing(ours):
    def look():
        try:
            return (
                raw("SELECT current_setting('portal.tenant', true)"),
                raw("SELECT count(*) FROM requests_certificaterequest"),
            )
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as fresh:
        assert fresh.submit(look).result() == ([(None,)], [(0,)])


def test_what_somebody_else_left_in_the_session_does_not_count_inside_a_unit(acme, globex, ours, theirs):
    raw("SELECT set_config('portal.tenant', %s, false)", str(globex.pk))
    try:
        with acting_for(acme.pk):
            assert set(CertificateRequest._base_manager.values_list("pk", flat=True)) == {ours.pk}
        with acting_as(ours.requested_by):
            assert CertificateRequest._base_manager.count() == 0
    finally:
        raw("RESET portal.tenant")


def test_a_unit_of_work_belongs_to_its_thread(acme):
    with acting_for(acme.pk), ThreadPoolExecutor(1) as other:
        assert other.submit(current_unit).result() is None


def test_a_lost_connection_leaves_no_tenant_behind(owner, acme):
    [(backend,)] = raw("SELECT pg_backend_pid()")
    owner.execute("SELECT pg_terminate_backend(%s, 5000)", [backend])
    with pytest.raises(OperationalError), acting_for(acme.pk):
        pytest.fail("the unit of work must not begin")
    assert current_unit() is None
    connection.close()
    with acting_for(acme.pk):
        assert current_tenant_id() == acme.pk


def test_a_tenant_that_does_not_exist_has_no_rows(ours, theirs):
    with acting_for(uuid4()):
        assert not CertificateRequest.objects.exists()
        assert CertificateRequest._base_manager.count() == 0


def test_what_is_no_uuid_cannot_be_told_to_postgresql_as_a_tenant(ours):
    with pytest.raises(DatabaseError), acting_for("' OR true --"):  # type: ignore[arg-type]
        CertificateRequest._base_manager.count()
    assert raw("SELECT count(*) FROM requests_certificaterequest") == [(0,)]


# --- people's own rows ----------------------------------------------------------------------------------------------


def test_a_person_sees_where_they_belong_and_nobody_elses_place(vera, petra, acme, globex):
    with acting_as(vera.pk):
        assert {row.tenant.slug for row in Membership.of_person()} == {"acme", "globex"}
    with acting_as(petra.pk):
        assert [(row.tenant.slug, row.role) for row in Membership.of_person()] == [("acme", "subscriber")]


def test_a_person_alone_has_no_tenants_rows(petra, ours):
    with acting_as(petra.pk):
        with pytest.raises(NoTenant):
            CertificateRequest.objects.exists()
        assert CertificateRequest._base_manager.count() == 0
        assert current_person_id() == petra.pk


def test_a_persons_own_rows_may_be_read_across_tenants_and_not_written(owner, petra):
    with serving("owner"), acting_as(petra.pk):
        assert raw("UPDATE access_membership SET role = 'administrator'") == 0
        assert raw("DELETE FROM access_membership") == 0
    owner.execute("SELECT count(*) FROM access_membership WHERE role = 'administrator'")
    assert owner.fetchone() == (1,)


def test_a_person_cannot_give_themselves_a_role(petra, acme, owner):
    for unit in (acting_as(petra.pk), acting_for(acme.pk, person=petra.pk)):
        with pytest.raises(IntegrityError) as refused, unit:
            raw(
                "INSERT INTO access_membership (id, tenant_id, person_id, role) VALUES (%s, %s, %s, 'administrator')",
                str(uuid4()), str(acme.pk), str(petra.pk),
            )  # fmt: skip
        assert isinstance(refused.value.__cause__, CheckViolation)
    owner.execute("SELECT count(*) FROM access_membership WHERE person_id = %s", [str(petra.pk)])
    assert owner.fetchone() == (1,)


CHALLENGE = (
    "INSERT INTO auth2fa_challenge (id, person_id, factor, settings, purpose, about, deed, notes, prompt, tries, sends,"
    " asked_at, sent_at, expires_at) VALUES (gen_random_uuid(), %s, 'email-code', '{\"tries\": 5}', 'p', 'a', 'd',"
    " '{}', '{}', 0, 1, now(), now(), now())"
)


def test_a_persons_challenges_are_theirs_alone(petra, dan, acme):
    with acting_as(petra.pk):
        raw(CHALLENGE, str(petra.pk))
        assert Challenge.objects.count() == 1
    for unit in (acting_as(dan.pk), acting_for(acme.pk, person=dan.pk), acting_for(acme.pk)):
        with unit:
            assert Challenge._base_manager.count() == 0
            assert raw("UPDATE auth2fa_challenge SET tries = 5") == 0
    with pytest.raises(NoTenant):
        Challenge.objects.exists()


def test_nobody_makes_a_challenge_for_somebody_else(owner, petra, dan):
    with pytest.raises(ProgrammingError, match="row-level security"), acting_as(dan.pk):
        raw(CHALLENGE, str(petra.pk))
    owner.execute("SELECT count(*) FROM auth2fa_challenge")
    assert owner.fetchone() == (0,)


def test_the_platforms_journal_takes_lines_from_every_unit_and_shows_them_to_none_but_its_own(petra, acme):
    with acting_as(petra.pk):
        line = record(actor=petra.pk, code="test:of-a-person", subject=petra.pk)
    assert line.tenant_id == PLATFORM == UUID(int=0)
    for unit in (acting_as(petra.pk), acting_for(acme.pk)):
        with unit:
            assert raw("SELECT count(*) FROM audit_auditevent") == [(0,)]
    with acting_for(PLATFORM):
        assert raw("SELECT code FROM audit_auditevent") == [("test:of-a-person",)]
