"""What is refused about ways to publish by themselves."""

from django.utils.translation import gettext_lazy as _

from portal.foundation.errors import Conflict, Refusal


class PublishingNotSetUp(Refusal):
    code = "publishing-not-set-up"
    message = _("This portal cannot keep such a secret: its operator has not given it the key for that.")
    next_step = _("Ask the operator to set PUBLISHING_PUBLIC_KEY for the web service, or publish by hand.")


class KindNotOffered(Refusal):
    code = "publishing-kind-not-offered"
    message = _("There is no way to publish of the kind “{kind}”.")
    next_step = _("Choose from: {kinds}.")


class TitleNotReadable(Refusal):
    code = "title-not-readable"
    message = _("The title is empty, too long, or holds characters that cannot be seen.")
    next_step = _("Write up to {most} visible characters by which your colleagues will know this way.")


class NotADnsServer(Refusal):
    code = "not-a-dns-server"
    message = _("“{address}” is no name server for updates: they go to port 53 of a name or an address.")
    next_step = _("Write the name of the zone's primary server, like ns1.example.com.")


class NotAZone(Refusal):
    code = "not-a-zone"
    message = _("“{zone}” is no zone.")
    next_step = _("Write the name of the zone that takes updates, like example.com.")


class NotATsigKey(Refusal):
    code = "not-a-tsig-key"
    message = _("This is no TSIG key: a name, one of {algorithms}, and 16 bytes or more in base64.")
    next_step = _("Copy all three from the name server's configuration.")


class NotAHook(Refusal):
    code = "not-a-hook"
    message = _("“{address}” is no address that the portal could call: https, port 443, and a name for a host.")
    next_step = _("Write it like https://hooks.example.com/portal.")


class NotAHookSecret(Refusal):
    code = "not-a-hook-secret"
    message = _("The secret of a hook is “whsec_” and 24 to 64 bytes in base64.")
    next_step = _("Leave it empty: the portal makes one and shows it once.")


class WayRetired(Conflict):
    code = "way-retired"
    message = _("“{title}” was retired, and nothing is published through it any more.")
    next_step = _("Add another way.")
