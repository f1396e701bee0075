"""`python -m tests.fakes.slow_dns`: stands before a resolver, and is as far away from it as one says.

What comes over UDP is passed on at once, and the answer handed back late; any number of
questions are under way at the same time.
"""

import argparse
import asyncio
import sys

from portal.demo.child import Child, bare_environment, wait_until
from portal.demo.embedded import free_port
from portal.demo.places import Places
from portal.servers import Server


class Proxy(asyncio.DatagramProtocol):
    """One socket for those who ask, and one for each question, so that ids need not be unique."""

    transport: asyncio.DatagramTransport

    def __init__(self, to: Server, delay: float) -> None:
        self.to, self.delay = to, delay
        self.under_way: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        task = asyncio.create_task(self.pass_on(data, addr))
        self.under_way.add(task)
        task.add_done_callback(self.under_way.discard)

    async def pass_on(self, question: bytes, addr: tuple[str, int]) -> None:
        loop = asyncio.get_running_loop()
        late = loop.time() + self.delay
        answered: asyncio.Future[bytes] = loop.create_future()
        transport, _ = await loop.create_datagram_endpoint(
            lambda: Upstream(answered), remote_addr=(self.to.host, self.to.port)
        )
        try:
            transport.sendto(question)
            answer = await asyncio.wait_for(answered, 10)
            await asyncio.sleep(late - loop.time())
            self.transport.sendto(answer, addr)
        except TimeoutError:
            pass
        finally:
            transport.close()


class Upstream(asyncio.DatagramProtocol):
    def __init__(self, answered: "asyncio.Future[bytes]") -> None:
        self.answered = answered

    def datagram_received(self, data: bytes, _addr: tuple[str, int]) -> None:
        if not self.answered.done():
            self.answered.set_result(data)


def far(places: Places, to: Server, delay: float) -> tuple[Child, Server]:
    """Start a resolver that is *delay* seconds away from us and answers what *to* does."""
    here = Server("127.0.0.1", free_port())
    command = [sys.executable, "-m", "tests.fakes.slow_dns", str(here), str(to), str(delay)]
    child = Child("slow-dns", command, bare_environment(), places.log("slow-dns"))
    child.start()
    assert wait_until(lambda: not child.alive or "ready" in child.log.read_text(), 20.0), child.last_lines()
    assert child.alive, child.last_lines()
    return child, here


async def serve(here: Server, to: Server, delay: float) -> None:
    loop = asyncio.get_running_loop()
    await loop.create_datagram_endpoint(lambda: Proxy(to, delay), local_addr=(here.host, here.port))
    print("ready", flush=True)  # noqa: T201 - whoever started it waits for this line
    await asyncio.Event().wait()


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("here")
    asked.add_argument("to")
    asked.add_argument("delay", type=float)
    told = asked.parse_args()
    here, to = (
        Server(host, int(port)) for host, _colon, port in (each.rpartition(":") for each in (told.here, told.to))
    )
    asyncio.run(serve(here, to, told.delay))


if __name__ == "__main__":
    main()
