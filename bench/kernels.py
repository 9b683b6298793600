"""Every kernel of the alignment, on every path, on one thread and one core, beside what the processor could do.

    python bench/kernels.py [--quick] [--path avx512] [--only okvs] [--core 1]

One line of JSON for each case `kernel/<kernel>/<path>`. A path is a process of its own with `HANSE_KERNEL_PATH`; each
case runs in a fork of it. Paths that the processor lacks are left out, which is said on standard error.

    seconds        processor time of the fastest of several runs. Not the wall clock: a machine that does other work as
                   well still gives sane figures, though its caches are shared.
    rate           items a second; what an item is stands in `note.item`.
    bytes          of the inputs and the results of a run.
    peak_mb        the most memory of the case's process, with interpreter and inputs.
    equal          the results are bit by bit those of the portable path (SHA-256 over all of them).
    peer …, ratio  null: there is nothing else to compare with here.
    bound_seconds  the least time in which this core could do the counted work; null where it cannot be said.

In `note`:

    ns, bound_ns             an item: what it took, and the bound.
    bound                    what sets the bound: a port, the front end, or a level of the memory.
    instructions             an item, counted by hand from the kernels' sources: the functions `…_work` below. They are
                             those of the inner loops; control of loops, spills and set-up are left out.
    traffic                  bytes an item read and written beyond the first-level cache, by the level that they come
                             from when each holds as much of what they belong to as it has room for; whole lines of 64
                             bytes where places are random.
    limits_ns                an item: the three that take longest. The bound is the first of them, so it holds when all
                             else is hidden behind it; chains of dependent loads and branches that are foretold wrongly
                             come on top, and are most of what sorts, joins and encodings take.
    clock_ghz, gb_per_s      measured by this file at its start: the clock by a chain of dependent subtractions, the
                             levels by the best of NumPy's maxima and copies of arrays that fit them.
    runs, median_seconds     how many there were, and their middle.
    load                     of the machine, averaged over the last minute.

Instructions a cycle are those of AMD's Zen 4 (`RATES`), each measured there in a loop of sixteen that do not depend on
one another; on another processor the bound is that of one as wide. Memory that a result takes for the first time is
part of its time, as it is in production.
"""

import argparse
import ctypes
import hashlib
import json
import math
import mmap
import multiprocessing
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from hanse.kernel import buckets, curve, filters, hashing, matching, okvs, ot, tags, vole
from hanse.kernel.ids import Ids
from hanse.kernel.threads import set_threads

Octets = NDArray[np.uint8]
Results = tuple[NDArray[Any] | bytes, ...]
PORTABLE, AVX2, AVX512 = PATHS = ("portable", "avx2", "avx512")
KEY, TAG_KEY, SEED, SALT, DELTA = (bytes([number]) * size for number, size in enumerate((32, 32, 32, 32, 16), 1))
LINE_BYTES = 64

# ---- what the processor does in a cycle ------------------------------------------------------------------------------

VECTOR = ("logic", "shift", "multiply", "clmul", "aes")
RATES: dict[str, dict[str, float]] = {
    # 128 bits: what every x86-64 has, and AES
    PORTABLE: {"logic": 4, "shift": 2, "aes": 2, "load": 3, "store": 2, "front": 6},
    # 256 bits; carry-less products are of 128
    AVX2: {"logic": 4, "shift": 2, "multiply": 2, "clmul": 0.5, "aes": 2, "load": 2, "store": 1, "front": 6},
    # 512 bits; `shift` are shuffles and bit matrices as well
    AVX512: {
        "logic": 2,
        "shift": 1,
        "multiply": 1,
        "clmul": 0.5,
        "aes": 1,
        "gather": 0.11,
        "load": 1,
        "store": 0.5,
        "front": 6,
    },
}
# what is not as wide as its path: numbers of 64 bits, and single blocks
NARROW = {"word_multiply": 1.0, "block_load": 3.0, "block_store": 2.0}
PORTS = {
    "logic": "vector ports",
    "shift": "shift port",
    "multiply": "multiplier port",
    "clmul": "carry-less multiplier port",
    "aes": "AES port",
    "gather": "gather",
    "load": "load port",
    "store": "store port",
    "word_multiply": "word multiplier port",
    "block_load": "load port",
    "block_store": "store port",
}


@dataclass(frozen=True)
class Work:
    """Of one item: instructions by kind, and (bytes, size in bytes of what they belong to) past the nearest cache.

    Kinds are those of `RATES` and `NARROW`; `scalar` is all else, held up by nothing but the front end.
    """

    counts: dict[str, float]
    traffic: tuple[tuple[float, float], ...] = ()

    def __add__(self, other: "Work") -> "Work":
        kinds = self.counts.keys() | other.counts.keys()
        counts = {kind: self.counts.get(kind, 0) + other.counts.get(kind, 0) for kind in kinds}
        return Work(counts, self.traffic + other.traffic)

    def __mul__(self, times: float) -> "Work":
        traffic = tuple((size * times, whole) for size, whole in self.traffic)
        return Work({kind: count * times for kind, count in self.counts.items()}, traffic)

    def __truediv__(self, parts: float) -> "Work":
        return self * (1 / parts)

    @property
    def instructions(self) -> float:
        return sum(self.counts.values())


def does(**counts: float) -> Work:
    return Work(counts)


def moves(size_bytes: float, whole_bytes: float) -> Work:
    """Bytes that stream past the first-level cache."""
    return Work({}, ((size_bytes, whole_bytes),))


def touches(places: float, whole_bytes: float) -> Work:
    """Random places, a line each."""
    return moves(places * LINE_BYTES, whole_bytes)


# ---- what the machine does -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Machine:
    """The clock in GHz, or why there is none; and the caches' sizes and what each level gives, in bytes and GB/s."""

    clock_ghz: float | None
    reason: str
    cache_bytes: dict[str, int]
    gb_per_s: dict[str, float]

    def traffic(self, work: Work) -> dict[str, float]:
        """Bytes of an item by the level that they come from: each cache holds as much of a whole as it has room for."""
        found: dict[str, float] = {}
        for size, whole in work.traffic:
            nearer = 0.0
            for level, room in (*self.cache_bytes.items(), ("DRAM", math.inf)):
                share = min(1.0, room / whole)
                if level != "L1" and share > nearer:
                    found[level] = found.get(level, 0) + size * (share - nearer)
                nearer = max(nearer, share)
        return found

    def limits_ns(self, work: Work, path: str) -> dict[str, float]:
        """The time that each port and level needs for an item's work, the longest first."""
        found = {level: size / self.gb_per_s[level] for level, size in self.traffic(work).items()}
        if self.clock_ghz:
            rates = RATES[path] | NARROW
            cycles = {kind: count / rates[kind] for kind, count in work.counts.items() if kind in PORTS}
            cycles["logic"] = sum(work.counts.get(kind, 0) for kind in VECTOR) / rates["logic"]
            for kind, count in cycles.items():
                found[PORTS[kind]] = found.get(PORTS[kind], 0) + count / self.clock_ghz
            found["front end"] = work.instructions / rates["front"] / self.clock_ghz
        return dict(sorted(found.items(), key=lambda item: -item[1]))


def measure_clock() -> tuple[float | None, str]:
    """Return GHz: a chain of dependent subtractions, one a cycle, in six bytes of machine code."""
    if platform.machine() not in ("x86_64", "AMD64"):
        return None, f"no clock on {platform.machine()}: the code is for x86-64"
    code = bytes.fromhex("48ffcf75fbc3")  # dec rdi; jnz −5; ret
    try:
        page = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    except OSError as refusal:
        return None, f"no clock: memory cannot be made executable ({refusal})"
    page.write(code)
    start = ctypes.addressof(ctypes.c_char.from_buffer(page))
    count_down = ctypes.CFUNCTYPE(None, ctypes.c_uint64)(start)
    steps = 1 << 24
    count_down(steps)
    return steps / least(lambda: count_down(steps), 64) / 1e9, ""


def least(work: Callable[[], object], tries: int) -> float:
    """Return the least processor time of some tries, in seconds."""
    best = math.inf
    for _ in range(tries):
        start = time.process_time()
        work()
        best = min(best, time.process_time() - start)
    return best


def cache_sizes() -> dict[str, int]:
    """Return the bytes of the caches of this core, as the system has them, else of a common one."""
    found = {"L1": 1 << 15, "L2": 1 << 20, "L3": 1 << 25}
    for index in Path("/sys/devices/system/cpu/cpu0/cache").glob("index*"):
        kind, level, size = ((index / name).read_text().strip() for name in ("type", "level", "size"))
        if kind != "Instruction" and f"L{level}" in found and size.endswith("K"):
            found[f"L{level}"] = int(size[:-1]) << 10
    return found


def bandwidth(size_bytes: int) -> float:
    """Return GB/s of an array of that size: the better of reading all of it, and of copying half onto the other."""
    words = np.ones(size_bytes // 8, np.uint64)
    halves = words[: len(words) // 2], words[len(words) // 2 : len(words) // 2 * 2]
    passes = max(1, (1 << 24) // size_bytes)

    def read() -> None:
        for _ in range(passes):
            words.max()

    def copy() -> None:
        for _ in range(passes):
            np.copyto(halves[0], halves[1])

    return passes * size_bytes / min(least(read, 6), least(copy, 6)) / 1e9


def measure_machine() -> Machine:
    clock, reason = measure_clock()
    sizes = cache_sizes()
    arrays = {"L2": sizes["L2"] * 3 // 4, "L3": sizes["L3"] // 2, "DRAM": sizes["L3"] * 4}
    return Machine(clock, reason, sizes, {level: bandwidth(size) for level, size in arrays.items()})


# ---- counts of what the kernels are made of --------------------------------------------------------------------------


def hash_work(path: str, pieces_in: int, pieces_out: int) -> Work:
    """One keyed BLAKE3 of 16·pieces bytes in and out.

    56 mixes (7 rounds of 8), each of 6 additions, 4 exclusive ors and 4 rotations of a register with a lane for each
    input. 16 and 8 lanes. Four 16-byte pieces go through a 4×4 transposition of 8 shuffles, in and out.
    """
    if path == AVX512:
        mixes = does(logic=56 * 10, shift=56 * 4)
        read = does(shift=8, load=16) * pieces_in
        write = does(logic=4, shift=8 + 12, block_store=16) * pieces_out  # 12 quarters are extracted
        pad = does(load=1, store=1, scalar=5) * 16
        return (mixes + read + write + pad) / 16
    if path == AVX2:
        # rotations by 16 and 8 are shuffles; by 12 and 7 two shifts and an or
        mixes = does(logic=56 * 12, shift=56 * 6)
        read = does(shift=8 + 4, block_load=8) * pieces_in
        write = does(logic=4, shift=8 + 4, block_store=8) * pieces_out
        pad = does(block_load=2, block_store=3, scalar=10) * 8
        return (mixes + read + write + pad) / 8
    # the crate `blake3`, one input at a time, a row of four words a register: a round is 4 half-mixes of 5 sums and 2
    # rotations, 6 shuffles of rows and 9 of the message. Its bookkeeping is not counted
    return does(logic=7 * 20, shift=7 * (8 + 6 + 9), block_load=8, block_store=4)


def aes_work(path: str) -> Work:
    """One AES-128 block: a key added and ten rounds; 4 blocks a register, or 1.

    The portable path takes the processor's instructions as well, by the crate `aes`, which finds them by itself.
    """
    return does(aes=10, logic=1) / (4 if path == AVX512 else 1)


def polynomial_work(path: str, wide: bool, terms: int) -> Work:
    """One value of a polynomial in GF(2^64) by Horner's rule: two products, a reduction and a sum a term.

    Coefficients of 128 bits (`wide`) take twice as much: 4 values a register instead of 8.
    """
    if path == AVX512:
        # reduction: 2 shuffles, 6 shifts, 2 three-way and 3 two-way sums; the coefficient is spread
        return does(clmul=2, shift=2 + 6 + 1, logic=2 + 3 + 1) * terms / (4 if wide else 8)
    if path == AVX2:
        # reduction: 4 products, 3 shuffles, 2 sums
        return does(clmul=2 + 4, shift=3 + 1, logic=2 + 1) * terms / (1 if wide else 2)
    return product64_work() * terms * (2 if wide else 1)


def product64_work() -> Work:
    """One portable product in GF(2^64): twice 16 integer products of operands with holes, reversals, two folds."""
    half = does(word_multiply=16, scalar=8 + 12 + 4 + 3)
    return half * 2 + does(scalar=3 * 17 + 2 + 2 * 7)


def row_work(path: str, width: int) -> Work:
    """A key's row: one hash of 16 bytes to 32 or 48, four numbers below a bound, three made distinct."""
    below = does(scalar=2, word_multiply=1)
    return hash_work(path, 1, 2 if width == 8 else 3) + below * 4 + does(block_load=4, scalar=9, block_store=7)


# ---- field of the curve: one product or square with its carry, of one element ----------------------------------------

LANES = {PORTABLE: 1, AVX2: 4, AVX512: 8}


def product_work(path: str) -> Work:
    if path == AVX512:
        # 5×5 limbs, low and high halves; 5 times 19 or 38; carry with one product
        return does(multiply=50 + 5 + 1, logic=8 + 5 + 9, shift=5) / 8
    if path == AVX2:
        # 10×10 limbs; 9 times 19 by shifts; carry in two chains of six
        return does(multiply=100, logic=100 + 5 + 9 * 2 + 26, shift=9 * 2 + 14) / 4
    return does(word_multiply=25, scalar=40 + 4 + 28)  # sums of 128 bits in two; carry


def square_work(path: str) -> Work:
    if path == AVX512:
        return does(multiply=30 + 5 + 1, logic=13 + 5 + 9, shift=5) / 8
    if path == AVX2:
        return does(multiply=55, logic=55 + 20 + 5 * 2 + 26, shift=5 * 2 + 14) / 4
    return does(word_multiply=15, scalar=20 + 5 + 28)


def step_work(path: str) -> Work:
    """One step of the ladder: 5 products, 4 squares, one by a constant, sums and differences, a choice by a secret bit.

    With lanes, sums come before the carry, so that there are 11 carries in all: two more than products and squares.
    """
    inner = product_work(path) * 5 + square_work(path) * 4
    if path == AVX512:
        return inner + does(multiply=11 + 2, logic=2 * 9 + 8 + 7 * 5 + 10, shift=2 * 5) / 8
    if path == AVX2:
        return inner + does(multiply=10, logic=2 * 26 + 10 + 7 * 10 + 20, shift=2 * 14) / 4
    return inner + does(word_multiply=5, scalar=28 + 4 * 5 + 4 * 10 + 40)


def ladder_work(path: str) -> Work:
    """253 steps, 3 doublings (2 squares, 2 products), a division: 4 products and a share of an inversion.

    A batch of 256 has one inversion of 254 squares and 11 products: in two registers of lanes.
    """
    inversion = (square_work(path) * 254 + product_work(path) * 11) * (1 if path == PORTABLE else 2 * LANES[path])
    doubling = (square_work(path) + product_work(path)) * 2
    read_and_write = does(scalar=150, block_load=10, block_store=10)
    return step_work(path) * 253 + doubling * 3 + product_work(path) * 4 + inversion / 256 + read_and_write


def map_work(path: str) -> Work:
    """Elligator 2 with one power: 254 squares and 14 products, and 6 products beside."""
    return square_work(path) * 256 + product_work(path) * 20 + does(scalar=60)


# ---- counts of the kernels: one item ---------------------------------------------------------------------------------

ID_BYTES = 16


def multiply_points_work(path: str, items: int) -> Work:
    return ladder_work(path) + moves(64, 64 * items)


def blind_work(path: str, items: int) -> Work:
    return hash_work(path, 1, 4) + map_work(path) + ladder_work(path) + moves(ID_BYTES + 8 + 32, 56 * items)


def hash_ids_work(path: str, items: int) -> Work:
    return hash_work(path, 1, 1) + moves(ID_BYTES + 8 + 16, 40 * items)


def hash_rows_work(path: str, items: int) -> Work:
    return hash_work(path, 2, 1) + moves(32 + 16, 48 * items)


def okvs_encode_work(path: str, items: int) -> Work:
    """Rows are made, grouped by cluster twice over, and each cluster of 2^15 keys is peeled and filled in.

    The tables of each step fit the second-level cache: 4 bytes a slot to count, 16 a row beside them to peel, 8 a slot
    to fill in.
    """
    layout = okvs.layout(items, 8)
    slots = layout.slots * layout.clusters / items
    group = does(scalar=12, block_load=10, block_store=12)  # rows packed, then put in the order of their clusters
    count = does(scalar=3 * 3, block_load=4, block_store=3)
    # queue, its slot, its row; then three slots lose the row, and may be next
    peel = does(scalar=12 + 3 * 5, block_load=4 + 3, block_store=3 + 3 * 2) + does(scalar=3, block_load=1) * slots
    draw = does(scalar=5, block_load=2, block_store=1) * slots
    fill = does(scalar=9, block_load=5, block_store=1)
    # at random: 3 slots to count; a slot, its row in 2 tables, its 3 slots to peel; 3 read and 1 written to fill in
    near = touches(3, 4 * layout.slots) + touches(4, 8 * layout.slots)
    near += touches(1 + 2 + 3, 4 * layout.slots + 16 * items / layout.clusters)
    far = moves(16 + 24 * 4 + 8 * slots, (16 + 2 * 24 + 8 * slots) * items)
    steps = row_work(path, 8) + group + polynomial_work(path, False, layout.dense) + count + peel + draw + fill
    return steps + near + far


def read_work(items: int, element_bytes: int) -> Work:
    """Three elements of a row: places computed and asked for ahead, then read and summed."""
    words = element_bytes / 8
    whole = okvs.layout(items, 8).size * element_bytes
    return does(scalar=6 + 2 * words, block_load=6 + 3 * words, block_store=3 + words) + touches(3, whole)


def okvs_decode_work(path: str, items: int) -> Work:
    terms = okvs.layout(items, 8).dense
    return row_work(path, 8) + read_work(items, 8) + polynomial_work(path, False, terms) + moves(24, 24 * items)


def tag_work(path: str, items: int) -> Work:
    """The last step of both sides: value and digest side by side, hashed to 16 bytes."""
    return does(block_load=2, block_store=2) + hash_work(path, 2, 1) + moves(32, 32 * items)


def receiver_tags_work(path: str, items: int) -> Work:
    terms = okvs.layout(items, 8).dense
    return row_work(path, 8) + read_work(items, 16) + polynomial_work(path, True, terms) + tag_work(path, items)


def sender_tags_work(path: str, items: int) -> Work:
    """As the receiver's, with Δ·A added to B first and Δ·H(y) to each value: a scaling of 128 bits by 64 each."""
    elements = okvs.layout(items, 8).size / items
    scaling = polynomial_work(path, True, 1) + (does(load=2, store=1) / (4 if path == AVX512 else 1))
    shift = scaling + moves(16 + 8 + 16, 40 * elements * items)
    return receiver_tags_work(path, items) + scaling + shift * elements


WEIGHT, TREES = 21, 512


def tree_work(path: str) -> Work:
    """A row's share of the trees: 2 leaves, hence 4 nodes, each a hash of its parent and summed up."""
    if path == AVX512:
        node = aes_work(path) + does(logic=1, shift=1, load=0.5, store=1) / 4
    else:
        node = aes_work(path) + does(logic=1, block_load=0.5, block_store=1)
    return (node + does(logic=1, block_load=1)) * 4


def convolution_work(path: str, words: int) -> Work:
    """A row's share of one pass of the convolution over elements of `words` 64-bit words."""
    taps = aes_work(path) / 4
    if path == AVX512:
        # of eight rows: their matrices; bytes apart and together again; an own and four further products
        matrices = does(logic=5, shift=14, load=3)
        turn = does(shift=2 * words, load=words) + does(shift=2 * words, store=words)
        products = does(shift=words, logic=words) + does(shift=1 + words, logic=words) * 4
        return taps + (matrices + turn + products) / 8
    # 32 places ahead move on by one, 25 get the row where its taps say
    register_bytes = 32 if path == AVX2 else 16
    move = does(load=1, store=1) * (32 * 8 * words / register_bytes)
    add = does(logic=3, shift=2, load=1, store=1) * (25 * 8 * words / register_bytes)
    return taps + move + add


def expander_work(path: str, rows: int, words: int) -> Work:
    """A row's elements of the expander: for each, a number from the stream made a place, an element read and added.

    Rows pass by once for each of the regions, in tiles of 2^19; a region stays in the second-level cache.
    """
    if path == AVX512 and words == 1:
        one = does(shift=2, multiply=1, gather=1, load=2, logic=1, store=1) / 8
    elif path == AVX512:
        one = does(shift=2, multiply=1, load=1, store=1) / 8 + does(block_load=3, logic=0.25, block_store=1)
    else:
        one = does(word_multiply=1, scalar=2, block_load=1 + 2 * words, block_store=words)
    region, tile = rows * 8 * words / WEIGHT, min(rows, 1 << 19) * 8 * words
    return (aes_work(path) / 4 + one + touches(1, region) + moves(2 * 8 * words, tile)) * WEIGHT


def code_work(path: str, rows: int, words: int) -> Work:
    vector = rows * 8 * words
    convolution = convolution_work(path, words) + moves(2 * 8 * words, vector)
    return convolution * 2 + expander_work(path, rows, words)


def vole_send_work(path: str, rows: int) -> Work:
    return tree_work(path) + moves(32, 32 * rows) + code_work(path, rows, 2)


def vole_receive_work(path: str, rows: int) -> Work:
    """As the sender's, with the sparse vector written leaf by leaf, and the code of its 8-byte elements as well."""
    noise = does(scalar=4, block_store=1) * 2 + moves(16, 16 * rows)
    return vole_send_work(path, rows) + noise + code_work(path, rows, 1)


def ot_work(path: str, transfers: int) -> Work:
    """Streams of all leaves (2^d/d blocks a transfer, groups of d bits), 2 sums a block; then bits are transposed.

    Trees cost two hashes a leaf, however many transfers there are.
    """
    depth = 8 if transfers <= 1 << 18 else 4
    width = {PORTABLE: 1, AVX2: 2, AVX512: 4}[path]  # blocks a register
    add = does(load=2, logic=1, store=1) / width
    wait = does(load=1, store=1) / width  # kept until the neighbour's stream is there
    stream = (aes_work(path) + add * 2 + wait) * (2**depth / depth)
    trees = hash_work(path, 2, 2) * (2 * 128 / depth * 2**depth / transfers)
    # six rounds swap parts of 128 pairs of words, 2 a block; before and after, columns are gathered and rows written
    swaps = does(logic=4, shift=2, load=2, store=2) * (6 / (2 * width))
    transposition = swaps + does(block_load=2, block_store=2, scalar=1)
    return stream + trees + transposition + moves(16 * 3, 32 * transfers)


def ot_accept_work(path: str, transfers: int) -> Work:
    """As the receiver's, and each column corrected where Δ has its bit."""
    return ot_work(path, transfers) + does(block_load=4, scalar=4, block_store=2)


def sort_work(items: int, read_scalar: float) -> Work:
    """One element of 16 bytes through the radix sort; `read_scalar` instructions make it of its row, twice.

    Chunks of 2^15 (0.5 MB) are parted in the second-level cache; a bucket of a thousand stays in the first.
    """
    part = (does(scalar=read_scalar + 4, block_load=2, block_store=1) * 2) + does(block_load=1, block_store=2)
    bucket = does(scalar=6 + 4 + 6 + 8, block_load=8, block_store=7)  # gathered, counted, summed up, placed, inserted
    return part + bucket + touches(1, 1 << 19) + moves(2 * 16 + 16 + 16, 32 * items)


def tags_sort_work(_: str, items: int) -> Work:
    emit = does(scalar=12, block_load=2, block_store=3)
    return sort_work(items, 8) + emit + moves(16 + 4, 20 * items)


def tags_encode_work(_: str, items: int) -> Work:
    """A gap by subtraction with borrow, its low bits shifted into 128 pending ones, its zeros skipped, a bit set."""
    bits = 40 + math.log2(items) + 1.5
    return does(scalar=34, block_load=3, block_store=3) + moves(16 + bits / 8, 24 * items)


def tags_decode_work(_: str, items: int) -> Work:
    """The next one of a word, two words of low bits shifted and masked, sums of 128 bits, two comparisons."""
    bits = 40 + math.log2(items) + 1.5
    return does(scalar=34, word_multiply=1, block_load=3, block_store=2) + moves(16 + bits / 8, 24 * items)


def tags_match_work(_: str, items: int) -> Work:
    """Of each tag of theirs, half of which are mine as well: one and a half steps, without a branch on the tags."""
    step = does(scalar=16, block_load=5, block_store=2)
    return step * 1.5 + moves(2 * 16 + 4 + 8, 44 * items)


def split_work(_: str, items: int) -> Work:
    """Two passes: the bucket of a digest counted, then the digest and its row put there."""
    count = does(scalar=2, word_multiply=1, block_load=2, block_store=1)
    put = does(scalar=5, word_multiply=1, block_load=5, block_store=3)
    return count + put + moves(2 * 16 + 16 + 4, 36 * items)


def join_work(_: str, items: int) -> Work:
    """A row of either side: sorted by its first twelve bytes, walked past, and half of the time a pair."""
    walk = does(scalar=14, block_load=2, block_store=0.5)
    pair = does(scalar=10, block_load=8, block_store=1) + touches(2, 16 * items)
    return sort_work(items, 6) + walk + moves(32 + 16, 48 * items) + pair * 0.25


def filter_encode_work(_: str, items: int) -> Work:
    """The page and the cell of a tag, 128 by 64 bits twice each; a page of 2^13 sorted by comparison, then written."""
    page = does(scalar=12, word_multiply=2, block_load=2, block_store=1)
    cell = does(scalar=20, word_multiply=4, block_load=3, block_store=3)
    compare = does(scalar=4, block_load=2, block_store=1.5) * 13  # log2 of a page
    write = does(scalar=16, block_load=4, block_store=3)
    return page + cell + compare + write + touches(1, 16 * items) + moves(16 + 8 + 6, 30 * items)


def filter_probe_work(_: str, items: int) -> Work:
    """A query's page and cell, then zeros counted word by word: half of the 2^14 bits of its page on average."""
    place = does(scalar=40, word_multiply=6, block_load=10)
    counted = does(scalar=14, word_multiply=1, block_load=1)  # a word's ones without an instruction for it
    words = (1 << 14) / 64 / 2
    return place + counted * words + touches(1, 6 * items) + moves(words * 8, 6 * items)


# ---- the kernels at work ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Ready:
    """A kernel with its inputs: `run` gives the results."""

    run: Callable[[], Results]
    inputs: Iterable[NDArray[Any]]


def octets(rows: int, width: int, seed: int = 1) -> Octets:
    return np.random.default_rng(seed).integers(0, 256, (rows, width), np.uint8)


def half_shared(rows: int, width: int) -> tuple[Octets, Octets]:
    """Two columns of distinct rows, in other orders, half of which are the same."""
    mine = octets(rows, width)
    theirs = np.concatenate([mine[: rows // 2], octets(rows - rows // 2, width, 2)])
    return mine, theirs[np.random.default_rng(3).permutation(rows)]


def numbers_as_ids(count: int) -> Ids:
    """Distinct ids of sixteen digits."""
    digits = np.char.zfill(np.arange(count, dtype=np.int64).astype("S16"), ID_BYTES)
    return Ids(np.frombuffer(digits.tobytes(), np.uint8), np.arange(count + 1, dtype=np.int64) * ID_BYTES)


def ready_hash_ids(count: int) -> Ready:
    ids = numbers_as_ids(count)
    return Ready(lambda: (hashing.digest_ids(ids, KEY),), (ids.data, ids.offsets))


def ready_hash_rows(count: int) -> Ready:
    rows = octets(count, 32)
    return Ready(lambda: (hashing.hash_rows(rows, KEY, 16),), (rows,))


def ready_blind(count: int) -> Ready:
    ids, factor = numbers_as_ids(count), curve.secret(SEED)
    return Ready(lambda: (curve.blind(ids, b"bench", factor),), (ids.data, ids.offsets))


def ready_multiply(count: int) -> Ready:
    points, factor = curve.hash_to_points(numbers_as_ids(count), b"bench"), curve.secret(SEED)
    return Ready(lambda: (curve.multiply(points, factor),), (points,))


def ready_okvs_encode(count: int) -> Ready:
    digests, layout = octets(count, 16), okvs.layout(count, 8)
    return Ready(lambda: (okvs.encode(digests, KEY, layout, SEED),), (digests,))


def ready_okvs_decode(count: int) -> Ready:
    digests, layout = octets(count, 16), okvs.layout(count, 8)
    elements = octets(layout.size, 8, 2).reshape(-1)
    return Ready(lambda: (okvs.decode(elements, digests, KEY, layout),), (digests, elements))


def ready_receiver_tags(count: int) -> Ready:
    digests, layout = octets(count, 16), okvs.layout(count, 8)
    c = octets(layout.size, 16, 2).reshape(-1)
    return Ready(lambda: (okvs.receiver_tags(c, digests, KEY, layout, TAG_KEY),), (digests, c))


def ready_sender_tags(count: int) -> Ready:
    digests, layout = octets(count, 16), okvs.layout(count, 8)
    a, b = (octets(layout.size, width, width).reshape(-1) for width in (8, 16))
    return Ready(lambda: (okvs.sender_tags(b, DELTA, a, digests, KEY, layout, TAG_KEY),), (digests, a, b))


def dealt(run: vole.Run) -> tuple[Octets, Octets]:
    """Both sides of the correlated transfers that a run uses up, as a dealer would hand them out."""
    q = octets(run.choices, 16)
    chosen = np.unpackbits(run.choose(SEED), count=run.choices, bitorder="little")
    return q, q ^ (chosen[:, None] * np.frombuffer(DELTA, np.uint8))


def ready_vole_send(size: int) -> Ready:
    run = vole.Run(size, 8, "conservative", SALT)
    q, _ = dealt(run)
    return Ready(lambda: (run.send(run.grow(SEED, DELTA, q)[1]),), (q,))


def ready_vole_receive(size: int) -> Ready:
    run = vole.Run(size, 8, "conservative", SALT)
    q, t = dealt(run)
    message, _ = run.grow(SEED, DELTA, q)
    return Ready(lambda: (run.noise(SEED), run.receive(SEED, t, message)), (t, message))


def base_keys() -> tuple[Octets, Octets]:
    """Both keys of each base transfer, and of each the one for the bit that Δ has not."""
    pairs = octets(256, 16).reshape(ot.BASES, 2, 16)
    bits = np.unpackbits(np.frombuffer(DELTA, np.uint8), bitorder="little")
    return pairs, np.ascontiguousarray(pairs[np.arange(ot.BASES), 1 - bits.astype(np.int64)])


def ready_ot_answer(count: int) -> Ready:
    pairs, choices = base_keys()[0], octets(-(-count // 8), 1).reshape(-1)

    def run() -> Results:
        reply, rows = ot.answer(count, SALT, SEED, pairs, choices, checked=False)
        return *reply, rows

    return Ready(run, (pairs, choices))


def ready_ot_accept(count: int) -> Ready:
    pairs, keys = base_keys()
    choices = octets(-(-count // 8), 1).reshape(-1)
    reply, _ = ot.answer(count, SALT, SEED, pairs, choices, checked=False)
    return Ready(lambda: (ot.accept(count, SALT, keys, DELTA, reply, checked=False),), (keys, *reply))


def tag_bits(count: int) -> int:
    return 40 + 2 * round(math.log2(count))


def ready_tags_sort(count: int) -> Ready:
    found = octets(count, 16)
    return Ready(lambda: tags.sort(found, tag_bits(count)), (found,))


def ready_tags_encode(count: int) -> Ready:
    ordered, _ = tags.sort(octets(count, 16), tag_bits(count))
    return Ready(lambda: (tags.encode(ordered, tag_bits(count)),), (ordered,))


def ready_tags_decode(count: int) -> Ready:
    code = tags.encode(tags.sort(octets(count, 16), tag_bits(count))[0], tag_bits(count))
    return Ready(lambda: (tags.decode(code, count, tag_bits(count)),), (code,))


def ready_tags_match(count: int) -> Ready:
    (mine, order), (theirs, _) = (tags.sort(rows, tag_bits(count)) for rows in half_shared(count, 16))
    return Ready(lambda: tags.match(mine, order, theirs), (mine, order, theirs))


def ready_split(count: int) -> Ready:
    digests = octets(count, 16)
    return Ready(lambda: buckets.split(digests, 64), (digests,))


def ready_join(count: int) -> Ready:
    left, right = half_shared(count // 2, 32)
    return Ready(lambda: matching.join(left, right), (left, right))


LOW_BITS = 44


def ready_filter_encode(count: int) -> Ready:
    found, pages = octets(count, 16), filters.page_count(count)

    def run() -> Results:
        made = filters.encode(found, 0, pages, pages, LOW_BITS)
        return made.data, made.counts, made.order

    return Ready(run, (found,))


def ready_filter_probe(count: int) -> Ready:
    mine, theirs = half_shared(count, 16)
    pages = filters.page_count(count)
    made = filters.encode(mine, 0, pages, pages, LOW_BITS)
    index = filters.Index.of(made.counts, LOW_BITS)
    asked = theirs[: 1 << 14]  # a query costs what many of the others do together
    return Ready(lambda: filters.probe(made.data, index, LOW_BITS, asked), (made.data, asked))


class Counts(Protocol):
    def __call__(self, path: str, items: int, /) -> Work: ...


@dataclass(frozen=True)
class Case:
    """A kernel: what an item is, how large it runs, how it is made ready, and the work of one item at that size.

    `items` are those of a run where that is not the size.
    """

    name: str
    item: str
    quick: int
    full: int
    ready: Callable[[int], Ready]
    work: Counts
    items: int | None = None

    def size(self, quick: bool) -> int:
        return self.quick if quick else self.full

    def count(self, quick: bool) -> int:
        size = self.size(quick)
        return size if self.items is None else min(size, self.items)


CASES = (
    Case("blind", "id hashed to the curve and multiplied", 1 << 11, 1 << 14, ready_blind, blind_work),
    Case("multiply", "point", 1 << 11, 1 << 14, ready_multiply, multiply_points_work),
    Case("hash_ids", "id of 16 digits to 16 bytes", 1 << 16, 1 << 20, ready_hash_ids, hash_ids_work),
    Case("hash_rows", "row of 32 bytes to 16", 1 << 16, 1 << 20, ready_hash_rows, hash_rows_work),
    Case("okvs_encode", "key", 1 << 16, 1 << 20, ready_okvs_encode, okvs_encode_work),
    Case("okvs_decode", "key", 1 << 16, 1 << 20, ready_okvs_decode, okvs_decode_work),
    Case("receiver_tags", "key", 1 << 16, 1 << 20, ready_receiver_tags, receiver_tags_work),
    Case("sender_tags", "key", 1 << 16, 1 << 20, ready_sender_tags, sender_tags_work),
    Case("vole_send", "correlation", 1 << 16, 1_415_577, ready_vole_send, vole_send_work),
    Case("vole_receive", "correlation", 1 << 16, 1_415_577, ready_vole_receive, vole_receive_work),
    Case("ot_answer", "transfer", 1 << 15, 1 << 16, ready_ot_answer, ot_work),
    Case("ot_accept", "transfer", 1 << 15, 1 << 16, ready_ot_accept, ot_accept_work),
    Case("ot_answer_many", "transfer", (1 << 18) + 128, 1 << 20, ready_ot_answer, ot_work),
    Case("tags_sort", "tag", 1 << 16, 1 << 20, ready_tags_sort, tags_sort_work),
    Case("tags_encode", "tag", 1 << 16, 1 << 20, ready_tags_encode, tags_encode_work),
    Case("tags_decode", "tag", 1 << 16, 1 << 20, ready_tags_decode, tags_decode_work),
    Case("tags_match", "tag of theirs, half shared", 1 << 16, 1 << 20, ready_tags_match, tags_match_work),
    Case("buckets_split", "digest into 64 buckets", 1 << 16, 1 << 20, ready_split, split_work),
    Case("matching_join", "row of 32 bytes of either side", 1 << 16, 1 << 21, ready_join, join_work),
    Case("filter_encode", "tag", 1 << 16, 1 << 20, ready_filter_encode, filter_encode_work),
    Case("filter_probe", "query, half found", 1 << 16, 1 << 20, ready_filter_probe, filter_probe_work, items=1 << 14),
)


# ---- runs ------------------------------------------------------------------------------------------------------------


def sha256(results: Results) -> str:
    digest = hashlib.sha256()
    for result in results:
        digest.update(np.ascontiguousarray(result).data if isinstance(result, np.ndarray) else result)
    return digest.hexdigest()


def run_case(case: Case, quick: bool, answer: Connection) -> None:
    """Send what the fastest of the runs took, in a process of its own."""
    set_threads(1)
    ready = case.ready(case.size(quick))
    budget_s, runs = (0.06, 2) if quick else (1.5, 5)
    taken: list[float] = []
    results: Results = ()
    while sum(taken) < budget_s or len(taken) < runs:
        results = ()
        start = time.process_time()
        results = ready.run()
        taken.append(time.process_time() - start)
        if quick and sum(taken) > 2 * budget_s:
            break
    sizes = [len(part) if isinstance(part, bytes) else part.nbytes for part in (*ready.inputs, *results)]
    answer.send(
        {
            "case": case.name,
            "seconds": min(taken),
            "median_seconds": statistics.median(taken),
            "runs": len(taken),
            "bytes": sum(sizes),
            "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
            "sha256": sha256(results),
        }
    )


def run_path(cases: Iterable[Case], quick: bool) -> None:
    """Run cases on this process's path, each in a fork, and say what they took."""
    context = multiprocessing.get_context("fork")
    for case in cases:
        ours, theirs = context.Pipe(duplex=False)
        process = context.Process(target=run_case, args=(case, quick, theirs))
        process.start()
        theirs.close()
        print(json.dumps(ours.recv()), flush=True)
        process.join()


def measured(path: str, cases: list[Case], arguments: list[str]) -> Iterable[dict[str, Any]]:
    """What each case took on a path; nothing for a path that the processor lacks."""
    names = [argument for case in cases for argument in ("--case", case.name)]
    process = subprocess.Popen(
        [sys.executable, __file__, "--as", path, *arguments, *names],
        env=os.environ | {"HANSE_KERNEL_PATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    for line in process.stdout:
        yield json.loads(line)
    complaint = process.stderr.read()
    if process.wait() != 0:
        last = (complaint.strip().splitlines() or ["no word"])[-1]
        if "instructions that this processor lacks" not in last:
            raise RuntimeError(f"path {path}: {complaint}")
        print(last, file=sys.stderr)


def line(machine: Machine, path: str, case: Case, quick: bool, found: dict[str, Any], equal: bool) -> dict[str, object]:
    items = case.count(quick)
    work = case.work(path, case.size(quick))
    limits = machine.limits_ns(work, path)
    bound, bound_ns = next(iter(limits.items())) if machine.clock_ghz else (machine.reason, None)
    return {
        "bench": "kernels",
        "case": f"kernel/{case.name}/{path}",
        "seconds": round(found["seconds"], 6),
        "rate": round(items / found["seconds"]),
        "bytes": found["bytes"],
        "peak_mb": found["peak_mb"],
        "equal": equal,
        "peer": None,
        "peer_seconds": None,
        "ratio": None,
        "bound_seconds": None if bound_ns is None else round(items * bound_ns * 1e-9, 6),
        "note": {
            "item": case.item,
            "items": items,
            "ns": round(found["seconds"] / items * 1e9, 2),
            "bound": bound,
            "bound_ns": None if bound_ns is None else round(bound_ns, 2),
            "instructions": round(work.instructions, 1),
            "traffic": {level: round(size, 1) for level, size in machine.traffic(work).items()},
            "limits_ns": {name: round(ns, 2) for name, ns in list(limits.items())[:3]},
            "clock_ghz": None if machine.clock_ghz is None else round(machine.clock_ghz, 2),
            "gb_per_s": {level: round(rate, 1) for level, rate in machine.gb_per_s.items()},
            "runs": found["runs"],
            "median_seconds": round(found["median_seconds"], 6),
            "load": round(os.getloadavg()[0], 1),
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small columns and two runs or so: under 30 s in all")
    parser.add_argument("--path", choices=PATHS, help="this path alone, compared with the portable one all the same")
    parser.add_argument("--only", default="", help="cases whose name has this in it")
    parser.add_argument("--core", type=int, help="the core that all runs on; without it, the last one")
    parser.add_argument("--as", dest="path_taken", choices=PATHS, help=argparse.SUPPRESS)
    parser.add_argument("--case", action="append", default=[], help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.path_taken:
        run_path([case for case in CASES if case.name in chosen.case], chosen.quick)
        return
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0)) if chosen.core is None else chosen.core})
    cases = [case for case in CASES if chosen.only in case.name]
    if not cases:
        parser.error(f"no case has {chosen.only!r} in its name: {', '.join(case.name for case in CASES)}")
    machine = measure_machine()
    arguments = ["--quick"] if chosen.quick else []
    by_name = {case.name: case for case in cases}
    portable: dict[str, str] = {}
    for path in PATHS if chosen.path is None else dict.fromkeys((PORTABLE, chosen.path)):
        for found in measured(path, cases, arguments):
            case = by_name[found["case"]]
            same = found["sha256"] == portable.setdefault(case.name, found["sha256"])
            if chosen.path in (None, path):
                print(json.dumps(line(machine, path, case, chosen.quick, found, same)), flush=True)


if __name__ == "__main__":
    main()
