from django.urls import path
from django.views.decorators.http import require_safe

from portal.demo import mailbox
from portal.foundation.access.guards import Open, guard

urlpatterns = [
    path("mailbox/", guard(Open.ANYBODY, require_safe(mailbox.mails)), name="demo-mailbox"),
    path("mailbox/<slug:name>/", guard(Open.ANYBODY, require_safe(mailbox.mail)), name="demo-mail"),
]
