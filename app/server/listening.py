"""Taking the address before anything is loaded: a port in use is told at once."""

import socket

from nextvec.app.settings import Settings
from nextvec.training.errors import ProjectError


class AddressError(ProjectError):
    """Nobody can listen there: in use, not of this machine, or not allowed."""


def take_address(settings: Settings) -> list[socket.socket]:
    """Bind every address of the host that is set; nothing is accepted yet.

    Until somebody listens on them, clients are refused as if nobody was there.

    Raises:
        AddressError: one cannot be had; says which, and why.
    """
    host, port = settings.host, settings.port
    taken: list[socket.socket] = []
    try:
        found = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        for family, kind, protocol, _, address in dict.fromkeys(found):
            listener = socket.socket(family, kind, protocol)
            taken.append(listener)
            # else a restart waits for what the last one left in TIME_WAIT
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            listener.bind(address)
            listener.setblocking(False)
    except OSError as error:
        for listener in taken:
            listener.close()
        msg = f"cannot listen on {host} port {port}: {error.strerror or error}"
        raise AddressError(msg) from error
    return taken
