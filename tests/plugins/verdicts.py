"""What a test run may not do, and what it tells: no skips, no network, the rule each test proves."""

import ipaddress
import sys
from collections.abc import Generator
from typing import Any

import pytest


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    return _no_skip((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    return _no_skip((yield))


def _no_skip(report: Any) -> Any:
    """Turn a skip into a failure: what a test needs is installed by `make test`, or the run is worth nothing."""
    if report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome, report.longrepr = "failed", f"A skipped test is a failure here. {reason}"
    return report


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        rules = [str(number) for mark in item.iter_markers("rule") for number in mark.args]
        item.user_properties.extend(("rule", rule) for rule in rules)
        if item.get_closest_marker("django_db") or "db" in getattr(item, "fixturenames", ()):
            # units of work are durable transactions: one that wraps the whole test would forbid them
            item.add_marker(pytest.mark.django_db(transaction=True), append=False)


def _loopback_only(event: str, arguments: tuple[Any, ...]) -> None:
    if event in {"socket.connect", "socket.sendto", "socket.sendmsg"}:
        address = arguments[1]
        host = address[0] if isinstance(address, tuple) else ""
    elif event == "socket.getaddrinfo":
        host = arguments[0]
    else:
        return
    if isinstance(host, bytes):
        host = host.decode()
    if host and host != "localhost" and not _is_loopback(host):
        raise BlockingIOError(f"A test may only speak to this machine, not to {host}")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.split("%", 1)[0]).is_loopback
    except ValueError:
        return False


# an audit hook sees every socket of this process, whatever library opens it, and cannot be taken away
sys.addaudithook(_loopback_only)
