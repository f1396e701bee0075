"""Row-level security is only as good as the role that meets it.

A superuser, a role with BYPASSRLS, and the owner of the tables all see, or can make
themselves see, every tenant's rows.  A service that finds itself to be one of them
does not work.
"""

from functools import cache

from django.db import connection


class Unfenced(Exception):
    """The service's database role is one that row-level security does not hold; the message says which."""


@cache
def refuse_unfenced_role() -> None:
    """Raise `Unfenced` unless the connection's role is an ordinary one that owns nothing; asked once a process."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT rolname, rolsuper, rolbypassrls,"
            " EXISTS (SELECT FROM pg_class WHERE relowner = pg_roles.oid AND relkind = 'r')"
            " FROM pg_roles WHERE rolname = current_user"
        )
        name, superuser, bypasses, owns = cursor.fetchone()
    faults = [
        fault
        for is_so, fault in (
            (superuser, "is a superuser"),
            (bypasses, "bypasses row-level security"),
            (owns, "owns tables"),
        )
        if is_so
    ]
    if faults:
        raise Unfenced(
            f"The database role {name!r} {' and '.join(faults)}, so tenants are not kept apart."
            " Give this service a role of its own (manage.py grant_roles)."
        )
