from django.urls import path
from django.views.decorators.http import require_http_methods, require_safe

from portal.demo import dns, files, mailbox, perspectives
from portal.foundation.access.guards import Open, guard

urlpatterns = [
    path("mailbox/", guard(Open.ANYBODY, require_safe(mailbox.mails)), name="demo-mailbox"),
    path("mailbox/<slug:name>/", guard(Open.ANYBODY, require_safe(mailbox.mail)), name="demo-mail"),
    path("dns/", guard(Open.ANYBODY, require_http_methods(["GET", "HEAD", "POST"])(dns.names)), name="demo-dns"),
    path(
        "dns/<str:full>/",
        guard(Open.ANYBODY, require_http_methods(["GET", "HEAD", "POST"])(dns.name)),
        name="demo-dns-name",
    ),
    path("files/", guard(Open.ANYBODY, require_http_methods(["GET", "HEAD", "POST"])(files.files)), name="demo-files"),
    path(
        "perspectives/",
        guard(Open.ANYBODY, require_http_methods(["GET", "HEAD", "POST"])(perspectives.perspectives)),
        name="demo-perspectives",
    ),
]
