"""Which columns a cached intersection leaves: each party's own."""

from hanse.sdk.schemas import Flow, Tables


def schema(flow: Flow) -> Tables:
    """Preparing makes no table; asking chooses rows."""
    return flow.same("table", "table") if flow.apply else {}
