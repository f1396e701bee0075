"""`make demo`, run for real: it gets ready, keeps itself running, and leaves nothing but its data."""

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright

from portal.demo.child import wait_until
from portal.demo.people import PEOPLE
from tests import tutorial
from tests.journeys.live import CHROMIUM, FLAGS
from tests.portal.processes import children_of, command_of, environment_of, is_running
from tests.portal.running import Running


@pytest.fixture(scope="module")
def var() -> Iterator[Path]:
    """Return a folder that PostgreSQL's account can walk to: pytest's own are closed to it."""
    folder = Path(tempfile.mkdtemp(prefix="portal-demo-", dir="/tmp"))
    folder.chmod(0o711)
    yield folder / "var"
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def demo(var: Path) -> Iterator[Running]:
    """Interrupt the first start in the middle, as somebody does who thinks it hangs; then let it run."""
    assert Running(var, until="seed_demo").end(signal.SIGINT) == 0
    running = Running(var)
    yield running
    if running.process.poll() is None:
        running.end(signal.SIGTERM)


def test_a_start_after_an_interrupted_first_one_begins_anew(demo):
    assert "beginning anew" in demo.said


def test_it_says_where_it_is_and_who_may_sign_in(demo):
    lines = demo.said.splitlines()
    assert f"ready: http://localhost:{demo.port}" in lines
    for person in PEOPLE:
        assert any({person.email, *person.password.split()} <= set(line.split()) for line in lines)
    assert demo.status("/healthz") == 200
    assert demo.status("/readyz") == 200


def test_each_process_holds_its_own_secrets_and_no_other(demo):
    told = {
        service: environment_of(demo.service(part))
        for service, part in {
            "web": "portal.wsgi",
            "signing": "queues=signing",
            "validation": "queues=validation",
            "publishing": "queues=publishing",
            "messages": "queues=messages",
            "relay": "manage.py relay",
        }.items()
    }
    for service, environment in told.items():
        assert environment["PORTAL_SERVICE"] == service
        assert environment["DATABASE_URL"].startswith(f"postgresql://portal_{service}:")
        assert "DATABASE_OWNER_URL" not in environment
        assert any(name.startswith(("PKCS11", "SOFTHSM2")) for name in environment) == (service == "signing")
        assert ("PERSPECTIVE_IDENTITY" in environment) == (service == "validation")
        assert ("PUBLISHING_KEY_FILE" in environment) == (service == "publishing")
        assert ("PORTAL_DEMO_ZONE" in environment) == (service == "web")


def test_domains_are_proven_and_a_certificate_is_issued_while_one_perspective_of_five_is_lied_to(demo):
    """What `docs/tutorial.md` walks through: by a record, by a file, and past a CAA record that forbids at first."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        petra = tutorial.Walk(browser, f"http://localhost:{demo.port}", "petra")
        tutorial.prove_domains(petra)
        tutorial.have_a_certificate_for_them(petra)
        dissent = petra.page.context.new_page()
        dissent.goto("/demo/perspectives/")
        expect(dissent.get_by_role("row", name="singapore")).to_contain_text("Something else")
        browser.close()


def test_a_killed_perspective_and_a_killed_name_server_run_again(demo):
    for part, name in (
        ("--listen", "ashburn"),
        ("knotd", "name server"),
        ("unbound", "unbound"),
        ("webserver", "web server"),
    ):
        first = demo.service(part)
        os.kill(first, signal.SIGKILL)
        assert wait_until(lambda name=name: f"{name} runs again" in demo.said, 10.0), name
    assert wait_until(lambda: demo.status("/demo/dns/") == 200, 10.0)


def test_a_killed_signing_worker_runs_again(demo):
    first = demo.service("queues=signing")
    os.kill(first, signal.SIGKILL)
    assert wait_until(lambda: "worker-signing runs again" in demo.said, 5.0)
    assert demo.service("queues=signing") != first


def test_ctrl_c_leaves_nothing_but_the_data_and_the_second_start_tells_no_story_anew(demo, var):
    processes = [pid for child in children_of(demo.process.pid) for pid in (child, *children_of(child))]
    assert len(processes) >= 8
    assert demo.end(signal.SIGINT) == 0
    assert not [command_of(pid) for pid in processes if is_running(pid)]
    secrets = {path.name: path.read_bytes() for path in (var / "secrets").iterdir()}

    second = Running(var)
    try:
        assert "The story is told already." in (var / "log" / "seed_demo.log").read_text()
        assert second.status("/readyz") == 200
        assert {path.name: path.read_bytes() for path in (var / "secrets").iterdir()} == secrets
    finally:
        assert second.end(signal.SIGTERM) == 0
