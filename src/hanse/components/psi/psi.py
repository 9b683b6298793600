"""Private set intersection: the parties find the ids that all of them have, and keep these rows in one common order.

Protocol  ECDH-PSI, between the guest and each host: ids are hashed to Curve25519 and blinded twice (Meadows 1986;
          Huberman, Franklin and Hogg 1999), u-coordinates only, mapped by Elligator 2. With several hosts the guest
          runs it with each of them, with a fresh secret each, and joins the results: pairwise, by the guest.
Secure    against semi-honest parties, under decisional Diffie-Hellman in the random-oracle model.
Learns    guest: which of its ids each single host has (with several hosts: also of ids that another host lacks), and
                 how many ids each host has.
          host: how many ids the guest has.
          host: which of its ids all parties have [share_result=true]
"""

from hanse.components.psi import ecdh
from hanse.components.psi.settings import Settings
from hanse.sdk import Component, Party, Table


async def guest(me: Party, table: Table, settings: Settings) -> Table:
    """Find the shared rows with each host, keep those of all, in an order that I draw."""
    return await ecdh.guest(me, table, settings)


async def host(me: Party, table: Table, settings: Settings) -> Table:
    """Blind my ids and the guest's; keep the rows that the guest found with all of us, in its order."""
    return await ecdh.host(me, table, settings)


component = Component(
    name="psi",
    version="1.0.0",
    params=Settings,
    roles={"guest": guest, "host": host},
    inputs={"table": Table},
    outputs={"table": Table},
)
