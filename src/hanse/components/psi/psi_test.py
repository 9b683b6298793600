"""Every method against plain sets, and what each party is told, refuses or is blamed for."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from hanse.components.psi.psi import component
from hanse.components.psi.settings import Settings
from hanse.core.events import Metric, Note
from hanse.core.faults import HanseError
from hanse.core.roles import PartyId
from hanse.core.schema import KnownTable
from hanse.protocols.psi import sizes
from hanse.protocols.psi.ecdh import GuestPoints, HostPoints
from hanse.protocols.psi.opening import Probe, SetSize, Terms
from hanse.protocols.psi.payload import Columns
from hanse.protocols.psi.result import SharedPlaces
from hanse.protocols.psi.tags import TagSet
from hanse.protocols.simulation import JunkAtMessage, MemoryAttempt, Recorder
from hanse.sdk import Message, Party, ProtocolError, Table, run

DEFAULT = Settings()
METHODS = ("ecdh", "vole")


def table(*ids: str) -> Table:
    return Table.of({"id": list(ids), "row": np.arange(len(ids))}, id="id")


GUEST = table("ann", "bob", "cat", "dan", "eve")
HOSTS = {"host-1": table("eve", "fay", "ann", "cat"), "host-2": table("gus", "cat", "bob", "ann", "hal", "ida")}
PAIR = {"guest": GUEST, "host-1": HOSTS["host-1"]}

UNICODE = ["张伟", "王芳", "é", "e\u0301", " ", "  ", "🙂", "a\u0000b", "ﬁ", "fi", "x" * 300, "I", "ı", "i"]

WORLDS: dict[str, list[list[str]]] = {
    "one row each, the same": [["ann"], ["ann"]],
    "one row against many": [["p7"], [f"p{number}" for number in range(300)]],
    "nothing shared": [["ann", "bob"], ["cat"]],
    "all shared": [[f"p{number}" for number in range(70)]] * 2,
    "unicode": [UNICODE, [*reversed(UNICODE[::2]), "伟张", "é "]],
    "overlap": [[f"p{number}" for number in range(400)], [f"p{number}" for number in range(250, 900)]],
    "three": [[f"p{number}" for number in range(start, start + 120)] for start in (0, 30, 60)],
    "four, of which one is small": [
        [f"p{n}" for n in range(s, s + 90, k)] for s, k in ((0, 1), (0, 2), (0, 3), (60, 30))
    ],
    "three that share in pairs only": [["ann", "bob"], ["ann", "cat"], ["bob", "cat"]],
}


def align(
    tables: Mapping[str, Table], settings: Settings | Mapping[str, Settings] = DEFAULT, **options: Any
) -> dict[str, Table]:
    inputs = {party: {"table": found} for party, found in tables.items()}
    return {party: out["table"] for party, out in run(component, settings, inputs, **options).items()}


def world(name: str) -> dict[str, Table]:
    sets = WORLDS[name]
    names = ["guest", *(f"host-{number}" for number in range(1, len(sets)))]
    return {party: table(*ids) for party, ids in zip(names, sets, strict=True)}


def counted(tables: Mapping[str, Table], settings: Settings) -> int:
    """Return the number that the guest is told."""
    attempts = {PartyId(party): MemoryAttempt() for party in tables}
    align(tables, settings, attempts=attempts)
    (metric,) = (event for event in attempts[PartyId("guest")].events if isinstance(event, Metric))
    assert metric.name == "shared_ids"
    return int(metric.value)


@pytest.fixture(params=["whole", "cut"])
def cutting(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut small sets as large ones are: into buckets of the guest's, and the host's parts of these into pieces."""
    if request.param == "cut":
        monkeypatch.setattr(sizes, "GUEST_BUCKET", 64)
        monkeypatch.setattr(sizes, "HOST_PIECE", 48)


@pytest.mark.usefixtures("cutting")
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", WORLDS)
def test_every_method_gives_all_parties_the_rows_of_a_plain_intersection_in_one_order(name: str, method: Any) -> None:
    expected = set.intersection(*map(set, WORLDS[name]))
    if not expected:
        with pytest.raises(HanseError, match=r"psi\.empty"):
            align(world(name), Settings(method=method))
        return
    out = align(world(name), Settings(method=method))
    ids = out["guest"].ids().to_strings()
    assert sorted(ids) == sorted(expected)
    assert [found.ids().to_strings() for found in out.values()] == [ids] * len(out)


@pytest.mark.usefixtures("cutting")
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", WORLDS)
def test_a_difference_is_what_a_party_has_beyond_the_intersection_in_its_own_order(name: str, method: Any) -> None:
    shared = set.intersection(*map(set, WORLDS[name]))
    out = align(world(name), Settings(method=method, result="difference"))
    for found, own in zip(out.values(), WORLDS[name], strict=True):
        assert found.ids().to_strings() == [one for one in own if one not in shared]


@pytest.mark.usefixtures("cutting")
@pytest.mark.parametrize("name", [name for name, sets in WORLDS.items() if len(sets) == 2])
def test_a_count_is_the_size_of_the_intersection_and_gives_nobody_rows(name: str) -> None:
    settings = Settings(result="count")
    assert counted(world(name), settings) == len(set.intersection(*map(set, WORLDS[name])))
    assert [len(found) for found in align(world(name), settings).values()] == [0, 0]


@pytest.mark.parametrize("size", [63, 64, 65, 127, 128, 129])
@pytest.mark.parametrize("method", METHODS)
def test_sizes_around_the_edge_of_a_bucket_change_nothing(
    size: int, method: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sizes, "GUEST_BUCKET", 64)
    people = [f"p{number}" for number in range(size)]
    out = align({"guest": table(*people), "host-1": table(*people[::3], "zoe")}, Settings(method=method))
    assert sorted(out["guest"].ids().to_strings()) == sorted(people[::3])
    assert out["host-1"].ids().to_strings() == out["guest"].ids().to_strings()


@pytest.mark.parametrize("result", ["difference", "count"])
@pytest.mark.parametrize("empty", ["guest", "host-1", "host-2"])
def test_a_side_without_rows_shares_nothing(empty: str, result: Any) -> None:
    hosts = {} if result == "count" and empty != "host-2" else {"host-2": HOSTS["host-2"]}
    tables = {**PAIR, **hosts} if result == "difference" else dict(PAIR)
    if empty not in tables:
        return
    tables[empty] = tables[empty].take(np.empty(0, np.int64))
    if result == "count":
        assert counted(tables, Settings(result=result)) == 0
        return
    out = align(tables, Settings(result=result))
    assert {party: len(found) for party, found in out.items()} == {party: len(own) for party, own in tables.items()}


def test_a_table_without_rows_cannot_be_aligned() -> None:
    with pytest.raises(HanseError, match=r"psi\.no_ids"):
        align({"guest": GUEST, "host-1": GUEST.take(np.empty(0, np.int64))})


@pytest.mark.parametrize("party", ["guest", "host-1"])
@pytest.mark.parametrize("method", METHODS)
def test_a_repeated_id_is_told_to_the_party_that_has_it(party: str, method: Any) -> None:
    twice = table(*(f"p{number}" for number in range(40)), "p7")
    tables = {"guest": GUEST, "host-1": HOSTS["host-1"], party: twice}
    with pytest.raises(HanseError, match=r"psi\.duplicate_ids"):
        align(tables, Settings(method=method))


@pytest.mark.parametrize("party", ["guest", "host-1", "host-2"])
def test_a_repeated_id_is_told_among_several_hosts_too(party: str) -> None:
    twice = table(*(f"p{number}" for number in range(40)), "p7")
    with pytest.raises(HanseError, match=r"psi\.duplicate_ids"):
        align({"guest": GUEST, **HOSTS, party: twice})


def test_the_order_tells_nothing_it_is_drawn_anew() -> None:
    many = table(*(f"p{number}" for number in range(40)))
    orders = {tuple(align({"guest": many, "host-1": many}, seed=seed)["guest"].ids().to_strings()) for seed in range(3)}
    assert len(orders) == 3


def test_the_rows_carry_their_columns_along() -> None:
    out = align(PAIR)
    place = dict(zip(HOSTS["host-1"].ids().to_strings(), range(4), strict=True))
    assert out["host-1"].numbers(["row"])[0].tolist() == [place[one] for one in out["guest"].ids().to_strings()]


@pytest.mark.parametrize("hosts", [1, 2])
@pytest.mark.parametrize("result", ["shared", "difference"])
def test_a_host_gets_no_rows_when_the_result_is_not_shared(hosts: int, result: Any) -> None:
    tables = {"guest": GUEST, **dict(list(HOSTS.items())[:hosts])}
    out = align(tables, Settings(share_result=False, result=result))
    assert len(out.pop("guest")) > 0
    assert {len(found) for found in out.values()} == {0}


def test_an_empty_intersection_and_a_small_one_end_in_clear_errors() -> None:
    with pytest.raises(HanseError) as empty:
        align({"guest": GUEST, "host-1": table("zoe")})
    assert empty.value.fault.code == "psi.empty"
    assert empty.value.fault.remedy
    for result in ("shared", "difference", "count"):
        with pytest.raises(HanseError, match=r"psi\.too_few.*3 ids"):
            align(PAIR, Settings.parse({"minimum": 4, "result": result}))


def test_two_hosts_that_share_nothing_with_one_another_are_told_so() -> None:
    with pytest.raises(HanseError, match=r"psi\.empty.*all 2 hosts"):
        align({"guest": GUEST, "host-1": table("ann"), "host-2": table("bob")})


# ---------------------------------------------------------------- columns for the guest


@pytest.mark.usefixtures("cutting")
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("share_result", [True, False])
def test_the_guest_gets_the_columns_that_a_host_names_of_the_shared_rows(method: Any, share_result: bool) -> None:
    people = [f"p{number}" for number in range(200)]
    reals = np.where(np.arange(150) % 7 == 0, np.nan, np.arange(150) / 3)
    columns: dict[str, Any] = {
        "id": people[50:],
        "row": np.arange(150),
        "rate": reals,
        "age": np.arange(150) % 90,
        "own": reals,
    }
    common = {"method": method, "share_result": share_result}
    settings = {"guest": Settings(**common), "host-1": Settings(**common, payload=("rate", "age", "row"))}
    out = align({"guest": table(*people), "host-1": Table.of(columns, id="id")}, settings)["guest"]
    assert out.schema.names == ("id", "row", "rate", "age", "row_host_1")
    assert [column.type for column in out.schema.columns[2:]] == ["real", "integer", "integer"]
    place = np.array([int(one[1:]) - 50 for one in out.ids().to_strings()])
    np.testing.assert_array_equal(out.numbers(["rate", "age", "row_host_1"]), [reals[place], place % 90, place])


def test_columns_that_are_no_features_are_refused_before_anything_is_sent() -> None:
    assert component.check is not None
    own = KnownTable.of(HOSTS["host-1"].schema, PartyId("host-1"))
    assert component.check("host", Settings(payload=("row",)), {"table": own}) == []
    assert component.check("host", Settings(payload=("row",)), {}) == []
    words = Table.of({"id": ["ann"], "word": ["x"]}, id="id")
    known = {"table": KnownTable.of(words.schema, PartyId("host-1"))}
    (text,) = component.check("host", Settings(payload=("word",)), known)
    assert (text.code, text.setting, text.path) == ("column.text", "payload", (0,))
    with pytest.raises(HanseError, match=r"column\.text.*word"):
        align({"guest": GUEST, "host-1": words}, {"guest": DEFAULT, "host-1": Settings(payload=("word",))})
    (at_guest,) = component.check("guest", Settings(payload=("row",)), {})
    assert at_guest.code == "setting.of_host"
    with pytest.raises(HanseError, match=r"column\.unknown.*id"):
        align(PAIR, {"guest": DEFAULT, "host-1": Settings(payload=("id",))})
    with pytest.raises(HanseError, match="one host"):
        align({"guest": GUEST, **HOSTS}, {"guest": DEFAULT, "host-1": Settings(payload=("row",)), "host-2": DEFAULT})


@pytest.mark.parametrize("wrong", [{"result": "count", "method": "vole"}, {"result": "count", "payload": ["row"]}])
def test_settings_that_do_not_go_together_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(HanseError, match=r"settings\.invalid"):
        Settings.parse(wrong)


def test_a_count_among_three_is_refused_in_words() -> None:
    with pytest.raises(HanseError, match="one host"):
        align({"guest": GUEST, **HOSTS}, Settings(result="count"))


# ---------------------------------------------------------------- terms


def test_the_guest_chooses_and_says_why() -> None:
    attempts = {PartyId(party): MemoryAttempt() for party in PAIR}
    align(PAIR, attempts=attempts)
    notes = [event.text for event in attempts[PartyId("guest")].events if isinstance(event, Note)]
    assert any("method ecdh: least time" in note for note in notes)
    notes = [event.text for event in attempts[PartyId("host-1")].events if isinstance(event, Note)]
    assert any("method ecdh" in note for note in notes)


@pytest.mark.parametrize(
    "other",
    [{"method": "vole"}, {"result": "difference"}, {"share_result": False}, {"code": "fast"}, {"field": "wide"}],
    ids=lambda other: next(iter(other)),
)
def test_a_host_holds_the_guest_to_its_own_settings(other: dict[str, Any]) -> None:
    with pytest.raises(ProtocolError) as caught:
        align(PAIR, {"guest": Settings(method="ecdh"), "host-1": Settings.parse({"method": "ecdh", **other})})
    assert caught.value.peer == "guest"
    assert next(iter(other)) in str(caught.value)


@pytest.mark.parametrize("hosts", [1, 2])
def test_wide_values_take_twice_the_bytes_and_change_no_row(hosts: int) -> None:
    tables = dict(list({"guest": GUEST, **HOSTS}.items())[: hosts + 1])
    size_bytes = {}
    for field in ("auto", "wide"):
        recorder = Recorder()
        out = align(tables, Settings(method="vole", field=field), wrap=recorder)
        assert sorted(out["guest"].ids().to_strings()) == ["ann", "cat", "eve"][: 4 - hosts]
        size_bytes[field] = sum(sent.size_bytes for sent in recorder.sent if sent.kind.startswith("Encoded"))
    assert 1.8 < size_bytes["wide"] / size_bytes["auto"] < 2.01


def test_no_two_runs_and_no_two_hosts_see_the_same_of_a_guest() -> None:
    seen: list[bytes] = []
    for seed in (1, 2):
        recorder = Recorder(payloads=True)
        align({"guest": GUEST, **HOSTS}, Settings(method="ecdh"), wrap=recorder, seed=seed)
        pairs = zip(recorder.sent, recorder.raw, strict=True)
        seen += [raw for sent, raw in pairs if sent.sender == "guest" and sent.kind == "GuestPoints"]
    points = [{raw[-32 * n : len(raw) - 32 * (n - 1)] for n in range(1, 6)} for raw in seen]
    assert len(points) == 4
    assert len(set().union(*points)) == 20


def test_the_guest_measures_the_link_when_the_choice_depends_on_it() -> None:
    many = table(*(f"p{number}" for number in range(100_000)))
    recorder = Recorder()
    align({"guest": many, "host-1": HOSTS["host-1"]}, Settings(result="difference"), wrap=recorder)
    kinds = [sent.kind for sent in recorder.sent]
    assert kinds.count("Probe") == 1 + kinds.count("Echo")


# ---------------------------------------------------------------- misbehaviour


def opened(*answers: Message) -> Any:
    """A host that opens as it should, and then sends what it is given to send."""

    async def cheat(me: Party, table: Table, settings: Settings) -> Table:
        await me.guest.recv(SetSize)
        await me.guest.send(SetSize(4, np.frombuffer(me.rng.seed(), np.uint8)))
        await me.guest.recv(Probe)
        await me.guest.recv(Terms)
        await me.guest.send(Columns([]))
        peer = me.guest.fork(1)
        for answer in answers:
            await peer.send(answer)
        await peer.recv(GuestPoints)
        return table

    return cheat


ONES, HIGH = np.zeros(5 * 32, np.uint8), np.full(5 * 32, 255, np.uint8)
ONES[::32] = 9


@pytest.mark.parametrize(
    "answers",
    [
        [TagSet(np.zeros(30, np.uint8))],
        [HostPoints(np.zeros(31, np.uint8))],
        [HostPoints(np.empty(0, np.uint8))],
        [HostPoints(np.zeros(5 * 32, np.uint8))],
        [HostPoints(HIGH)],
        [HostPoints(ONES), TagSet(np.zeros(3, np.uint8))],
        [HostPoints(ONES), TagSet(np.full(200, 255, np.uint8))],
    ],
    ids=["out of turn", "part of a point", "no point", "low order", "not canonical", "short tags", "long tags"],
)
def test_a_host_that_sends_what_cannot_be_is_named(answers: list[Message]) -> None:
    with pytest.raises(ProtocolError) as caught:
        align(PAIR, Settings(method="ecdh"), replace={"host-1": opened(*answers)})
    assert caught.value.peer == "host-1"


@pytest.mark.parametrize("bits", [[], [0, 0], [0x10], [0]], ids=["none", "too many", "beyond the last", "too few"])
def test_a_guest_that_names_places_that_cannot_be_is_named(bits: list[int]) -> None:
    recorder = Recorder()
    align(PAIR, wrap=recorder)
    place = [sent.kind for sent in recorder.sent].index("SharedPlaces") + 1
    with pytest.raises(ProtocolError) as caught:
        align(PAIR, wrap=JunkAtMessage(place, lambda _: SharedPlaces(np.array(bits, np.uint8)).encode()))
    assert caught.value.peer == "guest"


def test_a_guest_that_names_filler_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sizes, "GUEST_BUCKET", 16)
    people = {"guest": table(*(f"p{n}" for n in range(40))), "host-1": table(*(f"p{n}" for n in range(20, 60)))}
    recorder = Recorder(payloads=True)
    align(people, wrap=recorder)
    place = [sent.kind for sent in recorder.sent].index("SharedPlaces")
    raw = bytearray(recorder.raw[place])
    size = sizes.cut(40, 40).host_places
    assert size > 16

    def all_places(_: bytes) -> bytes:
        shared = np.packbits(np.ones(size, np.bool_), bitorder="little")
        return SharedPlaces(shared).encode()

    assert len(all_places(b"")) == len(raw)
    with pytest.raises(ProtocolError, match="filler") as caught:
        align(people, wrap=JunkAtMessage(place + 1, all_places))
    assert caught.value.peer == "guest"
