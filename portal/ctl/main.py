"""`portalctl`: the root of all commands, and how each of their ends becomes an exit code."""

import sys

import click

from portal.ctl.commands import (
    access,
    caa,
    certificates,
    completion,
    domains,
    journal,
    making,
    people,
    policies,
    profiles,
    publishing,
    requests,
)
from portal.ctl.examples import Group
from portal.ctl.outcomes import Failure, Outcome
from portal.ctl.session import Answers

_EPILOG = "Exit codes and all commands by example: docs/portalctl.md"


@click.group(
    cls=Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}, epilog=_EPILOG
)
@click.version_option(package_name="certificate-portal", prog_name="portalctl", message="%(prog)s %(version)s")
@click.option("--no-color", default="", envvar="NO_COLOR", hidden=True)
@click.pass_context
def cli(ctx: click.Context, no_color: str) -> None:
    """Certificates from the command line: list, download, request, rekey, approve; domains and their proofs.

    Sign in first: portalctl login URL TENANT
    """
    if no_color:
        ctx.color = False


for command in (
    *(access.login, access.logout, access.whoami),
    *(certificates.list_, certificates.show, certificates.download, certificates.upload),
    *(making.request, making.rekey, making.submit),
    *(requests.requests, requests.wait, requests.withdraw, requests.approve, requests.reject, requests.domains),
    *(policies.policies, profiles.profiles, profiles.agreements, people.people, journal.journal),
    *(domains.domain, caa.caa, publishing.ways, policies.rules),
    completion.completion,
):
    cli.add_command(command)


def run() -> None:
    """What the installed program calls."""
    sys.exit(main())


def main(arguments: list[str] | None = None) -> int:
    """Run a command; return its exit code, one of `outcomes.MEANINGS`."""
    answers = Answers()
    try:
        cli.main(arguments, prog_name="portalctl", standalone_mode=False, obj=answers)
    except Failure as failure:
        failure.tell(as_json=answers.as_json)
        return failure.outcome
    except click.ClickException as fault:
        fault.show()
        return Outcome.USAGE
    except click.Abort:  # Ctrl-C, or nobody answers a question
        click.echo("Interrupted.", err=True)
        return Outcome.INTERRUPTED
    return Outcome.DONE
