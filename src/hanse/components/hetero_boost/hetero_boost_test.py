from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from hanse.components.hetero_boost.hetero_boost import component
from hanse.components.hetero_boost.messages import (
    Answers,
    Block,
    Hint,
    LeftBits,
    Offer,
    Opening,
    RoundDone,
    Scored,
    Sides,
    Splits,
    Step,
    pack,
    unpack,
)
from hanse.components.hetero_boost.settings import Settings
from hanse.components.local_boost import local_boost
from hanse.core.events import Note
from hanse.core.faults import HanseError
from hanse.core.roles import PartyId, host
from hanse.core.schema import KnownTable
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
BASE: dict[str, object] = {"trees": 3, "depth": 2, "max_bins": 6}
SETTINGS = Settings.parse(BASE)
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

    return {
        party: {"train": part(party, rows), "valid": part(party, valid) if valid else None, "warm": None}
        for party in names
    }


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


TARGETS = {
    "binary": "y",
    "regression": "z",
    "multiclass": "class",
    "poisson": "count",
    "gamma": "amount",
    "tweedie": "amount",
    "quantile": "z",
}


def with_targets(columns: dict[str, NDArray[np.float64]]) -> dict[str, NDArray[np.float64]]:
    real = columns["g1"] - 2 * columns["a1"] * columns["b1"] + 0.1 * columns["a2"]
    classes = np.digitize(real, [-1.0, 1.0]).astype(np.float64)
    return {**columns, "z": real, "class": classes, "count": np.floor(np.exp(real / 3)), "amount": np.exp(real / 3)}


def compare_with_one_table(settings: dict[str, object], label: str, columns: dict[str, NDArray[np.float64]]) -> None:
    """Train on all parties' tables and on all columns in one place: the scores are the same."""
    federated = run(component, Settings.parse(settings), parties(columns, label=label), disclosure=OPEN)
    pooled = table(columns, "g1", "g2", "a1", "a2", "a3", "b1", label=label)
    own = {name: value for name, value in settings.items() if name not in ("route", "precision", "keep_hint")}
    local = local_boost.Settings.parse(own)
    together = run(local_boost.component, local, {"guest": {"train": pooled, "valid": None, "warm": None}})
    # a split that binds the weights below it (monotone) binds them by a host's rounded sums
    close = 1e-6 if "monotone_increasing" in settings else 1e-9
    np.testing.assert_allclose(every_score(federated), every_score(together), rtol=0, atol=close)


def every_score(outputs: Outputs) -> NDArray[np.float64]:
    found = outputs["guest"]["scores"]
    assert isinstance(found, Table)
    return found.numbers([name for name in found.schema.names if name not in ("id", found.schema.label)])


@pytest.mark.parametrize("objective", TARGETS)
def test_federated_trees_are_those_of_all_columns_in_one_place(objective: str) -> None:
    columns = with_targets(population())
    more = {"classes": 3} if objective == "multiclass" else {}
    settings = {**BASE, "objective": objective, "trees": 4, **more}
    compare_with_one_table(settings, TARGETS[objective], columns)


FORMS: dict[str, dict[str, object]] = {
    "bitmap": {"route": "bitmap"},
    "leaf-wise": {"growth": "leaf", "leaves": 6, "depth": 4},
    "leaf-wise bitmap": {"growth": "leaf", "leaves": 5, "depth": 3, "route": "bitmap"},
    "monotone": {"monotone_increasing": ["a1"], "monotone_decreasing": ["b1", "g2"]},
    "sampled rows": {"row_sample": 0.7, "sample_seed": 3},
    "categories": {"categorical": ["a3"], "max_bins": 3},
    "regularised": {"reg_alpha": 2.0, "min_child_weight": 5.0, "max_delta_step": 0.4, "min_split_gain": 0.5},
    "classes leaf-wise": {"objective": "multiclass", "classes": 3, "growth": "leaf", "leaves": 4},
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_growth_is_that_of_one_place(form: str) -> None:
    columns = with_targets(population())
    if form == "categories":
        columns["a3"] = np.random.default_rng(2).integers(0, 9, ROWS).astype(np.int64)
        columns["y"] = (columns["a3"] % 3 == 1).astype(np.float64)
    label = "class" if "classes" in form else "y"
    compare_with_one_table({**BASE, "max_bins": 8, **FORMS[form]}, label, columns)


def test_missing_values_go_to_the_side_that_gains_at_every_party() -> None:
    columns = with_targets(population())
    draw = np.random.default_rng(3)
    for name in ("g1", "a1", "a2", "b1"):
        columns[name][draw.random(ROWS) < 0.2] = np.nan
    columns["y"] = np.where(np.isnan(columns["a1"]), 1.0, columns["y"])
    compare_with_one_table({**BASE, "max_bins": 8}, "y", columns)


def test_scoring_the_training_rows_gives_the_training_scores() -> None:
    inputs = parties()
    trained = run(component, SETTINGS, inputs, disclosure=OPEN)
    np.testing.assert_allclose(scores(predict(trained, inputs)), scores(trained), rtol=0, atol=1e-12)


def test_hosts_make_the_scores_of_new_rows_better() -> None:
    columns = population(1600)
    settings = Settings(trees=8, depth=3, max_bins=8)
    trained = run(component, settings, parties(columns, slice(0, 1200)), disclosure=OPEN)
    new = parties(columns, slice(1200, None))
    alone = {"train": table(columns, "g1", "g2", rows=slice(0, 1200), label="y"), "valid": None, "warm": None}
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
    assert len(kept.arrays["left"]) == np.count_nonzero(model.arrays["party"] == 1)
    np.testing.assert_allclose(scores(predict(trained, inputs, settings=settings)), scores(trained), rtol=0, atol=1e-12)
    valid = {party: {"train": ports["valid"], "valid": None, "warm": None} for party, ports in inputs.items()}
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
        (spoil("a2", 7, np.inf), "column.infinite", "a2"),
        (spoil("g1", 7, np.inf), "column.infinite", "g1"),
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


def test_tables_of_other_rows_are_refused() -> None:
    inputs = two(parties())
    host = inputs["host-1"]["train"]
    assert isinstance(host, Table)
    columns = population(ROWS + 1)
    for wrong in (host.take(np.arange(ROWS - 1)), table(columns, "a1", "a2", "a3", rows=slice(1, None))):
        with pytest.raises(HanseError) as error:
            run(
                component,
                SETTINGS,
                {**inputs, "host-1": {"train": wrong, "valid": None, "warm": None}},
                disclosure=OPEN,
            )
        assert error.value.fault.code == "rows.misaligned"


def test_the_order_of_the_rows_does_not_matter(fitted: Outputs) -> None:
    inputs = two(parties())
    turn = np.arange(ROWS)[::-1].copy()
    host, guest = inputs["host-1"]["train"], inputs["guest"]["train"]
    assert isinstance(host, Table)
    assert isinstance(guest, Table)
    by_host: Inputs = {**inputs, "host-1": {"train": host.take(turn), "valid": None, "warm": None}}
    np.testing.assert_array_equal(scores(run(component, SETTINGS, by_host, disclosure=OPEN)), scores(fitted))
    by_guest: Inputs = {**inputs, "guest": {"train": guest.take(turn), "valid": None, "warm": None}}
    np.testing.assert_array_equal(scores(run(component, SETTINGS, by_guest, disclosure=OPEN))[turn], scores(fitted))


def test_a_host_reads_its_own_cuts_and_the_guest_only_that_they_are_there() -> None:
    columns = with_targets(population())
    columns["a3"] = np.random.default_rng(2).integers(0, 9, ROWS).astype(np.int64)
    columns["y"] = (columns["a3"] % 3 == 1).astype(np.float64)
    columns["a1"][::5] = np.nan
    settings = Settings.parse({**BASE, "trees": 2, "depth": 3, "categorical": ["a3"], "max_bins": 9})
    outputs = run(component, settings, two(parties(columns)), disclosure=OPEN)
    told = outputs["host-1"]["report"]
    assert isinstance(told, Report)
    cuts = told.values["cuts"]
    assert {name for cut in cuts if cut["feature"] == "a3" for name in cut["one_of"]} <= {str(n) for n in range(9)}
    assert all(-4 < cut["at_most"] < 4 for cut in cuts if cut["feature"] in ("a1", "a2"))
    assert {cut["missing"] for cut in cuts} <= {"left", "right"}
    nodes = [node for tree in figures(outputs)["tree_view"]["shown"] for node in tree["nodes"]]  # type: ignore[index]
    theirs = [node for node in nodes if node.get("party") == "host-1"]
    assert len(theirs) == len(cuts) > 0
    assert all(node.keys() == {"party", "feature", "gain", "cover", "left", "right"} for node in theirs)
    assert all(node["feature"].startswith("feature #") for node in theirs)
    names = {line["guest_sees"]: line["feature"] for line in told.values["features"]}
    assert sorted(names[node["feature"]] for node in theirs) == sorted(cut["feature"] for cut in cuts)


@pytest.mark.parametrize("objective", ["binary", "multiclass"])
def test_a_training_that_goes_on_from_a_model_is_one_that_never_stopped(objective: str) -> None:
    columns, label = with_targets(population()), TARGETS[objective]
    more = {"classes": 3} if objective == "multiclass" else {}
    settings = {
        name: Settings.parse({**BASE, "objective": objective, "trees": n, **more}) for name, n in ROUNDS.items()
    }
    inputs = parties(columns, slice(0, 400), valid=slice(400, None), label=label)
    whole = run(component, settings["whole"], inputs, disclosure=OPEN)
    first = run(component, settings["first"], inputs, disclosure=OPEN)
    going_on: Inputs = {party: {**ports, "warm": first[party]["model"]} for party, ports in inputs.items()}
    then = run(component, settings["then"], going_on, disclosure=OPEN)
    np.testing.assert_allclose(every_score(then), every_score(whole), rtol=0, atol=1e-6)
    assert figures(then)["trees"] == figures(whole)["trees"]
    by_model = predict(then, inputs, settings=settings["then"])
    np.testing.assert_allclose(every_score(by_model), every_score(then), rtol=0, atol=1e-9)
    told = then["host-1"]["report"]
    assert isinstance(told, Report)
    assert max(cut["tree"] for cut in told.values["cuts"]) > 2 * settings["first"].outputs


ROUNDS = {"whole": 4, "first": 2, "then": 2}


def test_a_model_of_other_parties_or_another_purpose_is_not_trained_on(fitted: Outputs) -> None:
    going_on: Inputs = {
        party: {**ports, "warm": fitted["guest" if party == "guest" else "host-1"]["model"]}
        for party, ports in parties().items()
    }
    with pytest.raises(HanseError) as error:
        run(component, SETTINGS, going_on, disclosure=OPEN)
    assert error.value.fault.code == "model.parties"
    given: Inputs = {party: {**ports, "warm": fitted[party]["model"]} for party, ports in two(parties()).items()}
    with pytest.raises(HanseError) as error:
        run(component, Settings.parse({**BASE, "objective": "regression"}), given, disclosure=OPEN)
    assert error.value.fault.code == "model.differs"


def test_what_hosts_see_has_one_size_whatever_the_labels() -> None:
    seen = []
    for seed in (1, 2):
        columns = population()
        columns["y"] = (np.random.default_rng(seed).random(ROWS) < 0.5).astype(np.float64)
        recorder = Recorder()
        settings = Settings.parse({**BASE, "depth": 3, "column_sample": 0.5})
        run(component, settings, two(parties(columns)), disclosure=OPEN, wrap=recorder)
        ciphertexts = [sent for sent in recorder.sent if sent.kind in ("Step", "Block", "Answers", "RoundDone")]
        seen.append([(sent.kind, sent.size_bytes) for sent in ciphertexts])
    assert seen[0] == seen[1]


def test_no_member_bits_cross_the_wire_where_hosts_route_by_bitmap() -> None:
    recorder = Recorder(payloads=True)
    run(component, Settings.parse({**BASE, "route": "bitmap"}), parties(), disclosure=OPEN, wrap=recorder)
    asked = [
        decode(raw, Splits) for sent, raw in zip(recorder.sent, recorder.raw, strict=True) if sent.kind == "Splits"
    ]
    assert any(len(splits.outputs) for splits in asked)
    assert all(not len(splits.members) and not len(splits.passengers) for splits in asked)


@pytest.mark.parametrize("share", [0.34, 0.67, 1.0])
def test_hosts_answer_for_the_drawn_features_alone(share: float) -> None:
    recorder = Recorder(payloads=True)
    settings = Settings.parse({**BASE, "column_sample": share})
    outputs = run(component, settings, two(parties()), disclosure=OPEN, wrap=recorder)
    drawn = [
        decode(raw, Step).drawn for sent, raw in zip(recorder.sent, recorder.raw, strict=True) if sent.kind == "Step"
    ]
    assert {int(np.unpackbits(each).sum()) for each in drawn} == {max(1, round(3 * share))}
    assert len({bytes(each) for each in drawn}) >= (1 if share == 1 else 2)
    assert len(scores(outputs)) == ROWS


def test_early_stopping_without_validation_rows_is_refused() -> None:
    with pytest.raises(HanseError) as error:
        run(component, Settings(early_stopping_rounds=2), two(parties()), disclosure=OPEN)
    assert error.value.fault.code == "valid.absent"


def test_schemas_show_what_cannot_be_trained_on() -> None:
    tables = Table.of({"id": ["a", "b"], "city": ["x", "y"], "n": [1, 2], "size": [0.5, 1.0]}, id="id")
    assert component.check is not None
    settings = Settings.parse({**BASE, "categorical": ["size"], "monotone_increasing": ["city"]})
    known = {"train": KnownTable.of(tables.schema, host(1))}
    found = component.check("host", settings, known)
    assert {(one.code, one.facts["column"]) for one in found} == {("column.text", "city"), ("column.fractions", "size")}
    assert component.check("host", SETTINGS, known) == []
    assert [one.code for one in component.check("guest", SETTINGS, known)] == ["label.absent"]


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
    assert sum(sent.kind == "Step" for sent in recorder.sent) == 2 * 4
    sizes = [{sent.size_bytes for sent in recorder.sent if sent.kind == kind} for kind in ("Step", "Block")]
    assert [len(each) for each in sizes] == [3, 3]  # queries at the levels: 1, 1, 2, 4


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


SHAPE = ("bins", "missing", "categorical", "monotone", "omitted")
HOST_LIES: list[tuple[type[Message], Callable[..., dict[str, object]]]] = [
    (Offer, lambda m: {"bins": longer(m.bins)}),
    (Offer, lambda m: {"bins": m.bins + 50}),
    (Offer, lambda m: {"bins": m.bins * 0 + 1}),
    (Offer, lambda m: {"bins": m.bins * 0}),
    (Offer, lambda m: {"missing": m.missing + 2}),
    (Offer, lambda m: {"missing": longer(m.missing)}),
    (Offer, lambda m: {"categorical": m.categorical + 2}),
    (Offer, lambda m: {"monotone": m.monotone - 2}),
    (Offer, lambda m: {"omitted": m.omitted + 50}),
    (Offer, lambda m: {"omitted": m.omitted - 50}),
    (Offer, lambda m: {"smallest": m.largest + 1}),
    (Offer, lambda m: {name: getattr(m, name)[:0] for name in SHAPE}),
    (Hint, lambda m: {"piece": m.piece[:-1]}),
    (Hint, lambda m: {"piece": b"\xff" * len(m.piece)}),
    (Answers, lambda m: {"sums": m.sums + b"\0"}),
    (Answers, lambda m: {"sums": noise(m.sums)}),
    (Answers, lambda m: {"sums": b"\xff" * len(m.sums)}),
    (Sides, lambda m: {"left": longer(m.left)}),
    (Sides, lambda m: {"passengers": longer(m.passengers)}),
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
    (Opening, lambda m: {"setup": bytes(16)}),
    (Step, lambda m: {"dummies": m.dummies[:-1]}),
    (Step, lambda m: {"drawn": longer(m.drawn)}),
    (Step, lambda m: {"drawn": m.drawn * 0}),
    (Step, lambda m: {"drawn": m.drawn | 128}),
    (Block, lambda m: {"data": m.data[:-1]}),
    (Block, lambda m: {"data": b"\xff" * len(m.data)}),
    (Splits, lambda m: {"features": m.features + 1000}),
    (Splits, lambda m: {"features": m.features - 1000}),
    (Splits, lambda m: {"outputs": m.outputs + 1}),
    (Splits, lambda m: {"left": longer(m.left)}),
    (Splits, lambda m: {"left": m.left * 0}),
    (Splits, lambda m: {"left": m.left | 255}),
    (Splits, lambda m: {"left": m.left ^ 5}),
    (Splits, lambda m: {"members": longer(m.members)}),
    (Splits, lambda m: {"passengers": longer(m.passengers)}),
    (Splits, lambda m: {name: np.tile(getattr(m, name), 2) for name in ("outputs", "features", "left", "members")}),
    (RoundDone, lambda m: {"kept": 2}),
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
        predict(fitted, two(parties()), wrap=liar("guest", Scored, other))
    assert error.value.fault.code == "rows.misaligned"


def test_answers_that_are_no_sums_end_in_the_same_words_whichever_they_are() -> None:
    words = set()
    spoils: list[Callable[..., dict[str, object]]] = [
        lambda m: {"sums": noise(m.sums)},
        lambda m: {"sums": b"\xff" * len(m.sums)},
    ]
    for spoiled in spoils:
        with pytest.raises(ProtocolError) as error:
            run(component, SETTINGS, two(parties()), disclosure=OPEN, wrap=liar("host-1", Answers, lie(spoiled)))
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
    together = run(local_boost.component, own, {"guest": {"train": pooled["train"], "valid": None, "warm": None}})[
        "guest"
    ]
    given: Inputs = {"guest": {"model": together["model"], "table": pooled["new"]}}
    labels = columns["y"][140_000:]
    by_all = auc(labels, scores(run(local_boost.component, own, given, apply=True)))
    assert auc(labels, scores(predict(trained, new, settings=settings))) > by_all - 0.002


ROWS_OF = {"train": slice(0, 140_000), "new": slice(140_000, None)}
