from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from hanse.components.hetero_boost.hetero_boost import component
from hanse.components.hetero_boost.messages import (
    Answer,
    Hint,
    LeftBits,
    Offer,
    Opening,
    Query,
    Rows,
    Sides,
    Splits,
    TreeDone,
    pack,
    unpack,
)
from hanse.components.hetero_boost.settings import Settings
from hanse.components.local_boost import local_boost
from hanse.core.events import Note
from hanse.core.faults import HanseError
from hanse.core.roles import PartyId
from hanse.core.specs import Disclosure
from hanse.kernel.metrics import auc
from hanse.protocols.channel import Attempt, Channel
from hanse.protocols.messages import decode, kind_of
from hanse.protocols.simulation import KillAtCheckpoint, Killed, MemoryAttempt, Recorder, Wrap
from hanse.sdk import Message, Model, ProtocolError, Report, Table, run
from hanse.sdk.component import Value

OPEN = Disclosure(limit=1e6)
"""No limit worth the name: the bins are those of one table."""

ROWS = 480
SETTINGS = Settings(trees=3, depth=2, max_bins=6)
Inputs = dict[str, dict[str, Value | None]]
Outputs = dict[str, dict[str, Value]]


def population(rows: int = ROWS, seed: int = 5) -> dict[str, NDArray[np.float64]]:
    draw = np.random.default_rng(seed)
    columns = {name: draw.standard_normal(rows) for name in ("g1", "g2", "a1", "a2", "b1")}
    columns["a3"] = draw.integers(0, 3, rows).astype(np.float64)
    odds = columns["g1"] + 1.5 * columns["a1"] - columns["b1"] * columns["a3"] + 0.5 * columns["g2"] * columns["a2"]
    columns["y"] = (draw.random(rows) < 1 / (1 + np.exp(-2 * odds))).astype(np.float64)
    return columns


def table(columns: dict[str, NDArray[np.float64]], *names: str, rows: slice = slice(None), label: str = "") -> Table:
    ids = [f"c{number}" for number in range(len(columns["y"]))][rows]
    picked = {name: columns[name][rows] for name in names}
    return Table.of(
        {"id": ids, **({label: columns[label][rows]} if label else {}), **picked}, id="id", label=label or None
    )


def parties(
    columns: dict[str, NDArray[np.float64]] | None = None,
    rows: slice = slice(None),
    valid: slice | None = None,
    label: str = "y",
) -> Inputs:
    columns = columns or population()
    names = {"guest": ("g1", "g2"), "host-1": ("a1", "a2", "a3"), "host-2": ("b1",)}

    def part(party: str, chosen: slice) -> Table:
        return table(columns, *names[party], rows=chosen, label=label if party == "guest" else "")

    return {party: {"train": part(party, rows), "valid": part(party, valid) if valid else None} for party in names}


def two(inputs: Inputs) -> Inputs:
    return {party: ports for party, ports in inputs.items() if party != "host-2"}


def scores(outputs: Outputs) -> NDArray[np.float64]:
    found = outputs["guest"]["scores"]
    assert isinstance(found, Table)
    column: NDArray[np.float64] = found.numbers(["score"])[0]
    return column


def figures(outputs: Outputs) -> dict[str, object]:
    report = outputs["guest"]["report"]
    assert isinstance(report, Report)
    return dict(report.values)


def predict(fitted: Outputs, inputs: Inputs, wrap: Wrap | None = None, settings: Settings = SETTINGS) -> Outputs:
    given = {party: {"model": fitted[party]["model"], "table": ports["train"]} for party, ports in inputs.items()}
    return run(component, settings, given, apply=True, wrap=wrap)


@pytest.fixture(scope="module")
def fitted() -> Outputs:
    return run(component, SETTINGS, two(parties()), disclosure=OPEN)


@pytest.mark.parametrize("objective", ["binary", "regression"])
def test_federated_trees_are_those_of_all_columns_in_one_place(objective: str) -> None:
    columns = population()
    columns["z"] = columns["g1"] - 2 * columns["a1"] * columns["b1"] + 0.1 * columns["a2"]
    label = "y" if objective == "binary" else "z"
    settings = {**SETTINGS.values(), "objective": objective, "trees": 4}
    federated = run(component, Settings(**settings), parties(columns, label=label), disclosure=OPEN)
    pooled = table(columns, "g1", "g2", "a1", "a2", "a3", "b1", label=label)
    together = run(local_boost.component, local_boost.Settings(**settings), {"guest": {"train": pooled, "valid": None}})
    np.testing.assert_allclose(scores(federated), scores(together), rtol=0, atol=1e-9)


def test_scoring_the_training_rows_gives_the_training_scores() -> None:
    inputs = parties()
    trained = run(component, SETTINGS, inputs, disclosure=OPEN)
    np.testing.assert_allclose(scores(predict(trained, inputs)), scores(trained), rtol=0, atol=1e-12)


def test_hosts_make_the_scores_of_new_rows_better() -> None:
    columns = population(1600)
    settings = Settings(trees=8, depth=3, max_bins=8)
    trained = run(component, settings, parties(columns, slice(0, 1200)), disclosure=OPEN)
    new = parties(columns, slice(1200, None))
    alone = {"train": table(columns, "g1", "g2", rows=slice(0, 1200), label="y"), "valid": None}
    own = local_boost.Settings(trees=8, depth=3, max_bins=8)
    fitted_alone = run(local_boost.component, own, {"guest": alone})["guest"]
    given = {"guest": {"model": fitted_alone["model"], "table": new["guest"]["train"]}}
    by_guest = scores(run(local_boost.component, own, given, apply=True))
    by_all = scores(predict(trained, new, settings=settings))
    assert auc(columns["y"][1200:], by_all) > auc(columns["y"][1200:], by_guest) + 0.05


def test_early_stopping_keeps_the_best_trees_at_every_party() -> None:
    columns = population(600)
    inputs = parties(columns, slice(0, 300), valid=slice(300, None))
    settings = Settings(trees=30, depth=3, max_bins=6, learning_rate=1.0, early_stopping_rounds=2)
    trained = run(component, settings, inputs, disclosure=OPEN)
    said = figures(trained)
    curves = said["curves"]
    assert isinstance(curves, dict)
    curve = curves["valid_auc"]
    assert said["trees"] == int(np.argmax(curve)) + 1
    assert said["trees_grown"] == said["trees"] + 2 == len(curve)
    model, kept = trained["guest"]["model"], trained["host-1"]["model"]
    assert isinstance(model, Model)
    assert isinstance(kept, Model)
    assert len(kept.arrays["edge"]) == np.count_nonzero(model.arrays["party"] == 1)
    np.testing.assert_allclose(scores(predict(trained, inputs, settings=settings)), scores(trained), rtol=0, atol=1e-12)
    valid = {party: {"train": ports["valid"], "valid": None} for party, ports in inputs.items()}
    by_model = scores(predict(trained, valid, settings=settings))
    assert auc(columns["y"][300:], by_model) == pytest.approx(max(curve), abs=1e-12)


def test_the_report_says_what_the_hosts_were_exposed_to() -> None:
    attempts = {PartyId(party): MemoryAttempt() for party in ("guest", "host-1", "host-2")}
    limit = Disclosure(used=3, limit=0.5)
    columns = population(900)
    outputs = run(component, SETTINGS, parties(columns), disclosure=limit, attempts=attempts)
    said = figures(outputs)
    assert said["queries"] == attempts[PartyId("host-1")].spent == 3 * SETTINGS.queries_per_tree
    hosts = said["hosts"]
    assert isinstance(hosts, list)
    for line in hosts:
        assert line["limit"] == 0.5
        assert 0 < line["rho"] <= 0.5
        planned = 3 + (3 + 2) * SETTINGS.queries_per_tree
        assert line["rho"] == pytest.approx(planned / (line["smallest_row"] * np.log(900 / line["smallest_row"])))
    names = {(line["party"], line["feature"].partition("#")[0]) for line in said["importance"]}  # type: ignore[attr-defined]
    assert {("guest", "g1"), ("host-1", "host-1 · feature ")} <= names


def test_bins_are_merged_until_the_limit_holds_and_no_further() -> None:
    fine = figures(run(component, SETTINGS, two(parties()), disclosure=OPEN))["hosts"]
    coarse = figures(run(component, SETTINGS, two(parties()), disclosure=Disclosure(limit=0.065)))["hosts"]
    assert isinstance(fine, list)
    assert isinstance(coarse, list)
    assert coarse[0]["smallest_row"] > fine[0]["smallest_row"]
    assert coarse[0]["rho"] <= 0.065
    assert coarse[0]["rows"] >= 2


def test_what_other_jobs_ask_meanwhile_counts_too() -> None:
    attempts = {PartyId(party): MemoryAttempt() for party in ("guest", "host-1")}
    attempts[PartyId("host-1")].spent = 60  # of other jobs, since this one was told that nothing was used
    with pytest.raises(HanseError, match=r"disclosure\.limit"):
        run(component, SETTINGS, two(parties()), disclosure=Disclosure(limit=0.065), attempts=attempts)
    assert attempts[PartyId("host-1")].spent < 60 + SETTINGS.trees * SETTINGS.queries_per_tree


def test_a_job_beyond_the_limit_is_refused_with_figure_and_remedy() -> None:
    with pytest.raises(HanseError) as refusal:
        run(component, SETTINGS, two(parties()), disclosure=Disclosure(used=100, limit=0.1))
    assert refusal.value.fault.code == "disclosure.limit"
    assert "rho" in refusal.value.fault.cause
    assert "0.1" in refusal.value.fault.cause
    assert refusal.value.fault.remedy


def test_constant_columns_are_left_out_and_named() -> None:
    columns = population()
    columns["a2"] = np.ones(ROWS)
    attempts = {PartyId(party): MemoryAttempt() for party in ("guest", "host-1")}
    outputs = run(component, SETTINGS, two(parties(columns)), disclosure=OPEN, attempts=attempts)
    hosts = figures(outputs)["hosts"]
    assert isinstance(hosts, list)
    assert hosts[0]["features"] == 2
    notes = [event.text for event in attempts[PartyId("host-1")].events if isinstance(event, Note)]
    assert any("a2" in text for text in notes)


def misfit(change: Callable[[dict[str, NDArray[np.float64]]], None]) -> Inputs:
    columns = population()
    change(columns)
    return two(parties(columns))


def spoil(name: str, row: int, value: float) -> Callable[[dict[str, NDArray[np.float64]]], None]:
    def change(columns: dict[str, NDArray[np.float64]]) -> None:
        columns[name][row] = value

    return change


def one_class(columns: dict[str, NDArray[np.float64]]) -> None:
    columns["y"][:] = 1


@pytest.mark.parametrize(
    ("change", "code", "word"),
    [
        (spoil("a2", 7, np.nan), "column.missing", "a2 (1)"),
        (spoil("g1", 7, np.nan), "column.missing", "g1 (1)"),
        (spoil("y", 7, np.nan), "label.invalid", "1 labels"),
        (spoil("y", 7, 2.0), "label.invalid", "other values"),
        (one_class, "label.one_class", "480"),
    ],
)
def test_data_that_cannot_be_used_is_named(
    change: Callable[[dict[str, NDArray[np.float64]]], None], code: str, word: str
) -> None:
    with pytest.raises(HanseError) as error:
        run(component, SETTINGS, misfit(change), disclosure=OPEN)
    assert error.value.fault.code == code
    assert word in error.value.fault.cause
    assert error.value.fault.remedy


def test_tables_that_are_not_aligned_are_refused() -> None:
    inputs = two(parties())
    host = inputs["host-1"]["train"]
    assert isinstance(host, Table)
    for wrong in (host.take(np.arange(ROWS)[::-1].copy()), host.take(np.arange(ROWS - 1))):
        with pytest.raises(HanseError) as error:
            run(component, SETTINGS, {**inputs, "host-1": {"train": wrong, "valid": None}}, disclosure=OPEN)
        assert error.value.fault.code == "rows.misaligned"


def test_early_stopping_without_validation_rows_is_refused() -> None:
    with pytest.raises(HanseError) as error:
        run(component, Settings(early_stopping_rounds=2), two(parties()), disclosure=OPEN)
    assert error.value.fault.code == "valid.absent"


def test_schemas_show_text_columns_and_an_absent_label() -> None:
    tables = Table.of({"id": ["a", "b"], "city": ["x", "y"], "n": [1, 2]}, id="id")
    assert component.check is not None
    host = component.check("host", SETTINGS, {"train": tables.schema})
    guest = component.check("guest", SETTINGS, {"train": tables.schema})
    assert ["city" in problem for problem in host] == [True]
    assert any("label" in problem for problem in guest)


@pytest.mark.parametrize("nth", range(1, 9))
def test_killed_after_any_checkpoint_it_resumes_to_the_same_model(nth: int, fitted: Outputs) -> None:
    attempts = {PartyId(party): MemoryAttempt() for party in ("guest", "host-1")}
    with pytest.raises(Killed):
        run(component, SETTINGS, two(parties()), disclosure=OPEN, attempts=attempts, wrap=KillAtCheckpoint(nth))
    resumed = run(component, SETTINGS, two(parties()), disclosure=OPEN, attempts=attempts, seed="another")
    np.testing.assert_array_equal(scores(resumed), scores(fitted))
    if nth > 2:  # both parties hold a checkpoint: even the random order of the host's features is the same
        for party in ("guest", "host-1"):
            before, after = fitted[party]["model"], resumed[party]["model"]
            assert isinstance(before, Model)
            assert isinstance(after, Model)
            for name, array in before.arrays.items():
                np.testing.assert_array_equal(after.arrays[name], array)


def test_every_level_has_the_same_number_of_queries_whatever_the_tree() -> None:
    recorder = Recorder()
    settings = Settings(trees=2, depth=4, max_bins=4, min_split_gain=1e8)
    run(component, settings, two(parties()), disclosure=OPEN, wrap=recorder)
    assert sum(sent.kind == "Query" for sent in recorder.sent) == 2 * 8 == 2 * settings.queries_per_tree


@dataclass
class LyingChannel:
    """Changes the first message of one kind that this party sends."""

    inner: Channel
    kind: type[Message]
    lie: Callable[[Message], Message]
    told: bool = False

    async def send(self, peer: PartyId, payload: bytes) -> None:
        if not self.told and kind_of(payload) == self.kind.__name__:
            self.told = True
            payload = self.lie(decode(payload, self.kind)).encode()
        await self.inner.send(peer, payload)

    async def recv(self, peer: PartyId, most_bytes: int | None = None) -> bytes:
        return await self.inner.recv(peer, most_bytes)

    def fork(self, stream: int) -> Channel:
        return LyingChannel(self.inner.fork(stream), self.kind, self.lie)


def liar(who: str, kind: type[Message], lie: Callable[[Message], Message]) -> Wrap:
    def wrap(party: PartyId, channel: Channel, attempt: Attempt) -> tuple[Channel, Attempt]:
        return (LyingChannel(channel, kind, lie) if party == who else channel), attempt

    return wrap


def lie(change: Callable[..., dict[str, object]]) -> Callable[[Message], Message]:
    """Return the message with the fields that `change(message)` returns in place of its own."""

    def tell(message: Message) -> Message:
        fields = {name: getattr(message, name) for name in message.__struct_fields__}
        return type(message)(**{**fields, **change(message)})

    return tell


def longer(array: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.append(array, array.dtype.type(1))


def noise(raw: bytes) -> bytes:
    return np.random.default_rng(0).integers(0, 16, len(raw), np.uint8).tobytes()


HOST_LIES: list[tuple[type[Message], Callable[..., dict[str, object]]]] = [
    (Offer, lambda m: {"bins": longer(m.bins)}),
    (Offer, lambda m: {"bins": m.bins + 50}),
    (Offer, lambda m: {"bins": m.bins * 0 + 1}),
    (Offer, lambda m: {"omitted": m.omitted + 50}),
    (Offer, lambda m: {"smallest": m.largest + 1}),
    (Offer, lambda m: {"bins": m.bins[:0], "omitted": m.omitted[:0]}),
    (Hint, lambda m: {"data": m.data[:-1]}),
    (Hint, lambda m: {"data": b"\xff" * len(m.data)}),
    (Answer, lambda m: {"sums": m.sums + b"\0"}),
    (Answer, lambda m: {"sums": noise(m.sums)}),
    (Answer, lambda m: {"sums": b"\xff" * len(m.sums)}),
    (Sides, lambda m: {"left": longer(m.left)}),
    (Sides, lambda m: {"left_valid": longer(m.left_valid)}),
    (Sides, lambda m: {"left": m.left | 255}),
    (Sides, lambda m: {"left": m.left & 0}),
]


@pytest.mark.parametrize(("kind", "change"), HOST_LIES)
def test_a_host_that_lies_is_named(kind: type[Message], change: Callable[..., dict[str, object]]) -> None:
    columns = population()
    columns["g1"], columns["g2"] = np.zeros(ROWS), np.zeros(ROWS)  # every split is the host's
    with pytest.raises(ProtocolError) as error:
        run(component, SETTINGS, two(parties(columns)), disclosure=OPEN, wrap=liar("host-1", kind, lie(change)))
    assert error.value.peer == "host-1"


GUEST_LIES: list[tuple[type[Message], Callable[..., dict[str, object]]]] = [
    (Opening, lambda m: {"nonces": m.nonces[:1]}),
    (Opening, lambda m: {"nonces": (m.nonces[0], m.nonces[0])}),
    (Opening, lambda m: {"parameters": "S1"}),
    (Query, lambda m: {"ciphertext": m.ciphertext[:-1]}),
    (Query, lambda m: {"ciphertext": b"\xff" * len(m.ciphertext)}),
    (Splits, lambda m: {"cuts": m.cuts + 1000}),
    (Splits, lambda m: {"cuts": m.cuts - 1000}),
    (Splits, lambda m: {"members": longer(m.members)}),
    (Splits, lambda m: {"members_valid": longer(m.members_valid)}),
    (Splits, lambda m: {"cuts": np.tile(m.cuts, 2), "members": np.tile(m.members, 2)}),
    (TreeDone, lambda m: {"kept": 2}),
]


@pytest.mark.parametrize(("kind", "change"), GUEST_LIES)
def test_a_guest_that_lies_is_named(kind: type[Message], change: Callable[..., dict[str, object]]) -> None:
    columns = population()
    columns["g1"], columns["g2"] = np.zeros(ROWS), np.zeros(ROWS)
    with pytest.raises(ProtocolError) as error:
        run(component, SETTINGS, two(parties(columns)), disclosure=OPEN, wrap=liar("guest", kind, lie(change)))
    assert error.value.peer == "guest"


def test_a_host_that_sends_too_few_sides_when_scoring_is_named(fitted: Outputs) -> None:
    few = lie(lambda m: {"left": m.left[:1]})
    with pytest.raises(ProtocolError) as error:
        predict(fitted, two(parties()), wrap=liar("host-1", LeftBits, few))
    assert error.value.peer == "host-1"


def test_rows_that_are_not_the_guests_are_not_scored(fitted: Outputs) -> None:
    other = lie(lambda m: {"alignment": bytes(32)})
    with pytest.raises(HanseError) as error:
        predict(fitted, two(parties()), wrap=liar("guest", Rows, other))
    assert error.value.fault.code == "rows.misaligned"


def test_answers_that_are_no_sums_end_in_the_same_words_whichever_they_are() -> None:
    words = set()
    spoils: list[Callable[..., dict[str, object]]] = [
        lambda m: {"sums": noise(m.sums)},
        lambda m: {"sums": b"\xff" * len(m.sums)},
    ]
    for spoiled in spoils:
        with pytest.raises(ProtocolError) as error:
            run(component, SETTINGS, two(parties()), disclosure=OPEN, wrap=liar("host-1", Answer, lie(spoiled)))
        words.add(str(error.value))
    assert len(words) == 1


def test_bits_are_packed_first_row_lowest() -> None:
    mask = np.array([[True, False, False, True, False, False, False, False, True], [False] * 9])
    packed = pack(mask)
    assert packed.tolist() == [[9, 1], [0, 0]]
    np.testing.assert_array_equal(unpack(packed.reshape(-1), 2, 9), mask)


@pytest.mark.deep
def test_a_large_table_with_gradients_of_few_bits_loses_next_to_nothing() -> None:
    columns = population(150_000)
    settings = Settings(trees=6, depth=4, max_bins=16)
    inputs, new = parties(columns, slice(0, 140_000)), parties(columns, slice(140_000, None))
    trained = run(component, settings, inputs)
    assert figures(trained)["parameter_set"] == "S100"
    own = local_boost.Settings(trees=6, depth=4, max_bins=16)
    names = ("g1", "g2", "a1", "a2", "a3", "b1")
    pooled = {part: table(columns, *names, rows=rows, label="y") for part, rows in ROWS_OF.items()}
    together = run(local_boost.component, own, {"guest": {"train": pooled["train"], "valid": None}})["guest"]
    given: Inputs = {"guest": {"model": together["model"], "table": pooled["new"]}}
    labels = columns["y"][140_000:]
    by_all = auc(labels, scores(run(local_boost.component, own, given, apply=True)))
    assert auc(labels, scores(predict(trained, new, settings=settings))) > by_all - 0.002


ROWS_OF = {"train": slice(0, 140_000), "new": slice(140_000, None)}
