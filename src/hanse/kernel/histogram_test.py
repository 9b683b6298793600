"""The static-hint histogram through the typed face; the kernel's own tests hold the reference."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from hanse.kernel import histogram
from hanse.kernel.histogram import GuestKeys, HostRows, ParameterSet, ParsedHint

PUBLIC, SECRET, QUERY, FLOOD = (bytes([tag]) * 32 for tag in range(4))
BINS = np.array([3, 9, 1], np.int32)
OMITTED = np.array([2, 0, 0], np.int32)
SAMPLES = 1500
SETS = [histogram.parameter_set(name) for name in ("S100", "S138")]


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


def plain_sums(values: NDArray[np.int32]) -> list[int]:
    columns = zip(make_codes(), BINS, OMITTED, strict=True)
    rows = [(codes == bin_) for codes, bins, omitted in columns for bin_ in range(bins) if bin_ != omitted]
    return [int(values[row].sum(dtype=np.int64)) for row in rows]


@pytest.mark.parametrize("parameters", SETS, ids=lambda one: one.name)
def test_the_guest_opens_exact_sums_of_every_row(parameters: ParameterSet) -> None:
    host = make_host(parameters)
    keys = GuestKeys(parameters, PUBLIC, SAMPLES)
    g, h = make_vector(parameters)
    query = keys.encrypt(g, h, QUERY)
    answer = host.answer(query.ciphertext, FLOOD)
    hint = ParsedHint.parse(parameters, host.hint(), host.rows)
    g_sums, h_sums = keys.decrypt(query, hint, answer)
    assert g_sums.tolist() == plain_sums(g)
    assert h_sums.tolist() == plain_sums(h)
    assert (host.rows, hint.rows, host.answered) == (10, 10, 10)


@pytest.mark.parametrize("parameters", SETS, ids=lambda one: one.name)
def test_sizes_are_known_beforehand(parameters: ParameterSet) -> None:
    host = make_host(parameters)
    g, h = make_vector(parameters)
    query = GuestKeys(parameters, PUBLIC, SAMPLES).encrypt(g, h, QUERY)
    assert len(query.ciphertext) == histogram.encrypted_size(parameters, SAMPLES)
    assert len(host.hint()) == histogram.hint_size(parameters, host.rows)
    assert len(host.answer(query.ciphertext, FLOOD)) == histogram.answer_size(parameters, host.rows)


def test_the_sets_are_the_documented_ones() -> None:
    coarse, fine = SETS
    assert (coarse.ring_degree, coarse.bytes_per_sample, coarse.max_row_samples) == (4096, 12.5, 1 << 16)
    assert (fine.ring_degree, fine.bytes_per_sample, fine.max_row_samples) == (8192, 17.25, 1 << 20)
    assert (coarse.gradient_bits, coarse.hessian_bits) == (5, 4)
    assert (fine.gradient_bits, fine.hessian_bits) == (20, 18)
    assert coarse.answer_cap == fine.answer_cap == 1 << 28
    assert all(prime % (2 * one.ring_degree) == 1 for one in SETS for prime in one.primes)


def test_the_finer_set_is_chosen_for_few_samples_and_for_long_rows() -> None:
    assert histogram.choose((1 << 17) - 1).name == "S138"
    assert histogram.choose(1 << 17).name == "S100"
    assert histogram.choose(1 << 20, largest_row=70_000).name == "S138"
    with pytest.raises(ValueError, match="there are S100, S138"):
        histogram.parameter_set("S1")


def test_every_kind_of_buffer_is_read() -> None:
    parameters = SETS[0]
    host = make_host(parameters)
    keys = GuestKeys(parameters, PUBLIC, SAMPLES)
    g, h = make_vector(parameters)
    query = keys.encrypt(g, h, QUERY)
    octets = query.ciphertext
    answers = {host.answer(kind, FLOOD) for kind in (octets, bytearray(octets), memoryview(octets))}
    assert answers == {host.answer(np.frombuffer(octets, np.uint8), FLOOD)}


def test_malformed_bytes_are_refused_in_words() -> None:
    parameters = SETS[1]
    host = make_host(parameters)
    keys = GuestKeys(parameters, PUBLIC, SAMPLES)
    query = keys.encrypt(*make_vector(parameters), QUERY)
    hint = ParsedHint.parse(parameters, host.hint(), host.rows)
    with pytest.raises(ValueError, match="a query has 3 bytes where"):
        host.answer(b"abc", FLOOD)
    with pytest.raises(ValueError, match="a query holds a number that is out of range"):
        host.answer(b"\xff" * len(query.ciphertext), FLOOD)
    with pytest.raises(ValueError, match="a hint has"):
        ParsedHint.parse(parameters, host.hint(), host.rows + 1)
    with pytest.raises(ValueError, match="a hint holds a number that is out of range"):
        ParsedHint.parse(parameters, b"\xff" * len(host.hint()), host.rows)
    with pytest.raises(ValueError, match="an answer has 0 bytes where"):
        keys.decrypt(query, hint, b"")
    with pytest.raises(ValueError, match="belong to different parameter sets"):
        GuestKeys(SETS[0], PUBLIC, SAMPLES).decrypt(query, hint, b"")


def test_an_answer_to_another_query_is_one_uniform_error() -> None:
    parameters = SETS[1]
    host = make_host(parameters)
    keys = GuestKeys(parameters, PUBLIC, SAMPLES)
    g, h = make_vector(parameters)
    hint = ParsedHint.parse(parameters, host.hint(), host.rows)
    answer = host.answer(keys.encrypt(g, h, QUERY).ciphertext, FLOOD)
    with pytest.raises(histogram.NoiseBudget) as caught:
        keys.decrypt(keys.encrypt(g, h, b"x" * 32), hint, answer)
    assert not any(digit in str(caught.value) for digit in "0123456789")


def test_vectors_and_tables_that_do_not_fit_are_refused() -> None:
    parameters = SETS[0]
    keys = GuestKeys(parameters, PUBLIC, 4)
    zeros = np.zeros(4, np.int32)
    with pytest.raises(ValueError, match=r"every g must lie in \[-16, 16\)"):
        keys.encrypt(zeros + 16, zeros, QUERY)
    with pytest.raises(ValueError, match=r"every h must lie in \[0, 16\)"):
        keys.encrypt(zeros, zeros - 1, QUERY)
    with pytest.raises(ValueError, match="g must be int32, not int64"):
        keys.encrypt(np.zeros(4, np.int64), zeros, QUERY)
    with pytest.raises(ValueError, match="4 samples are expected"):
        keys.encrypt(zeros[:3], zeros, QUERY)
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
