"""Cached private set intersection: prepare a large table once, then ask for a few ids at a cost of these few alone.

Protocol  An oblivious pseudorandom function, 2HashDH (Jarecki, Kiayias and Krawczyk 2014), on Curve25519,
          u-coordinates only, mapped by Elligator 2 (docs/protocols/oprf.md). The host evaluates it on all its ids and
          sends the values, cut, as a compressed filter; the guest has its own ids evaluated, blinded with a factor
          each, and looks the values up. With several hosts: with each of them, joined by the guest.
Secure    guest's ids: what it sends to have them evaluated is uniform whatever they are, so that it hides them from
          any host, however long it computes; which ids are shared is told as said below. Host's ids: also against a
          guest that deviates, under one-more gap Diffie-Hellman in the random-oracle model; it can test at most
          `most_ids` ids of its choice in one run, and none without a run. That the result is right takes semi-honest
          parties.
Learns    guest: how many ids each host has; of a later preparation, how many are new and gone, which of the earlier
                 values are gone, and whether a new one is an earlier one again. [predict=false]
          guest: which of its ids each single host has, with several hosts also of ids that another host lacks.
                 [predict=true]
          host: nothing. [predict=false]
          host: how many ids the guest asks for, in each run. [predict=true]
          host: whether the shared ids of a run are fewer than `minimum`, which ends it. [predict=true]
          host: which of its ids all parties have, in each run, where the preparation says that results are shared.
                [predict=true, share_result=true]
"""

from hanse.components.psi_cached import guest, host
from hanse.components.psi_cached.cost import cost
from hanse.components.psi_cached.schema import schema
from hanse.components.psi_cached.settings import Settings
from hanse.core.roles import Role
from hanse.sdk import Component, Model, Table, Variant

INPUTS: dict[Role, dict[str, type[Table | Model]]] = {
    "guest": {"previous": Model},
    "host": {"table": Table, "previous": Model},
}

component = Component(
    name="psi_cached",
    version="1.0.0",
    params=Settings,
    roles={"guest": guest.prepare, "host": host.prepare},
    inputs=INPUTS,
    outputs={"model": Model},
    optional=("previous",),
    apply={"guest": guest.ask, "host": host.answer},
    apply_inputs={"table": Table},
    apply_outputs={"table": Table},
    example={"most_ids": 1000},
    cost=cost,
    schema=schema,
    variants={"kept": Variant({"share_result": False}, hosts=(1,))},
)
