"""One connection to the service, as raw as a fault needs it."""

import asyncio
import contextlib
import time
from dataclasses import dataclass
from typing import Final, Self

import orjson

_MAX_HEAD: Final = 1 << 20
_INTERIM: Final = range(100, 200)


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back."""

    status: int
    headers: dict[str, str]
    """By name in small letters; of several of one name the last."""

    body: bytes
    took_s: float
    """From the first byte sent to the last one received, in seconds."""

    def json(self) -> dict[str, object]:
        """Return the body, which has to be an object of JSON."""
        value: dict[str, object] = orjson.loads(self.body)
        return value


class Connection:
    """A keep-alive connection of HTTP/1.1, opened again whenever the service closed it.

    Used by one task at a time.
    """

    def __init__(
        self, port: int, *, timeout_s: float = 30.0, key: str | None = None
    ) -> None:
        """Open nothing yet.

        Args:
            port: of the service, on this machine.
            timeout_s: longest wait for one answer, in seconds.
            key: API key that is sent with each request.
        """
        self._key = b"" if key is None else f"\r\nX-API-Key: {key}".encode()
        self._port, self._timeout_s = port, timeout_s
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def __aenter__(self) -> Self:
        """Open nothing yet, either."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close it, and wait until it is."""
        if self._streams is not None:
            writer = self._streams[1]
            self.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    def close(self) -> None:
        """Close it at once; the next request opens another one."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None

    async def ask(self, request: bytes) -> Reply:
        """Send the bytes of a request and wait for the whole answer.

        A connection that the service closed while it was idle is opened again, once.

        Raises:
            TimeoutError: no whole answer came in time.
            ConnectionError: the connection ended without one.
        """
        is_fresh = self._streams is None
        started = time.perf_counter()
        try:
            async with asyncio.timeout(self._timeout_s):
                try:
                    return await self._ask(request, started)
                except ConnectionError:
                    self.close()
                    if is_fresh:
                        raise
                    return await self._ask(request, started)
        except BaseException:
            self.close()
            raise

    async def _ask(self, request: bytes, started: float) -> Reply:
        if self._streams is None:
            self._streams = await asyncio.open_connection(
                "127.0.0.1", self._port, limit=_MAX_HEAD
            )
        reader, writer = self._streams
        # what is no request, and has no line, is sent as it is
        first, end, rest = request.partition(b"\r\n")
        writer.writelines((first, self._key if end else b"", end, rest))
        try:
            status, headers = await _head(reader)
            has_body = not request.startswith(b"HEAD ")
            body = await _body(reader, headers) if has_body else b""
        except asyncio.IncompleteReadError as error:
            msg = f"the connection ended after {len(error.partial)} bytes of an answer"
            raise ConnectionResetError(msg) from error
        if headers.get("connection", "").lower() == "close":
            self.close()
        return Reply(status, headers, body, time.perf_counter() - started)


async def _head(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    """Read status and headers; what is said in between (1xx) is passed over."""
    status = _INTERIM.start
    while status in _INTERIM:
        head = await reader.readuntil(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        status = int(first.split(" ")[1])
    return status, dict(_header(line) for line in lines if line)


async def _body(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
    if "content-length" in headers:
        return await reader.readexactly(int(headers["content-length"]))
    if headers.get("transfer-encoding", "").lower() == "chunked":
        return await _chunks(reader)
    return b""


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    parts = []
    while size := int(await reader.readuntil(b"\r\n"), 16):
        parts.append(await reader.readexactly(size))
        await reader.readexactly(2)
    await reader.readuntil(b"\r\n")
    return b"".join(parts)


def _header(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name.strip().lower(), value.strip()


def request(
    method: str, target: str, body: bytes = b"", *, media: str = "", more: str = ""
) -> bytes:
    r"""Return the bytes of a request.

    Args:
        method: such as ``POST``.
        target: path and query.
        body: sent whole, with its length.
        media: content type of the body.
        more: further header lines, each ended by ``\r\n``.
    """
    head = f"{method} {target} HTTP/1.1\r\nHost: localhost\r\n{more}"
    if body or method == "POST":
        head += f"Content-Length: {len(body)}\r\n"
    if media:
        head += f"Content-Type: {media}\r\n"
    return head.encode("latin-1") + b"\r\n" + body


def as_octets(target: str, body: bytes) -> bytes:
    """Return the request of a body of octets."""
    return request("POST", target, body, media="application/octet-stream")


def as_json(target: str, value: object) -> bytes:
    """Return the request of a value as JSON."""
    return request("POST", target, orjson.dumps(value), media="application/json")
