"""`python -m portal.ctl`: the same program where no script is installed for it."""

from portal.ctl.main import run

run()
