"""Ending a look inside a tenant before its time."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from portal.foundation.access.looks import end_look
from portal.foundation.tenancy.middleware import TenantRequest
from portal.web.platform.tenants import tenant_at


def look_end(request: TenantRequest, slug: str) -> HttpResponse:
    tenant = tenant_at(slug)
    end_look(tenant.pk, person=request.person.pk)
    messages.info(request, _("You no longer look inside {tenant}.").format(tenant=tenant.name))
    return redirect("platform-tenant", slug=slug)
