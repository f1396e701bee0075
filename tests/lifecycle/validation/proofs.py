"""What people and workers do with domains, for the tests beside this."""

from lifecycle.validation import contacts, control, proving
from lifecycle.validation.models import ControlLook
from portal.foundation.outbox.models import Errand
from portal.foundation.tenancy.context import acting_for
from tests.fakes.everywhere import Everywhere
from tests.world import serving


def added(tenant, person, name, *, kind="dns", method="dns-change"):
    with acting_for(tenant.pk, person=person.pk):
        return control.add(name, kind=kind, method=method, by=person.pk)


def begun(tenant, person, domain, method, **wishes):
    with acting_for(tenant.pk, person=person.pk):
        return control.begin(domain, method=method, by=person.pk, **wishes)


def looked(tenant, person, attempt):
    with acting_for(tenant.pk, person=person.pk):
        control.look_now(attempt, by=person.pk)


def reread(row):
    with acting_for(row.tenant_id):
        return type(row).objects.get(pk=row.pk)


def looks_at(attempt):
    with acting_for(attempt.tenant_id):
        return list(ControlLook.objects.filter(control=attempt).order_by("at", "id"))


def promised(task):
    return list(Errand.objects.filter(task=task.name, done_at=None).order_by("pk"))


def work(internet=None):
    """Do what the validation worker does, with its grants; what rests until later is done as well."""
    internet = internet or Everywhere()
    with serving("validation"):
        for errand in promised(contacts.find_contacts):
            contacts.find(errand, internet)
        for errand in promised(proving.prove):
            proving.answer(errand, errand.args[0], internet)
    return internet


def shown(attempt):
    """The Internet once somebody has published what *attempt* asks for."""
    with acting_for(attempt.tenant_id):
        aim = proving.aim_of(type(attempt).objects.select_related("domain", "tenant").get(pk=attempt.pk))
    [question] = aim.method.questions(aim.domain, aim.value)
    value = aim.method.instruction(aim.domain, aim.value, aim.account).value
    return {(question.asked, question.name + question.path): [value.encode()]}


def proven(tenant, person, name, method="dns-change", **wishes):
    """A domain with a proof, made by whoever has to make one."""
    domain = added(tenant, person, name, method=method)
    attempt = begun(tenant, person, domain, method, **wishes)
    looked(tenant, person, attempt)
    work(Everywhere(shown(attempt)))
    assert reread(attempt).state == "proved"
    return domain
