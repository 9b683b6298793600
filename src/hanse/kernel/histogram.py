"""The static-hint histogram: a guest learns sums of its own encrypted vectors over a host's private rows.

The host sets up once per alignment and binning and sends a *hint*; then every level of a tree is a batch of queries
that a guest sends to any number of hosts, block by block of 64k samples; the answers are a few bytes a row and query.
``docs/protocols/histogram.md`` has the protocol, its parameters and the argument.

    host = HostRows.setup(parameters, public_seed, rng(32), codes, bins, omitted, missing)
    keys = GuestKeys(parameters, public_seed, samples)
    hint = ParsedHint.parse(parameters, host.hint(), host.rows_of_features)

    level = keys.begin([Plane(g, h, slots, queries)], rng(32))
    summing = host.begin(level.queries, level.dummies())
    for block in range(level.blocks):
        summing.add(level.encrypt(block))
    g_sums, h_sums = level.decrypt(hint, summing.finish(rng(32)))
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from hanse.kernel import _kernel
from hanse.kernel._kernel import HintExhausted, NoiseBudget

__all__ = [
    "BLOCK",
    "MAX_QUERIES",
    "NO_QUERY",
    "GuestKeys",
    "HintExhausted",
    "HostRows",
    "Level",
    "NoiseBudget",
    "ParameterSet",
    "ParsedHint",
    "Plane",
    "Summing",
    "answer_size",
    "block_size",
    "blocks",
    "choose",
    "dummies_size",
    "hint_size",
    "parameter_set",
]

Buffer = bytes | bytearray | memoryview | NDArray[np.uint8]
Mask = NDArray[np.uint8] | NDArray[np.bool_] | None
Precision = Literal["coarse", "medium", "fine"]
"""At least 5, 8 or 20 bits of g, and 4, 7 or 18 of h."""

BLOCK: int = _kernel.HISTOGRAM_BLOCK
"""Samples of one block."""

MAX_QUERIES: int = _kernel.HISTOGRAM_MAX_QUERIES
"""The most queries of one level."""

NO_QUERY = 0xFFFF
"""The slot of a sample that is in none of a plane's queries."""


class ParameterSet(msgspec.Struct, frozen=True):
    """One parameter set; the numbers live in the kernel.

    gradient_bits, hessian_bits  g is in [−2^(bits−1), 2^(bits−1)), h in [0, 2^bits).
    max_row_samples              the most samples that one row may have.
    flood_bits                   the noise that hides a row is 2^bits times what it hides.
    answer_cap                   the most answers (rows × queries) over the life of a hint.
    """

    name: str
    ring_degree: int
    primes: tuple[int, ...]
    modulus_bits: int
    gradient_bits: int
    hessian_bits: int
    max_row_samples: int
    max_samples: int
    flood_bits: int
    answer_cap: int
    hint_row_bytes: int

    @property
    def prime_bits(self) -> int:
        """Bits of a residue modulo one prime."""
        return self.modulus_bits // len(self.primes)

    def margin(self, largest_row: int) -> float:
        """Standard deviations of all noise in half a decoding step, for a largest row of this many samples."""
        return _KERNEL_SETS[self.name].margin(largest_row)

    def element_size(self, count: int) -> int:
        """Bytes of ``count`` coefficients of one ring element."""
        return len(self.primes) * -(-count * self.prime_bits // 8)

    @property
    def bytes_per_sample(self) -> float:
        """Bytes of a query for each sample, the dummy element aside."""
        return self.modulus_bits / 8


def _described(described: _kernel.HistogramSet) -> ParameterSet:
    return ParameterSet(
        name=described.name,
        ring_degree=described.ring_degree,
        primes=tuple(described.primes),
        modulus_bits=described.modulus_bits,
        gradient_bits=described.gradient_bits,
        hessian_bits=described.hessian_bits,
        max_row_samples=described.max_row_samples,
        max_samples=described.max_samples,
        flood_bits=described.flood_bits,
        answer_cap=described.answer_cap,
        hint_row_bytes=described.hint_row_size,
    )


_KERNEL_SETS = {described.name: described for described in _kernel.histogram_sets()}
PARAMETER_SETS = {name: _described(described) for name, described in _KERNEL_SETS.items()}


def parameter_set(name: str) -> ParameterSet:
    """The set of this name. Raises ``ValueError`` when there is none."""
    try:
        return PARAMETER_SETS[name]
    except KeyError:
        raise ValueError(f"no histogram parameter set {name!r}; there are {', '.join(PARAMETER_SETS)}") from None


def choose(
    samples: int, largest_row: int = 0, matrix_rows: int = 0, queries: int = 0, precision: Precision = "coarse"
) -> ParameterSet:
    """The set for a job: of those that fit and are as fine as ``precision`` says, the one of fewest bytes.

    A set fits when it takes the samples and the largest row with a margin of at least 8 σ, and ``matrix_rows`` ×
    ``queries`` answers of one hint.

    Raises ``ValueError`` when none fits.
    """
    name = _kernel.histogram_set_for(samples, largest_row, matrix_rows * queries, precision)
    if name is None:
        cause = f"{samples} samples, a largest row of {largest_row}, {matrix_rows} rows and {queries} queries"
        raise ValueError(f"no histogram parameter set takes {cause}")
    return PARAMETER_SETS[name]


def blocks(samples: int) -> int:
    """How many blocks these samples make."""
    return -(-samples // BLOCK)


def _encrypted(parameters: ParameterSet, samples: int) -> int:
    """Bytes of the encryption of ``samples`` consecutive samples from the start of a block, by one query."""
    whole, rest = divmod(samples, parameters.ring_degree)
    return whole * parameters.element_size(parameters.ring_degree) + parameters.element_size(rest)


def dummies_size(parameters: ParameterSet, queries: int) -> int:
    """Bytes of `Level.dummies`."""
    return queries * parameters.element_size(parameters.ring_degree)


def block_size(parameters: ParameterSet, samples: int, block: int, queries: int) -> int:
    """Bytes of `Level.encrypt` for a block; zero when there is no such block."""
    return queries * _encrypted(parameters, max(0, min(BLOCK, samples - block * BLOCK)))


def hint_size(parameters: ParameterSet, rows: int) -> int:
    """Bytes of `HostRows.hint`."""
    return rows * parameters.hint_row_bytes


def answer_size(parameters: ParameterSet, rows: int, queries: int = 1) -> int:
    """Bytes of `Summing.finish` for so many answered rows and queries."""
    return queries * -(-rows * parameters.modulus_bits // 8)


def _whole(name: str, column: NDArray[np.int32]) -> NDArray[np.int32]:
    """The column, contiguous. A wider type is refused: a cast could wrap around."""
    if column.dtype != np.int32:
        raise ValueError(f"{name} must be int32, not {column.dtype}")
    return np.ascontiguousarray(column)


def _flags(name: str, flags: Mask) -> NDArray[np.uint8] | None:
    if flags is None:
        return None
    if flags.dtype not in (np.bool_, np.uint8):
        raise ValueError(f"{name} must be uint8 or bool, not {flags.dtype}")
    return np.ascontiguousarray(flags).view(np.uint8)


class HostRows:
    """A host's side: its binned columns and the secrets of one hint. Made by `setup` or `resume`."""

    __slots__ = ("_host", "parameters")

    def __init__(self, parameters: ParameterSet, host: _kernel.HistogramHost) -> None:
        self.parameters = parameters
        self._host = host

    @classmethod
    def setup(
        cls,
        parameters: ParameterSet,
        public_seed: bytes,
        secret_seed: bytes,
        codes: NDArray[np.uint8],
        bins: NDArray[np.int32],
        omitted: NDArray[np.int32],
        missing: Mask = None,
    ) -> HostRows:
        """Sets up the rows: feature by feature its cells in order, but for the omitted one.

        The cells of a feature are its codes 0 … bins − 1 and then, where ``missing`` is set, one for code 255.

        public_seed  32 bytes that both sides hold; a new one for every alignment and binning.
        secret_seed  32 fresh secret bytes, never used for another table.
        codes        uint8[features, samples], C-contiguous: the bin of every aligned sample, 255 where it is missing.
        bins         int32[features], value codes of each feature, 1 to 255.
        omitted      int32[features], the largest cell of each feature, which the guest gets by subtraction; ``bins``
                     stands for the cell of missing values.
        missing      uint8 or bool[features], whether a feature has a cell for missing values; none has by default.

        Raises ``ValueError`` when they do not fit together, a code has no cell, a row has more than ``max_row_samples``
        samples, or the noise margin of the largest row is below 8 σ.
        """
        return cls._made(parameters, public_seed, secret_seed, codes, bins, omitted, missing, None)

    @classmethod
    def resume(
        cls,
        parameters: ParameterSet,
        public_seed: bytes,
        secret_seed: bytes,
        codes: NDArray[np.uint8],
        bins: NDArray[np.int32],
        omitted: NDArray[np.int32],
        missing: Mask = None,
        *,
        answered: int,
    ) -> HostRows:
        """The same set-up again from the very same arguments, for a guest that kept its hint: fast, no hint is made.

        The secrets are bound to all arguments: with any other the answers are noise to the guest, and nothing more.
        ``answered`` is how many answers (rows × queries) the hint has served already. Raises as `setup`.
        """
        if answered < 0:
            raise ValueError("answered must not be negative")
        return cls._made(parameters, public_seed, secret_seed, codes, bins, omitted, missing, answered)

    @classmethod
    def _made(
        cls,
        parameters: ParameterSet,
        public_seed: bytes,
        secret_seed: bytes,
        codes: NDArray[np.uint8],
        bins: NDArray[np.int32],
        omitted: NDArray[np.int32],
        missing: Mask,
        answered: int | None,
    ) -> HostRows:
        if codes.dtype != np.uint8 or codes.ndim != 2 or not codes.flags.c_contiguous:
            raise ValueError("codes must be uint8[features, samples], C-contiguous")
        flags = _flags("missing", missing)
        if flags is None:
            flags = np.zeros(len(codes), np.uint8)
        if any(column.shape != (len(codes),) for column in (bins, omitted, flags)):
            raise ValueError("bins, omitted and missing must have one number a feature")
        columns = codes, _whole("bins", bins), flags, _whole("omitted", omitted)
        host = _kernel.HistogramHost.set_up(parameters.name, public_seed, secret_seed, *columns, answered)
        return cls(parameters, host)

    @property
    def rows(self) -> int:
        return self._host.rows

    @property
    def rows_of_features(self) -> list[int]:
        """Rows of each feature: its cells but the omitted one."""
        return self._host.rows_of_features

    @property
    def largest_row(self) -> int:
        """Samples of the largest row."""
        return self._host.largest_row

    @property
    def answered(self) -> int:
        """Rows × queries answered so far with this hint."""
        return self._host.answered

    def hint(self) -> bytes:
        """What the guest needs to open answers: `hint_size` bytes, pseudorandom.

        Raises ``ValueError`` after `resume`, which makes none.
        """
        hint = self._host.hint()
        if hint is None:
            raise ValueError("a resumed set-up makes no hint: the guest has kept it")
        return hint

    def begin(self, queries: int, dummies: Buffer, features: Mask = None) -> Summing:
        """Begins the answers to a level of queries, from `Level.dummies`.

        ``features`` (uint8 or bool[features]) marks those that are answered; all are by default. Answers are counted
        here, atomically. Raises ``ValueError`` for malformed bytes or a mask that leaves no row, and `HintExhausted`
        past the set's ``answer_cap``.
        """
        return Summing(self._host.begin(queries, dummies, _flags("features", features)))


class Summing:
    """The answers to one level in the making. Memory does not grow with the samples."""

    __slots__ = ("_summing",)

    def __init__(self, summing: _kernel.HistogramSumming) -> None:
        self._summing = summing

    def add(self, block: Buffer) -> None:
        """Adds one block of all queries, as `Level.encrypt` made it. Blocks come in order.

        Raises ``ValueError`` for a malformed block, or one too many; the level cannot be finished then.
        """
        self._summing.add(block)

    def finish(self, flood_seed: bytes) -> bytes:
        """One flooded sum a query and answered row, query by query: `answer_size` bytes.

        ``flood_seed`` is 32 fresh secret bytes. Raises ``ValueError`` when blocks are missing.
        """
        return self._summing.finish(flood_seed)


class ParsedHint:
    """One host's hint, checked. The bytes are used as they are."""

    __slots__ = ("_hint", "parameters")

    def __init__(self, parameters: ParameterSet, hint: _kernel.HistogramHint) -> None:
        self.parameters = parameters
        self._hint = hint

    @classmethod
    def parse(
        cls, parameters: ParameterSet, data: bytes | bytearray, rows: int | Sequence[int] | NDArray[np.int64]
    ) -> ParsedHint:
        """Checks a hint. ``rows`` are the rows of each feature; one number stands for a single feature.

        ``bytes`` are not copied. Raises ``ValueError`` for a wrong length or a number out of range.
        """
        counts = [rows] if isinstance(rows, int) else [int(count) for count in rows]
        if any(count < 0 for count in counts):
            raise ValueError("a feature cannot have fewer than no rows")
        return cls(parameters, _kernel.HistogramHint.parse(parameters.name, data, counts))

    @property
    def rows(self) -> int:
        return self._hint.rows


@dataclass(frozen=True, eq=False)
class Plane:
    """Numbers of all samples, and the query of a level that each belongs to.

    g, h     int32[samples], in the range of the parameter set.
    slots    uint16[samples]: query q of the plane encrypts (g, h) where the slot is q and zeros elsewhere; `NO_QUERY`
             is in none.
    queries  how many queries the plane has.
    """

    g: NDArray[np.int32]
    h: NDArray[np.int32]
    slots: NDArray[np.uint16]
    queries: int


class Level:
    """The queries of one level. What it encrypts goes to every host; the secrets stay inside and are wiped with it."""

    __slots__ = ("_level", "parameters")

    def __init__(self, parameters: ParameterSet, level: _kernel.HistogramLevel) -> None:
        self.parameters = parameters
        self._level = level

    @property
    def queries(self) -> int:
        return self._level.queries

    @property
    def blocks(self) -> int:
        """How many blocks there are to `encrypt`."""
        return self._level.blocks

    def dummies(self) -> bytes:
        """What a host needs to `HostRows.begin`: `dummies_size` bytes."""
        return self._level.dummies()

    def encrypt(self, block: int) -> bytes:
        """One block of all queries: `block_size` bytes, the same whenever it is asked for.

        Raises ``ValueError`` when there is no such block.
        """
        if block < 0:
            raise ValueError("a block has a number from 0")
        return self._level.encrypt(block)

    def decrypt(
        self, hint: ParsedHint, answers: Buffer, features: Mask = None
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The exact sums of g and of h over each answered row of the host that sent ``hint`` and ``answers``.

        int64[queries, rows] each. ``features`` is the mask that the host was given. Raises ``ValueError`` for malformed
        bytes, and `NoiseBudget` when an answer is not near any sum, after all rows of all queries were opened. The
        latter never says which: that may depend on secrets.
        """
        mask = _flags("features", features)
        rows = hint._hint.chosen_rows(mask)
        g_sums = np.empty((self.queries, rows), dtype=np.int64)
        h_sums = np.empty((self.queries, rows), dtype=np.int64)
        self._level.decrypt(hint._hint, answers, mask, g_sums, h_sums)
        return g_sums, h_sums


class GuestKeys:
    """A guest's side for one alignment: the expanded public part. Every query has a key of its own."""

    __slots__ = ("_guest", "parameters", "samples")

    def __init__(self, parameters: ParameterSet, public_seed: bytes, samples: int) -> None:
        self.parameters = parameters
        self.samples = samples
        self._guest = _kernel.HistogramGuest(parameters.name, public_seed, samples)

    def begin(self, planes: Sequence[Plane], seed: bytes) -> Level:
        """Begins a level: the queries of all planes in order. ``seed`` is 32 fresh secret bytes.

        The numbers are copied. Raises ``ValueError`` for a wrong length or a value outside the set's range.
        """
        return Level(self.parameters, self._guest.begin([_columns(plane) for plane in planes], seed))


def _columns(plane: Plane) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.uint16], int]:
    if plane.slots.dtype != np.uint16:
        raise ValueError(f"slots must be uint16, not {plane.slots.dtype}")
    if plane.queries < 1:
        raise ValueError("a plane has at least one query")
    return _whole("g", plane.g), _whole("h", plane.h), np.ascontiguousarray(plane.slots), plane.queries
