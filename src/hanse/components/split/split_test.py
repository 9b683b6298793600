from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hanse.components.split.split import Cut, Settings, component, draw
from hanse.core.faults import HanseError
from hanse.core.roles import host
from hanse.core.schema import UNKNOWN, KnownTable
from hanse.sdk import Party, ProtocolError, Table, run

DEFAULT = Settings()
ROWS = 200
IDS = [f"p{number}" for number in range(ROWS)]
LABEL = (np.arange(ROWS) % 10 == 0).astype(np.int64)
GUEST = Table.of({"id": IDS, "y": LABEL}, id="id", label="y")
HOST = Table.of({"id": IDS, "x": np.arange(ROWS)}, id="id")


def cut(settings: Settings = DEFAULT, **options: Any) -> dict[str, Any]:
    return run(component, settings, {"guest": {"table": GUEST}, "host-1": {"table": HOST}}, **options)


def test_all_parties_cut_alike_and_no_row_is_lost() -> None:
    out = cut()
    for part in ("train", "test"):
        assert out["guest"][part].ids().to_strings() == out["host-1"][part].ids().to_strings()
    both = [*out["guest"]["train"].ids().to_strings(), *out["guest"]["test"].ids().to_strings()]
    assert sorted(both) == sorted(IDS)
    assert len(out["guest"]["test"]) == 40


def test_every_class_gives_its_share() -> None:
    assert cut()["guest"]["test"].label().sum() == 4


def test_the_same_text_cuts_alike_and_another_does_not() -> None:
    first, again, other = (
        cut(Settings(seed=text), seed=number)["guest"]["test"].ids().to_strings()
        for number, text in enumerate(["spring", "spring", "autumn"])
    )
    assert first == again != other


def test_the_same_text_cuts_the_same_rows_in_whatever_order_they_come() -> None:
    turned = GUEST.take(np.arange(len(GUEST))[::-1].copy())
    first, second = (
        set(run(component, Settings(seed="spring"), {"guest": {"table": table}})["guest"]["test"].ids().to_strings())
        for table in (GUEST, turned)
    )
    assert first == second


def test_a_host_that_knows_the_text_does_not_know_the_order_in_which_rows_are_drawn() -> None:
    swapped = LABEL.copy()
    swapped[[0, 1]] = swapped[[1, 0]]  # the classes keep their sizes: only whose label is whose has changed
    other = Table.of({"id": IDS, "y": swapped}, id="id", label="y")
    first, second = (
        set(run(component, Settings(seed="spring"), {"guest": {"table": table}})["guest"]["test"].ids().to_strings())
        for table in (GUEST, other)
    )
    assert len(first - second) > 10


def test_without_a_text_the_rows_are_drawn_anew() -> None:
    assert cut(seed=1)["guest"]["test"].ids().to_strings() != cut(seed=2)["guest"]["test"].ids().to_strings()


def test_a_guest_alone_can_split() -> None:
    out = run(component, Settings(), {"guest": {"table": GUEST}})
    assert len(out["guest"]["train"]) == 160


def test_a_label_of_many_values_is_not_stratified() -> None:
    table = Table.of({"id": IDS, "y": np.arange(ROWS) / 7}, id="id", label="y")
    assert len(run(component, Settings(), {"guest": {"table": table}})["guest"]["test"]) == 40


def test_too_few_rows_end_in_a_clear_error() -> None:
    few = GUEST.take(np.arange(2))
    with pytest.raises(HanseError, match=r"split\.too_few"):
        run(component, Settings(), {"guest": {"table": few}})
    with pytest.raises(HanseError, match=r"split\.too_few"):
        run(component, Settings(), {"guest": {"table": GUEST.take(np.arange(1))}})


@pytest.mark.parametrize(
    "message",
    [
        Cut(ROWS - 1, np.packbits(np.arange(ROWS - 1) < 40)),
        Cut(ROWS, np.packbits(np.arange(ROWS - 8) < 40)),
        Cut(ROWS, np.packbits(np.arange(ROWS) < 0)),
        Cut(ROWS, np.packbits(np.arange(ROWS) < ROWS)),
        Cut(ROWS, np.packbits(np.arange(ROWS) < 100)),
    ],
    ids=["another number of rows", "bits missing", "no test", "no training", "another share"],
)
def test_a_guest_that_draws_what_cannot_be_is_named(message: Cut) -> None:
    async def cheat(me: Party, table: Table, settings: Settings) -> None:
        await me.hosts.send(message)

    with pytest.raises(ProtocolError) as caught:
        cut(replace={"guest": cheat})
    assert caught.value.peer == "guest"


@given(st.lists(st.integers(0, 3), min_size=20, max_size=200), st.floats(0.1, 0.9), st.binary(min_size=32, max_size=32))
def test_each_class_holds_out_its_rounded_share(classes: list[int], ratio: float, seed: bytes) -> None:
    _, numbers = np.unique(classes, return_inverse=True)
    sizes = np.bincount(numbers)
    held = np.rint(sizes * ratio)
    if not 0 < held.sum() < len(classes):
        return
    is_test = draw(numbers.astype(np.int64), ratio, seed)
    assert np.bincount(numbers, weights=is_test).tolist() == held.tolist()


def test_a_missing_label_is_seen_before_any_row_is_read() -> None:
    assert component.check is not None
    table = KnownTable.of(HOST.schema, host(1))
    (found,) = component.check("guest", Settings(), {"table": table})
    assert found.code == "label.absent"
    assert component.check("guest", Settings(), {"table": UNKNOWN}) == []
    assert component.check("guest", Settings(stratify=False), {"table": table}) == []
    assert component.check("host", Settings(), {"table": table}) == []
