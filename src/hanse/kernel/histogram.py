"""The static-hint histogram: a guest learns sums of its own encrypted vector over a host's private rows.

The host sets up once per alignment and binning and sends a *hint*; then every query is one ciphertext that a guest
sends to any number of hosts, and every answer a few bytes a row. ``docs/protocols/histogram.md`` has the protocol, its
parameters and the argument.

    host = HostRows.setup(parameters, public_seed, rng(32), codes, bins, omitted)
    keys = GuestKeys(parameters, public_seed, samples)
    hint = ParsedHint.parse(parameters, host.hint(), host.rows)
    query = keys.encrypt(g, h, rng(32))
    g_sums, h_sums = keys.decrypt(query, hint, host.answer(query.ciphertext, rng(32)))
"""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

from hanse.kernel import _kernel
from hanse.kernel._kernel import HintExhausted, NoiseBudget

__all__ = [
    "GuestKeys",
    "HintExhausted",
    "HostRows",
    "NoiseBudget",
    "ParameterSet",
    "ParsedHint",
    "Query",
    "answer_size",
    "choose",
    "encrypted_size",
    "hint_size",
    "parameter_set",
]

Buffer = bytes | bytearray | memoryview | NDArray[np.uint8]


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


PARAMETER_SETS = {described.name: _described(described) for described in _kernel.histogram_sets()}


def parameter_set(name: str) -> ParameterSet:
    """The set of this name. Raises ``ValueError`` when there is none."""
    try:
        return PARAMETER_SETS[name]
    except KeyError:
        raise ValueError(f"no histogram parameter set {name!r}; there are {', '.join(PARAMETER_SETS)}") from None


def choose(samples: int, largest_row: int = 0) -> ParameterSet:
    """The set for a job: S138 below 2^17 samples or when the largest row sent needs it, else S100."""
    return PARAMETER_SETS[_kernel.histogram_set_for(samples, largest_row)]


def encrypted_size(parameters: ParameterSet, samples: int) -> int:
    """Bytes of `Query.ciphertext`."""
    bits = parameters.modulus_bits
    return -(-parameters.ring_degree * bits // 8) - (-samples * bits // 8)


def hint_size(parameters: ParameterSet, rows: int) -> int:
    """Bytes of `HostRows.hint`."""
    return rows * parameters.hint_row_bytes


def answer_size(parameters: ParameterSet, rows: int) -> int:
    """Bytes of `HostRows.answer`."""
    return -(-rows * parameters.modulus_bits // 8)


def _whole(name: str, column: NDArray[np.int32]) -> NDArray[np.int32]:
    """The column, contiguous. A wider type is refused: a cast could wrap around."""
    if column.dtype != np.int32:
        raise ValueError(f"{name} must be int32, not {column.dtype}")
    return np.ascontiguousarray(column)


class HostRows:
    """A host's side: its binned columns and the secrets of one hint. Made by `setup`."""

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
    ) -> HostRows:
        """Sets up the rows: feature by feature its bins in order, but for the omitted one.

        public_seed  32 bytes that both sides hold; a new one for every alignment and binning.
        secret_seed  32 fresh secret bytes, never used for another set-up.
        codes        uint8[features, samples], C-contiguous: the bin of every aligned sample.
        bins         int32[features], bins of each feature, 1 to 256.
        omitted      int32[features], the largest bin of each feature; the guest gets it by subtraction.

        Raises ``ValueError`` when they do not fit together, or a row has more than ``max_row_samples`` samples.
        """
        if codes.dtype != np.uint8 or codes.ndim != 2 or not codes.flags.c_contiguous:
            raise ValueError("codes must be uint8[features, samples], C-contiguous")
        if bins.shape != (len(codes),) or omitted.shape != (len(codes),):
            raise ValueError("bins and omitted must have one number a feature")
        columns = codes, _whole("bins", bins), _whole("omitted", omitted)
        host = _kernel.HistogramHost.set_up(parameters.name, public_seed, secret_seed, *columns)
        return cls(parameters, host)

    @property
    def rows(self) -> int:
        return self._host.rows

    @property
    def answered(self) -> int:
        """Rows × queries answered so far with this hint."""
        return self._host.answered

    def hint(self) -> bytes:
        """What the guest needs to open answers: `hint_size` bytes, pseudorandom."""
        return self._host.hint()

    def answer(self, query: Buffer, flood_seed: bytes) -> bytes:
        """One flooded sum a row: `answer_size` bytes. ``flood_seed`` is 32 fresh secret bytes.

        Raises ``ValueError`` for a malformed query, and `HintExhausted` past the set's ``answer_cap``.
        """
        return self._host.answer(query, flood_seed)


class Query:
    """One encrypted vector. ``ciphertext`` goes to every host; the secret stays inside and is wiped with the object."""

    __slots__ = ("_query", "ciphertext")

    def __init__(self, query: _kernel.HistogramQuery) -> None:
        self._query = query
        self.ciphertext: bytes = query.ciphertext


class ParsedHint:
    """One host's hint, checked and laid out for decryption."""

    __slots__ = ("_hint", "parameters")

    def __init__(self, parameters: ParameterSet, hint: _kernel.HistogramHint) -> None:
        self.parameters = parameters
        self._hint = hint

    @classmethod
    def parse(cls, parameters: ParameterSet, data: Buffer, rows: int) -> ParsedHint:
        """Reads a hint of ``rows`` rows. Raises ``ValueError`` for a wrong length or a number out of range."""
        return cls(parameters, _kernel.HistogramHint.parse(parameters.name, data, rows))

    @property
    def rows(self) -> int:
        return self._hint.rows


class GuestKeys:
    """A guest's side for one alignment: the expanded public part. Every query has a key of its own."""

    __slots__ = ("_guest", "parameters", "samples")

    def __init__(self, parameters: ParameterSet, public_seed: bytes, samples: int) -> None:
        self.parameters = parameters
        self.samples = samples
        self._guest = _kernel.HistogramGuest(parameters.name, public_seed, samples)

    def encrypt(self, g: NDArray[np.int32], h: NDArray[np.int32], seed: bytes) -> Query:
        """Encrypts int32[samples] twice, zero where a sample does not count. ``seed`` is 32 fresh secret bytes.

        Raises ``ValueError`` for a wrong length or a value outside the set's range.
        """
        return Query(self._guest.encrypt(_whole("g", g), _whole("h", h), seed))

    def decrypt(self, query: Query, hint: ParsedHint, answer: Buffer) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The exact sums of g and of h over each row of the host that sent ``hint`` and ``answer``: int64[rows] each.

        Raises ``ValueError`` for malformed bytes, and `NoiseBudget` when an answer is not near any sum. The latter
        never says which row: that may depend on secrets.
        """
        g_sums = np.empty(hint.rows, dtype=np.int64)
        h_sums = np.empty(hint.rows, dtype=np.int64)
        self._guest.decrypt(query._query, hint._hint, answer, g_sums, h_sums)
        return g_sums, h_sums
