"""The portal as it runs: gunicorn, and a worker for each queue, as processes on the test's own database and token.

`Portal` is started once for all journeys.  The rows that a test makes are there for it, since everything looks into
the same database; what a test leaves is wiped behind it as everywhere.
"""

import email
import email.policy
import http.client
import os
import re
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from portal.demo.child import Child, wait_until
from portal.demo.places import Unusable
from portal.demo.supervisor import worker_command
from portal.foundation.outbox.registry import QUEUES
from tests.plugins.services import ROOT, surroundings

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
]


class Portal:
    """What a person's browser talks to, and the folder where their mails arrive."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.origin = f"http://localhost:{self.port}"
        self.mails = folder / "mail"
        self.mails.mkdir()
        web = [sys.executable, "-m", "gunicorn", "portal.wsgi", "--worker-class=gthread", "--workers=1", "--threads=6"]
        self.web = self._child("web", "web", [*web, "--no-control-socket", f"--bind=127.0.0.1:{self.port}"], folder)
        self.workers = {
            queue: self._child(queue, queue, worker_command(queue, f"{queue}-{self.port}@localhost"), folder)
            for queue in QUEUES
        }

    def _child(self, name: str, service: str, command: list[str], folder: Path) -> Child:
        environment = {**surroundings().environment(service), "MAIL_URL": f"file://{self.mails}"}
        return Child(name, command, environment, folder / f"{name}.log", folder=ROOT)

    @property
    def _children(self) -> list[Child]:
        return [self.web, *self.workers.values()]

    def start(self) -> None:
        for child in self._children:
            child.start()
        for child in self._children:
            if not wait_until(lambda child=child: self._is_ready(child) or not child.alive, 60.0) or not child.alive:
                raise Unusable(f"{child.name} {child.ending}:\n{child.last_lines(30)}")

    def stop(self) -> None:
        for child in self._children:
            child.ask_to_end()
        for child in self._children:
            child.stop()

    def _is_ready(self, child: Child) -> bool:
        return answers(self.port) if child is self.web else " ready." in child.log.read_text()

    def nobody_signs(self) -> AbstractContextManager[None]:
        """Stop the signing worker in its tracks; what it is asked waits.  A test that signs by itself needs it, too."""
        return self._stopped("signing")

    def nobody_works(self) -> AbstractContextManager[None]:
        """Stop every worker in its tracks: what the test leaves to be done stays undone."""
        return self._stopped(*QUEUES)

    @contextmanager
    def _stopped(self, *queues: str) -> Iterator[None]:
        workers = [self.workers[queue].pid for queue in queues]
        for pid in workers:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in workers:
                os.kill(pid, signal.SIGCONT)

    # --- the person's mailbox ---

    def forget_mails(self) -> None:
        for file in self.mails.iterdir():
            file.unlink()

    def mail(self, about: str) -> str:
        """Wait for the newest mail whose subject holds *about*; return its text."""
        found: list[str] = []

        def arrived() -> bool:
            found[:] = [body for subject, body in self._delivered() if about in subject]
            return bool(found)

        if not wait_until(arrived, 20.0, every=0.1):
            raise AssertionError(f"no mail about {about!r} in 20 seconds; there are {list(self._delivered())}")
        return found[-1]

    def code(self) -> str:
        [code] = re.findall(r"^ {4}(\d+)$", self.mail("code"), re.MULTILINE)
        return str(code)

    def _delivered(self) -> Iterator[tuple[str, str]]:
        for file in sorted(self.mails.iterdir(), key=lambda file: file.stat().st_mtime_ns):
            for content in file.read_bytes().split(b"-" * 79 + b"\n"):  # what Django's file backend writes behind each
                if content.strip():
                    message = email.message_from_bytes(content.lstrip(), policy=email.policy.default)
                    yield str(message["Subject"]), message.get_content()


def answers(port: int) -> bool:
    """Whether the portal's web process listens there."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/healthz", headers={"Host": f"localhost:{port}"})
        return connection.getresponse().status == http.HTTPStatus.OK
    except OSError:
        return False
    finally:
        connection.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
