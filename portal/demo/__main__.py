"""`python -m portal.demo`: runs before Django is configured, because it makes what Django is configured with."""

import argparse
import os
import sys
from pathlib import Path

from portal.demo.supervisor import run


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m portal.demo", description="Run the whole portal on this machine.")
    parser.add_argument("--port", type=int, default=int(os.environ.get("PORT") or 8000))
    parser.add_argument("--var", type=Path, default=Path(os.environ.get("VAR") or "var"), help="where its data lies")
    parser.add_argument("--afresh", action="store_true", help="delete the demo's data first")
    options = parser.parse_args()
    return run(options.var, options.port, afresh=options.afresh)


sys.exit(main())
