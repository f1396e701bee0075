"""A journal that takes no lines, in the two ways in which that happens."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from portal.demo.postgresql import SERVICE_ROLES

JOURNAL = "audit_auditevent"
_WRITERS = ", ".join(
    sorted({SERVICE_ROLES[service] for service in ("web", "signing", "validation", "publishing", "messages")})
)


def _grant_revoked(owner: Any) -> Callable[[], None]:
    owner.execute(f"REVOKE INSERT ON {JOURNAL} FROM {_WRITERS}")
    return lambda: owner.execute(f"GRANT INSERT ON {JOURNAL} TO {_WRITERS}")


def _disk_full(owner: Any) -> Callable[[], None]:
    owner.execute(
        "CREATE FUNCTION drill_full() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END $$;"
        f" CREATE TRIGGER drill_full BEFORE INSERT ON {JOURNAL} EXECUTE FUNCTION drill_full()"
    )
    return lambda: owner.execute("DROP FUNCTION drill_full CASCADE")


WAYS = {"grant revoked": _grant_revoked, "disk full": _disk_full}


@contextmanager
def shut(owner: Any, way: str) -> Iterator[None]:
    """Shut the journal inside the block; *owner* is a superuser's cursor."""
    opened = WAYS[way](owner)
    try:
        yield
    finally:
        opened()
