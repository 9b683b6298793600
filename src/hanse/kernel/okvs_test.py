"""Key-value stores through the typed face."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
from numpy.typing import NDArray

from hanse.kernel import okvs

KEY, SEED, TAG_KEY = b"k" * 32, b"s" * 32, b"t" * 32
DELTA = bytes(range(16))


def octets(label: int, *shape: int) -> NDArray[np.uint8]:
    return np.random.default_rng(label).integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize("width", [8, 16])
@pytest.mark.parametrize("count", [1, 2, 3, 100, 60_000])
def test_values_come_back_for_their_digests(width: Literal[8, 16], count: int) -> None:
    layout = okvs.layout(count, width)
    digests, values = octets(1, count, 16), octets(2, count, width)
    elements = okvs.encode_values(digests, values, KEY, layout, SEED)
    assert elements.shape == (layout.size * width,)
    assert np.array_equal(okvs.decode(elements, digests, KEY, layout), values)
    assert not np.array_equal(okvs.decode(elements, digests, TAG_KEY, layout), values)


@pytest.mark.parametrize("width", [8, 16])
def test_the_parties_agree_on_the_tags_of_encoded_digests_only(width: Literal[8, 16]) -> None:
    mine, layout = octets(1, 500, 16), okvs.layout(500, width)
    theirs = np.concatenate([mine[::-1][:100], octets(2, 50, 16)])
    # B, and A with C = B + Δ·A where A = 0: the encoding alone shifts what the sender holds
    b = octets(3, layout.size * 16)
    p = okvs.encode(mine, KEY, layout, SEED)
    guest = okvs.receiver_tags(b, mine, KEY, layout, TAG_KEY)
    host = okvs.sender_tags(b, DELTA, p, theirs, KEY, layout, TAG_KEY)
    assert np.array_equal(host[:100], guest[::-1][:100])
    assert not set(map(bytes, host[100:])) & set(map(bytes, guest))
    # without A, B is taken to be shifted already
    unshifted = okvs.sender_tags(b, bytes(16), None, mine, KEY, layout, TAG_KEY)
    assert np.array_equal(unshifted, guest)


def test_a_million_keys_take_less_than_ten_and_a_half_bytes_each() -> None:
    layout = okvs.layout(1 << 20, 8)
    assert layout.size == layout.clusters * layout.slots + layout.dense
    assert layout.size * layout.width <= 10.45 * 2**20


def test_fewer_keys_than_the_layout_holds_are_fine_and_more_are_not() -> None:
    layout = okvs.layout(1000, 8)
    digests = octets(1, 1001, 16)
    elements = okvs.encode(digests[:7], KEY, layout, SEED)
    assert elements.size == layout.size * 8
    none = okvs.encode(digests[:0], KEY, layout, SEED)
    assert okvs.decode(none, digests[:0], KEY, layout).shape == (0, 8)
    with pytest.raises(ValueError, match="1000 keys cannot hold 1001"):
        okvs.encode(digests, KEY, layout, SEED)


def test_a_digest_with_two_values_fails() -> None:
    digests = octets(1, 50, 16)
    digests[1] = digests[0]
    with pytest.raises(okvs.EncodingFailed):
        okvs.encode_values(digests, octets(2, 50, 8), KEY, okvs.layout(50, 8), SEED)


def test_arguments_that_do_not_fit_are_refused() -> None:
    layout, digests = okvs.layout(10, 8), octets(1, 10, 16)
    elements = okvs.encode(digests, KEY, layout, SEED)
    with pytest.raises(ValueError, match="1 to 2\\^26 keys"):
        okvs.layout(0, 8)
    with pytest.raises(ValueError, match="8 or 16 bytes"):
        okvs.layout(10, 12)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="one for each digest"):
        okvs.encode_values(digests, octets(2, 9, 8), KEY, layout, SEED)
    with pytest.raises(ValueError, match="uint8\\[rows, 16\\]"):
        okvs.encode(digests[:, :8], KEY, layout, SEED)
    with pytest.raises(ValueError, match="elements must have"):
        okvs.decode(elements[8:], digests, KEY, layout)
    with pytest.raises(ValueError, match="32 bytes"):
        okvs.decode(elements, digests, KEY[1:], layout)
    with pytest.raises(ValueError, match="delta must have 16 bytes"):
        okvs.sender_tags(octets(3, layout.size * 16), DELTA[1:], None, digests, KEY, layout, TAG_KEY)
    with pytest.raises(ValueError, match="a must have"):
        okvs.sender_tags(octets(3, layout.size * 16), DELTA, elements[1:], digests, KEY, layout, TAG_KEY)
