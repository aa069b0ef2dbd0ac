"""Clients that ask again and again, from one process that does little else."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import cycle


def post(path: str, body: bytes, media_type: str) -> bytes:
    """Return a whole request, so that sending it again costs nothing but that."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\n"
        f"Content-Type: {media_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def free_port() -> int:
    """Return a port of 127.0.0.1 that nothing listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def ask(
    port: int, requests: Sequence[bytes], *, clients: int, seconds: float
) -> list[float]:
    """Ask again and again, each client on a connection of its own.

    Args:
        port: of 127.0.0.1.
        requests: of `post`, in turn; each client begins with another.
        clients: that ask at the same time, each when it has its answer.
        seconds: after which nothing more is asked.

    Returns:
        Milliseconds of every answer.

    Raises:
        RuntimeError: an answer was not 200.
    """
    return asyncio.run(_ask(port, requests, clients, seconds))


def answer_to(port: int, request: bytes) -> bytes:
    """Return the body of one answer.

    Raises:
        RuntimeError: it was not 200.
    """
    return asyncio.run(_once(port, request))


async def _ask(
    port: int, requests: Sequence[bytes], clients: int, seconds: float
) -> list[float]:
    until = time.perf_counter() + seconds
    took = await asyncio.gather(
        *(
            _client(port, [*requests[place:], *requests[:place]], until)
            for place in range(clients)
        )
    )
    return [one for each in took for one in each]


async def _client(port: int, requests: list[bytes], until: float) -> list[float]:
    took = []
    async with _connection(port) as (reader, writer):
        for request in cycle(requests):
            started = time.perf_counter()
            if started > until:
                break
            writer.write(request)
            await _answer(reader)
            took.append(1000 * (time.perf_counter() - started))
    return took


async def _once(port: int, request: bytes) -> bytes:
    async with _connection(port) as (reader, writer):
        writer.write(request)
        return await _answer(reader)


@asynccontextmanager
async def _connection(
    port: int,
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()
        await writer.wait_closed()


async def _answer(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200"):
        msg = f"expected 200, got {head[:100]!r}"
        raise RuntimeError(msg)
    length = head.lower().partition(b"content-length:")[2].partition(b"\r")[0]
    return await reader.readexactly(int(length))
