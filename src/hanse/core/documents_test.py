"""One pipeline, three forms: the canonical JSON, the Python script that makes it, the schema that describes it."""

import runpy
import subprocess
import sys
import tempfile
from pathlib import Path

import jsonschema_rs
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hanse.core.differences import compare
from hanse.core.documents import describe_format, digest_pipeline, read_pipeline, write_pipeline
from hanse.core.faults import HanseError
from hanse.core.ids import TaskName
from hanse.core.roles import GUEST, PartyId, host
from hanse.core.scripts import write_python
from hanse.core.specs import PipelineSpec, TaskSpec

printable = st.text(st.characters(categories=("L", "N", "P", "S", "Zs")), max_size=12)
names = st.from_regex(r"\A[a-z][a-z0-9_]{0,7}\Z")
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | printable,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
sources = st.builds("{}.{}".format, names, names) | st.just("model:model-1") | st.text(max_size=6)
ports = names | st.sampled_from(["name", "inputs", "class", "settings", "a b", ""])
set_of_values = st.dictionaries(names | st.text(max_size=5), values, max_size=3)
organisations = st.text(st.characters(categories=("L", "N")), min_size=1, max_size=9)
PARTIES = [GUEST, *map(host, range(1, 4)), PartyId("arbiter")]


@st.composite
def specs(draw: st.DrawFn) -> PipelineSpec:
    parties = draw(st.lists(st.sampled_from(PARTIES), unique=True))
    tasks: dict[TaskName, TaskSpec] = {}
    for name in draw(st.lists(names, max_size=5, unique=True)):
        own = {party: draw(set_of_values) for party in parties if draw(st.booleans())}
        linked = st.sampled_from([f"{other}.table" for other in tasks]) if tasks else sources
        inputs = draw(st.dictionaries(ports, linked | sources, max_size=3))
        tasks[TaskName(name)] = TaskSpec(draw(names), draw(set_of_values), own, inputs)
    spec = PipelineSpec(
        draw(printable),
        draw(organisations),
        {p: draw(organisations) for p in parties},
        tasks,
        draw(printable),
    )
    return msgspec.convert(msgspec.to_builtins(spec), PipelineSpec)


def built_by(script: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "script.py")
        path.write_text(script, "utf-8")
        return str(runpy.run_path(str(path))["pipeline"].json()).encode()


@given(specs())
@settings(deadline=None, max_examples=60)
def test_the_script_of_a_pipeline_builds_the_same_bytes(spec: PipelineSpec) -> None:
    assert built_by(write_python(spec)) == write_pipeline(spec)


@given(specs())
@settings(deadline=None, max_examples=60)
def test_the_canonical_json_is_read_back_and_written_the_same(spec: PipelineSpec) -> None:
    raw = write_pipeline(spec)
    read = read_pipeline(raw)
    assert compare(spec, read) == ()
    assert write_pipeline(read) == raw


@given(specs())
@settings(deadline=None, max_examples=60)
def test_every_pipeline_that_is_accepted_is_valid_by_the_schema(spec: PipelineSpec) -> None:
    jsonschema_rs.validate(describe_format(), msgspec.to_builtins(spec))


def test_the_order_in_which_things_are_said_does_not_matter() -> None:
    parties = {GUEST: "bank", host(1): "shop"}
    one = TaskSpec("psi", {"b": 1, "a": {"y": 0, "x": 0}})
    two = TaskSpec("psi", {"a": {"x": 0, "y": 0}, "b": 1})
    first = PipelineSpec("p", "q", parties, {"one": one, "two": two})  # type: ignore[dict-item]
    second = PipelineSpec("p", "q", dict(reversed(parties.items())), {"two": one, "one": two})  # type: ignore[dict-item]
    assert digest_pipeline(first) == digest_pipeline(second)


def test_the_script_prints_the_json_when_it_is_run() -> None:
    spec = PipelineSpec("p", "q", {GUEST: "bank"}, {"data": TaskSpec("dataset")})  # type: ignore[dict-item]
    ran = subprocess.run([sys.executable, "-c", write_python(spec)], capture_output=True, check=True)
    assert ran.stdout == write_pipeline(spec)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b'{"name": "a", "name": "b"}', "'name' twice"),
        (b'{"name": 1}', "$.name"),
        (b"{", "no JSON"),
        (b"\xff", "no JSON"),
        (b"[" * 100_000, "no JSON"),
    ],
)
def test_what_is_no_pipeline_is_refused_with_its_place(raw: bytes, words: str) -> None:
    with pytest.raises(HanseError) as caught:
        read_pipeline(raw)
    assert caught.value.fault.code == "pipeline.invalid"
    assert words in caught.value.fault.cause


def test_a_difference_names_its_place() -> None:
    old = PipelineSpec("p", "q", {GUEST: "bank"}, {"fit": TaskSpec("boost", {"trees": 1}), "gone": TaskSpec("x")})  # type: ignore[dict-item]
    task = TaskSpec("boost", {"trees": 2}, inputs={"a/b": "split.train"})
    new = PipelineSpec("p", "q", {GUEST: "bank", host(1): "shop"}, {"fit": task})  # type: ignore[dict-item]
    assert [(change.kind, change.place, change.after) for change in compare(old, new)] == [
        ("party", "/parties/host-1", "shop"),
        ("task.setting", "/tasks/fit/settings/trees", 2),
        ("task.edge", "/tasks/fit/inputs/a~1b", "split.train"),
        ("task.removed", "/tasks/gone", None),
    ]
