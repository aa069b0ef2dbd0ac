"""What a client may take of the server: connections, bytes of a head, time."""

import resource
from dataclasses import dataclass
from typing import Final

from nextvec.app.settings import Settings

BACKLOG: Final = 128
"""Connections that wait in the kernel; asyncio accepts so many in one go, and only then
are they counted."""

SPARE: Final = 8
"""Connections beyond the most there may be, on which only probes are answered: an
orchestrator that is kept from them would restart what is only busy."""

_OWN_DESCRIPTORS: Final = 64
# Log, loop, listeners, files of a bundle while it is loaded: 25 were seen.


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLimits:
    """The limits of `nextvec.app.server.connection`."""

    max_connections: int
    """Most open connections."""

    backlog: int
    """Most connections that wait to be accepted."""

    max_head_bytes: int
    """Longest request line and headers, in bytes."""

    head_timeout_s: float
    """Longest time from the first moment of a connection, or the first byte of a
    request, to the end of its head."""

    body_timeout_s: float
    """Longest time from the end of a head to the end of its body; and how long a client
    may read nothing of its answer."""

    keep_alive_s: float
    """How long a connection is kept on which nothing happens."""

    retry_after_s: int
    """What a refused client is told to wait, in seconds."""


def connection_limits(
    settings: Settings, descriptors: int | None = None
) -> ConnectionLimits:
    """Return the limits that settings and this process set.

    Args:
        settings: what an operator wants.
        descriptors: how many the process may have open; asked of the system if None.
    """
    if descriptors is None:
        descriptors = _descriptors()
    backlog = max(1, min(BACKLOG, descriptors // 8))
    room = max(1, descriptors - backlog - SPARE - _OWN_DESCRIPTORS)
    return ConnectionLimits(
        max_connections=min(settings.max_connections, room),
        backlog=backlog,
        max_head_bytes=settings.max_head_bytes,
        head_timeout_s=settings.head_timeout_s,
        body_timeout_s=settings.body_timeout_s,
        keep_alive_s=settings.keep_alive_s,
        retry_after_s=settings.retry_after_s,
    )


def _descriptors() -> int:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    # -1 or some such large number: no limit
    return soft if soft != resource.RLIM_INFINITY else 1 << 20
