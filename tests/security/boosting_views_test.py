"""What a host receives in a training has one form, whatever the labels are and whatever trees they make."""

from collections.abc import Mapping

import numpy as np
import pytest
from numpy.typing import NDArray

from hanse.components.hetero_boost.hetero_boost import component
from hanse.components.hetero_boost.messages import Splits
from hanse.components.hetero_boost.settings import Settings
from hanse.core.roles import PartyId
from hanse.core.specs import Disclosure
from hanse.protocols.messages import decode
from hanse.protocols.simulation import MemoryAttempt, Recorder
from hanse.sdk import Table, run

Reals = NDArray[np.float64]

ROWS = 600
OPEN = Disclosure(limit=1e6)
ROUTING = {"Splits", "Sides"}
"""Their sizes say how many splits were taken on the host's features: what the host learns, as `Learns` says."""

FORMS: dict[str, dict[str, object]] = {
    "level": {},
    "leaf": {"growth": "leaf", "leaves": 5},
    "bitmap": {"route": "bitmap"},
    "classes": {"objective": "multiclass", "classes": 3},
    "shares": {"row_sample": 0.7, "column_sample": 0.5},
    "coarse": {"precision": "coarse"},
}


def columns() -> dict[str, Reals]:
    draw = np.random.default_rng(8)
    return {name: draw.standard_normal(ROWS) for name in ("g1", "a1", "a2", "a3")}


def labels(kind: str, classes: int) -> Reals:
    """Return labels of which the host's columns say all, something or nothing, or that one split explains."""
    given, draw = columns(), np.random.default_rng(9)
    whole = {
        "the host's": given["a1"] + given["a2"] * given["a3"],
        "the guest's": given["g1"],
        "chance": draw.standard_normal(ROWS),
        "rare": draw.random(ROWS) ** 30,
    }[kind]
    return np.searchsorted(np.quantile(whole, np.arange(1, classes) / classes), whole).astype(np.float64)


KINDS = ("the host's", "the guest's", "chance", "rare")


def recorded(
    form: Mapping[str, object], label: Reals, attempts: dict[PartyId, MemoryAttempt] | None = None, seed: int = 0
) -> Recorder:
    settings = Settings.parse({"trees": 3, "depth": 3, "max_bins": 6, **form})
    given, ids = columns(), [f"c{row}" for row in range(ROWS)]
    tables = {
        "guest": Table.of({"id": ids, "y": label, "g1": given["g1"]}, id="id", label="y"),
        "host-1": Table.of({"id": ids, **{name: given[name] for name in ("a1", "a2", "a3")}}, id="id"),
    }
    recorder = Recorder(payloads=True)
    inputs = {party: {"train": table, "valid": None, "warm": None} for party, table in tables.items()}
    run(component, settings, inputs, disclosure=OPEN, wrap=recorder, attempts=attempts, seed=seed)
    return recorder


def form_of(recorder: Recorder) -> list[tuple[str, str, str, int]]:
    """Return who sent what kind of message of what size, in order; of those that tell of splits, not the size."""
    rounds = {"RoundDone"}  # a number in it takes a byte or two
    return [
        (one.sender, one.receiver, one.kind, 0 if one.kind in ROUTING | rounds else one.size_bytes)
        for one in recorder.sent
        if one.kind != "Sides"
    ]


def splits_of(recorder: Recorder) -> list[int]:
    pairs = zip(recorder.sent, recorder.raw, strict=True)
    return [len(decode(raw, Splits).outputs) for one, raw in pairs if one.kind == "Splits"]


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_all_but_the_splits_has_the_same_order_and_sizes_for_any_labels(form: dict[str, object]) -> None:
    classes = 3 if "classes" in form else 2
    views = [recorded(form, labels(kind, classes)) for kind in KINDS]
    assert len({tuple(splits_of(view)) for view in views}) > 1  # the trees differ, and with them what is routed
    assert all(form_of(view) == form_of(views[0]) for view in views)


def test_nothing_but_zeros_is_asked_of_a_tree_that_has_ended_and_it_looks_the_same() -> None:
    label = labels("the host's", 2)
    ended, grown = (recorded({"min_split_gain": least}, label) for least in (1e6, 0.0))
    assert sum(splits_of(ended)) == 0 < sum(splits_of(grown))
    assert form_of(ended) == form_of(grown)


def test_a_job_on_a_kept_set_up_sends_no_hint_and_new_ciphertexts() -> None:
    label = labels("the host's", 2)
    first = {PartyId("guest"): MemoryAttempt(), PartyId("host-1"): MemoryAttempt()}
    before = recorded({}, label, first)
    later = {party: MemoryAttempt(attempt) for party, attempt in first.items()}
    after = recorded({}, label, later, seed=1)
    assert "Hint" in {one.kind for one in before.sent}
    assert "Hint" not in {one.kind for one in after.sent}
    blocks = [{one.digest for one in view.sent if one.kind in ("Block", "Step")} for view in (before, after)]
    assert not blocks[0] & blocks[1]
