import numpy as np
import pytest

from hanse.kernel import ot

KEYS = np.arange(2 * 128 * 16, dtype=np.uint16).astype(np.uint8).reshape(128, 2, 16)


def test_sizes_grow_with_the_transfers_and_above_a_bound_there_are_none() -> None:
    assert ot.reply_sizes(0, checked=False) == (16 * 7 * 32, 0, 0, 0)
    assert ot.reply_sizes(129, checked=False) == (16 * 7 * 32, 2 * 256, 0, 0)
    assert ot.reply_sizes(129, checked=True) == (16 * 7 * 32, 3 * 256, 17 * 32, 48)
    assert ot.reply_sizes(ot.MOST, checked=False) == (32 * 3 * 32, ot.MOST * 4, 0, 0)
    with pytest.raises(ValueError, match="transfers at once"):
        ot.reply_sizes(ot.MOST + 1, checked=False)


@pytest.mark.parametrize(
    ("session", "pairs", "choices"),
    [(31, KEYS, 1), (32, KEYS[:-1], 1), (32, KEYS, 2), (32, KEYS, 0)],
    ids=["session", "pairs", "more choices", "no choices"],
)
def test_columns_of_other_sizes_are_refused(session: int, pairs: ot.Octets, choices: int) -> None:
    with pytest.raises(ValueError, match="must have"):
        ot.answer(5, bytes(session), bytes(32), pairs, np.zeros(choices, np.uint8), checked=False)


def test_a_reply_of_another_shape_is_refused() -> None:
    reply, _ = ot.answer(5, bytes(32), bytes(32), KEYS, np.zeros(1, np.uint8), checked=False)
    with pytest.raises(ValueError, match="part of the reply must have"):
        ot.accept(5, bytes(32), KEYS[:, 0], bytes(16), reply, checked=True)
    with pytest.raises(ValueError, match="delta must have"):
        ot.accept(5, bytes(32), KEYS[:, 0], bytes(15), reply, checked=False)


def test_who_knows_both_keys_sees_the_correlation_with_any_delta() -> None:
    delta = bytes(range(100, 116))
    others = 1 - np.unpackbits(np.frombuffer(delta, np.uint8), bitorder="little")
    reply, t = ot.answer(9, bytes(32), bytes(32), KEYS, np.array([255, 1], np.uint8), checked=True)
    q = ot.accept(9, bytes(32), KEYS[np.arange(128), others], delta, reply, checked=True)
    assert (t ^ q == np.frombuffer(delta, np.uint8)).all()
    with pytest.raises(ot.Inconsistent):
        ot.accept(9, bytes(32), KEYS[np.arange(128), 1 - others], delta, reply, checked=True)
