"""What of the address of a client counts as one client."""

from functools import lru_cache
from ipaddress import IPv4Address, ip_address
from typing import Final

UNKNOWN: Final = "unknown"
"""All clients whose address is not known, together: those of a Unix socket."""


@lru_cache(maxsize=4096)
def network_of(host: str) -> str:
    """Return whom a limit for each address counts as one.

    Args:
        host: an address as the server or a trusted proxy tells it.

    Returns:
        An address of IPv4, also where it is written as one of IPv6; of IPv6 the /64, of
        which one household has all; `UNKNOWN` for anything else.

    Example:
        >>> network_of("192.0.2.7"), network_of("::ffff:192.0.2.7")
        ('192.0.2.7', '192.0.2.7')
        >>> network_of("2001:db8:1:2:3:4:5:6")
        '2001:db8:1:2::/64'
        >>> network_of("a proxy's own words")
        'unknown'
    """
    try:
        address = ip_address(host)
    except ValueError:
        return UNKNOWN
    if isinstance(address, IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    rest = 64
    return f"{type(address)(int(address) >> rest << rest)}/64"
