"""Where HTTP may go: a name is resolved once, what it means is checked, and only what was checked is called."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TypeAlias

from gateway.notify.port import ChannelError

__all__ = ["Address", "Network", "Resolver", "checked", "resolve"]

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network
Resolver: TypeAlias = Callable[[str, int], Sequence[str]]
"""Host and port -> addresses as text, best first."""

_METADATA = tuple(ip_network(one) for one in ("169.254.0.0/16", "100.100.100.200/32", "fd00:ec2::254/128", "fe80::/10"))
"""Where clouds hand out credentials; ``allow_private`` does not open these, only a network named for it."""
_NAT64 = IPv6Network("64:ff9b::/96")


def resolve(host: str, port: int) -> Sequence[str]:
    """Ask the system's resolver."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def _inner(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 one leads to, or itself."""
    if isinstance(address, IPv6Address):
        if address in _NAT64:
            return IPv4Address(int(address) & 0xFFFFFFFF)
        return address.ipv4_mapped or address.sixtofour or address
    return address


def _allowed(address: Address, networks: Sequence[Network], *, private: bool) -> bool:
    real = _inner(address)
    if any(real in network or address in network for network in networks):
        return True
    if real.is_multicast or real.is_unspecified or any(real in network for network in _METADATA):
        return False
    if private:
        return True
    site_local = isinstance(real, IPv6Address) and real.is_site_local  # outdated, and yet "global" to the library
    return real.is_global and not real.is_reserved and not site_local


def checked(found: Sequence[str], networks: Sequence[Network], *, private: bool) -> tuple[str, ...]:
    """Return the addresses, when all of them are allowed.

    One that is not allowed among others is a trick or a mistake; neither is sent to.

    Args:
        found: What the resolver said.
        networks: Allowed whatever they are.
        private: Whether private networks and this machine are allowed.

    Raises:
        ChannelError: There is none, or one is not allowed; permanent.
    """
    if not found:
        raise ChannelError("its name has no address", retry=True)
    for text in found:
        address = ip_address(text.partition("%")[0])
        if not _allowed(address, networks, private=private):
            raise ChannelError(
                f"its address {address} is private, of this machine or reserved; allow_private or allow_networks "
                "of the channel would let it",
                retry=False,
            )
    return tuple(found)
