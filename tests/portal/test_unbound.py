"""Every resolver of ours obeys the same rules: in a container, in the demo, in the tests."""

import subprocess

import pytest

from portal.demo import nameserver
from portal.demo.unbound import RULES, Unbound
from portal.servers import Server
from tests.portal.composed import ROOT

ANCHOR = ". IN DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D"
HASTE = {"cache-max-ttl", "cache-max-negative-ttl", "val-bogus-ttl", "infra-host-ttl", "val-log-level", "local-zone"}
"""What the demo says otherwise: it forgets sooner, as who changes a record looks at once.  It checks as much."""


def options(text: str) -> list[str]:
    """Return the names of the options that a configuration gives a value."""
    plain = [line.split("#")[0].strip() for line in text.splitlines()]
    return [line.partition(":")[0] for line in plain if not line.endswith(":") and ": " in line]


@pytest.fixture
def demo(tmp_path):
    stubs = {zone: Server("127.0.0.1", 5300) for zone in (".", "test", "demo.test")}
    return Unbound(tmp_path, stubs, [ANCHOR], port=5301)


def test_what_is_checked_stands_in_the_rules_alone(demo):
    rules = set(options(RULES.read_text()))
    assert len(rules) > 30
    assert {"module-config", "val-permissive-mode", "harden-dnssec-stripped", "ede", "private-address"} <= rules
    container = (ROOT / "deploy" / "unbound" / "unbound.conf").read_text()
    for configuration in (container, demo.configuration()):
        ours = [name for name in options(configuration) if name != "local-zone"]
        assert not rules & set(ours)
        assert "rules.conf" in configuration


def test_the_demo_forgets_sooner_and_checks_as_much():
    assert set(options("\n".join(nameserver._IMPATIENT))) <= HASTE


def test_the_demo_is_told_what_unbound_understands(demo):
    file = demo.folder / "unbound.conf"
    file.write_text(demo.configuration())
    done = subprocess.run(["/usr/sbin/unbound-checkconf", file], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
