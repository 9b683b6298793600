"""Packed ids."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from hanse.kernel.ids import Ids, regrouped, repeats

TEXTS = ["", "a", "身份证", "", "x" * 300, "🜚"]


def test_strings_come_back_as_they_were() -> None:
    ids = Ids.from_strings(TEXTS)
    assert len(ids) == len(TEXTS)
    assert ids.to_strings() == TEXTS
    assert Ids.from_strings([]).to_strings() == []


def test_rows_are_taken_in_the_order_asked_for_and_may_repeat() -> None:
    ids = Ids.from_strings(TEXTS)
    rows = [4, 2, 2, 0, 5]
    assert ids.take(np.array(rows, dtype=np.int64)).to_strings() == [TEXTS[row] for row in rows]
    assert len(ids.take(np.array([], dtype=np.int64))) == 0


def test_a_row_that_is_not_there_is_an_error() -> None:
    with pytest.raises(IndexError):
        Ids.from_strings(TEXTS).take(np.array([6], dtype=np.int64))
    with pytest.raises(IndexError):
        Ids.from_strings(TEXTS).take(np.array([-1], dtype=np.int64))


def test_parts_joined_are_the_whole() -> None:
    ids = Ids.from_strings(TEXTS)
    parts = [ids.part(0, 2), ids.part(2, 2), ids.part(2, 6)]
    assert [part.to_strings() for part in parts] == [TEXTS[:2], [], TEXTS[2:]]
    assert Ids.joined(parts).to_strings() == TEXTS
    assert Ids.joined([]).to_strings() == []


@pytest.mark.parametrize("sizes", [[], [0], [1], [5, 0, 1, 12], [3, 3], [30], [1] * 20])
def test_regrouped_ids_are_the_same_in_groups_of_one_size(sizes: list[int]) -> None:
    texts = [str(row) * (row % 3) for row in range(sum(sizes))]
    ends = np.cumsum([0, *sizes]).tolist()
    pieces = [Ids.from_strings(texts[start:end]) for start, end in pairwise(ends)]
    groups = [group.to_strings() for group in regrouped(iter(pieces), 3)]
    assert groups == [texts[start : start + 3] for start in range(0, len(texts), 3)]


@pytest.mark.parametrize("offsets", [[], [1, 3], [0, 2], [0, 4], [0, 2, 1, 3], [0, -1, 3]])
def test_offsets_that_do_not_fit_the_data_are_refused(offsets: list[int]) -> None:
    with pytest.raises(ValueError, match="offsets must rise"):
        Ids(np.zeros(3, np.uint8), np.array(offsets, np.int64))


def test_columns_of_another_type_are_refused() -> None:
    with pytest.raises(ValueError, match="data must be"):
        Ids(np.zeros(3, np.int8), np.array([0, 3]))
    with pytest.raises(ValueError, match="offsets must be"):
        Ids(np.zeros(3, np.uint8), np.array([0, 3], np.int32))
    with pytest.raises(ValueError, match="data must be"):
        Ids(np.zeros(6, np.uint8)[::2], np.array([0, 3], np.int64))


def test_ascii_ids_get_their_form_and_others_are_named() -> None:
    plain = Ids.from_strings(["a b", "", "7"])
    assert plain.normalised()[0] is plain
    forms, foreign = Ids.from_strings([" A\t", "É ", "b\x1f", "~"]).normalised()
    assert forms.to_strings() == ["a", "É ", "b\x1f", "~"]
    assert foreign.tolist() == [1, 2]
    assert forms.replaced(foreign, Ids.from_strings(["é", "b"])).to_strings() == ["a", "é", "b", "~"]


def test_equal_ids_have_equal_hashes() -> None:
    hashes = Ids.from_strings([*TEXTS, "a"]).hashes()
    assert hashes[1] == hashes[6]
    assert len(set(hashes.tolist())) == len(set(TEXTS))
    assert repeats(hashes)
    assert not repeats(np.array([3, 1, 2], np.uint64))
    assert not repeats(np.empty(0, np.uint64))
