"""`python -m portal.demo manage …`: manage.py as the demo that runs on a folder would call it.

What it needs to know, such as the name server's port, only the running demo knows.  It keeps that in a file that
nobody else can read, as long as it runs.
"""

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from portal.demo.places import Places, Unusable
from portal.demo.surroundings import Surroundings

_ROOT = Path(__file__).resolve().parent.parent.parent
_FOLDER, _NAME = "running", "environment.json"


def let_in(around: Surroundings) -> None:
    """Let `manage` find the demo that runs now."""
    path = _path(around.places)
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(around.environment("tool"), file)


def shut_out(around: Surroundings) -> None:
    """Let it find none any more."""
    _path(around.places).unlink(missing_ok=True)


def manage(var: Path, arguments: Sequence[str]) -> NoReturn:
    """Become `manage.py` with *arguments*; raise `Unusable` where no demo runs on *var*."""
    try:
        environment = json.loads((var.resolve() / _FOLDER / _NAME).read_text())
    except FileNotFoundError:
        raise Unusable(f"No demo runs on {var}. Start it: make demo VAR={var}") from None
    os.chdir(_ROOT)
    os.execve(sys.executable, [sys.executable, "manage.py", *arguments], environment)  # noqa: S606 - no shell is wanted


def _path(places: Places) -> Path:
    return places.make(_FOLDER) / _NAME
