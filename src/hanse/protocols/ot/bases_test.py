import numpy as np
import pytest

from hanse.kernel import curve
from hanse.protocols.ot import bases
from hanse.protocols.ot.bases import InvalidOffer, Octets

SIDES = np.random.default_rng(1).integers(0, 2, 40, dtype=np.uint8)
SALT = b"salt"


def seed(number: int) -> bytes:
    return bytes([number]) * 32


def run(salt: bytes = SALT, repeat: int | None = None) -> tuple[Octets, Octets]:
    """Return the sender's keys and the receiver's; with `repeat` the receiver says that transfer's pair every time."""
    chosen, pairs = bases.offer(seed(1), SIDES, SALT)
    if repeat is not None:
        pairs = np.repeat(pairs[repeat : repeat + 1], len(pairs), axis=0)
    point, both = bases.answer(seed(2), pairs, salt)
    return both, bases.choose(chosen, pairs, point, SALT)


def test_the_receiver_gets_the_key_of_the_side_it_chose_and_not_the_other() -> None:
    both, mine = run()
    at = np.arange(len(SIDES))
    assert np.array_equal(mine, both[at, SIDES])
    assert not (mine == both[at, 1 - SIDES]).all(axis=1).any()
    assert len(np.unique(both.reshape(-1, 16), axis=0)) == 2 * len(SIDES)


def test_no_two_transfers_share_a_key_even_if_the_receiver_repeats_itself() -> None:
    both, _ = run(repeat=3)
    assert len(np.unique(both.reshape(-1, 16), axis=0)) == 2 * len(SIDES)


def test_another_salt_gives_keys_that_do_not_fit() -> None:
    both, mine = run(salt=b"other")
    assert not (mine == both[np.arange(len(SIDES)), SIDES]).all(axis=1).any()


def test_the_message_looks_the_same_whatever_is_chosen() -> None:
    """High bytes of both elements are spread alike for both choices: neither is marked by which of the two is bound."""
    means = []
    for side in (0, 1):
        _, pairs = bases.offer(seed(3), np.full(2000, side, np.uint8), SALT)
        assert len(np.unique(pairs.reshape(-1, 32), axis=0)) == 4000
        means.append(pairs[:, :, 30].mean(axis=0))
    assert np.allclose(means, 127.5, atol=8)


def test_points_and_pairs_that_no_honest_party_sends_are_refused() -> None:
    chosen, pairs = bases.offer(seed(1), SIDES, SALT)
    for u in (0, 1, 2, 2**255 - 19, 2**255 - 10):
        point = np.frombuffer(u.to_bytes(32, "little"), np.uint8)
        with pytest.raises(InvalidOffer):
            bases.choose(chosen, pairs, point, SALT)
    bad = pairs.copy()
    bad[7, 1] = 255
    with pytest.raises(InvalidOffer):
        bases.answer(seed(2), bad, SALT)


def test_a_pair_made_to_lead_to_a_point_of_low_order_is_refused() -> None:
    _, pairs = bases.offer(seed(1), SIDES, SALT)
    bad = pairs.copy()
    # the encoding of side 0 becomes 0, which maps to a point of order 2
    numbers = np.zeros((len(bad), 32), np.uint8)
    bad[:, 0] = curve.subtract_field(numbers, bases.pads(bad[:, 1], np.ones(len(bad), np.uint8), SALT))
    with pytest.raises(InvalidOffer, match="low order"):
        bases.answer(seed(2), bad, SALT)
