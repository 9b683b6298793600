"""All that a component author imports."""

from hanse.protocols.channel import Party, Peer, PeerLost, Peers, ProtocolError
from hanse.protocols.messages import Message
from hanse.sdk.component import Component, Variant
from hanse.sdk.model import Model, Report, Rule
from hanse.sdk.params import Params
from hanse.sdk.run import run
from hanse.sdk.table import Table

__all__ = [
    "Component",
    "Message",
    "Model",
    "Params",
    "Party",
    "Peer",
    "PeerLost",
    "Peers",
    "ProtocolError",
    "Report",
    "Rule",
    "Table",
    "Variant",
    "run",
]
