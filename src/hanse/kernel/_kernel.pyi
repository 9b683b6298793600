from typing import final

import numpy as np
from numpy.typing import NDArray

def set_threads(count: int) -> None: ...
def simd_path() -> str: ...

# --- curve, matching, histogram ---------------------------------------------------------------------------------------

_Octets = bytes | bytearray | memoryview | NDArray[np.uint8]

def curve_secret(seed: bytes) -> bytes: ...
def curve_hash_to_points(
    data: NDArray[np.uint8], offsets: NDArray[np.int64], domain: bytes, out: NDArray[np.uint8]
) -> None: ...
def curve_multiply(points: NDArray[np.uint8], scalar: bytes, out: NDArray[np.uint8]) -> tuple[int, str] | None: ...
def curve_blind(
    data: NDArray[np.uint8], offsets: NDArray[np.int64], domain: bytes, scalar: bytes, out: NDArray[np.uint8]
) -> tuple[int, str] | None: ...
def curve_multiply_each(
    points: NDArray[np.uint8], scalars: NDArray[np.uint8], out: NDArray[np.uint8]
) -> tuple[int, str] | None: ...
def curve_find_off_curve(points: NDArray[np.uint8]) -> int | None: ...
def curve_encode_uniform(seed: bytes, factors: NDArray[np.uint8], representatives: NDArray[np.uint8]) -> None: ...
def curve_map_representatives(representatives: NDArray[np.uint8], out: NDArray[np.uint8]) -> tuple[int, str] | None: ...
def curve_add_field(
    left: NDArray[np.uint8], right: NDArray[np.uint8], out: NDArray[np.uint8]
) -> tuple[int, str] | None: ...
def curve_subtract_field(
    left: NDArray[np.uint8], right: NDArray[np.uint8], out: NDArray[np.uint8]
) -> tuple[int, str] | None: ...
def curve_reduce_field(wide: NDArray[np.uint8], out: NDArray[np.uint8]) -> None: ...
def hash_texts(
    data: NDArray[np.uint8], offsets: NDArray[np.int64], key: bytes, width: int, out: NDArray[np.uint8]
) -> None: ...
def hash_rows(rows: NDArray[np.uint8], width_in: int, key: bytes, width: int, out: NDArray[np.uint8]) -> None: ...
def split_digests(
    digests: NDArray[np.uint8],
    count: int,
    first_row: int,
    grouped: NDArray[np.uint8],
    rows: NDArray[np.uint32],
    starts: NDArray[np.int64],
) -> None: ...
def bucket_bound(items: int, count: int) -> int: ...
def sort_tags(
    tags: NDArray[np.uint8], bits: int, sorted_tags: NDArray[np.uint8], order: NDArray[np.uint32]
) -> tuple[int, int] | None: ...
def tags_sizes(count: int, bits: int) -> tuple[int, int]: ...
def encode_tags(sorted_tags: NDArray[np.uint8], bits: int, code: NDArray[np.uint8]) -> int: ...
def decode_tags(code: NDArray[np.uint8], bits: int, sorted_tags: NDArray[np.uint8]) -> None: ...
def match_tags(
    mine: NDArray[np.uint8],
    order: NDArray[np.uint32],
    theirs: NDArray[np.uint8],
    rows: NDArray[np.int64],
    places: NDArray[np.int64],
) -> int: ...
def join_rows(
    left: NDArray[np.uint8],
    right: NDArray[np.uint8],
    width: int,
    left_rows: NDArray[np.int64],
    right_rows: NDArray[np.int64],
) -> int: ...
def fill_permutation(seed: bytes, out: NDArray[np.int64]) -> None: ...
def blinding_factors(seed: bytes, out: NDArray[np.uint8]) -> None: ...
def blinding_inverses(factors: NDArray[np.uint8], out: NDArray[np.uint8]) -> None: ...
def filter_pages(tags: NDArray[np.uint8], pages: int, out: NDArray[np.uint32]) -> None: ...
def filter_encode(
    tags: NDArray[np.uint8],
    first: int,
    pages: int,
    low_bits: int,
    counts: NDArray[np.uint32],
    order: NDArray[np.uint32],
) -> tuple[bytes, tuple[int, int] | None]: ...
def filter_check(data: _Octets, counts: NDArray[np.uint32], low_bits: int) -> None: ...
def filter_probe(
    data: _Octets, starts: NDArray[np.uint64], ranks: NDArray[np.uint64], low_bits: int, tags: NDArray[np.uint8]
) -> tuple[bytes, bytes]: ...
def ids_take_offsets(offsets: NDArray[np.int64], rows: NDArray[np.int64], out: NDArray[np.int64]) -> int: ...
def ids_take(
    data: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    rows: NDArray[np.int64],
    out_offsets: NDArray[np.int64],
    out: NDArray[np.uint8],
) -> None: ...
def ids_are_plain(data: NDArray[np.uint8], offsets: NDArray[np.int64]) -> bool: ...
def ids_normalise(
    data: NDArray[np.uint8], offsets: NDArray[np.int64], out: NDArray[np.uint8], out_offsets: NDArray[np.int64]
) -> tuple[int, list[int]]: ...
def ids_hash(data: NDArray[np.uint8], offsets: NDArray[np.int64], out: NDArray[np.uint64]) -> None: ...
def ids_repeat(hashes: NDArray[np.uint64]) -> bool: ...
def cells_survey(data: NDArray[np.uint8], offsets: NDArray[np.int64]) -> tuple[int, int, int, int, int, int]: ...

class NoiseBudget(Exception): ...
class HintExhausted(Exception): ...

@final
class HistogramSet:
    @property
    def name(self) -> str: ...
    @property
    def ring_degree(self) -> int: ...
    @property
    def primes(self) -> list[int]: ...
    @property
    def modulus_bits(self) -> int: ...
    @property
    def gradient_bits(self) -> int: ...
    @property
    def hessian_bits(self) -> int: ...
    @property
    def max_row_samples(self) -> int: ...
    @property
    def max_samples(self) -> int: ...
    @property
    def flood_bits(self) -> int: ...
    @property
    def answer_cap(self) -> int: ...
    @property
    def hint_row_size(self) -> int: ...
    def margin(self, row_samples: int) -> float: ...

def histogram_sets() -> list[HistogramSet]: ...
def histogram_set_for(samples: int, largest_row: int, answers: int, precision: str) -> str | None: ...

HISTOGRAM_BLOCK: int
HISTOGRAM_MAX_QUERIES: int

@final
class HistogramHost:
    @staticmethod
    def set_up(
        name: str,
        public_seed: bytes,
        secret_seed: bytes,
        codes: NDArray[np.uint8],
        bins: NDArray[np.int32],
        missing: NDArray[np.uint8],
        omitted: NDArray[np.int32],
        answered: int | None,
    ) -> HistogramHost: ...
    @property
    def rows(self) -> int: ...
    @property
    def rows_of_features(self) -> list[int]: ...
    @property
    def largest_row(self) -> int: ...
    @property
    def answered(self) -> int: ...
    def hint(self) -> bytes | None: ...
    def begin(self, queries: int, dummies: _Octets, mask: NDArray[np.uint8] | None) -> HistogramSumming: ...

@final
class HistogramSumming:
    def add(self, block: _Octets) -> None: ...
    def finish(self, flood_seed: bytes) -> bytes: ...

@final
class HistogramHint:
    @staticmethod
    def parse(name: str, data: bytes | bytearray, rows: list[int]) -> HistogramHint: ...
    @property
    def rows(self) -> int: ...
    def chosen_rows(self, mask: NDArray[np.uint8] | None) -> int: ...

@final
class HistogramGuest:
    def __new__(cls, name: str, public_seed: bytes, samples: int) -> HistogramGuest: ...
    def begin(
        self, planes: list[tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.uint16], int]], seed: bytes
    ) -> HistogramLevel: ...

@final
class HistogramLevel:
    @property
    def queries(self) -> int: ...
    @property
    def blocks(self) -> int: ...
    def dummies(self) -> bytes: ...
    def encrypt(self, block: int) -> bytes: ...
    def decrypt(
        self,
        hint: HistogramHint,
        answers: _Octets,
        mask: NDArray[np.uint8] | None,
        gradient_sums: NDArray[np.int64],
        hessian_sums: NDArray[np.int64],
    ) -> None: ...

# --- binning, gradients, trees ----------------------------------------------------------------------------------------

def bin_numbers(
    numbers: NDArray[np.float64],
    rows: int,
    max_bins: int,
    min_rows: int,
    within: list[tuple[list[float], int]] | None,
) -> list[tuple[list[float], int]]: ...
def bin_codes(
    numbers: NDArray[np.float64], rows: int, bins: list[tuple[list[float], int]], codes: NDArray[np.uint8]
) -> None: ...
def tree_histogram(
    codes: NDArray[np.uint8],
    bins: NDArray[np.uint32],
    missing: NDArray[np.uint8],
    chosen: NDArray[np.uint8] | None,
    g: NDArray[np.float64],
    h: NDArray[np.float64],
    rows: NDArray[np.uint32] | None,
    g_sums: NDArray[np.float64],
    h_sums: NDArray[np.float64],
    row_sums: NDArray[np.uint32],
) -> None: ...
def tree_best_split(
    g: NDArray[np.float64],
    h: NDArray[np.float64],
    rows: NDArray[np.uint32] | None,
    bins: NDArray[np.uint32],
    missing: NDArray[np.uint8],
    categorical: NDArray[np.uint8],
    monotone: NDArray[np.int8],
    chosen: NDArray[np.uint8] | None,
    total: tuple[float, float],
    bounds: tuple[float, float],
    rules: tuple[float, float, float, float, float, int, int],
) -> tuple[int, bytes, float, int, tuple[float, float], list[tuple[float, float]]] | None: ...
def tree_part_by_codes(rows: NDArray[np.uint32], codes: NDArray[np.uint8], left: bytes) -> int: ...
def tree_part_by_bits(rows: NDArray[np.uint32], bits: NDArray[np.uint8]) -> int: ...
def tree_totals(g: NDArray[np.float64], h: NDArray[np.float64], rows: NDArray[np.uint32]) -> tuple[float, float]: ...
def tree_left_bits(codes: NDArray[np.uint8], left: bytes, bits: NDArray[np.uint8]) -> None: ...
def tree_set_bits(bits: NDArray[np.uint8], rows: NDArray[np.uint32]) -> None: ...
def tree_mark(places: NDArray[np.uint16], rows: NDArray[np.uint32], value: int) -> None: ...
def tree_add_leaves(
    margins: NDArray[np.float64], rows: NDArray[np.uint32], ranges: list[tuple[int, int]], weights: list[float]
) -> None: ...
def tree_margins(
    starts: NDArray[np.int64],
    source: NDArray[np.int8],
    index: NDArray[np.uint32],
    left: NDArray[np.int32],
    right: NDArray[np.int32],
    threshold: NDArray[np.float64],
    missing_left: NDArray[np.uint8],
    set_index: NDArray[np.int32],
    sets: NDArray[np.uint8],
    weight: NDArray[np.float64],
    base: NDArray[np.float64],
    numbers: NDArray[np.float64],
    bits: NDArray[np.uint8],
    rows: int,
    margins: NDArray[np.float64],
) -> None: ...

_Loss = tuple[str, int, float, float]

def boosting_base_margins(
    loss: _Loss, labels: NDArray[np.float64], weights: NDArray[np.float64] | None, out: NDArray[np.float64]
) -> None: ...
def boosting_gradients(
    loss: _Loss,
    labels: NDArray[np.float64],
    weights: NDArray[np.float64] | None,
    groups: NDArray[np.int64] | None,
    margins: NDArray[np.float64],
    g: NDArray[np.float64],
    h: NDArray[np.float64],
) -> None: ...
def boosting_measure(
    loss: _Loss,
    metrics: list[str],
    labels: NDArray[np.float64],
    weights: NDArray[np.float64] | None,
    groups: NDArray[np.int64] | None,
    margins: NDArray[np.float64],
) -> list[float]: ...
def boosting_scores(loss: _Loss, margins: NDArray[np.float64], scores: NDArray[np.float64]) -> None: ...
def boosting_quantile(values: NDArray[np.float64], weights: NDArray[np.float64] | None, share: float) -> float: ...
def quantise_gradients(
    g: NDArray[np.float64],
    h: NDArray[np.float64],
    bits: tuple[int, int],
    seed: bytes,
    g_out: NDArray[np.int32],
    h_out: NDArray[np.int32],
) -> tuple[float, float]: ...

# --- oblivious transfer -----------------------------------------------------------------------------------------------

def ot_sizes(count: int, checked: bool) -> tuple[int, int, int, int]: ...
def ot_answer(
    count: int,
    checked: bool,
    session: bytes,
    seed: bytes,
    pairs: NDArray[np.uint8],
    choices: NDArray[np.uint8],
    reply: list[NDArray[np.uint8]],
    rows: NDArray[np.uint8],
) -> None: ...
def ot_accept(
    count: int,
    checked: bool,
    session: bytes,
    keys: NDArray[np.uint8],
    delta: bytes,
    reply: list[NDArray[np.uint8]],
    rows: NDArray[np.uint8],
) -> bool: ...

# --- okvs -------------------------------------------------------------------------------------------------------------

class EncodingFailed(Exception): ...

def okvs_layout(items: int, width: int) -> tuple[int, int, int]: ...
def okvs_encode(
    digests: NDArray[np.uint8],
    values: NDArray[np.uint8] | None,
    key: bytes,
    items: int,
    width: int,
    seed: bytes,
    out: NDArray[np.uint8],
) -> None: ...
def okvs_decode(
    elements: NDArray[np.uint8],
    digests: NDArray[np.uint8],
    key: bytes,
    items: int,
    width: int,
    out: NDArray[np.uint8],
) -> None: ...
def okvs_receiver_tags(
    c: NDArray[np.uint8],
    digests: NDArray[np.uint8],
    key: bytes,
    items: int,
    width: int,
    tag_key: bytes,
    out: NDArray[np.uint8],
) -> None: ...
def okvs_sender_tags(
    b: NDArray[np.uint8],
    delta: bytes,
    a: NDArray[np.uint8] | None,
    digests: NDArray[np.uint8],
    key: bytes,
    items: int,
    width: int,
    tag_key: bytes,
    out: NDArray[np.uint8],
) -> None: ...

# --- vole -------------------------------------------------------------------------------------------------------------

def vole_sizes(size: int, width: int, checked: bool) -> tuple[int, int, int]: ...
def vole_choices(size: int, width: int, checked: bool, seed: bytes, out: NDArray[np.uint8]) -> None: ...
def vole_grow(
    size: int,
    width: int,
    checked: bool,
    code: str,
    salt: bytes,
    seed: bytes,
    delta: bytes,
    q: NDArray[np.uint8],
    message: NDArray[np.uint64],
    x: NDArray[np.uint64],
    y: NDArray[np.uint64],
) -> None: ...
def vole_send(
    size: int, width: int, checked: bool, code: str, salt: bytes, x: NDArray[np.uint64], y: NDArray[np.uint64]
) -> None: ...
def vole_noise(
    size: int, width: int, checked: bool, code: str, salt: bytes, seed: bytes, a: NDArray[np.uint64]
) -> None: ...
def vole_receive(
    size: int,
    width: int,
    checked: bool,
    code: str,
    salt: bytes,
    seed: bytes,
    t: NDArray[np.uint8],
    message: NDArray[np.uint8],
    c: NDArray[np.uint64],
) -> None: ...
def vole_claim(seed: bytes, a: NDArray[np.uint8], c: NDArray[np.uint8]) -> tuple[bytes, bytes]: ...
def vole_prove(seed: bytes, delta: bytes, b: NDArray[np.uint8], masked: bytes) -> bytes: ...
