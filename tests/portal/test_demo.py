"""`make demo`, run for real: it gets ready, keeps itself running, and leaves nothing but its data."""

import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from portal.demo.child import wait_until
from portal.demo.people import PEOPLE
from tests.portal.processes import children_of, command_of, environment_of, is_running

ROOT = Path(__file__).resolve().parent.parent.parent


class Running:
    """A demo in a process of its own, as somebody at a terminal has it."""

    def __init__(self, var: Path, until: str = "ready: ") -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.output = var.parent / f"{var.name}.out"
        began = time.monotonic()
        command = [sys.executable, "-m", "portal.demo", "--port", str(self.port), "--var", str(var)]
        environment = {name: os.environ[name] for name in ("HOME", "PATH", "LANG") if name in os.environ}
        with self.output.open("w") as output:
            self.process = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=output, env=environment)
        settled = wait_until(lambda: until in self.said or self.process.poll() is not None, 120.0, every=0.1)
        assert settled, self.said
        assert self.process.poll() is None, self.said
        self.seconds = time.monotonic() - began

    @property
    def said(self) -> str:
        return self.output.read_text()

    def status(self, path: str) -> int:
        connection = http.client.HTTPConnection("localhost", self.port, timeout=10)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        finally:
            connection.close()

    def service(self, part: str) -> int:
        """Return the process whose command names *part*."""
        return next(pid for pid in children_of(self.process.pid) if part in command_of(pid))

    def end(self, with_signal: signal.Signals) -> int:
        self.process.send_signal(with_signal)
        return self.process.wait(30)


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
            "messages": "queues=messages",
            "relay": "manage.py relay",
        }.items()
    }
    for service, environment in told.items():
        assert environment["PORTAL_SERVICE"] == service
        assert environment["DATABASE_URL"].startswith(f"postgresql://portal_{service}:")
        assert "DATABASE_OWNER_URL" not in environment
        assert any(name.startswith(("PKCS11", "SOFTHSM2")) for name in environment) == (service == "signing")


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
