"""`python -m portal.demo`: runs before Django is configured, because it makes what Django is configured with."""

import argparse
import os
import sys
from pathlib import Path

from portal.demo.manage import manage
from portal.demo.places import Unusable
from portal.demo.supervisor import run


def main() -> int:
    """Run a demo, or a command of `manage.py` beside one that runs: what follows `manage` is that command's."""
    given, command = sys.argv[1:], None
    if "manage" in given:
        given, command = given[: given.index("manage")], given[given.index("manage") + 1 :]
    parser = argparse.ArgumentParser(
        prog="python -m portal.demo",
        description="Run the whole portal on this machine.",
        epilog="With `manage COMMAND …` behind the options it runs a command of manage.py in the demo that runs.",
    )
    parser.add_argument("--port", type=int, default=int(os.environ.get("PORT") or 8000))
    parser.add_argument("--var", type=Path, default=Path(os.environ.get("VAR") or "var"), help="where its data lies")
    parser.add_argument("--afresh", action="store_true", help="delete the demo's data first")
    options = parser.parse_args(given)
    if command is not None:
        try:
            manage(options.var, command)
        except Unusable as fault:
            print(fault, file=sys.stderr)
            return 1
    return run(options.var, options.port, afresh=options.afresh)


sys.exit(main())
