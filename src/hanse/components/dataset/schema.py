"""Which columns a dataset hands on: those that are named, or all that are granted."""

from hanse.core.roles import PartyId
from hanse.core.schema import UNKNOWN, KnownTable
from hanse.sdk.schemas import Flow, Tables


def schema(flow: Flow) -> Tables:
    """Id and label come along."""
    return {party: {"table": _chosen(flow, party)} for party in flow.parties}


def _chosen(flow: Flow, party: PartyId) -> KnownTable:
    source, settings = flow.table("source", party), flow.settings.get(party)
    if settings is None:
        return UNKNOWN
    return source.only(settings.columns) if settings.columns else source
