"""Where the node may dial for a user: the address is looked up once, judged, and what is dialled is that address.

A name can point anywhere, and elsewhere a second later (DNS rebinding). So no connection that a user's setting
asks for goes to a name: the caller resolves here, and dials what comes back. Redirects stay off.
"""

import ipaddress
import socket
from collections.abc import Callable, Iterable
from typing import NamedTuple

from hanse.core.faults import fault

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
SHARED = ipaddress.ip_network("100.64.0.0/10")
METADATA = frozenset(ipaddress.ip_address(text) for text in ("169.254.169.254", "100.100.100.200", "fd00:ec2::254"))
"""Where clouds hand out their machines' credentials: refused unless that very address is allowed."""


class Allowed(NamedTuple):
    """What the setting `outbound_allow` names: networks, and names of hosts (`.example` for all below it)."""

    networks: tuple[Network, ...] = ()
    names: frozenset[str] = frozenset()

    def covers(self, address: Address) -> bool:
        if address in METADATA:
            return any(network.num_addresses == 1 and address in network for network in self.networks)
        return any(address in network for network in self.networks)

    @property
    def words(self) -> tuple[str, ...]:
        """What `read_allowed` reads to this again."""
        return (*map(str, self.networks), *sorted(self.names))

    def names_host(self, host: str) -> bool:
        return host in self.names or any(host.endswith(name) for name in self.names if name.startswith("."))


def read_allowed(words: Iterable[str]) -> Allowed:
    """Read `outbound_allow`: CIDR networks, addresses and host names. Raises `settings.invalid`."""
    networks: list[Network] = []
    names: set[str] = set()
    for word in words:
        text = word.strip().lower().rstrip(".")
        try:
            networks.append(ipaddress.ip_network(text))
        except ValueError:
            if not text or "/" in text or text.replace(".", "").isdigit():
                raise fault("settings.invalid", f"outbound_allow: {word!r} is no network, address or name") from None
            names.add(text)
    return Allowed(tuple(networks), frozenset(names))


NOTHING = Allowed()

Lookup = Callable[[str, int], list[str]]


def look_up(host: str, port: int) -> list[str]:
    """Return the addresses that the system has for a name, in its order. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def resolve_allowed(host: str, port: int, allowed: Allowed = NOTHING, lookup: Lookup = look_up) -> list[str]:
    """Return the addresses of `host` that may be dialled, in the order of the look-up; blocks while it looks up.

    Public addresses are; private, loopback, link-local, multicast and reserved ones only when `allowed` covers them, or
    names the host (then whatever it resolves to, save the clouds' metadata addresses). An IPv4 address inside an IPv6
    one counts as itself. Raises `address.unknown` and, when any address is refused, `address.refused`: a name with one
    good and one bad address is a trick.
    """
    name = host.strip("[]").lower().rstrip(".")
    try:
        found = [_plain(ipaddress.ip_address(text.partition("%")[0])) for text in lookup(name, port)]
    except (OSError, UnicodeError, ValueError):
        raise fault("address.unknown", f"the name {host[:255]!r} has no address") from None
    if not found:
        raise fault("address.unknown", f"the name {host[:255]!r} has no address")
    named = allowed.names_host(name)
    for address in found:
        if not (_is_public(address) or allowed.covers(address) or (named and address not in METADATA)):
            raise fault("address.refused", f"{host[:255]} is at {address}, which this node may not dial")
    return list(dict.fromkeys(str(address) for address in found))


def _plain(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 one carries (mapped, 6to4, NAT64), else the address."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address


def _is_public(address: Address) -> bool:
    special = address.is_multicast or address.is_reserved or address.is_unspecified or address in METADATA
    return address.is_global and not special and address not in SHARED
