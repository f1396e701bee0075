"""The page behind the link of an approval's mail: whoever reads that mailbox says yes or no, and needs no account."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache

from auth2fa.login import carried
from lifecycle.validation import contacts
from portal.foundation.tenancy.context import acting_for

_LINK = "approval-link"  # the cookie that keeps the link while its page is open


@never_cache
def approval(request: HttpRequest) -> HttpResponse:
    """Show who asks for what, and take the answer; raise `ApprovalOver` for any link that counts no more.

    Opening the page does nothing: programs that look into mails open every link.
    """
    if link := request.GET.get("link", ""):
        contacts.read_link(link)
        return carried.keep(redirect("domain-approval"), _LINK, link, path=reverse("domain-approval"))
    tenant, pk, nonce = contacts.read_link(carried.kept(request, _LINK))
    answer = request.POST.get("answer", "")
    with acting_for(tenant):
        if request.method == "POST" and answer in _ANSWERS:
            control = _ANSWERS[answer](pk, nonce)
        else:
            answer, control = "", contacts.standing(pk, nonce)
        context = {"control": control, "domain": control.domain, "tenant": control.tenant.name, "done": _DONE[answer]}
        page = render(request, "domains/approve.html", context)
    return carried.forget(page, _LINK, path=reverse("domain-approval")) if answer else page


_ANSWERS = {"approve": contacts.approve, "refuse": contacts.refuse}
_DONE = {"": "", "approve": "approved", "refuse": "refused"}
