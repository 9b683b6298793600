"""What the columns of tables say of a training, before a row of them is read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from hanse.core.roles import GUEST, Role
from hanse.core.schema import KnownColumn, KnownTable
from hanse.sdk.boosting.settings import BoostSettings
from hanse.sdk.findings import Finding, Naming, absent_label
from hanse.sdk.schemas import Flow, Tables

TABLES = ("train", "valid")


def names_of_columns(labelled: Role | None, *, anywhere: bool) -> dict[str, Naming]:
    """Return which settings name columns: of features at any party, or at the only one; of `labelled`, two more."""
    of_features = dict.fromkeys(
        ("categorical", "monotone_increasing", "monotone_decreasing"), Naming(TABLES, anywhere=anywhere)
    )
    return {**of_features, **dict.fromkeys(("weight", "group"), Naming(TABLES, labelled))}


def scores(flow: Flow) -> Tables:
    """Return the guest's scores: of several classes the likeliest and a column for each, which the labels will name."""
    settings = flow.settings.get(GUEST)
    kept = flow.table("table" if flow.apply else "train", GUEST).only(())
    if settings is None:
        return {GUEST: {"scores": KnownTable(kept.columns, open=True)}}
    if settings.objective != "multiclass":
        return {GUEST: {"scores": kept.plus([KnownColumn("score", "real", "feature", GUEST)])}}
    predicted = KnownColumn("predicted", None, "feature", GUEST)  # whole, or not, as the labels are
    return {GUEST: {"scores": KnownTable((*kept.columns, predicted), open=True)}}


def problems(settings: BoostSettings, tables: Mapping[str, KnownTable], *, labelled: bool) -> list[Finding]:
    """Return what the input tables show to be wrong. `labelled`: they are the guest's."""
    found = []
    for port in TABLES:
        if port in tables:
            found += list(_of_features(port, tables[port], settings))
            found += list(_of_guest(port, tables[port], settings)) if labelled else []
    return found


def _of_features(port: str, table: KnownTable, settings: BoostSettings) -> Iterator[Finding]:
    types = table.features
    for place, name in enumerate(settings.categorical):
        if types.get(name) == "real":
            yield Finding("column.fractions", port, "categorical", (place,), {"column": name})
    for setting in ("monotone_increasing", "monotone_decreasing"):
        for place, name in enumerate(getattr(settings, setting)):
            if types.get(name) == "text":
                yield Finding("column.text", port, setting, (place,), {"column": name})


def _of_guest(port: str, table: KnownTable, settings: BoostSettings) -> Iterator[Finding]:
    label = table.label
    if label is None and not table.open:
        yield absent_label(port)
    if label is not None and label.type == "text":
        yield Finding("label.text", port, facts={"column": label.name})
    if table.features.get(settings.weight) == "text":
        yield Finding("column.text", port, "weight", facts={"column": settings.weight})
    for column in table.columns:
        is_result = column.name in ("score", "predicted") or column.name.startswith("probability_")
        if is_result and column.use != "feature":
            yield Finding("column.reserved", port, facts={"column": column.name})
