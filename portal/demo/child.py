"""One program that we start, watch and end."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from portal.demo.places import Account, Unusable

# What a program needs of our own environment, whatever it does.  Everything else is given to it by name,
# so that no service inherits another one's secret.
_HARMLESS = ("HOME", "LANG", "LC_ALL", "PATH", "TMPDIR", "TZ", "USER", "VIRTUAL_ENV")

START_SECONDS = 30.0


def bare_environment(source: Mapping[str, str] = os.environ) -> dict[str, str]:
    return {name: source[name] for name in _HARMLESS if name in source} | {"PYTHONUNBUFFERED": "1"}


@dataclass(slots=True)
class Child:
    """A program in a session of its own, so that Ctrl-C reaches us alone and we end everything in order.

    The kernel sends it `farewell` should we die without a word (`setpriv --pdeathsig`): even after a
    `kill -9` nothing is left behind.
    """

    name: str
    command: Sequence[str | Path]
    environment: Mapping[str, str]
    log: Path
    farewell: signal.Signals = signal.SIGTERM
    patience: float = 10.0
    account: Account | None = None
    folder: Path | None = None
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False, repr=False)
    _swept: bool = field(default=True, init=False, repr=False)

    def start(self) -> None:
        self.sweep()
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                as_account([*map(str, self.command)], self.account, self.farewell),
                env=dict(self.environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                start_new_session=True,
            )
        self._swept = False

    @property
    def pid(self) -> int:
        if self._process is None:
            raise Unusable(f"{self.name} was not started")
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def ending(self) -> str:
        """Say how it ended, in words for the console."""
        code = self._process.returncode if self._process is not None else None
        if code is None:
            return "is running"
        return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"

    def wait(self, seconds: float) -> bool:
        """Wait for its end; tell whether it ended well.  What takes longer is stopped."""
        if self._process is not None:
            with suppress(subprocess.TimeoutExpired):
                return self._process.wait(seconds) == 0
        self.stop()
        return False

    def ask_to_end(self) -> None:
        if self._process is not None and self.alive:
            self._process.send_signal(self.farewell)

    def sweep(self) -> None:
        """Kill what is left of its session: its own children outlive its `kill -9` and may hold its port."""
        if self._process is not None and not self._swept:
            with suppress(ProcessLookupError):  # as it should be after an orderly end: nothing is left
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._swept = True

    def stop(self) -> None:
        """Ask it to end; end its whole session when it does not within its patience."""
        if self._process is not None and self.alive:
            self.ask_to_end()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(self.patience)
        self.sweep()

    def last_lines(self, count: int = 5) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-count:])


def as_account(command: Sequence[str], account: Account | None, farewell: signal.Signals) -> list[str]:
    """Return *command* so that it runs as *account* and gets *farewell* when we die."""
    change = ["--reuid", str(account.uid), "--regid", str(account.gid), "--clear-groups"] if account else []
    # setpriv is util-linux, which Debian calls essential; a preexec function would not be safe beside threads.
    return ["setpriv", *change, "--pdeathsig", farewell.name.removeprefix("SIG"), "--", *command]


def wait_until(condition: Callable[[], bool], seconds: float, *, every: float = 0.02) -> bool:
    """Look again and again whether *condition* holds; tell whether it did within *seconds*."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(every)
    return True


def await_health(child: Child, healthy: Callable[[], bool]) -> None:
    """Return when *child* answers; raise with the end of its log when it ends instead, or never answers."""
    if wait_until(lambda: healthy() or not child.alive, START_SECONDS) and child.alive:
        return
    ending = child.ending
    child.stop()
    raise Unusable(f"{child.name} did not start, it {ending}. Its log {child.log} ends with:\n{child.last_lines()}")
