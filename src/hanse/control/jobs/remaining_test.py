"""The time that is left."""

import pytest

from hanse.control.jobs.remaining import Pace, longest_left, seconds_left


@pytest.mark.parametrize(
    ("pace", "left"),
    [
        (Pace(True, (), 50.0, expected_s=9.0), 0.0),
        (Pace(False, (), None, expected_s=9.0), 9.0),
        (Pace(False, (), None), None),
        (Pace(False, (), 30.0, 3, 4, 1.0), 10.0),
        (Pace(False, (), 30.0, 4, 4), 0.0),
        (Pace(False, (), 3.0, 0, 4, 9.0), 6.0),
        (Pace(False, (), 9.0, expected_s=9.0), None),
        (Pace(False, (), 3.0), None),
        (Pace(False, (), 3.0, 7, 4), None),
    ],
)
def test_steps_count_first_then_the_expectation_until_it_is_exceeded(pace: Pace, left: float | None) -> None:
    assert seconds_left(pace) == left


def test_a_job_takes_its_longest_chain_and_is_unknown_where_a_task_is() -> None:
    paces = {
        "data": Pace(True, ()),
        "short": Pace(False, ("data",), None, expected_s=2.0),
        "long": Pace(False, ("data",), 10.0, 1, 2),
        "last": Pace(False, ("short", "long"), None, expected_s=5.0),
    }
    assert longest_left(paces, list(paces)) == 15.0
    assert longest_left({**paces, "short": Pace(False, ("data",))}, list(paces)) is None
