"""What columns show to be wrong with a training is found before a row is read; and what scores will look like."""

from hanse.core.roles import GUEST
from hanse.core.schema import UNKNOWN, Column, KnownTable, Schema
from hanse.sdk.boosting import BoostSettings, problems
from hanse.sdk.boosting.foresight import scores
from hanse.sdk.schemas import Flow

SCHEMA = Schema((Column("score", "text", "id"), Column("a", "real"), Column("b", "text"), Column("c", "integer")))


def test_what_the_columns_show_to_be_wrong_is_said() -> None:
    settings = BoostSettings(categorical=("c", "a"), monotone_increasing=("b",), weight="b")
    tables = {"train": KnownTable.of(SCHEMA, GUEST)}
    features = [("column.fractions", "categorical", (1,)), ("column.text", "monotone_increasing", (0,))]
    said = problems(settings, tables, labelled=True)
    assert [(one.code, one.setting, one.path) for one in said] == [
        *features,
        ("label.absent", "", ()),
        ("column.text", "weight", ()),
        ("column.reserved", "", ()),
    ]
    assert [(one.code, one.setting, one.path) for one in problems(settings, tables, labelled=False)] == features
    assert problems(settings, {"train": UNKNOWN, "valid": UNKNOWN}, labelled=True) == []


def test_scores_of_settings_that_are_not_known_are_open() -> None:
    found = scores(Flow((GUEST,), {GUEST: {"table": KnownTable.of(SCHEMA, GUEST)}}, {}, apply=True))[GUEST]["scores"]
    assert (found.names, found.open) == (("score",), True)
