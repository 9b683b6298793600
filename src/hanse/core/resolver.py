"""What aiohttp asks for the addresses of a host: it is told those that were judged before, whatever the name says now.

Together with `addresses.resolve_allowed`: the name is looked up once, and what is dialled is what was judged.
"""

import socket
from collections.abc import Sequence

from aiohttp.abc import AbstractResolver, ResolveResult


class Judged(AbstractResolver):
    """Answers with addresses that were judged before, for the one host that they belong to."""

    def __init__(self, addresses: Sequence[str]) -> None:
        self._addresses = addresses

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the addresses of a family (AF_UNSPEC: of both), in the order in which they were given."""
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=_family_of(address),
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST,
            )
            for address in self._addresses
            if family in (socket.AF_UNSPEC, _family_of(address))
        ]

    async def close(self) -> None:
        """Hold nothing."""


def _family_of(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET
