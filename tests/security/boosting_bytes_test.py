"""Ciphertexts and hints look uniform whatever they hold, and two of the same contents have nothing in common."""

import numpy as np
import pytest
from numpy.typing import NDArray

from hanse.kernel import histogram
from hanse.kernel.histogram import GuestKeys, HostRows, ParameterSet, Plane

PUBLIC = bytes(range(32))
SAMPLES = 3 * 8192
CELLS = 64
SETS = [histogram.parameter_set(name) for name in ("S100", "S105", "S138")]
by_set = pytest.mark.parametrize("parameters", SETS, ids=lambda one: one.name)

Residues = NDArray[np.uint64]


def sigmas(values: NDArray[np.uint8], cells: int = 256) -> float:
    """Return how far χ² of the counts is from its mean, in standard deviations, for values uniform in [0, cells)."""
    counts = np.bincount(values.reshape(-1), minlength=cells)
    expected = counts.sum() / cells
    statistic = float(((counts - expected) ** 2 / expected).sum())
    return (statistic - (cells - 1)) / np.sqrt(2 * (cells - 1))


def seed(number: int) -> bytes:
    return number.to_bytes(32, "little")


def encrypted(parameters: ParameterSet, g: int, h: int, number: int) -> bytes:
    """Return the only block of a query whose samples all have (g, h)."""
    column = np.ones(SAMPLES, np.int32)
    plane = Plane(g * column, h * column, np.zeros(SAMPLES, np.uint16), 1)
    level = GuestKeys(parameters, PUBLIC, SAMPLES).begin([plane], seed(number))
    return level.dummies() + level.encrypt(0)


def hint(parameters: ParameterSet, members: int, number: int) -> bytes:
    """Return the hint of a table of one feature of two cells, of which the smaller number's is answered for."""
    codes = (np.arange(SAMPLES) >= members).astype(np.uint8).reshape(1, -1)
    columns = codes, np.array([2], np.int32), np.array([1], np.int32)
    return HostRows.setup(parameters, PUBLIC, seed(number), *columns).hint()


def residues(parameters: ParameterSet, data: bytes) -> Residues:
    """Return uint64[elements, limbs, N]: the residues of whole ring elements."""
    bits = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")
    width = parameters.prime_bits
    values = bits.reshape(-1, width).astype(np.uint64) @ (np.uint64(1) << np.arange(width, dtype=np.uint64))
    return values.reshape(-1, len(parameters.primes), parameters.ring_degree)


def differences(parameters: ParameterSet, first: bytes, second: bytes) -> NDArray[np.uint8]:
    """Return which of 64 equal parts of [0, p) the difference of each pair of residues lies in."""
    primes = np.array(parameters.primes, np.uint64).reshape(1, -1, 1)
    one, other = (residues(parameters, data) for data in (first, second))
    assert np.all(one < primes)
    return ((one + primes - other) % primes * CELLS // primes).astype(np.uint8)


@by_set
def test_a_ciphertext_has_uniform_bytes_whatever_it_holds(parameters: ParameterSet) -> None:
    most = (1 << (parameters.gradient_bits - 1)) - 1, (1 << parameters.hessian_bits) - 1
    for number, (g, h) in enumerate([(0, 0), most, (-most[0] - 1, 0)]):
        data = np.frombuffer(encrypted(parameters, g, h, number), np.uint8)
        assert abs(sigmas(data)) < 5
        halves = data[: len(data) // 2 * 2].reshape(-1, 2) >> 4
        assert abs(sigmas(halves[:, 0] * 16 + halves[:, 1])) < 5


@by_set
def test_two_ciphertexts_of_one_vector_or_of_two_have_uniform_differences(parameters: ParameterSet) -> None:
    zeros, again = encrypted(parameters, 0, 0, 1), encrypted(parameters, 0, 0, 2)
    ones = encrypted(parameters, 1, 1, 3)
    assert abs(sigmas(differences(parameters, zeros, again), CELLS)) < 5
    assert abs(sigmas(differences(parameters, zeros, ones), CELLS)) < 5


@by_set
def test_a_seed_used_twice_is_a_secret_used_once(parameters: ParameterSet) -> None:
    zeros, ones = encrypted(parameters, 0, 0, 1), encrypted(parameters, 1, 1, 1)
    assert abs(sigmas(differences(parameters, zeros, ones), CELLS)) < 5
    assert sigmas(differences(parameters, zeros, zeros), CELLS) > 1000  # the test can tell


@by_set
@pytest.mark.parametrize("members", [1, SAMPLES // 2])
def test_a_hint_has_uniform_bytes_and_two_of_one_table_nothing_in_common(
    parameters: ParameterSet, members: int
) -> None:
    many = [np.frombuffer(hint(parameters, members, number), np.uint8) for number in range(16)]
    assert abs(sigmas(np.concatenate(many))) < 5
    pairs = [one ^ other for one, other in zip(many[::2], many[1::2], strict=True)]
    assert abs(sigmas(np.concatenate(pairs))) < 5
    equal = np.mean([(one == other).mean() for one, other in zip(many[::2], many[1::2], strict=True)])
    assert abs(equal - 1 / 256) < 5 * np.sqrt(1 / 256 / sum(map(len, pairs)))


@by_set
def test_hints_of_two_tables_under_one_public_part_have_nothing_in_common(parameters: ParameterSet) -> None:
    for number in range(4):
        one, other = (np.frombuffer(hint(parameters, each, number), np.uint8) for each in (SAMPLES // 2, SAMPLES // 3))
        assert abs(sigmas(one ^ other)) < 5
