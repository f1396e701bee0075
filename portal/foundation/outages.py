"""Telling a database that is away from a mistake of ours."""

from django.db import DatabaseError, InterfaceError, OperationalError


def is_outage(exception: BaseException | None) -> bool:
    """Whether the exception, or one that it was raised for, says that the database is away or gave up.

    The same may succeed in a moment, which no other error of a database will.
    """
    while exception is not None:
        # what comes of a connection that broke has no SQLSTATE, hence no class of its own
        if isinstance(exception, (OperationalError, InterfaceError)) or type(exception) is DatabaseError:
            return True
        exception = exception.__cause__ or exception.__context__
    return False
