"""Blinding through the typed face; the kernel's own tests hold the vectors."""

from __future__ import annotations

import numpy as np
import pytest

from hanse.kernel import curve
from hanse.kernel.ids import Ids

IDS = Ids.from_strings([f"id-{number}" for number in range(300)])
ALICE, BOB = curve.secret(b"a" * 32), curve.secret(b"b" * 32)


def test_blinding_commutes_and_equals_hashing_then_multiplying() -> None:
    blinded = curve.blind(IDS, b"domain", ALICE)
    assert blinded.shape == (300, 32)
    assert np.array_equal(blinded, curve.multiply(curve.hash_to_points(IDS, b"domain"), ALICE))
    both = curve.multiply(blinded, BOB)
    assert np.array_equal(both, curve.multiply(curve.blind(IDS, b"domain", BOB), ALICE))
    assert len(np.unique(both, axis=0)) == 300


def test_equal_ids_meet_and_domains_do_not() -> None:
    rows = np.array([7, 7, 250], np.int64)
    assert np.array_equal(curve.blind(IDS.take(rows), b"d", ALICE), curve.blind(IDS, b"d", ALICE)[rows])
    assert not np.any(np.all(curve.hash_to_points(IDS, b"d") == curve.hash_to_points(IDS, b"e"), axis=1))


def test_points_need_not_be_contiguous() -> None:
    points = curve.hash_to_points(IDS, b"d")
    assert np.array_equal(curve.multiply(points[::-1], ALICE), curve.multiply(points, ALICE)[::-1])


@pytest.mark.parametrize(("octets", "reason"), [(b"\0" * 32, "low order"), (b"\xff" * 32, "canonical")])
def test_a_bad_point_is_refused_with_its_row(octets: bytes, reason: str) -> None:
    points = curve.hash_to_points(IDS, b"d")
    points[211] = np.frombuffer(octets, np.uint8)
    with pytest.raises(curve.InvalidPoint, match=reason) as caught:
        curve.multiply(points, ALICE)
    assert caught.value.row == 211


def test_points_of_another_shape_are_refused() -> None:
    for points in (np.zeros((3, 31), np.uint8), np.zeros(96, np.uint8)):
        with pytest.raises(ValueError, match="points must be"):
            curve.multiply(points, ALICE)


@pytest.mark.parametrize("scalar", [b"", b"\x08" * 31, b"\0" * 32, b"\x01" + b"\0" * 31])
def test_scalars_that_secret_would_not_make_are_refused(scalar: bytes) -> None:
    with pytest.raises(ValueError, match="scalar must"):
        curve.blind(IDS, b"d", scalar)


def test_a_seed_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="seed must have 32 bytes"):
        curve.secret(b"short")


def test_no_ids_give_no_points() -> None:
    assert curve.blind(Ids.from_strings([]), b"d", ALICE).shape == (0, 32)
    assert curve.multiply(np.empty((0, 32), np.uint8), ALICE).shape == (0, 32)
