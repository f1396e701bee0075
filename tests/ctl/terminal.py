"""portalctl as somebody runs it: in a process of its own, with a home of its own, on a terminal or without one."""

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.plugins.services import ROOT

PORTALCTL = Path(sys.executable).parent / "portalctl"


def _listening() -> None:
    """Let Ctrl-C reach the program, also where the tests run in the background and ignore it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@dataclass(frozen=True, slots=True)
class Ended:
    code: int
    out: str
    err: str = ""

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def error(self) -> Any:
        """The last JSON document on stderr; lines of progress may stand before it."""
        return json.loads(self.err[self.err.index("{") :])["error"]


@dataclass(slots=True)
class Terminal:
    """One person's shell."""

    home: Path
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def _environment(self) -> dict[str, str]:
        return {
            "PATH": f"{PORTALCTL.parent}:/usr/bin:/bin",
            "HOME": str(self.home),
            "LANG": "C.UTF-8",
            "TERM": "xterm",
            **self.environment,
        }

    def run(self, *arguments: str, stdin: str = "") -> Ended:
        """Run it as a script would."""
        done = subprocess.run(
            [PORTALCTL, *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            env=self._environment,
            cwd=self.home,
            check=False,
        )
        return Ended(done.returncode, done.stdout, done.stderr)

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [PORTALCTL, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self._environment,
            cwd=self.home,
            preexec_fn=_listening,  # noqa: PLW1509 - no thread runs here
        )

    def talk(self, command: str | Sequence[str], answers: Sequence[tuple[str, Any]], seconds: float = 90.0) -> Ended:
        """Run a command line on a terminal; whenever the first prompt of *answers* is read, type what belongs to it.

        What is typed may be a function, asked when it is wanted: a code is there only then.
        """
        leader, follower = pty.openpty()
        line = ["/bin/sh", "-c", command] if isinstance(command, str) else [str(PORTALCTL), *command]
        running = subprocess.Popen(
            ["setsid", "--ctty", "--wait", *line],  # passwords are asked on the controlling terminal, and Ctrl-C is its
            stdin=follower,
            stdout=follower,
            stderr=follower,
            env=self._environment,
            cwd=self.home,
            preexec_fn=_listening,  # noqa: PLW1509 - no thread runs here
        )
        os.close(follower)
        said, seen, left, deadline = "", 0, list(answers), time.monotonic() + seconds
        try:
            while time.monotonic() < deadline:
                if select.select([leader], [], [], 0.2)[0]:
                    try:
                        said += os.read(leader, 65536).decode(errors="replace")
                    except OSError:  # the other side is gone
                        break
                if left and (found := re.search(left[0][0], said[seen:])):
                    seen += found.end()
                    _prompt, answer = left.pop(0)
                    typed = answer() if callable(answer) else answer
                    os.write(leader, f"{typed}\n".encode() if typed != "\x03" else b"\x03")
            assert time.monotonic() < deadline, f"still waiting for {[one for one, _ in left]}:\n{said}"
            assert left == [], f"never asked for {left[0][0]}:\n{said}"
            return Ended(running.wait(30), said.replace("\r\n", "\n"))
        finally:
            if running.poll() is None:
                running.kill()
                running.wait()
            os.close(leader)

    @property
    def config(self) -> Path:
        return self.home / ".config" / "portalctl" / "config.toml"


def documented() -> str:
    return (ROOT / "docs" / "portalctl.md").read_text()
