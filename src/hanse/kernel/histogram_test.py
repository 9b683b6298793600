"""The static-hint histogram through the typed face; the kernel's own tests hold the reference."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from hanse.kernel import histogram
from hanse.kernel.histogram import Buffer, GuestKeys, HostRows, Level, ParameterSet, ParsedHint, Plane

PUBLIC, SECRET, QUERY, FLOOD = (bytes([tag]) * 32 for tag in range(4))
BINS = np.array([3, 9, 1], np.int32)
OMITTED = np.array([2, 0, 0], np.int32)
SAMPLES = 1500
SETS = [histogram.parameter_set(name) for name in ("S100", "S105", "S138")]


def make_codes() -> NDArray[np.uint8]:
    rng = np.random.default_rng(1)
    return np.stack([rng.integers(0, bins, SAMPLES, dtype=np.uint8) for bins in BINS])


def make_vector(parameters: ParameterSet) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    rng = np.random.default_rng(2)
    half = 1 << (parameters.gradient_bits - 1)
    g = rng.integers(-half, half, SAMPLES, dtype=np.int32)
    h = rng.integers(0, 1 << parameters.hessian_bits, SAMPLES, dtype=np.int32)
    g[::3] = h[::3] = 0
    return g, h


def make_host(parameters: ParameterSet) -> HostRows:
    return HostRows.setup(parameters, PUBLIC, SECRET, make_codes(), BINS, OMITTED)


def encrypted(
    keys: GuestKeys, numbers: tuple[NDArray[np.int32], NDArray[np.int32]], seed: bytes = QUERY
) -> tuple[Level, bytes, bytes]:
    """A level of one query over all samples of one block: with its dummy part, and the block."""
    level = keys.begin([Plane(*numbers, np.zeros(len(numbers[0]), np.uint16), 1)], seed)
    return level, level.dummies(), level.encrypt(0)


def answer(host: HostRows, dummies: Buffer, block: Buffer) -> bytes:
    summing = host.begin(1, dummies)
    summing.add(block)
    return summing.finish(FLOOD)


def octets(data: bytes) -> NDArray[np.uint8]:
    return np.frombuffer(data, np.uint8)


def plain_sums(values: NDArray[np.int32]) -> list[int]:
    columns = zip(make_codes(), BINS, OMITTED, strict=True)
    rows = [(codes == bin_) for codes, bins, omitted in columns for bin_ in range(bins) if bin_ != omitted]
    return [int(values[row].sum(dtype=np.int64)) for row in rows]


@pytest.mark.parametrize("parameters", SETS, ids=lambda one: one.name)
def test_the_guest_opens_exact_sums_of_every_row(parameters: ParameterSet) -> None:
    host = make_host(parameters)
    keys = GuestKeys(parameters, PUBLIC, SAMPLES)
    g, h = make_vector(parameters)
    level, *sent = encrypted(keys, (g, h))
    hint = ParsedHint.parse(parameters, host.hint(), host.rows)
    g_sums, h_sums = level.decrypt(hint, answer(host, *sent))
    assert g_sums.tolist() == [plain_sums(g)]
    assert h_sums.tolist() == [plain_sums(h)]
    assert (host.rows, hint.rows, host.answered) == (10, 10, 10)


@pytest.mark.parametrize("parameters", SETS, ids=lambda one: one.name)
def test_sizes_are_known_beforehand(parameters: ParameterSet) -> None:
    host = make_host(parameters)
    _, dummies, block = encrypted(GuestKeys(parameters, PUBLIC, SAMPLES), make_vector(parameters))
    assert len(dummies) == histogram.dummies_size(parameters, 1)
    assert len(block) == histogram.block_size(parameters, SAMPLES, 0, 1)
    assert len(host.hint()) == histogram.hint_size(parameters, host.rows)
    assert len(answer(host, dummies, block)) == histogram.answer_size(parameters, host.rows)


def test_the_sets_are_the_documented_ones() -> None:
    coarse, middle, fine = SETS
    assert (coarse.ring_degree, coarse.bytes_per_sample, coarse.max_row_samples) == (4096, 12.5, 1 << 16)
    assert (middle.ring_degree, middle.bytes_per_sample, middle.max_row_samples) == (4096, 13.125, 1 << 17)
    assert (fine.ring_degree, fine.bytes_per_sample, fine.max_row_samples) == (8192, 17.25, 1 << 20)
    assert [(one.gradient_bits, one.hessian_bits) for one in SETS] == [(5, 4), (8, 7), (20, 18)]
    assert [one.answer_cap for one in SETS] == [1 << 28, 1 << 22, 1 << 28]
    assert all(prime % (2 * one.ring_degree) == 1 for one in SETS for prime in one.primes)
    assert all(one.margin(1) >= one.margin(one.max_row_samples) > 9.3 for one in SETS)


def test_the_set_follows_samples_largest_row_answers_and_precision() -> None:
    assert histogram.choose(1 << 17).name == "S100"
    assert histogram.choose(1 << 17, precision="medium").name == "S105"
    assert histogram.choose(1 << 20, largest_row=70_000).name == "S105"
    assert histogram.choose(1 << 20, largest_row=70_000, matrix_rows=3000, queries=2000).name == "S138"
    assert histogram.choose(1 << 20, largest_row=(1 << 17) + 1).name == "S138"
    assert histogram.choose(1 << 20, precision="fine").name == "S138"
    assert histogram.choose(100_000, largest_row=90_000).name == "S105"
    with pytest.raises(ValueError, match="no histogram parameter set takes 2000000 samples, a largest row of 1048577"):
        histogram.choose(2_000_000, largest_row=(1 << 20) + 1)
    with pytest.raises(ValueError, match="there are S100, S105, S138"):
        histogram.parameter_set("S1")


def test_every_kind_of_buffer_is_read() -> None:
    parameters = SETS[0]
    keys = GuestKeys(parameters, PUBLIC, SAMPLES)
    _, dummies, block = encrypted(keys, make_vector(parameters))
    kinds: list[tuple[Buffer, Buffer]] = [
        (dummies, block),
        (bytearray(dummies), memoryview(block)),
        (octets(dummies), octets(block)),
    ]
    answers = {answer(make_host(parameters), *sent) for sent in kinds}
    assert len(answers) == 1


# --- levels -----------------------------------------------------------------------------------------------------------

LONG = histogram.BLOCK + 3000
WIDE_BINS = np.array([5, 254, 2, 3], np.int32)
MISSING = np.array([True, False, True, True])
WIDE_OMITTED = np.array([5, 0, 1, 0], np.int32)
"""Of the first feature the cell of missing values is left out."""


def make_table() -> NDArray[np.uint8]:
    rng = np.random.default_rng(3)
    codes = np.stack([rng.integers(0, bins, LONG, dtype=np.uint8) for bins in WIDE_BINS])
    codes[MISSING[:, None] & (rng.random(codes.shape) < 0.2)] = 255
    return codes


def make_planes(parameters: ParameterSet) -> list[Plane]:
    rng = np.random.default_rng(4)
    half = 1 << (parameters.gradient_bits - 1)
    planes = []
    for queries in (3, 2):
        g = rng.integers(-half, half, LONG, dtype=np.int32)
        h = rng.integers(0, 1 << parameters.hessian_bits, LONG, dtype=np.int32)
        slots = rng.integers(0, queries + 1, LONG, dtype=np.uint16)
        slots[slots == queries] = histogram.NO_QUERY
        planes.append(Plane(g, h, slots, queries))
    return planes


def level_sums(planes: list[Plane], features: list[int]) -> list[tuple[list[int], list[int]]]:
    """The plain sums of g and h, for each query over every answered row."""
    codes = make_table()
    cells = [[*range(WIDE_BINS[feature]), *([255] if MISSING[feature] else [])] for feature in features]
    kept = [[c for i, c in enumerate(one) if i != WIDE_OMITTED[f]] for f, one in zip(features, cells, strict=True)]
    rows = [codes[feature] == cell for feature, one in zip(features, kept, strict=True) for cell in one]
    found = []
    for plane in planes:
        for query in range(plane.queries):
            counts = [row & (plane.slots == query) for row in rows]
            g = [int(plane.g[count].sum(dtype=np.int64)) for count in counts]
            found.append((g, [int(plane.h[count].sum(dtype=np.int64)) for count in counts]))
    return found


@pytest.mark.parametrize("parameters", SETS, ids=lambda one: one.name)
def test_a_level_of_several_planes_is_summed_block_by_block(parameters: ParameterSet) -> None:
    arguments = parameters, PUBLIC, SECRET, make_table(), WIDE_BINS, WIDE_OMITTED, MISSING
    host, keys, planes = HostRows.setup(*arguments), GuestKeys(parameters, PUBLIC, LONG), make_planes(parameters)
    hint = ParsedHint.parse(parameters, host.hint(), host.rows_of_features)
    assert (host.rows_of_features, host.rows) == ([5, 253, 2, 3], 263)
    resumed = HostRows.resume(*arguments, answered=7)
    level = keys.begin(planes, QUERY)
    assert (level.queries, level.blocks) == (5, 2)
    for rows, mask in ((host, None), (resumed, np.array([1, 0, 0, 1], np.uint8))):
        summing = rows.begin(level.queries, level.dummies(), mask)
        for block in range(level.blocks):
            data = level.encrypt(block)
            assert len(data) == histogram.block_size(parameters, LONG, block, level.queries)
            summing.add(data)
        answers = summing.finish(FLOOD)
        features = [0, 1, 2, 3] if mask is None else [0, 3]
        g, h = level.decrypt(hint, answers, mask)
        expected = level_sums(planes, features)
        assert [(one.tolist(), other.tolist()) for one, other in zip(g, h, strict=True)] == expected
        assert len(answers) == histogram.answer_size(parameters, g.shape[1], level.queries)
    assert (host.answered, resumed.answered) == (5 * 263, 7 + 5 * 8)
    with pytest.raises(ValueError, match="a resumed set-up makes no hint"):
        resumed.hint()


def test_blocks_out_of_order_missing_or_malformed_are_refused() -> None:
    parameters = SETS[0]
    host = HostRows.setup(parameters, PUBLIC, SECRET, make_table(), WIDE_BINS, WIDE_OMITTED, MISSING)
    level = GuestKeys(parameters, PUBLIC, LONG).begin(make_planes(parameters), QUERY)
    first, second, dummies = level.encrypt(0), level.encrypt(1), level.dummies()
    summing = host.begin(5, dummies)
    with pytest.raises(ValueError, match="a block has"):
        summing.add(second)
    with pytest.raises(ValueError, match="was refused a block"):
        summing.add(first)
    summing = host.begin(5, dummies)
    summing.add(first)
    with pytest.raises(ValueError, match="not all blocks"):
        summing.finish(FLOOD)
    summing = host.begin(5, dummies)
    summing.add(first)
    summing.add(second)
    with pytest.raises(ValueError, match="more blocks than"):
        summing.add(second)
    with pytest.raises(ValueError, match="a block holds a number that is out of range"):
        host.begin(5, dummies).add(b"\xff" * len(first))
    with pytest.raises(ValueError, match="there is no block 2"):
        level.encrypt(2)
    with pytest.raises(ValueError, match="a block has a number from 0"):
        level.encrypt(-1)
    for mask, words in ((np.zeros(4, np.bool_), "leaves no row"), (np.ones(3, np.bool_), "the mask has 3 numbers")):
        with pytest.raises(ValueError, match=words):
            host.begin(5, dummies, mask)
        with pytest.raises(ValueError, match=words):
            level.decrypt(ParsedHint.parse(parameters, host.hint(), host.rows_of_features), b"", mask)
    with pytest.raises(ValueError, match="a level has 1 to"):
        host.begin(0, b"")


def test_levels_that_do_not_fit_are_refused() -> None:
    keys = GuestKeys(SETS[0], PUBLIC, 4)
    zeros, slots = np.zeros(4, np.int32), np.zeros(4, np.uint16)
    with pytest.raises(ValueError, match="a level has 1 to"):
        keys.begin([], QUERY)
    with pytest.raises(ValueError, match="a level has 1 to"):
        keys.begin([Plane(zeros, zeros, slots, histogram.MAX_QUERIES + 1)], QUERY)
    with pytest.raises(ValueError, match="at least one query"):
        keys.begin([Plane(zeros, zeros, slots, 0)], QUERY)
    with pytest.raises(ValueError, match="slots must be uint16"):
        keys.begin([Plane(zeros, zeros, zeros, 1)], QUERY)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="slots has 3 values where 4 samples"):
        keys.begin([Plane(zeros, zeros, slots[:3], 1)], QUERY)


def test_a_resumed_set_up_of_another_table_answers_noise() -> None:
    parameters = SETS[2]
    hint = ParsedHint.parse(parameters, make_host(parameters).hint(), 10)
    codes = make_codes()
    codes[0, 7] = 1 - codes[0, 7] % 2
    other = HostRows.resume(parameters, PUBLIC, SECRET, codes, BINS, OMITTED, answered=0)
    keys = GuestKeys(parameters, PUBLIC, SAMPLES)
    level, *sent = encrypted(keys, make_vector(parameters))
    answers = answer(other, *sent)
    with pytest.raises(histogram.NoiseBudget):
        level.decrypt(hint, answers)


def test_missing_values_need_a_cell() -> None:
    codes = np.array([[0, 1, 255, 1]], np.uint8)
    two, first = np.array([2], np.int32), np.array([0], np.int32)
    with pytest.raises(ValueError, match=r"feature 0 has missing values \(code 255\) but no cell"):
        HostRows.setup(SETS[0], PUBLIC, SECRET, codes, two, first)
    host = HostRows.setup(SETS[0], PUBLIC, SECRET, codes, two, first, np.array([True]))
    assert (host.rows, host.largest_row) == (2, 2)


# --- refusals ---------------------------------------------------------------------------------------------------------


def test_malformed_bytes_are_refused_in_words() -> None:
    parameters = SETS[2]
    host = make_host(parameters)
    keys = GuestKeys(parameters, PUBLIC, SAMPLES)
    level, dummies, _ = encrypted(keys, make_vector(parameters))
    hint = ParsedHint.parse(parameters, host.hint(), host.rows)
    with pytest.raises(ValueError, match="a level's dummy part has 3 bytes where"):
        host.begin(1, b"abc")
    with pytest.raises(ValueError, match="a level's dummy part holds a number that is out of range"):
        host.begin(1, b"\xff" * len(dummies))
    with pytest.raises(ValueError, match="a hint has"):
        ParsedHint.parse(parameters, host.hint(), host.rows + 1)
    with pytest.raises(ValueError, match="a hint holds a number that is out of range"):
        ParsedHint.parse(parameters, b"\xff" * len(host.hint()), host.rows)
    with pytest.raises(ValueError, match="an answer has 0 bytes where"):
        level.decrypt(hint, b"")
    other, *_ = encrypted(GuestKeys(SETS[0], PUBLIC, SAMPLES), make_vector(SETS[0]))
    with pytest.raises(ValueError, match="belong to different parameter sets"):
        other.decrypt(hint, b"")


def test_an_answer_to_another_query_is_one_uniform_error() -> None:
    parameters = SETS[2]
    host = make_host(parameters)
    keys = GuestKeys(parameters, PUBLIC, SAMPLES)
    numbers = make_vector(parameters)
    hint = ParsedHint.parse(parameters, host.hint(), host.rows)
    _, *sent = encrypted(keys, numbers)
    other, *_ = encrypted(keys, numbers, b"x" * 32)
    answers = answer(host, *sent)
    with pytest.raises(histogram.NoiseBudget) as caught:
        other.decrypt(hint, answers)
    assert not any(digit in str(caught.value) for digit in "0123456789")


def test_vectors_and_tables_that_do_not_fit_are_refused() -> None:
    parameters = SETS[0]
    keys = GuestKeys(parameters, PUBLIC, 4)
    zeros = np.zeros(4, np.int32)
    with pytest.raises(ValueError, match=r"every g must lie in \[-16, 16\)"):
        encrypted(keys, (zeros + 16, zeros))
    with pytest.raises(ValueError, match=r"every h must lie in \[0, 16\)"):
        encrypted(keys, (zeros, zeros - 1))
    with pytest.raises(ValueError, match="g must be int32, not int64"):
        encrypted(keys, (np.zeros(4, np.int64), zeros))
    with pytest.raises(ValueError, match="4 samples are expected"):
        encrypted(keys, (zeros[:3], zeros))
    with pytest.raises(ValueError, match="C-contiguous"):
        HostRows.setup(parameters, PUBLIC, SECRET, make_codes().T.copy().T, BINS, OMITTED)
    with pytest.raises(ValueError, match="one number a feature"):
        HostRows.setup(parameters, PUBLIC, SECRET, make_codes(), BINS[:2], OMITTED)
    with pytest.raises(ValueError, match="feature 1 has code"):
        HostRows.setup(parameters, PUBLIC, SECRET, make_codes(), np.array([3, 5, 1], np.int32), OMITTED)
    with pytest.raises(ValueError, match="secret_seed must have 32 bytes"):
        HostRows.setup(parameters, PUBLIC, b"", make_codes(), BINS, OMITTED)


def test_a_row_that_is_too_long_is_named() -> None:
    codes = np.zeros((2, 70_000), np.uint8)
    codes[0, :30_000] = 1
    codes[1, :66_000] = 1
    two, first = np.array([2, 2], np.int32), np.array([0, 0], np.int32)
    with pytest.raises(ValueError, match="row of feature 1, bin 1 has 66000 samples; S100 takes at most 65536 a row"):
        HostRows.setup(SETS[0], PUBLIC, SECRET, codes, two, first)
