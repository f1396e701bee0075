"""F6: the DNS fails, lies, or forbids; none of it is consent, and nobody waits longer than ten seconds for a name.

Everything is asked through a real resolver (Unbound) in front of a signed root and real zones (Knot).  Where a server
has to do what no well-kept one does, its zone is delegated as a signed one: that its servers fail excuses nothing then.
What does excuse, in a zone proven to be unsigned, is tried in `tests/real/test_dnssec.py`.
"""

import time
from contextlib import ExitStack, suppress
from datetime import datetime, timedelta
from statistics import quantiles

import dns.flags
import dns.rcode
import dns.rrset
import pytest

from lifecycle.validation.caa import PATIENCE, LookupFailed, Reason
from lifecycle.validation.looking import check_now
from lifecycle.validation.questions import Asked
from lifecycle.validation.selectors import is_fresh
from lifecycle.validation.states import CaaState
from portal.foundation import clock
from portal.foundation.audit.models import AuditEvent
from portal.foundation.tenancy.context import acting_for
from tests.fakes.faulty_dns import code, faulty, made, silence
from tests.fakes.internet import Internet, signed_by_hand
from tests.real.test_caa import CASES, ELSEWHERE, TOP, ZONE, terms_of
from tests.world import serving

pytestmark = pytest.mark.django_db(transaction=True)

OURS = '0 issue "ca.portal.example"'


def truncated(question, _tcp):
    return made(question, dns.flags.AA | dns.flags.TC).to_wire()


def lame(question, _tcp):
    """Name the servers of the root, as one does who knows nothing of the zone."""
    answer = made(question, 0)
    answer.authority.append(dns.rrset.from_text(".", 60, "IN", "NS", "ns.test."))
    return answer.to_wire()


def not_there(question, _tcp):
    """Deny that there is such a name, without the proof that a signed zone has to give."""
    answer = made(question, dns.flags.AA)
    answer.set_rcode(dns.rcode.NXDOMAIN)
    answer.authority.append(dns.rrset.from_text("nxdomain.test.", 60, "IN", "SOA", "ns.test. a.test. 1 60 60 60 60"))
    return answer.to_wire()


SERVED = {
    "timeout": silence,
    "servfail": code("SERVFAIL"),
    "refused": code("REFUSED"),
    "truncated": truncated,
    "nxdomain": not_there,
    "lame": lame,
}
_NOT_IN_TIME = Reason.TIMED_OUT  # a resolver that has a hundred such names at once may still be trying
REASONS = {
    "timeout": {Reason.SERVER_FAILED, _NOT_IN_TIME},
    "servfail": {Reason.SERVER_FAILED, _NOT_IN_TIME},
    "refused": {Reason.SERVER_FAILED, _NOT_IN_TIME},
    "truncated": {Reason.SERVER_FAILED, _NOT_IN_TIME},
    "nxdomain": {Reason.SERVER_FAILED, Reason.BOGUS, _NOT_IN_TIME},
    "lame": {Reason.SERVER_FAILED, _NOT_IN_TIME},
    "many": {Reason.TOO_MUCH, _NOT_IN_TIME},
    "loop": {Reason.ALIAS_LOOP},
    "bogus": {Reason.BOGUS},
}
"""The nine ways to fail, and what is said of each."""


def _records(zone_file: str) -> tuple[str, ...]:
    """Return what a zone of the CAA cases holds besides the records that every zone has."""
    lines = zone_file.splitlines()
    return tuple(lines[next(number for number, line in enumerate(lines) if line.endswith(" ns.test.")) + 1 :])


@pytest.fixture(scope="module")
def internet(tmp_path_factory):
    now, day = clock.now(), timedelta(days=1)
    signed, ds = signed_by_hand("bogus.test.", f"@ CAA {OURS}", "* A 192.0.2.1", since=now - day, until=now + day)
    bogus = tuple(line.replace("192.0.2.1", "192.0.2.2") for line in signed if " RRSIG CAA " not in line)
    with ExitStack() as stack:
        servers = {f"{name}.test.": stack.enter_context(faulty(fault)).server for name, fault in SERVED.items()}
        net = Internet(
            tmp_path_factory.mktemp("internet"),
            {
                ".": (),
                "test.": (),
                "example.test.": _records(ZONE),
                "elsewhere.test.": _records(ELSEWHERE),
                "top.": _records(TOP),
                "many.test.": (f"* CAA {OURS}", *(f'* CAA 0 issue "ca{number}.example"' for number in range(1000))),
                "loop.test.": ("* CNAME a.loop.test.", "a CNAME b", "b CNAME a", f"@ CAA {OURS}"),
                "bogus.test.": bogus,
            },
            {".": "nsec", "test.": "opt-out"},
            servers,
            {zone: [ds[0].replace("bogus.test.", zone)] for zone in (*servers, "bogus.test.")},
        )
        net.start()
        yield net
        net.stop()


def looked(tenant, names, resolver):
    """Have *names* looked at as the worker does; return the rows, and the seconds that each took."""
    with serving("validation"):
        rows = check_now(tenant.pk, {name: terms_of(name) for name in names}, by="drill", about="F6", resolver=resolver)
    took = [
        (datetime.fromisoformat(row.evidence["finished"]) - datetime.fromisoformat(row.evidence["started"]))
        for row in rows
    ]
    return dict(zip(names, rows, strict=True)), [each.total_seconds() for each in took]


@pytest.mark.drill("F6", goal="every deny case and 9 of 9 ways to fail never pass; p99 at most 10 s a name")
def test_what_the_dns_cannot_say_or_forbids_is_never_consent(drill, internet, acme):
    each = drill.times(2, soak=100)
    failing = {f"host{number}.{fault}.test": fault for fault in REASONS for number in range(each)}
    denied = {name: reason for name, allowed, _found_at, reason, _clause in CASES if not allowed}
    rounds, seconds, passed = drill.times(1, soak=5), [], []
    for _round in range(rounds):
        rows, took = looked(acme, [*failing, *denied], internet.resolver)
        seconds += took
        passed += [name for name, row in rows.items() if row.state != CaaState.FAILED]
        now = clock.now()
        assert not any(is_fresh(row, now) for row in rows.values())
        assert {name: rows[name].reason for name in denied} == denied
        strange = {
            (fault, rows[name].reason) for name, fault in failing.items() if rows[name].reason not in REASONS[fault]
        }
        assert not strange
    with acting_for(acme.pk):
        told = AuditEvent.objects.filter(code__startswith="caa:").values_list("code", flat=True)
        assert set(told) == {"caa:ask", "caa:refuse"}
    p99 = quantiles(seconds, n=100)[98]
    drill.measured(
        ways_to_fail=f"{len(REASONS)}/9", deny_cases=len(denied), names=len(failing) + len(denied), rounds=rounds,
        passed=len(passed), p99=f"{p99:.1f} s", slowest=f"{max(seconds):.1f} s",
    )  # fmt: skip
    assert passed == []
    assert len(REASONS) == len(set(failing.values())) == 9
    assert max(seconds) <= PATIENCE + 0.5
    assert p99 <= PATIENCE


@pytest.mark.drill("F6", goal="none of 9 ways to fail is a value in a record or an address")
def test_nor_is_any_of_it_a_proof_of_control_or_an_address_to_connect_to(drill, internet):
    resolver, began, said = internet.resolver, time.monotonic(), []
    for fault in REASONS:
        name = f"_proof.{fault}.test"
        ends = time.monotonic() + (1 if fault == "timeout" else PATIENCE)
        with suppress(LookupFailed):
            said += resolver.records(name, Asked.TXT, ends).values
        with suppress(LookupFailed):
            said += resolver.addresses(name, ends)
    drill.measured(ways_to_fail=len(REASONS), values=len(said), seconds=f"{time.monotonic() - began:.1f}")
    assert said == []
