"""Who is in a project changes while it runs: who comes is agreed to by each member, who goes is gone at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.federation.membership_test import register, write_people


async def found(owner: Any, member: Any) -> str:
    """Return the id of a project of two that both have agreed to."""
    await owner.pair(member)
    name = member.node.identity.name
    project: str = (await owner.ask("POST", "/projects", {"name": "credit", "members": [name]}))["id"]
    await member.ask("POST", f"/projects/{project}/accept")
    return project


async def states(house: Any, project: str) -> dict[str, tuple[str, int, int]]:
    places = (await house.ask("GET", f"/projects/{project}"))["members"]
    return {place["organisation"]: (place["state"], place["since"], place["agreed"]) for place in places}


@pytest.mark.timeout(60)
async def test_a_newcomer_sees_what_a_member_grants_once_that_member_agrees(
    open_house: Any, until: Any, tmp_path: Path
) -> None:
    bank, operator, shop = [await open_house(name) for name in ("bank", "operator", "shop")]
    project = await found(bank, operator)
    await bank.pair(shop)
    await operator.pair(shop)
    await register(operator, write_people(tmp_path / "people.csv"))
    await operator.ask("POST", "/grants", {"dataset": "people", "project": project})

    refused = await operator.fail("POST", f"/projects/{project}/members", {"members": ["shop"]})
    assert (refused["code"], refused["status"]) == ("project.owner", 409)
    grown = await bank.ask("POST", f"/projects/{project}/members", {"members": ["shop"]})
    assert grown["version"] == 2
    assert (await bank.ask("POST", f"/projects/{project}/members", {"members": ["shop"]}))["version"] == 2

    await until(lambda: _is_known(shop, project), True)
    await shop.ask("POST", f"/projects/{project}/accept")
    wanted = {"bank": ("accepted", 1, 2), "operator": ("accepted", 1, 1), "shop": ("accepted", 2, 2)}
    await until(lambda: states(operator, project), wanted)
    assert await shop.ask("GET", f"/projects/{project}/datasets") == []  # all have joined; one has not agreed to it

    await operator.ask("POST", f"/projects/{project}/accept")

    async def offered() -> list[str]:
        return [d["organisation"] for d in await shop.ask("GET", f"/projects/{project}/datasets")]

    await until(offered, ["operator"])
    await until(lambda: states(bank, project), wanted | {"operator": ("accepted", 1, 2)})
    assert len(bank.audited("project.add")) == len(operator.audited("project.changed")) == 1


@pytest.mark.timeout(60)
async def test_who_leaves_or_is_taken_out_is_gone_at_all_members(open_house: Any, until: Any, tmp_path: Path) -> None:
    bank, operator = await open_house("bank"), await open_house("operator")
    project = await found(bank, operator)
    await register(bank, write_people(tmp_path / "people.csv"))
    grant = {"dataset": "people", "project": project}
    await bank.ask("POST", "/grants", grant)
    assert (await bank.fail("POST", f"/projects/{project}/leave"))["code"] == "project.owner"

    async def offered() -> int:
        return len(await operator.ask("GET", f"/projects/{project}/datasets"))

    await until(offered, 1)
    await operator.ask("POST", f"/projects/{project}/leave")
    assert await offered() == 0
    assert (await operator.fail("POST", f"/projects/{project}/accept"))["code"] == "project.left"
    await until(lambda: _names(bank, project), ["bank"])

    await bank.ask("POST", f"/projects/{project}/members", {"members": ["operator"]})
    await until(lambda: _own_state(operator, project), "invited")
    await operator.ask("POST", f"/projects/{project}/accept")
    await until(offered, 1)
    await bank.ask("DELETE", f"/projects/{project}/members/operator")
    await until(lambda: _own_state(operator, project), "left")
    assert await offered() == 0
    assert [actor for actor, _ in operator.audited("project.removed")] == [bank.id]


async def _is_known(house: Any, project: str) -> bool:
    return project in [found["id"] for found in await house.ask("GET", "/projects")]


async def _names(house: Any, project: str) -> list[str]:
    return sorted(await states(house, project))


async def _own_state(house: Any, project: str) -> str:
    return (await states(house, project))[house.node.identity.name][0]
