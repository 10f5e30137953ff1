"""Which addresses a webhook may really connect to; looked at when it connects, not when its name was written down.

A name may mean a public address when it is checked and a private one when it is used. So what counts is the address
that a socket is about to be connected to: every way there (names, literals, several addresses) comes by here.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network
AddressInfo: TypeAlias = tuple[int, int, int, str, tuple[Any, ...]]
"""As socket.getaddrinfo has it."""

_NAT64 = IPv6Network("64:ff9b::/96")
"""RFC 6052: the last 32 bits are the IPv4 address that is reached through it."""
_NEVER_PUBLIC: tuple[Network, ...] = (
    # Look public, and answer with the secrets of the machine that asks in some clouds.
    ip_network("168.63.129.16/32"),
    ip_network("192.0.0.0/24"),
    ip_network("100.64.0.0/10"),
    # Tunnels to addresses that cannot be looked into.
    ip_network("2001::/32"),
    ip_network("64:ff9b:1::/48"),
)


class ForbiddenAddress(OSError):
    """A webhook was about to be sent to an address that is not public."""


def guarded_socket(allowed: Sequence[Network]) -> Callable[[AddressInfo], socket.socket]:
    """Makes sockets for public addresses and those in `allowed`; raises ForbiddenAddress for all others."""

    def make(info: AddressInfo) -> socket.socket:
        family, kind, protocol, _, place = info
        if not may_connect(str(place[0]), allowed):
            raise ForbiddenAddress(f"{place[0]} is not a public address")
        return socket.socket(family, kind, protocol)

    return make


def may_connect(written: str, allowed: Sequence[Network] = ()) -> bool:
    """Whether this is the address of a public host, or in one of the networks that are allowed."""
    try:
        address = _meant(ip_address(written))
    except ValueError:
        return False  # a name, or a number that only some systems take for an address
    return any(address in network for network in allowed) or _is_public(address)


def _meant(address: Address) -> Address:
    """The IPv4 address that is reached through an IPv6 address made from it."""
    if isinstance(address, IPv6Address):
        if address in _NAT64:
            return IPv4Address(int(address) & 0xFFFFFFFF)
        return address.ipv4_mapped or address.sixtofour or address
    return address


def _is_public(address: Address) -> bool:
    excluded = address.is_private or address.is_loopback or address.is_link_local or address.is_unspecified
    special = address.is_multicast or address.is_reserved or getattr(address, "is_site_local", False)
    return not (excluded or special) and not any(address in network for network in _NEVER_PUBLIC)
