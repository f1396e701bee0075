"""`portalctl`: the root of all commands, and how each of their ends becomes an exit code."""

import sys

import click

from portal.ctl.commands import access, certificates, completion, making, requests
from portal.ctl.outcomes import Failure, Outcome
from portal.ctl.session import Session

_EPILOG = "Exit codes and all commands by example: docs/portalctl.md"


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}, epilog=_EPILOG)
@click.version_option(package_name="certificate-portal", prog_name="portalctl", message="%(prog)s %(version)s")
@click.option("--no-color", default="", envvar="NO_COLOR", hidden=True)
@click.pass_context
def cli(ctx: click.Context, no_color: str) -> None:
    """Certificates from the command line: list, download, request, rekey, approve.

    Sign in first: portalctl login URL TENANT
    """
    if no_color:
        ctx.color = False


for command in (
    *(access.login, access.logout, access.whoami),
    *(certificates.list_, certificates.show, certificates.download),
    *(making.request, making.rekey, making.submit),
    *(requests.requests, requests.wait, requests.withdraw, requests.approve, requests.reject, requests.domains),
    completion.completion,
):
    cli.add_command(command)


def run() -> None:
    """What the installed program calls."""
    sys.exit(main())


def main(arguments: list[str] | None = None) -> int:
    """Run a command; return its exit code, one of `outcomes.MEANINGS`."""
    context: click.Context | None = None
    try:
        with cli.make_context("portalctl", list(sys.argv[1:] if arguments is None else arguments)) as context:
            cli.invoke(context)
    except Failure as failure:
        failure.tell(as_json=_wants_json(context))
        return failure.outcome
    except click.exceptions.Exit as ended:
        return ended.exit_code
    except click.ClickException as fault:
        fault.show()
        return Outcome.USAGE
    except (KeyboardInterrupt, click.Abort):
        click.echo("Interrupted.", err=True)
        return Outcome.INTERRUPTED
    except BrokenPipeError:  # whoever read us has enough
        sys.stderr.close()
        return Outcome.DONE
    return Outcome.DONE


def _wants_json(context: click.Context | None) -> bool:
    return bool(context and isinstance(context.obj, Session) and context.obj.as_json)
