"""Which addresses belong to the public internet. Pure.

A URL that a caller names must not reach what only this machine or its network can reach: private
and loopback addresses, link-local ones with the metadata services of clouds among them, and every
form that hides such an address in another (IPv4 mapped into IPv6, 6to4, NAT64, Teredo). The lists
are IANA's registries of special-purpose addresses (RFC 6890 and its successors).
"""

from __future__ import annotations

import ipaddress
from typing import Final

_GLOBAL_UNICAST: Final = ipaddress.ip_network("2000::/3")
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")  # RFC 6052
_NOT_FOR_HOSTS: Final = tuple(
    ipaddress.ip_network(network)
    for network in (
        "192.0.0.0/24",  # RFC 6890: protocol assignments
        "192.88.99.0/24",  # RFC 7526: relays of 6to4
        "2001::/23",  # RFC 2928: protocol assignments, Teredo and ORCHID among them
        "2001:db8::/32",  # RFC 3849: documentation
        "3fff::/20",  # RFC 9637: documentation
    )
)


def is_public(text: str) -> bool:
    """Whether an IP address, as ``getaddrinfo`` writes it, is a host of the public internet."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address):
        if address.scope_id is not None:
            return False
        hidden = _hidden(address)
        if hidden is not None:
            return is_public(str(hidden))
        if address not in _GLOBAL_UNICAST:
            return False
    if any(address.version == net.version and address in net for net in _NOT_FOR_HOSTS):
        return False
    return address.is_global and not (
        address.is_multicast or address.is_reserved or address.is_unspecified
    )


def _hidden(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that is really meant."""
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return None
