"""Gradient boosting, as far as it is the same on one table and across organisations."""

from hanse.sdk.boosting.ensemble import Ensemble, score_columns
from hanse.sdk.boosting.features import Features, list_categories, usable
from hanse.sdk.boosting.foresight import names_of_columns, problems
from hanse.sdk.boosting.importance import importance
from hanse.sdk.boosting.sampling import Lot, canonical_order, draw_columns
from hanse.sdk.boosting.settings import BoostSettings
from hanse.sdk.boosting.state import Boosting, Snapshot, Warm
from hanse.sdk.boosting.targets import Targets
from hanse.sdk.boosting.treeview import view

__all__ = [
    "BoostSettings",
    "Boosting",
    "Ensemble",
    "Features",
    "Lot",
    "Snapshot",
    "Targets",
    "Warm",
    "canonical_order",
    "draw_columns",
    "importance",
    "list_categories",
    "names_of_columns",
    "problems",
    "score_columns",
    "usable",
    "view",
]
