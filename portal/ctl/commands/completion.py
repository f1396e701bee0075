"""Completion for shells, out of the commands themselves."""

import click
from click.shell_completion import get_completion_class

from portal.ctl.examples import Command
from portal.ctl.outcomes import usage


@click.command(
    cls=Command,
    examples=(
        "portalctl completion bash > ~/.local/share/bash-completion/completions/portalctl",
        'portalctl completion zsh > "${fpath[1]}/_portalctl"',
        "portalctl completion fish > ~/.config/fish/completions/portalctl.fish",
    ),
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]), metavar="SHELL")
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print a script that lets SHELL, one of bash, zsh and fish, complete commands and options."""
    script = get_completion_class(shell)
    if script is None:
        raise usage(f"There is no completion for {shell}.")
    click.echo(script(ctx.find_root().command, {}, "portalctl", "_PORTALCTL_COMPLETE").source())
