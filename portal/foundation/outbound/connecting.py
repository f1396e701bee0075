"""A connection to an address that was judged, and reading from it for so long and no longer.

Whoever checks a name and then connects to the name has checked nothing: the second look-up
may say something else.  Here the name is looked up once and the connection goes to what was
judged.
"""

import io
import socket
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import zip_longest
from typing import TYPE_CHECKING, Protocol

from portal.foundation.outbound.reasons import NotFetched, Reason
from portal.foundation.outbound.special import why_special

if TYPE_CHECKING:
    from typing_extensions import Buffer

Routes = Mapping[tuple[str, int], tuple[str, int]]
"""Where an address and port of documentation lead to on this machine, for demos and tests (`OUTBOUND_ROUTES`)."""

MOST_TRIED = 4
"""Addresses of one name that are tried; IPv6 and IPv4 in turn (RFC 8305 4)."""

CONNECT = 3.0
"""Seconds for one of them, so that a dead one leaves time for the next."""


class Addresses(Protocol):
    def addresses(self, name: str, ends: float) -> Sequence[str]:
        """Return every A and AAAA record of *name*, until the monotonic clock shows *ends*.

        What it raises where nothing can be known goes through to whoever wanted to fetch.
        """
        ...


def judged(answers: Sequence[str], port: int, routes: Routes, *, url: str) -> list[str]:
    """Return *answers* in the order to try them; raise `NotFetched` if even one of them is nobody's on the Internet.

    One is enough: who publishes a private address beside a public one waits for us to take the other.
    """
    if not answers:
        raise NotFetched(Reason.NO_ADDRESS, url)
    for address in answers:
        if (address, port) not in routes and (why := why_special(address)):
            raise NotFetched(Reason.SPECIAL_ADDRESS, url, f"{address}: {why}")
    six = [address for address in answers if ":" in address]
    four = [address for address in answers if ":" not in address]
    return [address for pair in zip_longest(six, four) for address in pair if address][:MOST_TRIED]


def connected(
    addresses: Sequence[str], port: int, routes: Routes, *, ends: float, url: str
) -> tuple[socket.socket, str]:
    """Connect to the first of *addresses*, which were judged, that answers; return which one that was."""
    failure = NotFetched(Reason.NOT_CONNECTED, url)
    for address in addresses:
        left = min(ends - time.monotonic(), CONNECT)
        if left <= 0:
            raise NotFetched(Reason.TOO_SLOW, url, address=address)
        try:
            return socket.create_connection(routes.get((address, port), (address, port)), left), address
        except TimeoutError:
            failure = NotFetched(Reason.TOO_SLOW, url, "nobody answers", address=address)
        except OSError as error:
            failure = NotFetched(Reason.NOT_CONNECTED, url, error.strerror or "", address=address)
    raise failure


class TooMuch(Exception):
    """More bytes came than anybody would read."""


class Bounded(io.RawIOBase):
    """What comes from a socket, until a moment and up to a number of bytes.

    The moment counts for everything together: a peer that sends a byte a second gains nothing by it.
    """

    def __init__(self, connection: socket.socket, *, ends: float, most: int) -> None:
        self._connection = connection
        self._ends = ends
        self._left = most

    def allow(self, more: int) -> None:
        self._left += more

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "Buffer") -> int:
        if self._left <= 0:
            raise TooMuch
        view = memoryview(buffer)[: self._left]
        self._connection.settimeout(max(self._ends - time.monotonic(), 0.000_001))  # nought would mean "do not wait"
        if self._ends <= time.monotonic():
            raise TimeoutError
        count = self._connection.recv_into(view)
        self._left -= count
        return count

    def makefile(self, *_: object) -> io.BufferedReader:
        """Be a socket for `http.client`."""
        return io.BufferedReader(self, 4096)


def closed(connection: socket.socket) -> None:
    """Be done with a connection; what the peer still has to say is not waited for."""
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
