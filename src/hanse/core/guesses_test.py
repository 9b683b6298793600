"""A name that was written wrongly is guessed; many of them cost no more than the document is large."""

import pytest

from hanse.core.guesses import Guesses

COLUMNS = ("income", "age", "account_age", "收入")


@pytest.mark.parametrize(
    ("written", "meant"),
    [("incme", "income"), ("Income", "income"), ("acount_age", "account_age"), ("收人", ""), ("zzz", ""), ("", "")],
)
def test_the_likeliest_name_is_guessed_and_nothing_far_off(written: str, meant: str) -> None:
    assert Guesses().near(written, COLUMNS) == meant


def test_of_names_that_differ_in_case_the_first_is_guessed() -> None:
    assert Guesses().near("agee", ("Age", "age")) == "Age"


def test_what_is_beyond_the_bound_is_not_compared() -> None:
    guesses = Guesses(2 * len(COLUMNS))
    assert [guesses.near("incme", COLUMNS) for _ in range(3)] == ["income", "income", ""]
