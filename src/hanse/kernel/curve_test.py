"""Blinding through the typed face; the kernel's own tests hold the vectors."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

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


def test_a_point_that_travels_as_a_field_element_agrees_with_both_sides() -> None:
    factors, representatives = curve.encode_uniform(b"e" * 32, 300)
    points = curve.map_representatives(representatives)
    generator = np.frombuffer(curve.GENERATOR, np.uint8)[None]
    ours = curve.multiply(points, BOB)
    theirs = curve.multiply_each(np.repeat(curve.multiply(generator, BOB), 300, axis=0), factors)
    assert np.array_equal(ours, theirs)
    assert len(np.unique(ours, axis=0)) == 300
    again = curve.encode_uniform(b"e" * 32, 150)
    assert np.array_equal(again[0], factors[:150])
    assert np.array_equal(again[1], representatives[:150])
    assert not np.any(np.all(curve.encode_uniform(b"f" * 32, 300)[1] == representatives, axis=1))


def test_representatives_look_uniform() -> None:
    _, representatives = curve.encode_uniform(b"u" * 32, 1000)
    bits = np.unpackbits(representatives, axis=1, bitorder="little")
    assert not bits[:, 255].any()
    # mean 500, deviation 15.8: 6 deviations are passed once in 10^9, over 255 bits
    assert np.all(np.abs(bits[:, :255].sum(axis=0).astype(int) - 500) < 95)


def test_factors_of_their_own_are_as_one_by_one() -> None:
    points = curve.hash_to_points(IDS, b"d")
    seeds = [row.to_bytes(32, "little") for row in range(len(points))]
    scalars = np.frombuffer(b"".join(map(curve.secret, seeds)), np.uint8).reshape(-1, 32)
    products = curve.multiply_each(points, scalars)
    for row in (0, 7, 299):
        assert np.array_equal(products[row], curve.multiply(points[row : row + 1], scalars[row].tobytes())[0])
    with pytest.raises(ValueError, match="multiple of 8"):
        curve.multiply_each(points, scalars + np.uint8(1))
    with pytest.raises(ValueError, match="scalars"):
        curve.multiply_each(points, scalars[1:])


def test_field_sums_are_those_of_integers() -> None:
    p = 2**255 - 19
    numbers = [0, 1, 18, 19, 2**251 + 12345, p // 2, p - 2, p - 1]
    pairs = [(left, right) for left in numbers for right in numbers]

    def rows(values: list[int]) -> NDArray[np.uint8]:
        octets = b"".join(value.to_bytes(32, "little") for value in values)
        return np.frombuffer(octets, np.uint8).reshape(-1, 32)

    left, right = rows([pair[0] for pair in pairs]), rows([pair[1] for pair in pairs])
    assert np.array_equal(curve.add_field(left, right), rows([sum(pair) % p for pair in pairs]))
    assert np.array_equal(curve.subtract_field(left, right), rows([(a - b) % p for a, b in pairs]))
    wide = np.random.default_rng(5).integers(0, 256, (50, 64), np.uint8)
    wide[0] = 255
    reduced = [int.from_bytes(row.tobytes(), "little") % p for row in wide]
    assert np.array_equal(curve.reduce_field(wide), rows(reduced))


@pytest.mark.parametrize("value", [2**255 - 19, 2**255 - 1, 2**256 - 1])
def test_a_field_element_beyond_p_is_refused_with_its_row(value: int) -> None:
    rows = np.zeros((200, 32), np.uint8)
    rows[170] = np.frombuffer(value.to_bytes(32, "little"), np.uint8)
    fine = np.ones((200, 32), np.uint8)
    refused: list[Callable[[], NDArray[np.uint8]]] = [
        lambda: curve.map_representatives(rows),
        lambda: curve.add_field(rows, fine),
        lambda: curve.subtract_field(fine, rows),
    ]
    for call in refused:
        with pytest.raises(curve.InvalidPoint, match="canonical") as caught:
            call()
        assert caught.value.row == 170


def test_points_of_the_twist_are_found() -> None:
    points = curve.hash_to_points(IDS, b"d")
    assert curve.on_curve(points) is None
    for twisted in ((2).to_bytes(32, "little"), b"\xff" * 32):  # 2 is on the twist
        wrong = points.copy()
        wrong[[213, 290]] = np.frombuffer(twisted, np.uint8)
        assert curve.on_curve(wrong) == 213
