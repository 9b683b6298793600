"""What an administrator does with members and projects from the command line, over real nodes."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from typer.testing import CliRunner

from hanse.cli.app import app
from hanse.core.faults import HanseError


async def run(house: Any, *words: str) -> Any:
    """Return what a command prints with --json."""
    called = await asyncio.to_thread(CliRunner().invoke, app, [*words, "--directory", str(house.directory), "--json"])
    if called.exception is not None:
        raise called.exception
    return json.loads(called.stdout.splitlines()[-1])  # after the log of the nodes in this process


async def code_of(house: Any, *words: str) -> str:
    try:
        await run(house, *words)
    except HanseError as error:
        return error.fault.code
    raise AssertionError(f"{words} went well")


async def test_invitations_are_listed_without_their_codes_and_withdrawn(open_house: Any) -> None:
    bank = await open_house("bank")
    code = (await run(bank, "invite"))["code"]
    (listed,) = await run(bank, "member", "invitations")
    assert listed["state"] == "open"
    assert code not in json.dumps(listed)
    assert (await run(bank, "member", "withdraw", listed["id"]))["state"] == "withdrawn"
    assert await code_of(bank, "member", "withdraw", "0" * 16) == "invitation.unknown"


async def test_a_member_is_shown_and_revoked_only_when_that_is_said(open_house: Any) -> None:
    bank, operator = await open_house("bank"), await open_house("operator", region="north", contact="Ada")
    await bank.pair(operator)
    shown = await run(bank, "member", "show", "operator")
    assert (shown["organisation_id"], shown["state"]) == (operator.id, "active")
    assert await code_of(bank, "member", "revoke", "operator") == "member.kept"
    assert await bank.state_of(operator) == "active"
    revoked = await run(bank, "member", "revoke", "operator", "--reason", "the contract has ended", "--yes")
    assert revoked["state"] == "revoked"
    assert [line["reason"] for line in await bank.ask("GET", "/revocations")] == ["the contract has ended"]


async def test_a_project_takes_members_in_and_lets_them_go(open_house: Any, until: Any) -> None:
    bank, operator, retailer = await open_house("bank"), await open_house("operator"), await open_house("retailer")
    await bank.pair(operator)
    await bank.pair(retailer)
    await run(bank, "project", "create", "credit", "--member", "operator")
    await run(operator, "project", "accept", "credit")
    added = await run(bank, "project", "add", "credit", "retailer")
    assert {m["organisation"] for m in added["members"]} == {"bank", "operator", "retailer"}

    async def states() -> dict[str, str]:
        (project,) = await run(bank, "project", "list")
        return {m["organisation"]: m["state"] for m in project["members"]}

    await run(retailer, "project", "accept", "credit")
    await until(states, {"bank": "accepted", "operator": "accepted", "retailer": "accepted"})
    removed = await run(bank, "project", "remove", "credit", "retailer")
    assert {m["organisation"] for m in removed["members"]} == {"bank", "operator"}
    await run(operator, "project", "leave", "credit")
    await until(states, {"bank": "accepted"})


async def test_figures_are_found_priced_told_and_taken_back(open_house: Any, tmp_path: Any) -> None:
    bank, operator = await open_house("bank"), await open_house("operator")
    await bank.pair(operator)
    project = await bank.ask("POST", "/projects", {"name": "credit", "members": ["operator"]})
    await operator.ask("POST", f"/projects/{project['id']}/accept")
    path = tmp_path / "people.csv"
    for version in (1, 2):
        path.write_text("id,age\n" + "".join(f"p{n},{20 + n % 40 + 30 * version}\n" for n in range(200)))
        await run(bank, "dataset", "register", "people", str(path), "--id", "id")
    figures = ("dataset", "profile")
    assert await code_of(bank, *figures, "show", "people") == "profile.none"
    assert (await run(bank, *figures, "run", "people"))["figures"]["rows"] == 200
    assert "age" in await text_of(bank, *figures, "show", "people")
    drift = await run(bank, *figures, "compare", "people", "1", "2")
    assert [one["verdict"] for one in drift["drift"]["columns"]] == ["drifted"]
    assert "drifted" in await text_of(bank, *figures, "compare", "people", "1", "2")
    assert len(await run(bank, *figures, "list", "people")) == 2
    await bank.ask("POST", "/cards", {"project": project["id"], "dataset": "people"})
    chosen = ("rows@0.5", "quantiles:age=50,80,110,140", "histogram:age=50,80,110,140@0.3")
    price = await run(bank, *figures, "price", "people", *chosen, "--epsilon", "0.4")
    assert (price["epsilon"], price["budget"]["left"]) == (0.8, 2.0)
    share = (*figures, "share", "people", *chosen, "--project", "credit", "--yes")
    told = await run(bank, *share, "--epsilon", "0.4")
    again = await run(bank, *share, "--epsilon", "0.7")
    assert again["figures"] == told["figures"], "what is known keeps its epsilon and its noise"
    (seen,) = await run(operator, *figures, "partners", "--project", "credit")
    assert seen["figures"] == told["figures"]
    text = await text_of(operator, *figures, "partners", "--project", "credit")
    assert "bank/people" in text
    assert "50–80" in text
    assert len(await run(bank, *figures, "shares", "people")) == 1
    assert (await run(bank, *figures, "budget", "people"))["spent"] == 0.8
    assert (await run(bank, *figures, "budget", "people", "--most", "1"))["left"] == 0.2
    beyond = (*figures, "share", "people", "distinct:age@0.3", "--project", "credit", "--yes")
    assert await code_of(bank, *beyond) == "profile.budget"
    await run(bank, *figures, "withdraw", "people", "--project", "credit")
    while await run(operator, *figures, "partners", "--project", "credit"):
        pass


async def text_of(house: Any, *words: str) -> str:
    """Return what a command shows to people."""
    called = await asyncio.to_thread(CliRunner().invoke, app, [*words, "--directory", str(house.directory)])
    if called.exception is not None:
        raise called.exception
    return called.stdout
