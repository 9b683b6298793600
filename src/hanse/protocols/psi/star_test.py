import numpy as np

from hanse.protocols.psi.payload import seal
from hanse.protocols.psi.star import share_of_zero

RNG = np.random.default_rng(3)
DIGESTS = RNG.integers(0, 256, (50, 16), np.uint8)
KEYS = {pair: RNG.bytes(32) for pair in ((1, 2), (1, 3), (2, 3))}


def shares() -> list[np.ndarray]:
    return [share_of_zero(DIGESTS, [key for pair, key in KEYS.items() if host in pair]) for host in (1, 2, 3)]


def test_the_shares_of_all_hosts_cancel() -> None:
    assert not np.bitwise_xor.reduce(shares()).any()


def test_the_shares_of_some_do_not() -> None:
    first, second, third = shares()
    for found in (first, first ^ second, second ^ third):
        assert found.any(axis=1).all()


def test_what_is_sealed_opens_under_its_own_key_and_no_other() -> None:
    for width in (1, 8, 63, 64, 65, 200):
        rows = RNG.integers(0, 256, (50, width), np.uint8)
        keys = RNG.integers(0, 256, (50, 16), np.uint8)
        sealed = seal(rows, keys, bytes(32))
        np.testing.assert_array_equal(seal(sealed, keys, bytes(32)), rows)
        others = seal(sealed, np.roll(keys, 1, axis=0), bytes(32))
        assert (others != rows).mean() > 0.9
        assert (sealed != rows).mean() > 0.9
