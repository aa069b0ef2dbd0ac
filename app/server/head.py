"""Request line and headers, piece by piece as they arrive."""

from typing import Any
from urllib.parse import unquote


class HeadTooLargeError(Exception):
    """Raised within the parser."""


class HostError(Exception):
    """RFC 9112, 3.2: a request of HTTP/1.1 has one Host; raised within the parser."""


class Head:
    """What of a request comes before its body."""

    __slots__ = (
        "_fed_bytes",
        "_header_bytes",
        "_headers",
        "_max_bytes",
        "_num_hosts",
        "_url",
        "awaits_continue",
        "is_complete",
    )

    def __init__(self, max_bytes: int) -> None:
        """Begin with a request, whose head may have so many bytes."""
        self._max_bytes = max_bytes
        self._url = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._header_bytes = self._fed_bytes = self._num_hosts = 0
        self.awaits_continue = False
        """The client sends its body when it is asked to."""
        self.is_complete = False

    def feed(self, number: int) -> None:
        """Count bytes that have come, of which none has ended a head yet.

        Raises:
            HeadTooLargeError: they are too many; so it is with what follows.
        """
        self._fed_bytes += number
        self._check(self._fed_bytes)

    def add_url(self, url: bytes) -> None:
        """Take a piece of the target."""
        self._url += url
        self._check(len(self._url))

    def add_header(self, name: bytes, value: bytes) -> None:
        """Take a header; one after a body counts, and is dropped.

        RFC 9110, 6.5.1: a trailer is no header. As one it would get by whatever in
        front sets or strips headers.
        """
        self._header_bytes += len(name) + len(value) + 4
        self._check(len(self._url) + self._header_bytes)
        if self.is_complete:
            return
        name = name.lower()
        if name == b"host":
            self._num_hosts += 1
        elif name == b"expect":
            self.awaits_continue = value.lower() == b"100-continue"
        self._headers.append((name, value))

    def check_host(self, version: str) -> None:
        """Refuse a head with another number of hosts than its version asks for.

        Raises:
            HostError: it has.
        """
        if self._num_hosts != 1 and (version == "1.1" or self._num_hosts):
            msg = f"one Host, got {self._num_hosts}"
            raise HostError(msg)

    def without_upgrade(self, method: bytes, version: str) -> bytes:
        """Return it again, with no offer of another protocol."""
        lines = [b"%s %s HTTP/%s" % (method, self._url, version.encode())]
        lines += [
            b"%s: %s" % header for header in self._headers if header[0] != b"upgrade"
        ]
        return b"\r\n".join([*lines, b"", b""])

    def scope(self, method: bytes, version: str) -> dict[str, Any]:
        """Return what ASGI tells the app of it."""
        url = self._url
        if not url.startswith((b"/", b"*")):
            # RFC 9112, 3.2.2: a server takes the absolute form as well
            url = b"/" + url.partition(b"://")[2].partition(b"/")[2]
        raw_path, _, query = url.partition(b"?")
        path = raw_path.decode("ascii")
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": version,
            "method": method.decode("ascii"),
            "scheme": "http",
            "path": unquote(path) if "%" in path else path,
            "raw_path": raw_path,
            "query_string": query,
            "root_path": "",
            "headers": self._headers,
        }

    def _check(self, number: int) -> None:
        if number > self._max_bytes:
            raise HeadTooLargeError
