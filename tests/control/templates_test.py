"""The templates of the product are sound for every party when filled; over the interface all are kept and filled."""

from __future__ import annotations

import json
from typing import Any

import jsonschema_rs
import msgspec
import pytest
from tests.control.house import House, code_of

from hanse.control.projects.tables import Project
from hanse.control.templates.builtin import BUILT_IN
from hanse.core.ids import OrganisationId, ProjectId
from hanse.core.planning import CheckPipeline
from hanse.core.roles import GUEST, host
from hanse.core.schema import Column, Schema
from hanse.core.templates import fill
from hanse.core.times import now
from hanse.runtime import catalogue
from hanse.runtime.format import write_format
from hanse.runtime.pipelines import check

LOANS = Schema((Column("id", "text", "id"), Column("bad", "integer", "label"), Column("income", "real")))
LINES = Schema((Column("id", "text", "id"), Column("calls", "real"), Column("nights", "integer")))
SCHEMAS = {GUEST: {"loans": LOANS}, host(1): {"lines": LINES}}
MODEL = "model-5f2c9a7d01b4e6c8-boost"
VALUES = {"project": "risk", "guest": "bank", "host": "telecom", "guest_data": "loans", "host_data": "lines"}
MORE = {"boosting": {"host_columns": "calls", "trees": "3"}, "scoring": {"model": MODEL}}


@pytest.mark.parametrize("party", SCHEMAS)
@pytest.mark.parametrize("name", BUILT_IN)
def test_a_filled_template_of_the_product_is_sound_at_every_party(name: str, party: str) -> None:
    spec = fill(BUILT_IN[name], {**VALUES, **MORE.get(name, {})})
    models = {MODEL: "hetero_boost"}
    found = check(CheckPipeline(spec, party, SCHEMAS[party], models=models), catalogue.load_all())  # type: ignore[index,arg-type]
    assert found.problems == ()
    jsonschema_rs.validate(json.loads(write_format()), msgspec.to_builtins(spec))
    assert {task.name for task in found.tasks} == set(spec.tasks)


def own(name: str = "ours") -> dict[str, Any]:
    """Return a template as its author writes it."""
    blanks = [
        {"name": "guest", "kind": "organisation", "title": {"en": "who asks", "zh": "发起方"}},
        {"name": "minimum", "kind": "integer", "title": {"en": "fewest"}, "default": 100, "at_least": 1},
    ]
    settings = {"minimum": {"blank": "minimum"}}
    pipeline = {"name": "match", "project": "risk", "parties": {"guest": {"blank": "guest"}, "host-1": "telecom"}}
    tasks = {"align": {"component": "psi", "settings": settings, "inputs": {"table": "data.table"}}}
    return {"name": name, "title": {"en": "Ours"}, "blanks": blanks, "pipeline": {**pipeline, "tasks": tasks}}


async def test_a_template_is_kept_filled_and_removed_over_the_interface(house: House) -> None:
    with house.gate.database.write() as session:
        session.add(Project(id=ProjectId("project-1"), name="risk", owner=OrganisationId("0" * 32), created_at=now()))
    async with house.local() as local:
        made = await local.post("/v1/templates", json={"project": "risk", "template": own()})
        assert made.status_code == 201, made.text
        again = await local.post("/v1/templates", json={"project": "risk", "template": own()})
        assert code_of(again) == (409, "template.name_taken")
        listed = (await local.get("/v1/templates")).json()["templates"]
        assert [(one["name"], one["built_in"]) for one in listed][-1] == ("ours", False)
        shown = (await local.get("/v1/templates/ours")).json()
        assert [blank["name"] for blank in shown["blanks"]] == ["guest", "minimum"]
        filled = await local.post("/v1/templates/ours/fill", json={"values": {"guest": "bank", "minimum": "7"}})
        spec = filled.json()["pipeline"]
        assert (spec["parties"]["guest"], spec["tasks"]["align"]["settings"]) == ("bank", {"minimum": 7})
        assert (await local.delete(f"/v1/templates/{made.json()['id']}")).status_code == 204
        assert code_of(await local.get("/v1/templates/ours")) == (404, "template.unknown")
    assert [len(house.lines(f"template.{verb}")) for verb in ("add", "remove")] == [1, 1]


async def test_the_interface_names_every_blank_that_is_wrong_in_one_answer(house: House) -> None:
    async with house.local() as local:
        values = {"guest": "bank", "trees": 0, "test_ratio": "much"}
        answer = await local.post("/v1/templates/boosting/fill", json={"values": values})
        assert code_of(answer) == (422, "template.values")
        cause = answer.json()["error"]["cause"]
        problems = (await local.post("/v1/templates/boosting/check", json={"values": values})).json()
        assert "; ".join(f"{one['blank']}: {one['message']['en']}" for one in problems) == cause
        assert {one["blank"]: one["message"]["zh"] for one in problems}["trees"] == "0 小于 1"
        wrong = ["project", "host", "guest_data", "host_data", "test_ratio", "trees"]
        assert [part.split(":")[0] for part in cause.split("; ")] == wrong


async def test_a_template_that_cannot_work_is_refused_over_the_interface(house: House) -> None:
    with house.gate.database.write() as session:
        session.add(Project(id=ProjectId("project-1"), name="risk", owner=OrganisationId("0" * 32), created_at=now()))
    async with house.local() as local:
        changes: list[dict[str, Any]] = [{"blanks": []}, {"title": {}}, {"pipeline": {"tasks": 1}}, {"name": ""}]
        for change in changes:
            body = {"project": "risk", "template": {**own(), **change}}
            assert code_of(await local.post("/v1/templates", json=body)) == (422, "template.invalid")
        assert code_of(await local.delete("/v1/templates/matching")) == (409, "template.built_in")
