"""What every command has in common: whose token it uses, how it answers, and what it says while it works."""

import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, wraps
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from portal.ctl import places, showing
from portal.ctl.outcomes import usage
from portal.ctl.places import Place

if TYPE_CHECKING:
    from portal.ctl.connection import Api

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass(slots=True)
class Answers:
    """How the command that runs answers; the root's, since its failures are told there."""

    as_json: bool = False


@dataclass(frozen=True)
class Session:
    """One run of a command."""

    profile: str
    given: Place
    as_json: bool = False

    @cached_property
    def place(self) -> Place:
        """Where the environment says, or else where the profile is signed in."""
        if self.given.token and self.given.url and self.given.tenant:
            return self.given
        if self.given.url or self.given.tenant:
            raise usage(
                "PORTALCTL_URL, PORTALCTL_TENANT and PORTALCTL_TOKEN belong together, and not all are set.",
                "Set all three, or none and sign in: portalctl login URL TENANT",
            )
        kept = places.named(self.profile)
        return Place(kept.url, kept.tenant, self.given.token or kept.token, self.given.ca_file or kept.ca_file)

    @cached_property
    def api(self) -> "Api":
        return connected(self.place, self.say)

    def show(self, data: Any, for_people: Callable[[], None]) -> None:
        """Answer: *data* where JSON is wanted, or else what *for_people* prints."""
        if self.as_json:
            showing.json_out(data)
        else:
            for_people()

    def say(self, text: str) -> None:
        """Tell people how it goes, apart from the answer."""
        click.echo(showing.plain(text), err=True)

    @property
    def attended(self) -> bool:
        """Whether somebody is there to be asked."""
        return sys.stdin.isatty() and sys.stderr.isatty()


def connected(place: Place, say: Callable[[str], None]) -> "Api":
    from portal.ctl.connection import Api  # noqa: PLC0415 - `--help` and completion need no HTTP

    return Api(place, say)


def signed_in(command: Command) -> Command:
    """Give the command a `Session` before its own arguments, and the options that make it one."""

    @wraps(command)
    def run(
        *args: Any, profile: str, as_json: bool, url: str, tenant: str, token: str, ca_file: str, **kwargs: Any
    ) -> Any:
        given = Place(places.origin_of(url) if url else "", tenant, token.strip(), ca_file)
        session = Session(profile, given, as_json=as_json)
        click.get_current_context().obj.as_json = as_json
        return command(session, *args, **kwargs)

    for option in reversed(_OPTIONS):
        run = option(run)
    return run  # type: ignore[return-value]


def from_environment(ctx: click.Context, option: click.Parameter, value: str) -> str:
    """Refuse on the command line what belongs into the environment: every process can see another one's options."""
    if ctx.get_parameter_source(str(option.name)) is ParameterSource.COMMANDLINE:
        raise click.NoSuchOption(option.opts[0], ctx=ctx)
    return value


_ENVIRONMENT = {"hidden": True, "default": "", "callback": from_environment}
_OPTIONS = (
    click.option(
        "--profile",
        envvar="PORTALCTL_PROFILE",
        default=places.USUAL,
        show_default=True,
        metavar="NAME",
        help="Which sign-in to use.",
    ),
    click.option("--json", "as_json", is_flag=True, help="Answer with JSON, for programs."),
    # for programs that have no home
    click.option("--url", envvar="PORTALCTL_URL", **_ENVIRONMENT),  # type: ignore[arg-type]
    click.option("--tenant", envvar="PORTALCTL_TENANT", **_ENVIRONMENT),  # type: ignore[arg-type]
    click.option("--from-environment", "token", envvar="PORTALCTL_TOKEN", **_ENVIRONMENT),  # type: ignore[arg-type]
    click.option("--ca-file", envvar="PORTALCTL_CA_FILE", **_ENVIRONMENT),  # type: ignore[arg-type]
)


Row = Callable[[dict[str, Any]], Sequence[Any]]


@dataclass(frozen=True, slots=True)
class Columns:
    """A list as a table: its head, and a row's cells."""

    head: Sequence[str]
    row: Row


@dataclass(frozen=True, slots=True)
class Reach:
    """How much of a list is wanted, and in which shape."""

    everything: bool
    limit: int | None
    as_csv: bool


def listing(command: Command) -> Command:
    """Give a command that lists the options of all lists, as one `Reach`."""

    @wraps(command)
    def run(*args: Any, everything: bool, limit: int | None, as_csv: bool, **kwargs: Any) -> Any:
        return command(*args, reach=Reach(everything, limit, as_csv), **kwargs)

    run = click.option("--csv", "as_csv", is_flag=True, help="Answer with CSV.")(run)
    run = click.option("--limit", type=click.IntRange(1, 100), help="Rows of one page.")(run)
    return click.option("--all", "everything", is_flag=True, help="Every page, not the first alone.")(run)  # type: ignore[return-value]


def show_list(session: Session, parts: Sequence[str], columns: Columns, reach: Reach, **query: Any) -> None:
    """Answer a list: its first page, or all of it."""
    limit = reach.limit or (100 if reach.everything else None)
    pages = session.api.pages(*parts, **query, limit=limit)
    rows: list[dict[str, Any]] = []
    following = None
    for page in pages:
        rows += page["results"]
        following = page.get("next")
        if not reach.everything:
            break
    if reach.as_csv:
        showing.csv_out(columns.head, map(columns.row, rows))
        return
    session.show({"results": rows, "next": following}, lambda: _table(rows, columns))
    if following and not session.as_json:
        session.say("There are more: --all shows them, and filters narrow the list.")


def told(data: dict[str, Any], sentence: str) -> Callable[[], None]:
    """Say in one line what was done, of what the portal answered; a braced name is one of its fields."""
    return lambda: click.echo(showing.plain(sentence.format(**data)))


def reviewed(session: Session, answer: dict[str, Any]) -> None:
    """Show what a change of the rules does, or after a dry run would do, and whom it reaches."""

    def for_people() -> None:
        changes = [
            (one.get("operation", ""), one.get("title") or one.get("field", ""), one["before"], one["after"])
            for one in answer.get("changes", ())
        ]
        if changes:
            showing.table(("OPERATION", "WHAT", "BEFORE", "AFTER"), changes)
        gives_up = [one["gives_up"] for one in answer.get("changes", ()) if one.get("gives_up")]
        for sentence in (*gives_up, *answer.get("advice", ()), *(one["sentence"] for one in answer["reached"])):
            click.echo(showing.plain(sentence))
        click.echo("Saved." if answer["saved"] else "Nothing was saved: this was a dry run.")

    session.show(answer, for_people)


def _table(rows: Iterable[dict[str, Any]], columns: Columns) -> None:
    shown = [columns.row(row) for row in rows]
    if shown:
        showing.table(columns.head, shown)
    else:
        click.echo("There is nothing that fits.")
