"""What members may do together, and what suspension stops."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def write_people(path: Path) -> Path:
    rows = "\n".join(f"id{i},{20 + i % 50},{i * 1.5},{i % 2}" for i in range(60))
    path.write_text(f"phone,age,income,bad\n{rows}\n", "utf-8")
    return path


async def register(house: Any, path: Path, name: str = "people") -> Any:
    body = {"name": name, "path": str(path), "id_column": "phone", "label_column": "bad"}
    return await house.ask("POST", "/datasets", body)


async def is_connected(house: Any) -> bool:
    return any(member["connected"] for member in await house.ask("GET", "/members"))


async def test_a_project_is_offered_accepted_and_seen_by_both(open_house: Any, until: Any) -> None:
    bank, operator = await open_house("bank"), await open_house("operator")
    early = await bank.fail("POST", "/projects", {"name": "credit", "members": ["operator"]})
    assert early["code"] == "member.unknown"
    await bank.pair(operator)
    project = await bank.ask("POST", "/projects", {"name": "credit", "members": ["operator"]})
    (offered,) = await operator.ask("GET", "/projects")
    assert (offered["id"], offered["owner"]) == (project["id"], "bank")
    assert {m["organisation"]: m["state"] for m in offered["members"]} == {"bank": "accepted", "operator": "invited"}
    await operator.ask("POST", f"/projects/{project['id']}/accept")

    async def states() -> set[str]:
        (seen,) = await bank.ask("GET", "/projects")
        return {m["state"] for m in seen["members"]}

    await until(states, {"accepted"})
    assert (await bank.fail("POST", "/projects", {"name": "credit", "members": []}))["code"] == "project.name_taken"
    assert (await operator.fail("GET", "/projects/nothing/datasets"))["code"] == "project.unknown"


async def test_grants_show_partners_names_and_numbers_until_they_are_revoked(
    open_house: Any, until: Any, tmp_path: Path
) -> None:
    bank, operator = await open_house("bank"), await open_house("operator")
    await bank.pair(operator)
    project = await bank.ask("POST", "/projects", {"name": "credit", "members": ["operator"]})
    dataset = await register(operator, write_people(tmp_path / "people.csv"))
    assert (dataset["rows"], dataset["version"]) == (60, 1)
    grant = {"dataset": "people", "project": "credit", "columns": ["age"], "until": "2099-12-31"}
    assert (await operator.fail("POST", "/grants", grant))["code"] == "project.not_member"
    await operator.ask("POST", f"/projects/{project['id']}/accept")
    assert (await operator.fail("POST", "/grants", {**grant, "columns": ["salary"]}))["code"] == "grant.columns"
    given = await operator.ask("POST", "/grants", grant)
    assert (await operator.fail("POST", "/grants", grant))["code"] == "grant.exists"

    async def offered() -> list[str]:
        return [d["organisation"] for d in await bank.ask("GET", f"/projects/{project['id']}/datasets")]

    await until(offered, ["operator"])
    (offer,) = await bank.ask("GET", f"/projects/{project['id']}/datasets")
    assert [c["name"] for c in offer["schema"]["columns"]] == ["phone", "age", "bad"]
    assert (offer["rows"], offer["until"]) == (60, "2099-12-31T23:59:59.999Z")

    assert (await operator.ask("DELETE", f"/grants/{given['id']}"))["revoked_at"]
    await until(offered, [])
    assert [actor for actor, _ in bank.audited("grant.revoked")] == [operator.id]


async def test_what_was_granted_before_reaches_who_joins_later(open_house: Any, until: Any, tmp_path: Path) -> None:
    bank, operator = await open_house("bank"), await open_house("operator")
    await bank.pair(operator)
    project = await bank.ask("POST", "/projects", {"name": "credit", "members": ["operator"]})
    await register(bank, write_people(tmp_path / "people.csv"))
    await bank.ask("POST", "/grants", {"dataset": "people", "project": "credit"})
    path = f"/projects/{project['id']}/datasets"
    assert await operator.ask("GET", path) == []
    await operator.ask("POST", f"/projects/{project['id']}/accept")

    async def owners() -> list[str]:
        return [d["organisation"] for d in await operator.ask("GET", path)]

    await until(owners, ["bank"])


async def test_a_suspended_member_is_cut_off_and_may_be_resumed(open_house: Any, until: Any) -> None:
    bank, operator = await open_house("bank"), await open_house("operator")
    await bank.pair(operator)
    await until(lambda: is_connected(operator), True)
    await bank.ask("POST", f"/members/{operator.id}/suspend")
    await until(lambda: is_connected(operator), False)
    assert await bank.state_of(operator) == "suspended"
    project = await operator.ask("POST", "/projects", {"name": "credit", "members": ["bank"]})
    assert await bank.ask("GET", "/projects") == []  # it was sent, and nobody listened

    await bank.ask("POST", f"/members/{operator.id}/resume")

    async def offered() -> list[str]:
        return [p["id"] for p in await bank.ask("GET", "/projects")]

    await until(offered, [project["id"]])
    assert len(bank.audited("member.suspend")) == len(bank.audited("member.resume")) == 1


async def test_bad_data_is_refused_in_words_and_leaves_nothing_behind(open_house: Any, tmp_path: Path) -> None:
    bank = await open_house("bank")
    empty = tmp_path / "empty.csv"
    empty.write_text("phone,age\n", "utf-8")
    body = {"name": "people", "path": str(empty), "id_column": "phone"}
    refusal = await bank.fail("POST", "/datasets", body)
    assert (refusal["code"], refusal["status"]) == ("dataset.empty", 422)
    assert (await bank.fail("POST", "/datasets", {**body, "path": "people.csv"}))["code"] == "dataset.path"
    assert (await bank.fail("POST", "/datasets", {**body, "path": str(tmp_path)}))["code"] == "dataset.path"
    assert (await bank.fail("POST", "/datasets", {**body, "name": "a/b"}))["code"] == "request.invalid"
    assert await bank.ask("GET", "/datasets") == []
    assert list((bank.directory / "data").iterdir()) == []


async def test_the_same_file_again_is_the_same_version_and_other_rows_the_next(open_house: Any, tmp_path: Path) -> None:
    bank = await open_house("bank")
    path = write_people(tmp_path / "people.csv")
    first, again = await register(bank, path), await register(bank, path)
    assert again == first
    with path.open("a", encoding="utf-8") as file:
        file.write("id99,33,1.5,1\n")
    second = await register(bank, path)
    assert (second["id"], second["version"], second["rows"]) == (first["id"], 2, 61)
    assert len(list((bank.directory / "data").iterdir())) == 2
    path.write_text("phone,age,bad\na,1,0\nb,2,1\n", "utf-8")
    body = {"name": "people", "path": str(path), "id_column": "phone", "label_column": "bad"}
    differs = await bank.fail("POST", "/datasets", body)
    assert differs["code"] == "dataset.differs"
    assert "income" in differs["cause"]
    assert len(list((bank.directory / "data").iterdir())) == 2
