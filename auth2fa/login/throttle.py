"""Slows guessing down: after some failures each further one doubles the wait.

Counted in PostgreSQL, per account name and per client address, before the password is
looked at, so that a race buys no extra guesses and a lost Redis forgives none.  Names
that exist and names that do not are counted alike.  While somebody has to wait, not
even the right password is looked at; the waits are capped, because they also hit the
person whose name a stranger is guessing with.

The address is the client's as `portal.foundation.hops` finds it, which believes headers
of trusted proxies alone.  An IPv6 address counts as its /64, which is what one customer
gets.  A client without an address (a unix socket that nobody is trusted behind) is
counted by name alone.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv6Address, ip_address, ip_network
from math import ceil

from django.db.models import F
from django.db.models.functions import Greatest

from auth2fa.models import FailedSignIns
from portal.config import config
from portal.foundation import clock

FORGOTTEN = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Allowance:
    """How many failures cost nothing, and the longest wait, in seconds, that the others add up to."""

    free: int
    longest: int

    def wait_after(self, failures: int) -> timedelta:
        beyond = min(failures - self.free, 20)  # two to the twentieth is beyond every cap
        return timedelta(seconds=min(2**beyond, self.longest) if beyond > 0 else 0)


ALLOWANCES = {"name": Allowance(free=5, longest=15 * 60), "address": Allowance(free=30, longest=5 * 60)}


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether this attempt may be judged; `seconds` to wait if not, and whether that was not told before."""

    seconds: int
    is_news: bool


def count_an_attempt(name: str, address: str) -> Verdict:
    """Count an attempt as failed until `forgive` says otherwise, or turn it away; in the caller's unit of work."""
    now = clock.now()
    keys = _keys(name, address)
    rows = _locked(keys)
    for row in rows:
        if row.failed_at < now - FORGOTTEN:
            row.failures = 0
    waits = [_left_to_wait(row, ALLOWANCES[keys[row.key]], now) for row in rows]
    if any(waits):
        waiting = [row for row, wait in zip(rows, waits, strict=True) if wait]
        is_news = any(not row.turned_away for row in waiting)
        FailedSignIns.objects.filter(key__in=[row.key for row in waiting]).update(turned_away=F("turned_away") + 1)
        return Verdict(ceil(max(waits).total_seconds()), is_news)
    for row in rows:
        row.failures, row.failed_at, row.turned_away = row.failures + 1, now, 0
    FailedSignIns.objects.bulk_update(rows, ["failures", "failed_at", "turned_away"])
    _sweep()
    return Verdict(0, is_news=False)


def _left_to_wait(row: FailedSignIns, allowance: Allowance, now: datetime) -> timedelta:
    wait = allowance.wait_after(row.failures)
    # of two attempts at once the later one may bear the earlier time: where nothing is to wait, times do not matter
    return max(row.failed_at + wait - now, timedelta(0)) if wait else timedelta(0)


def _locked(keys: Mapping[str, str]) -> list[FailedSignIns]:
    """Make what rows are missing and lock them all, always in the same order."""
    ordered = sorted(keys)
    while True:
        made = [FailedSignIns(key=key, failed_at=clock.now()) for key in ordered]
        FailedSignIns.objects.bulk_create(made, ignore_conflicts=True)
        rows = list(FailedSignIns.objects.select_for_update().filter(key__in=ordered).order_by("key"))
        if len(rows) == len(ordered):  # one that was there may have been swept or forgiven before it was locked
            return rows


def _sweep() -> None:
    """Take away a few rows that count no more; a row that somebody works on stays for the next time."""
    old = FailedSignIns.objects.select_for_update(skip_locked=True).filter(failed_at__lt=clock.now() - FORGOTTEN)
    FailedSignIns.objects.filter(key__in=list(old.values_list("key", flat=True)[:100])).delete()


def forgive(name: str, address: str) -> None:
    """The attempt was no failure.  The name begins anew; the address gets back only this one.

    Otherwise whoever has an account of their own could guess at others for ever.
    """
    for key, kind in sorted(_keys(name, address).items()):
        row = FailedSignIns.objects.filter(key=key)
        if kind == "name":
            row.delete()
        else:
            row.update(failures=Greatest(F("failures") - 1, 0))


def forgive_name(name: str) -> None:
    """Let the name begin anew: its owner has proved by other means who they are."""
    FailedSignIns.objects.filter(key=account_key(name)).delete()


def account_key(name: str) -> str:
    """What stands for an account name in the counters and the journal.

    People type passwords into the wrong field, so what they typed is kept nowhere.
    """
    return _keyed("name", name.strip().lower())


def _keys(name: str, address: str) -> dict[str, str]:
    place = {_keyed("address", _customer(address)): "address"} if address else {}
    return {account_key(name): "name", **place}


def _customer(address: str) -> str:
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if not isinstance(parsed, IPv6Address):
        return str(parsed)
    return str(parsed.ipv4_mapped or ip_network((parsed, 64), strict=False))


def _keyed(kind: str, text: str) -> str:
    return hmac.digest(config.factor_key, f"sign-in\0{kind}\0{text}".encode(errors="replace"), "sha256").hex()
