"""Claiming domains and mailboxes, and beginning to prove them.  The caller is inside `acting_for(tenant)`."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from math import ceil

from lifecycle.validation.attempts import OPEN, advance, give_up
from lifecycle.validation.contacts import FOUND, find_contacts, judge_pace, send_approval
from lifecycle.validation.errors import (
    AlreadyThere,
    AttemptOver,
    ChooseMailbox,
    DecidedByMail,
    DomainRetired,
    LookedAMomentAgo,
    MethodNotUsable,
    NotAutomatic,
    UnusableDomain,
)
from lifecycle.validation.methods import DNS, METHODS, ByMail, Method, day_of, fresh_value, rules_on, usable_on
from lifecycle.validation.models import ControlLook, Domain, DomainControl, PublishingWay
from lifecycle.validation.proving import prove
from lifecycle.validation.publishing import promises
from lifecycle.validation.selectors import PAUSE
from lifecycle.validation.states import ControlEvent, ControlState
from portal.config import config
from portal.foundation import clock
from portal.foundation.audit.models import record
from portal.foundation.names import UnusableName, dns_name, mailbox
from portal.foundation.outbox.models import send, waiting
from portal.foundation.tenancy.context import current_tenant_id
from portal.foundation.writing import change, insert

LONGEST_VALUE = 120


def add(name: str, *, kind: str, method: str, by: object) -> Domain:
    """Put *name* among the tenant's domains, to be proven by *method* next.

    Of a wildcard, the domain is what gets proven.  Raises `UnusableDomain`, `MethodNotUsable`, or `AlreadyThere`.
    """
    plain = plain_name(name, kind)
    _usable(plain, kind, method)
    domain = Domain(name=plain, kind=kind, method=method, added_by=str(by))
    Domain.objects.bulk_create([domain], ignore_conflicts=True)
    if not Domain.objects.filter(pk=domain.pk).exists():
        raise AlreadyThere(name=plain)
    record(actor=by, code="domain:add", subject=domain.pk, name=plain, method=method)
    return domain


def plain_name(name: str, kind: str) -> str:
    """Return *name* as it is kept; raise `UnusableDomain` for what nobody could prove."""
    try:
        return dns_name(name.strip()).removeprefix("*.") if kind == DNS else mailbox(name.strip())
    except UnusableName as refusal:
        raise UnusableDomain(name=refusal.facts["name"], why=refusal.facts["why"]) from None


def begin(
    domain: Domain, *, method: str, by: object, sent_to: str = "", cname: bool = False, issuer: str = ""
) -> DomainControl:
    """Begin to prove *domain* with a new value, and give up what was begun before.

    *sent_to* is the mailbox for methods by mail; left empty where the DNS names them, these are found out first.
    *cname* asks for a record that points to the portal, *issuer* for a record that stays and names that authority
    instead of the portal itself.
    Raises `DomainRetired`, `MethodNotUsable`, `ChooseMailbox`, or `TooManyMails`.
    """
    domain = _locked(domain)
    chosen = _usable(domain.name, domain.kind, method)
    address = _address(chosen, domain, sent_to)
    _give_up_all(domain, by=by, reason="begun-anew")
    now, value = clock.now(), _value(chosen, cname=cname, issuer=issuer)
    control = DomainControl(
        domain=domain,
        method=method,
        value=value,
        nonce=fresh_value() if chosen.by_mail and address else "",
        sent_to=address,
        automatic=_is_automatic(domain, chosen),
        asked_at=now,
        asked_by=str(by),
        ends_at=now + chosen.deadline,
        rules=rules_on(chosen.document, day_of(now)),
    )
    insert(control)
    if domain.method != method:
        change(Domain, where={"id": domain.pk}, to={"method": method})
        domain.method = method
    record(
        actor=by,
        code="control:begin",
        subject=control.pk,
        domain=domain.pk,
        name=domain.name,
        method=method,
        automatic=control.automatic,
    )
    _promise(control, chosen)
    return control


def look_now(control: DomainControl, *, by: object) -> None:
    """Promise to look whether the value is there, or whom the DNS names; does nothing where a look is under way.

    Raises `AttemptOver`, `DecidedByMail`, or `LookedAMomentAgo`.
    """
    control = DomainControl.objects.select_related("domain").get(pk=control.pk)
    name, now = control.domain.name, clock.now()
    if control.state not in OPEN or control.ends_at <= now:
        raise AttemptOver(name=name)
    method = METHODS[control.method]
    asks = bool(method.questions(name, control.sent_to))
    if method.by_mail and (not asks or control.reason == FOUND):
        raise DecidedByMail(name=name, address=control.sent_to)
    if until := rests_until(control, now):
        raise LookedAMomentAgo(name=name, seconds=max(1, ceil((until - now).total_seconds())))
    if method.by_mail:
        if not waiting(current_tenant_id(), find_contacts, control.pk).exists():
            send(find_contacts, control.pk)
        return
    if control.state == ControlState.PENDING:
        advance(control, ControlEvent.LOOK)
        record(actor=by, code="control:look", subject=control.pk, domain=control.domain.pk, name=name)
    if not waiting(current_tenant_id(), prove, control.pk).filter(parked_at=None, due_at__lte=now).exists():
        send(prove, control.pk)


def rests_until(control: DomainControl, now: datetime) -> datetime | None:
    """From when it can be looked for again, where that was in vain a moment ago; else None.  A whole second."""
    newest = ControlLook.objects.filter(control=control).order_by("-at").values_list("at", flat=True).first()
    if newest is None:
        return None
    until = (newest + PAUSE + timedelta(microseconds=999_999)).replace(microsecond=0)
    return until if now < until else None


def retire(domain: Domain, *, by: object) -> None:
    """Take *domain* out of use: what was begun is given up, what was proven counts no more, nobody is warned."""
    domain = _locked(domain)
    _give_up_all(domain, by=by, reason="retired")
    change(Domain, where={"id": domain.pk, "retired_at": None}, to={"retired_at": clock.now()})
    record(actor=by, code="domain:retire", subject=domain.pk, name=domain.name)


def revive(domain: Domain, *, by: object) -> None:
    """Take a retired domain up again; what was proven counts again for as long as it is not too old."""
    current = Domain.objects.select_for_update().get(pk=domain.pk)
    if current.retired_at is None:
        return
    change(Domain, where={"id": current.pk}, to={"retired_at": None})
    record(actor=by, code="domain:revive", subject=current.pk, name=current.name)


def publish_by(domain: Domain, way: PublishingWay | None, *, by: object) -> None:
    """Let *way* publish what proves *domain* from the next attempt on; None leaves it to people.

    Raises `DomainRetired`, or `NotAutomatic` for a way that was retired.
    """
    domain = _locked(domain)
    if way is not None and way.retired_at is not None:
        raise NotAutomatic(way=way.title)
    change(Domain, where={"id": domain.pk}, to={"publishing": way.pk if way else None})
    record(actor=by, code="domain:publish-by", subject=domain.pk, name=domain.name, way=way.pk if way else "")


def _give_up_all(domain: Domain, *, by: object, reason: str) -> None:
    open_ones: Iterable[DomainControl] = DomainControl.objects.filter(domain=domain, state__in=OPEN)
    for control in open_ones:
        give_up(control, by=by, reason=reason)
        if control.automatic and not METHODS[control.method].stays:
            promises.withdraw(control)


def _locked(domain: Domain) -> Domain:
    """One change of a domain at a time.  Raises `DomainRetired`."""
    current = Domain.objects.select_for_update().get(pk=domain.pk)
    if current.retired_at is not None:
        raise DomainRetired(name=current.name)
    return current


def _usable(name: str, kind: str, slug: str) -> Method:
    usable = usable_on(day_of(clock.now()), kind)
    method = next((method for method in usable if method.slug == slug), None)
    if method is None:
        title = METHODS[slug].title if slug in METHODS else slug
        raise MethodNotUsable(method=title, name=name, usable=", ".join(str(each.title) for each in usable))
    return method


def _address(method: Method, domain: Domain, sent_to: str) -> str:
    """Return the mailbox for the mail, which is none of those that nobody named; raise for another, or for too many."""
    if not isinstance(method, ByMail):
        return ""
    offered = method.addresses(domain.name)
    address = sent_to.strip() or (domain.name if method.slug == "mailbox" else "")
    if offered and address not in offered:
        raise ChooseMailbox(name=domain.name, address=address[:100], usable=", ".join(offered))
    if address:
        judge_pace(domain, address)
    return address


def _value(method: Method, *, cname: bool, issuer: str) -> str:
    value = method.new_value(cname_under=config.host if cname else "", issuer=issuer or config.host)
    return value if len(value) <= LONGEST_VALUE else method.new_value()


def _is_automatic(domain: Domain, method: Method) -> bool:
    way = domain.publishing
    return method.automatic and way is not None and way.retired_at is None and promises.can(way, method)


def _promise(control: DomainControl, method: Method) -> None:
    """Have done what follows from a beginning."""
    if control.automatic:
        promises.publish(control)
    elif isinstance(method, ByMail):
        asks = bool(method.questions(control.domain.name, control.sent_to))
        send(find_contacts if asks else send_approval, control.pk)
