from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hanse.components.psi_cached import shards
from hanse.components.psi_cached.messages import Checks, Named, Question, Removed, Shard
from hanse.components.psi_cached.psi_cached import component
from hanse.components.psi_cached.settings import Settings
from hanse.core.events import Metric
from hanse.core.faults import HanseError
from hanse.core.ids import JobId, TaskName
from hanse.core.roles import PartyId
from hanse.core.specs import ModelManifest
from hanse.kernel import filters
from hanse.protocols import oprf
from hanse.protocols.simulation import JunkAtMessage, KillAtMessage, Killed, MemoryAttempt, Recorder
from hanse.sdk import Model, Party, ProtocolError, Table, artefacts, run

DEFAULT = Settings(most_ids=1000)
SECRET = Settings(most_ids=1000, share_result=False)
Models = Mapping[str, Model]


def table(*ids: str) -> Table:
    return Table.of({"id": list(ids), "row": np.arange(len(ids))}, id="id")


def people(start: int, stop: int, step: int = 1) -> Table:
    return table(*(f"p{number}" for number in range(start, stop, step)))


GUEST = table("ann", "bob", "cat", "dan", "身份证")
HOST = table("身份证", "fay", "ann", "cat", "gus")


def prepare(
    tables: Mapping[str, Table], settings: Settings = DEFAULT, previous: Models | None = None, **options: Any
) -> Models:
    inputs: dict[str, dict[str, Any]] = {"guest": {}, **{host: {"table": found} for host, found in tables.items()}}
    for party, model in (previous or {}).items():
        inputs[party]["previous"] = model
    return {party: out["model"] for party, out in run(component, settings, inputs, **options).items()}


def ask(
    models: Models, guest: Table, tables: Mapping[str, Table], settings: Settings = DEFAULT, **options: Any
) -> dict[str, Table]:
    inputs: dict[str, dict[str, Any]] = {
        party: {"model": models[party], "table": found} for party, found in {"guest": guest, **tables}.items()
    }
    return {party: out["table"] for party, out in run(component, settings, inputs, apply=True, **options).items()}


def ids(found: Table) -> list[str]:
    return found.ids().to_strings()


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs and shards so small that a few hundred ids have several of each."""
    monkeypatch.setattr(filters, "PAGE_TAGS", 8)
    monkeypatch.setattr(shards, "SHARD_PAGES", 3)
    monkeypatch.setattr(shards, "RUN_IDS", 50)


@pytest.mark.parametrize("settings", [DEFAULT, SECRET], ids=["shared", "secret"])
@pytest.mark.parametrize(
    ("guest", "host"),
    [
        (GUEST, HOST),
        (table("身份证"), HOST),
        (GUEST, table("cat")),
        (people(0, 700), people(350, 3000)),
        (people(0, 1000), people(5, 6)),
        (people(0, 24), people(0, 24)),
        (people(0, 25), people(24, 49)),
    ],
)
@pytest.mark.usefixtures("small")
def test_the_rows_are_those_of_a_plain_intersection_in_one_order(guest: Table, host: Table, settings: Settings) -> None:
    hosts = {"host-1": host}
    out = ask(prepare(hosts, settings), guest, hosts, settings)
    expected = set(ids(guest)) & set(ids(host))
    assert sorted(ids(out["guest"])) == sorted(expected)
    assert ids(out["host-1"]) == (ids(out["guest"]) if settings.share_result else [])


def test_with_several_hosts_the_rows_are_those_that_all_have() -> None:
    hosts = {"host-1": people(0, 300), "host-2": people(200, 900), "host-3": people(0, 900, 2)}
    out = ask(prepare(hosts), people(100, 400), hosts)
    found = ids(out["guest"])
    assert sorted(found) == sorted(f"p{number}" for number in range(200, 300, 2))
    assert all(ids(rows) == found for rows in out.values())


def test_a_host_does_not_hear_of_ids_that_another_host_lacks() -> None:
    hosts = {"host-1": people(0, 300), "host-2": people(200, 900)}
    recorder = Recorder(payloads=True)
    ask(prepare(hosts), people(0, 900), hosts, wrap=recorder)
    named = [sent.size_bytes for sent in recorder.sent if sent.kind == "Named"]
    assert named == [100 * 8 + 10] * 2


def test_rows_carry_their_columns_along_and_the_order_is_drawn_anew() -> None:
    hosts = {"host-1": people(0, 100)}
    models = prepare(hosts)
    orders = set()
    for seed in range(3):
        out = ask(models, people(0, 100), hosts, seed=seed)
        assert [f"p{row:.0f}" for row in out["host-1"].numbers(["row"])[0]] == ids(out["host-1"])
        orders.add(tuple(ids(out["guest"])))
    assert len(orders) == 3


def saved(models: Models, folder: Path) -> dict[str, Model]:
    opened = {}
    for party, model in models.items():
        manifest = ModelManifest("psi_cached", "1.0.0", PartyId(party), {}, {}, JobId("job-1"), TaskName("prepare"))
        found = artefacts.load(model.save(folder / party, manifest))
        assert isinstance(found, Model)
        opened[party] = found
    return opened


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("settings", [DEFAULT, SECRET], ids=["shared", "secret"])
def test_day_by_day_the_rows_are_those_of_the_day(tmp_path: Path, settings: Settings) -> None:
    rng = np.random.default_rng(1)
    guest = people(0, 900)
    models: Models | None = None
    for day in range(5):
        numbers = rng.permutation(900)[: rng.integers(200, 800)]
        host = table(*(f"p{number}" for number in numbers))
        models = saved(prepare({"host-1": host}, settings, models, seed=day), tmp_path / str(day))
        out = ask(models, guest, {"host-1": host}, settings, seed=day)
        assert sorted(ids(out["guest"])) == sorted(ids(host))
        assert ids(out["host-1"]) == (ids(out["guest"]) if settings.share_result else [])


def metrics(attempt: MemoryAttempt) -> dict[str, float]:
    return {event.name: event.value for event in attempt.events if isinstance(event, Metric)}


def test_a_later_preparation_evaluates_and_sends_what_is_new_alone() -> None:
    first = prepare({"host-1": people(0, 500)})
    attempts = {PartyId("guest"): MemoryAttempt(), PartyId("host-1"): MemoryAttempt()}
    recorder = Recorder()
    later = prepare({"host-1": people(100, 520)}, previous=first, attempts=attempts, wrap=recorder)
    assert metrics(attempts[PartyId("host-1")])["prepared_ids"] == 20
    sizes = {sent.kind: sent.size_bytes for sent in recorder.sent}
    assert sizes["Shard"] < 20 * 4 + 100
    assert sizes["Removed"] < 100 * 8 + 20
    assert later["host-1"].details["ids"] == 420


def test_a_day_on_which_nothing_changes_adds_no_filter() -> None:
    hosts = {"host-1": people(0, 50)}
    first = prepare(hosts)
    later = prepare(hosts, previous=first)
    assert later["guest"].files.keys() == first["guest"].files.keys()
    assert len(ask(later, people(0, 60), hosts)["guest"]) == 50


def test_two_preparations_have_nothing_in_common() -> None:
    first, second = (prepare({"host-1": HOST}, seed=seed) for seed in (1, 2))
    assert first["guest"].details["hosts"]["host-1"]["epoch"] != second["guest"].details["hosts"]["host-1"]["epoch"]
    data = [model["guest"].files["host-1.filter-0"].data.tobytes() for model in (first, second)]
    assert data[0] != data[1]


@pytest.mark.usefixtures("small")
def test_what_was_finished_before_a_kill_is_neither_computed_nor_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    hosts = {"host-1": people(0, 400)}
    undisturbed = prepare(hosts)
    recorder = Recorder()
    prepare(hosts, wrap=recorder)
    messages = [sent.kind for sent in recorder.sent]
    assert messages.count("Shard") > 10
    attempts = {PartyId("guest"): MemoryAttempt(), PartyId("host-1"): MemoryAttempt()}
    with pytest.raises(Killed):
        prepare(hosts, attempts=attempts, wrap=KillAtMessage(8))
    monkeypatch.setattr(oprf.Key, "evaluate", None)
    again = Recorder()
    models = prepare(hosts, attempts=attempts, wrap=again)
    assert [sent.kind for sent in again.sent].count("Shard") <= messages.count("Shard") - 4
    assert models["guest"].files["host-1.filter-0"].data.tobytes() == (
        undisturbed["guest"].files["host-1.filter-0"].data.tobytes()
    )


@pytest.mark.usefixtures("small")
def test_a_kill_at_any_message_of_a_later_preparation_changes_nothing() -> None:
    first = prepare({"host-1": people(0, 200)})
    hosts = {"host-1": people(50, 300)}
    recorder = Recorder()
    prepare(hosts, previous=first, wrap=recorder)
    for nth in range(1, len(recorder.sent) + 1):
        attempts = {PartyId("guest"): MemoryAttempt(), PartyId("host-1"): MemoryAttempt()}
        with pytest.raises(Killed):
            prepare(hosts, previous=first, attempts=attempts, wrap=KillAtMessage(nth))
        models = prepare(hosts, previous=first, attempts=attempts)
        assert len(ask(models, people(0, 400), hosts)["guest"]) == 250


def test_a_guest_that_asks_for_too_much_is_refused() -> None:
    hosts = {"host-1": HOST}
    settings = Settings(most_ids=4)
    with pytest.raises(ProtocolError, match="at most 4 ids") as caught:
        ask(prepare(hosts, settings), GUEST, hosts, settings)
    assert caught.value.peer == "guest"


def test_an_empty_intersection_and_a_small_one_end_in_clear_errors() -> None:
    hosts = {"host-1": HOST}
    models = prepare(hosts)
    with pytest.raises(HanseError, match=r"psi\.empty.*the host"):
        ask(models, table("zoe"), hosts)
    with pytest.raises(HanseError, match=r"psi\.too_few.*3 ids"):
        ask(models, GUEST, hosts, Settings(most_ids=1000, minimum=4))


def test_a_table_without_rows_ends_in_a_clear_error_at_its_owner() -> None:
    nothing = HOST.take(np.empty(0, np.int64))
    for run_it in (lambda: prepare({"host-1": nothing}), lambda: ask(prepare({"host-1": HOST}), nothing, {})):
        with pytest.raises(HanseError, match=r"psi\.no_ids"):
            run_it()


def test_repeated_ids_are_the_fault_of_the_side_that_has_them() -> None:
    twice = table("ann", "bob", "ann")
    hosts = {"host-1": HOST}
    models = prepare(hosts)
    for run_it in (
        lambda: prepare({"host-1": twice}),
        lambda: prepare({"host-1": twice}, previous=models),
        lambda: ask(models, twice, hosts),
    ):
        with pytest.raises(HanseError, match=r"psi\.duplicate_ids"):
            run_it()


@pytest.mark.parametrize(
    "other", [table("fay", "身份证", "ann", "cat", "gus"), table("身份证")], ids=["order", "short"]
)
def test_a_host_with_another_table_than_the_prepared_one_is_told(other: Table) -> None:
    with pytest.raises(HanseError, match=r"psi_cached\.other_table"):
        ask(prepare({"host-1": HOST}), GUEST, {"host-1": other})


def test_parts_of_different_preparations_do_not_go_together() -> None:
    hosts = {"host-1": HOST}
    first, second = prepare(hosts, seed=1), prepare(hosts, seed=2)
    with pytest.raises(ProtocolError, match="the preparation that I hold"):
        ask({"guest": first["guest"], "host-1": second["host-1"]}, GUEST, hosts)
    with pytest.raises(ProtocolError, match="adds to what I hold"):
        prepare(hosts, previous={"guest": first["guest"], "host-1": second["host-1"]})
    with pytest.raises(ProtocolError, match="stands on none"):
        prepare(hosts, previous={"host-1": second["host-1"]})
    with pytest.raises(HanseError, match=r"psi_cached\.other_hosts"):
        prepare({"host-1": HOST, "host-2": HOST}, previous=first)


def test_what_another_party_or_component_has_left_is_no_earlier_preparation(tmp_path: Path) -> None:
    models = saved(prepare({"host-1": HOST}), tmp_path)
    for party in models:
        (other,) = models.keys() - {party}
        others = {**models, party: models[other]}
        with pytest.raises(HanseError, match=r"model\.other.*psi_cached for"):
            prepare({"host-1": HOST}, previous=others)


def test_a_later_preparation_keeps_the_settings_of_the_first() -> None:
    models = prepare({"host-1": HOST})
    with pytest.raises(HanseError, match=r"psi_cached\.other_settings"):
        prepare({"host-1": HOST}, SECRET, previous=models)


def test_parties_with_other_settings_find_out_at_once() -> None:
    inputs: dict[str, dict[str, Any]] = {"guest": {}, "host-1": {"table": HOST}}
    with pytest.raises(ProtocolError, match="share_result"):
        run(component, {"guest": DEFAULT, "host-1": SECRET}, inputs)


@pytest.mark.parametrize("ranks", [[5], [1, 0], [0, 0, 1], [], [1 << 63], [0, 1, 2, 3, 4] * 3])
def test_a_guest_that_names_ranks_that_cannot_be_is_named(ranks: list[int]) -> None:
    hosts = {"host-1": HOST}

    async def cheat(me: Party, model: Model, table: Table, settings: Settings) -> Table:
        held = model.details["hosts"]["host-1"]
        await me.host.send(Question(bytes.fromhex(held["state"])))
        await oprf.ask(me.host, table.ids(), bytes.fromhex(held["epoch"]), me.rng)
        await me.host.send(Named(np.array(ranks, np.uint64)))
        await me.host.recv(Checks)
        return table

    with pytest.raises(ProtocolError) as caught:
        ask(prepare(hosts), GUEST, hosts, replace={"guest": cheat})
    assert caught.value.peer == "guest"


def test_a_guest_that_names_an_id_that_is_gone_is_named() -> None:
    models = prepare({"host-1": people(0, 9)})
    hosts = {"host-1": people(1, 9)}
    later = prepare(hosts, previous=models)
    guest = later["guest"]
    files = {name: file for name, file in guest.files.items() if name != "host-1.gone"}
    forgetful = Model(guest.arrays, guest.details, files=files)
    with pytest.raises(ProtocolError, match="gone"):
        ask({**later, "guest": forgetful}, people(0, 9), hosts)


@pytest.mark.parametrize("ranks", [[3, 1], [0, 0], [9], [1 << 40]], ids=["falling", "twice", "beyond", "far beyond"])
def test_a_host_that_removes_what_cannot_be_is_named(ranks: list[int]) -> None:
    models = prepare({"host-1": people(0, 9)})
    hosts = {"host-1": people(len(ranks), 9)}
    junk = JunkAtMessage(3, lambda _: Removed(np.array(ranks, np.uint64)).encode())
    with pytest.raises(ProtocolError) as caught:
        prepare(hosts, previous=models, wrap=junk)
    assert (caught.value.peer, junk.culprit) == ("host-1", "host-1")


@pytest.mark.parametrize("counts", [[5, 0], [4], [1 << 31]], ids=["pages", "fewer", "more"])
def test_a_host_that_sends_pages_that_cannot_be_is_named(counts: list[int]) -> None:
    def change(raw: bytes) -> bytes:
        return Shard(np.array(counts, np.uint32), np.frombuffer(raw, np.uint8)[-40:]).encode()

    with pytest.raises(ProtocolError) as caught:
        prepare({"host-1": HOST}, wrap=JunkAtMessage(3, change))
    assert caught.value.peer == "host-1"


def test_a_false_find_is_dropped_by_its_check(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Settings, "low_bits", 3)
    hosts = {"host-1": people(0, 500)}
    out = ask(prepare(hosts), people(450, 1400), hosts)
    assert sorted(ids(out["guest"])) == sorted(f"p{number}" for number in range(450, 500))
    assert ids(out["host-1"]) == ids(out["guest"])


def test_a_damaged_filter_is_found_before_it_is_searched(tmp_path: Path) -> None:
    hosts = {"host-1": HOST}
    models = saved(prepare(hosts), tmp_path)
    with (tmp_path / "guest" / "files" / "host-1.filter-0").open("r+b") as file:
        file.write(b"\xff")
    with pytest.raises(HanseError, match=r"artefact\.damaged"):
        ask(models, GUEST, hosts)
