"""What cells are."""

from __future__ import annotations

from hanse.kernel.cells import Survey, survey
from hanse.kernel.ids import Ids


def test_cells_are_counted_by_what_they_hold() -> None:
    cells = ["1", "", "  ", " 2.5", "word", "nan", "-7\t"]
    found = survey(Ids.from_strings(cells))
    assert found == Survey(filled=5, numbers=3, wholes=2, texts=1, doubtful=1, padded=3)
    assert survey(Ids.from_strings([])) == Survey()


def test_the_surveys_of_two_parts_add_up() -> None:
    one, other = ["1", "x"], ["2.0", " "]
    both = survey(Ids.from_strings(one)).plus(survey(Ids.from_strings(other)))
    assert both == survey(Ids.from_strings([*one, *other]))
