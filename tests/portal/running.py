"""A demo in a process of its own, for tests that need all of it."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from portal.demo.child import wait_until
from tests.portal.processes import children_of, command_of

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
        settled = wait_until(lambda: until in self.said or self.process.poll() is not None, 300.0, every=0.1)
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
