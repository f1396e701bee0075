"""What the kernel and PostgreSQL say about who used how much; nothing here asks the product."""

import os
import re
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

CORES = os.cpu_count() or 1
QUIET = 0.1  # of the machine: a run in which others had more than that says little
LONGEST_WAIT = 90.0  # seconds for a moment in which they have less
_TICK = os.sysconf("SC_CLK_TCK")


def seconds_of(pid: int) -> float:
    """CPU of a process with that of its ended children, user and system, from /proc."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0  # it ended; its parent's figure holds it
    return sum(map(int, fields[11:15])) / _TICK


def server_seconds(postmaster: int) -> float:
    """CPU of PostgreSQL: its postmaster, every backend there is or was, and its background writers."""
    children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
    return sum(map(seconds_of, (postmaster, *map(int, children))))


def quiet() -> bool:
    """Look for two seconds whether others leave the machine alone."""
    before = machine_seconds()
    time.sleep(2.0)
    return machine_seconds() - before < QUIET * 2.0 * CORES


def machine_seconds() -> float:
    """CPU that anybody used: all that /proc/stat counts but idle and waiting for a disk."""
    user, nice, system, _idle, _waiting, *rest = Path("/proc/stat").read_text().splitlines()[0].split()[1:]
    return sum(map(int, (user, nice, system, *rest[:3]))) / _TICK


@dataclass(frozen=True, slots=True)
class Said:
    """What a session told the server, from the server's own log."""

    queries: int
    commits: int
    kinds: Counter[str]


_STATEMENT = re.compile(r"LOG:  statement: (.*)", re.DOTALL)
_BRACKETS = {"BEGIN", "COMMIT", "ROLLBACK"}


def statements(log: str) -> Said:
    """Read what PostgreSQL logged of one session with `log_statement = all`.

    BEGIN and COMMIT are no queries; what writes outside them is a commit of its own, and what reads leaves none.
    """
    kinds: Counter[str] = Counter()
    commits, inside = 0, False
    for entry in re.split(r"\n(?=\d{4}-\d\d-\d\d )", log):
        if (match := _STATEMENT.search(entry)) is None:
            continue
        said = match[1].strip()
        if said.upper() in _BRACKETS:
            commits += said.upper() == "COMMIT"
            inside = said.upper() == "BEGIN"
            continue
        commits += not inside and not said.upper().startswith("SELECT")
        kinds[_kind(said)] += 1
    return Said(kinds.total(), commits, kinds)


def _kind(statement: str) -> str:
    """The verb and the tables it names: enough to see what costs the queries."""
    if "set_config" in statement:
        return "SELECT set_config"
    verb = statement.split(None, 1)[0].upper()
    tables = list(dict.fromkeys(re.findall(r'(?:UPDATE|INTO|FROM) "?([a-z0-9]+_[a-z0-9]+)', statement)))
    return f"{verb} {' + '.join(tables if verb == 'WITH' else tables[-1:])}"
