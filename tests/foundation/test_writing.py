"""Rows written without Django's compiler: one by one, several at once, and guarded."""

from contextlib import nullcontext

import pytest
from django.db import IntegrityError, connection
from django.test.utils import CaptureQueriesContext

from lifecycle.policies.models import AgreementAcceptance, SubscriberAgreement
from lifecycle.requests.models import CertificateRequest
from portal.foundation.audit.models import AuditEvent, record
from portal.foundation.outbox.models import Errand
from portal.foundation.tenancy.context import acting_for
from portal.foundation.tenancy.errors import NoTenant
from portal.foundation.writing import change, insert, together
from tests.world import begun, submitted

pytestmark = pytest.mark.django_db


class NobodyThere(Exception):
    pass


@pytest.fixture
def draft(acme, petra):
    return begun(petra, acme)


def rename(draft: CertificateRequest, number: str, *, where: dict | None = None) -> None:
    change(CertificateRequest, where=where or {"id": draft.pk}, to={"number": number}, otherwise=NobodyThere())


def number_of(draft: CertificateRequest) -> str:
    with acting_for(draft.tenant_id):
        return CertificateRequest.objects.get(pk=draft.pk).number


def events(tenant) -> list[str]:
    with acting_for(tenant.pk):
        return list(AuditEvent.objects.filter(actor="test").order_by("pk").values_list("code", flat=True))


def statements(captured: CaptureQueriesContext) -> list[str]:
    return [query["sql"] for query in captured if "set_config" not in query["sql"]]


def test_what_is_inserted_is_what_django_reads(acme, petra, draft):
    with acting_for(acme.pk):
        agreement = SubscriberAgreement.in_force("subscriber")
        row = AgreementAcceptance(
            agreement=agreement, version=3, language="cs", person_id=petra.pk, certificate_request=draft.pk
        )
        insert(row)
        read = AgreementAcceptance.objects.get(pk=row.pk)
    names = [field.attname for field in AgreementAcceptance._meta.concrete_fields]
    assert [getattr(read, name) for name in names] == [getattr(row, name) for name in names]
    assert not row._state.adding


def test_several_rows_are_one_statement(acme):
    with acting_for(acme.pk), CaptureQueriesContext(connection) as captured:
        with together():
            for number in range(3):
                record(actor="test", code=f"test:{number}", subject=acme.pk)
        assert len(statements(captured)) == 1
    assert events(acme) == ["test:0", "test:1", "test:2"]


def test_nothing_is_written_before_the_block_ends(acme, draft):
    with acting_for(acme.pk), together():
        rename(draft, "RQ-LATER")
        assert CertificateRequest.objects.get(pk=draft.pk).number == draft.number
    assert number_of(draft) == "RQ-LATER"


def test_a_block_that_raises_has_written_nothing(acme, draft):
    def break_off() -> None:
        with together():
            record(actor="test", code="test:lost", subject=acme.pk)
            raise NobodyThere

    with acting_for(acme.pk):
        with pytest.raises(NobodyThere):
            break_off()
        record(actor="test", code="test:kept", subject=acme.pk)  # and is over: this one is sent at once
    assert events(acme) == ["test:kept"]


@pytest.mark.parametrize("gathered", [False, True])
def test_a_guard_that_finds_no_row_undoes_everything(acme, draft, gathered):
    def spoil() -> None:
        record(actor="test", code="test:first", subject=draft.pk)
        rename(draft, "RQ-NEVER", where={"id": draft.pk, "state": "completed"})
        record(actor="test", code="test:last", subject=draft.pk)

    with pytest.raises(NobodyThere), acting_for(acme.pk), together() if gathered else nullcontext():
        spoil()
    assert events(acme) == []
    assert number_of(draft) == draft.number


def test_each_guard_speaks_for_itself(acme, draft):
    def rename_two() -> None:
        rename(draft, "RQ-THERE")
        rename(draft, "RQ-NOT", where={"id": acme.pk})

    with pytest.raises(NobodyThere), acting_for(acme.pk), together():
        rename_two()
    assert number_of(draft) == draft.number


def test_a_change_without_a_guard_may_find_nothing(acme, draft):
    with acting_for(acme.pk):
        change(CertificateRequest, where={"id": acme.pk}, to={"number": "RQ-NOBODY"})
    assert number_of(draft) == draft.number


def test_none_is_compared_as_null_and_written_as_null(acme, petra):
    request = submitted(petra, acme)
    errand = Errand.objects.get(args__0=str(request.pk))
    change(
        Errand, where={"id": errand.pk, "done_at": None}, to={"leased_until": errand.due_at}, otherwise=NobodyThere()
    )
    change(Errand, where={"id": errand.pk, "leased_until": errand.due_at}, to={"leased_until": None})
    assert Errand.objects.get(pk=errand.pk).leased_until is None
    with pytest.raises(NobodyThere):
        change(Errand, where={"id": errand.pk, "due_at": None}, to={"tries": 1}, otherwise=NobodyThere())


def test_a_change_keeps_to_its_own_tenant(acme, globex, draft):
    with pytest.raises(NobodyThere), acting_for(globex.pk):
        rename(draft, "RQ-STOLEN")
    with pytest.raises(NoTenant):
        rename(draft, "RQ-STOLEN")
    assert number_of(draft) == draft.number


def test_the_database_refuses_in_a_batch_what_it_refuses_alone(acme, draft):
    def cheat() -> None:
        record(actor="test", code="test:cheat", subject=draft.pk)
        change(CertificateRequest, where={"id": draft.pk}, to={"state": "completed"}, otherwise=NobodyThere())

    with pytest.raises(IntegrityError, match="has no arrow"), acting_for(acme.pk), together():
        cheat()
    assert events(acme) == []


def test_an_empty_block_says_nothing_to_the_database(acme):
    with acting_for(acme.pk), CaptureQueriesContext(connection) as captured:
        with together():
            insert()
        assert statements(captured) == []
