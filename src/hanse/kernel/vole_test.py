from typing import Any

import numpy as np
import pytest

from hanse.kernel.vole import Octets, Run, claim, prove

SALT, DELTA = bytes(range(32)), bytes(range(100, 116))
SEED, OTHER_SEED = bytes([5]) * 32, bytes([6]) * 32


def deal(run: Run, choices: Octets) -> tuple[Octets, Octets]:
    """Both sides of correlated transfers, as a trusted dealer would hand them out."""
    q = np.random.default_rng(3).integers(0, 256, (run.choices, 16), dtype=np.uint8)
    chosen = np.unpackbits(choices, bitorder="little")[: run.choices, None].astype(bool)
    return q, q ^ np.where(chosen, np.frombuffer(DELTA, np.uint8), 0).astype(np.uint8)


def correlate(run: Run) -> tuple[Octets, Octets, Octets]:
    """b, a and c."""
    q, t = deal(run, run.choose(SEED))
    message, leaves = run.grow(OTHER_SEED, DELTA, q)
    assert len(message) == run.message_size_bytes
    b = run.send(leaves)
    assert not leaves.second.any(), "leaves stay behind"
    return b, run.noise(SEED), run.receive(SEED, t, message)


def multiplied(number: int) -> int:
    """Δ·number in GF(2^64)[Y] / (Y² + X·Y + 1), bit by bit."""
    word = (1 << 64) - 1

    def times(x: int, y: int) -> int:
        product = 0
        for bit in range(64):
            if y >> bit & 1:
                product ^= x
            x = x << 1 & word ^ (0x1B if x >> 63 else 0)
        return product

    delta = int.from_bytes(DELTA, "little")
    (a, b), (c, d) = (delta & word, delta >> 64), (number & word, number >> 64)
    bd = times(b, d)
    return times(a, c) ^ bd | (times(a, d) ^ times(b, c) ^ times(2, bd)) << 64


@pytest.mark.parametrize(
    "run", [Run(70_000, 8, "conservative", SALT), Run(300, 16, "conservative", SALT), Run(1, 8, "fast", SALT)]
)
def test_c_is_b_plus_delta_times_a(run: Run) -> None:
    b, a, c = correlate(run)
    assert (len(b), len(a), len(c)) == (run.size * 16, run.size * run.width, run.size * 16)
    for row in range(0, run.size, 97):
        number = int.from_bytes(a[row * run.width : (row + 1) * run.width].tobytes(), "little")
        sum_of = (b ^ c)[row * 16 : (row + 1) * 16].tobytes()
        assert int.from_bytes(sum_of, "little") == multiplied(number)


def test_other_seeds_and_salts_give_other_correlations() -> None:
    one, other = Run(10, 8, "fast", SALT), Run(10, 8, "fast", bytes(32))
    assert not np.array_equal(correlate(one)[0], correlate(other)[0])
    assert not np.array_equal(one.choose(SEED), one.choose(OTHER_SEED))


def test_values_that_no_run_has_are_refused() -> None:
    wrong: list[tuple[Any, ...]] = [
        (-1, 8, "fast", SALT),
        ((1 << 26) + 1, 8, "fast", SALT),
        (1, 9, "fast", SALT),
        (1, 8, "slow", SALT),
        (1, 8, "fast", b"short"),
    ]
    for values in wrong:
        with pytest.raises(ValueError, match=r"run"):
            Run(*values)
    run = Run(1, 8, "fast", SALT)
    rows = np.zeros((run.choices, 16), np.uint8)
    with pytest.raises(ValueError, match="q must be"):
        run.grow(SEED, DELTA, rows[1:])
    with pytest.raises(ValueError, match="message must be"):
        run.receive(SEED, rows, np.zeros(16, np.uint8))


def test_a_checked_run_has_whole_trees_and_its_rows_can_be_proven() -> None:
    run = Run(70_000, 16, "fast", SALT, checked=True)
    assert run.choices > Run(70_000, 16, "fast", SALT).choices
    b, a, c = correlate(run)
    masked, expected = claim(SEED, a, c)
    assert prove(SEED, DELTA, b, masked) == expected
    assert prove(OTHER_SEED, DELTA, b, masked) != expected
    for column in (a, b, c):
        column[16 * 69_000] ^= 1
        masked, expected = claim(SEED, a, c)
        assert prove(SEED, DELTA, b, masked) != expected
        column[16 * 69_000] ^= 1
    with pytest.raises(ValueError, match="rows of 16 bytes"):
        claim(SEED, a[1:], c)
    with pytest.raises(ValueError, match="rows of 16 bytes"):
        prove(SEED, DELTA, b, masked[1:])
