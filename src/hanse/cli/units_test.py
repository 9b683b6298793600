import pytest

from hanse.cli.language import language
from hanse.cli.units import bytes_text, number_text, seconds_text


@pytest.mark.parametrize(
    ("size", "text"),
    [(None, "–"), (0, "0 B"), (999, "999 B"), (1_000, "1.0 kB"), (999_960, "1.0 MB"), (3_456_000_000, "3.5 GB")],
)
def test_sizes_have_a_decimal_unit(size: float | None, text: str) -> None:
    assert bytes_text(size) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "–"), (0.04, "0.0 s"), (9.94, "9.9 s"), (9.96, "10 s"), (59.6, "1 min 00 s"), (7_500, "2 h 05 min")],
)
def test_durations_are_as_exact_as_they_are_long(seconds: float | None, text: str) -> None:
    assert seconds_text(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(4930.0, "4,930"), (0.81239, "0.8124"), (1.0, "1.0000"), (0.0, "0.0000"), (1, "1"), (0, "0"), (-1, "-1")],
)
def test_counts_are_whole_and_rates_have_four_decimals(value: float, text: str) -> None:
    assert number_text(value) == text


@pytest.mark.parametrize(
    ("environment", "tongue"),
    [
        ({}, "en"),
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}, "en"),
        ({"LC_MESSAGES": "zh_TW", "LANG": "de_DE"}, "zh"),
        ({"LC_ALL": "", "LANG": "zh_CN"}, "zh"),
    ],
)
def test_the_locale_is_chosen_as_posix_says(environment: dict[str, str], tongue: str) -> None:
    assert language(environment) == tongue
