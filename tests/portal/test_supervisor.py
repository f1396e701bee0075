"""What keeps the demo's services running, and what refuses to start it."""

import os
import signal
import socket
import sys
import time

import pytest

from portal.demo.child import Child, wait_until
from portal.demo.places import Unusable
from portal.demo.supervisor import Watched, alone_in, loopback_addresses
from tests.portal.processes import is_running


@pytest.fixture
def sleeper(tmp_path):
    child = Child("sleeper", ["sleep", "60"], {"PATH": os.environ["PATH"]}, tmp_path / "sleeper.log")
    yield child
    child.stop()


def test_a_killed_child_runs_again_within_two_seconds(sleeper, capsys):
    watched = Watched(sleeper)
    watched.start()
    first = sleeper.pid
    os.kill(first, signal.SIGKILL)

    def again() -> bool:
        watched.look()
        return sleeper.alive and sleeper.pid != first

    assert wait_until(again, 2.0)
    said = capsys.readouterr().out
    assert "sleeper was killed by SIGKILL; it starts again in 0.5 s" in said
    assert f"sleeper runs again (pid {sleeper.pid})" in said


def test_a_child_that_dies_at_once_is_started_less_and_less_often(tmp_path):
    child = Child("crasher", ["false"], {"PATH": os.environ["PATH"]}, tmp_path / "crasher.log")
    watched = Watched(child)
    pauses = []
    for _ in range(8):
        watched.start()
        assert wait_until(lambda: not child.alive, 5.0)
        watched.look()
        pauses.append(watched.due - time.monotonic())
    assert pauses == pytest.approx([0.5, 1, 2, 4, 8, 16, 30, 30], abs=0.1)


def test_what_a_killed_child_left_behind_goes_before_it_starts_again(tmp_path):
    script = "sleep 60 & echo $!; wait"
    child = Child("parent", ["sh", "-c", script], {"PATH": os.environ["PATH"]}, tmp_path / "parent.log")
    child.start()
    try:
        assert wait_until(lambda: child.log.read_text().strip() != "", 5.0)
        orphan = int(child.log.read_text())
        os.kill(child.pid, signal.SIGKILL)
        assert wait_until(lambda: not child.alive, 5.0)
        assert is_running(orphan)
        Watched(child).look()
        assert wait_until(lambda: not is_running(orphan), 5.0)
    finally:
        child.stop()


def test_a_child_that_will_not_end_is_ended(tmp_path):
    program = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
    )
    child = Child("deaf", [sys.executable, "-c", program], dict(os.environ), tmp_path / "deaf.log", patience=0.2)
    child.start()
    assert wait_until(lambda: "deaf" in child.log.read_text(), 5.0)
    began = time.monotonic()
    child.stop()
    assert time.monotonic() - began < 2
    assert child.ending == "was killed by SIGKILL"


def test_two_demos_do_not_share_a_folder(tmp_path):
    first, second = alone_in(tmp_path / "demo.lock"), alone_in(tmp_path / "demo.lock")
    with first, pytest.raises(Unusable, match="Another demo runs on"):
        second.__enter__()
    with alone_in(tmp_path / "demo.lock") as held:
        assert held.writable()


def test_a_port_in_use_is_said_before_anything_starts():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(Unusable, match=f"Port {port} of 127.0.0.1 cannot be used"):
            loopback_addresses(port)
    assert f"127.0.0.1:{port}" in loopback_addresses(port)
