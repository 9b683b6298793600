"""Blinding factors through the typed face."""

from __future__ import annotations

import numpy as np
import pytest

from hanse.kernel import blinding, curve
from hanse.kernel.ids import Ids

ORDER = (1 << 252) + 27742317777372353535851937790883648493


def test_inverses_undo_factors_modulo_the_order() -> None:
    drawn = blinding.factors(b"s" * 32, 300)
    undone = blinding.inverses(drawn)
    for factor, inverse in zip(drawn, undone, strict=True):
        product = int.from_bytes(factor.tobytes(), "little") * int.from_bytes(inverse.tobytes(), "little")
        assert product % ORDER == 1
    assert blinding.factors(b"s" * 32, 0).shape == (0, 32)


def test_a_blinded_point_is_shown_again_by_the_inverse() -> None:
    ids = Ids.from_strings(["ann", "bob"])
    key = curve.secret(b"k" * 32)
    plain = curve.blind(ids, b"test", key)
    drawn = blinding.factors(b"r" * 32, 1)
    blinded = curve.multiply(curve.hash_to_points(ids, b"test"), drawn[0].tobytes())
    shown = curve.multiply(curve.multiply(blinded, key), blinding.inverses(drawn)[0].tobytes())
    assert np.array_equal(shown, plain)


def test_zero_and_other_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="factor 1 is 0"):
        blinding.inverses(np.concatenate([blinding.factors(b"s" * 32, 1), np.zeros((1, 32), np.uint8)]))
    with pytest.raises(ValueError, match="uint8"):
        blinding.inverses(np.zeros((2, 31), np.uint8))
