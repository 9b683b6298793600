"""Split: the guest draws which of the aligned rows are held out for the test, and all parties cut alike.

Protocol  the guest draws (within each class of its label, if stratified) and sends one bit a row.
Secure    the order in which rows are drawn is fresh, or follows from the text `seed` together with the class of every
          row, which no host knows; so the bits depend on the label through the sizes of its classes only, and in a
          class all rows are equally likely. What is left with a text: a host that guesses the class of every row at
          once can confirm its guess.
Learns    guest: nothing.
          host: which of the aligned rows are held out; from their number, when stratified, a little of the class sizes
                (each class gives its share, rounded).
"""

import hashlib
from collections.abc import Mapping
from typing import Annotated, ClassVar, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from hanse.components.split.cost import cost
from hanse.components.split.schema import schema
from hanse.core.faults import fault
from hanse.core.roles import Role
from hanse.core.schema import UNKNOWN, KnownTable
from hanse.kernel import matching
from hanse.sdk import Component, Message, Params, Party, Table
from hanse.sdk.boosting import canonical_order
from hanse.sdk.findings import Finding, absent_label

MOST_CLASSES = 20


class Settings(Params, frozen=True):
    """How much is held out, and how it is drawn."""

    test_ratio: Annotated[
        float,
        msgspec.Meta(gt=0, lt=1, title="Test share", description="Share of the rows that are held out for the test."),
    ] = 0.2
    stratify: Annotated[
        bool,
        msgspec.Meta(
            title="Stratify", description="Hold out the same share of every class of the label (up to 20 classes)."
        ),
    ] = True
    seed: Annotated[
        str,
        msgspec.Meta(
            max_length=200,
            title="Seed",
            description=(
                "Any text; the same text cuts the same rows with the same labels alike, in whatever order they come."
                " Empty: drawn anew."
            ),
        ),
    ] = ""


class Cut(Message, frozen=True):
    """guest → host: how many rows there are, and a bit for each (first row first, highest bit first): 1 is the test."""

    max_bytes: ClassVar[int] = 1 << 29
    rows: Annotated[int, msgspec.Meta(ge=2, lt=1 << 32)]
    bits: NDArray[np.uint8]


class Parts(NamedTuple):
    train: Table
    test: Table


async def guest(me: Party, table: Table, settings: Settings) -> Parts:
    """Draw the rows of the test and tell every host."""
    classes = _classes(table, settings)
    # a text means the same rows in every job, however psi ordered them
    order = canonical_order(table.ids()) if settings.seed else np.arange(len(table))
    is_test = np.empty(len(table), np.bool_)
    is_test[order] = draw(classes[order], settings.test_ratio, _seed(me, settings.seed, classes[order]))
    await me.hosts.send(Cut(len(is_test), np.packbits(is_test)))
    return _cut(table, is_test)


async def host(me: Party, table: Table, settings: Settings) -> Parts:
    """Cut my rows as the guest drew."""
    cut = await me.guest.recv(Cut)
    me.guest.must(cut.rows == len(table), "the tables are aligned: as many rows as mine")
    me.guest.must(len(cut.bits) == -(-cut.rows // 8), "one bit for each row")
    bits = np.unpackbits(cut.bits).astype(np.bool_)
    me.guest.must(not bits[cut.rows :].any(), "no bit beyond the last row")
    held = int(bits.sum())
    me.guest.must(0 < held < cut.rows, "both parts have rows")
    me.guest.must(abs(held - settings.test_ratio * cut.rows) <= MOST_CLASSES, "the share that the settings say")
    return _cut(table, bits[: cut.rows])


def draw(classes: NDArray[np.int64], ratio: float, seed: bytes) -> NDArray[np.bool_]:
    """Return which rows are held out: bool[rows], in each class its share, rounded, drawn from the 32-byte seed.

    `classes` int64[rows] numbers the class of each row. Raises HanseError("split.too_few") when a part would be empty.
    """
    order = matching.permutation(len(classes), seed)
    by_class = order[np.argsort(classes[order], kind="stable")]
    sizes = np.bincount(classes)
    place = np.arange(len(classes)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    held = np.rint(sizes * ratio)
    is_test = np.zeros(len(classes), np.bool_)
    is_test[by_class[place < np.repeat(held, sizes)]] = True
    if not 0 < is_test.sum() < len(is_test):
        cause = f"of {len(is_test)} rows, a share of {ratio} leaves one part without rows"
        raise fault("split.too_few", cause, "use more rows or another share")
    return is_test


def check(role: Role, settings: Settings, tables: Mapping[str, KnownTable]) -> list[Finding]:
    """Say when the label to stratify by is absent or text."""
    table = tables.get("table", UNKNOWN)
    if role != "guest" or not settings.stratify:
        return []
    if table.label is None:
        return [] if table.open else [absent_label("table", "set `stratify` to false", "请将 `stratify` 设为 false")]
    return [Finding("label.text", "table", facts={"column": table.label.name})] if table.label.type == "text" else []


def _classes(table: Table, settings: Settings) -> NDArray[np.int64]:
    if len(table) < 2:
        raise fault("split.too_few", f"the table has {len(table)} rows", "use more rows")
    if not settings.stratify:
        return np.zeros(len(table), np.int64)
    values, classes = np.unique(table.label(), return_inverse=True)
    return classes.astype(np.int64) if len(values) <= MOST_CLASSES else np.zeros(len(table), np.int64)


def _seed(me: Party, text: str, classes: NDArray[np.int64]) -> bytes:
    """Return the seed of the draw. The text is public: alone it would tell a host the order of the rows, and the place
    at which a class has given its share would tell the labels around it. The classes are the guest's own secret."""
    if not text:
        return me.rng.seed()
    digest = hashlib.sha256(b"hanse/split/3/")
    for part in (text.encode(), classes.astype("<i8").tobytes()):
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.digest()


def _cut(table: Table, is_test: NDArray[np.bool_]) -> Parts:
    return Parts(table.take(np.flatnonzero(~is_test)), table.take(np.flatnonzero(is_test)))


component = Component(
    name="split",
    version="1.1.0",
    params=Settings,
    roles={"guest": guest, "host": host},
    inputs={"table": Table},
    outputs={"train": Table, "test": Table},
    example={"test_ratio": 0.25},
    check=check,
    cost=cost,
    schema=schema,
    redraws=lambda settings: not settings.seed,
)
