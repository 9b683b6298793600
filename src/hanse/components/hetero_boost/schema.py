"""Which columns the scores have: id and label of the rows, and what the objective gives."""

from hanse.sdk.boosting.foresight import scores
from hanse.sdk.schemas import Flow, Tables


def schema(flow: Flow) -> Tables:
    """Only the guest gets scores."""
    return scores(flow)
