"""Profiles over real nodes: the owner sees all, partners what was chosen and nothing else."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import inspect

from hanse.control.database import Database
from hanse.core.federation_messages import FiguresShared

CITIES = ("Bremen", "Hamburg", "Lübeck")


def rows_of(count: int, shift: int = 0) -> str:
    lines = (
        f"1380013{number:04},{number % 2},{20 + (number * 7 + shift) % 60},{CITIES[number % 3]},secret-{number}"
        for number in range(count)
    )
    return "phone,y,age,city,name\n" + "\n".join(lines) + "\n"


async def register(house: Any, folder: Path, text: str) -> dict[str, Any]:
    path = folder / "people.csv"
    path.write_text(text)
    body = {"name": "people", "path": str(path), "id_column": "phone", "label_column": "y", "id_type": "phone"}
    made: dict[str, Any] = await house.ask("POST", "/datasets", body)
    return made


async def ready(house: Any, path: str) -> dict[str, Any]:
    """Return a profile or drift when its run has ended; the test's time limit is the limit."""
    while True:
        answer = await house.client.get(f"/v1{path}")
        if answer.is_success and answer.json()["state"] in ("ready", "failed"):
            found: dict[str, Any] = answer.json()
            return found
        await asyncio.sleep(0.02)


async def test_a_registered_dataset_is_measured_by_itself_and_compared_with_the_version_before(
    open_house: Any, tmp_path: Path
) -> None:
    bank = await open_house("bank", profile_datasets=True)
    await register(bank, tmp_path, rows_of(600))
    first = await ready(bank, "/datasets/people/profile")
    assert (first["state"], first["version"], first["fault"]) == ("ready", 1, None)
    figures = first["figures"]
    assert (figures["rows"], figures["ids"]["malformed"], figures["ids"]["duplicates"]) == (600, 0, 0)
    assert Counter({one["value"]: one["count"] for one in figures["balance"]}) == {"0": 300, "1": 300}
    columns = {column["name"]: column for column in figures["columns"]}
    assert columns["age"]["distinct"] == 60
    assert {one["value"]: one["count"] for one in columns["city"]["values"]} == dict.fromkeys(CITIES, 200)
    assert columns["name"]["distinct"] == 600
    await bank.ask("PATCH", "/datasets/people", {"sensitivities": {"name": "identifier"}})
    hidden = await bank.ask("GET", "/datasets/people/profile")
    assert next(column for column in hidden["figures"]["columns"] if column["name"] == "name")["values"] == []
    await register(bank, tmp_path, rows_of(600).replace("Hamburg", "Bremen"))
    drift = await ready(bank, "/datasets/people/drift?old=1&new=2")
    verdicts = {column["name"]: column["verdict"] for column in drift["drift"]["columns"]}
    assert (verdicts["age"], verdicts["city"]) == ("stable", "drifted")
    assert (await ready(bank, "/datasets/people/profile"))["version"] == 2
    listed = await bank.ask("GET", "/datasets/people/profiles")
    assert [(one["version"], one["older"]) for one in listed] == [(1, 0), (2, 0), (2, 1)]
    assert len(bank.audited("profile.measure")) == 2
    assert len(bank.audited("profile.compare")) == 1
    assert list((bank.directory / "profiles").glob("*")) == []


async def test_a_profile_is_made_when_it_is_asked_for_and_says_what_went_wrong(open_house: Any, tmp_path: Path) -> None:
    bank = await open_house("bank")
    assert (await bank.fail("POST", "/datasets/people/profile", {}))["code"] == "dataset.unknown"
    made = await register(bank, tmp_path, rows_of(50))
    assert (await bank.fail("GET", "/datasets/people/profile"))["code"] == "profile.none"
    asked = await bank.ask("POST", "/datasets/people/profile", {})
    assert asked["state"] in ("waiting", "running")
    assert (await ready(bank, "/datasets/people/profile"))["figures"]["rows"] == 50
    (snapshot,) = (bank.directory / "data").glob("snapshot-*/table.parquet")
    snapshot.write_bytes(b"PAR1 nothing PAR1")
    await bank.ask("POST", "/datasets/people/profile", {"version": 1})
    failed = await ready(bank, "/datasets/people/profile")
    assert (failed["state"], failed["fault"]["code"], failed["figures"]) == ("failed", "profile.failed", None)
    assert failed["fault"]["text"]["zh"]
    assert (await bank.fail("POST", "/datasets/people/drift", {"old": 1, "new": 2}))["code"] == "dataset.no_version"
    assert [actor for actor, _ in bank.audited("profile.ask")] == ["administrator"] * 2
    assert made["version"] == 1


AGES: dict[str, Any] = {"figure": "histogram", "column": "age", "edges": [20, 40, 60, 80], "epsilon": 0.5}
CHOSEN: list[dict[str, Any]] = [
    {"figure": "rows", "epsilon": 0.2},
    AGES,
    {"figure": "quantiles", "column": "age"},
    {"figure": "histogram", "column": "city", "values": ["Bremen", "Kiel"], "epsilon": 0.3},
    {"figure": "malformed", "column": "phone"},
]


async def offered(bank: Any, operator: Any) -> str:
    await bank.pair(operator)
    project = await bank.ask("POST", "/projects", {"name": "credit", "members": ["operator"]})
    await operator.ask("POST", f"/projects/{project['id']}/accept")
    return str(project["id"])


async def test_a_partner_sees_what_was_chosen_and_nothing_else(open_house: Any, until: Any, tmp_path: Path) -> None:
    bank, operator = await open_house("bank"), await open_house("operator")
    project = await offered(bank, operator)
    await register(bank, tmp_path, rows_of(600))
    place = "/datasets/people/profile"
    asked = {"project": project, "figures": CHOSEN}
    assert (await bank.fail("POST", f"{place}/shares", asked))["code"] == "profile.not_offered"
    await bank.ask("POST", "/cards", {"project": project, "dataset": "people"})
    price = await bank.ask("POST", f"{place}/price", {"figures": CHOSEN})
    assert (price["epsilon"], price["budget"]["spent"], price["is_covered"]) == (1.1, 0.0, True)
    assert {one["margin"] for one in price["figures"] if one["column"] == "age"} == {6}

    async def seen() -> Any:
        return await operator.ask("GET", f"/projects/{project}/profiles")

    assert await seen() == []
    shared = await bank.ask("POST", f"{place}/shares", asked)
    (told,) = await seen()
    assert told["figures"] == shared["figures"]
    assert (told["organisation"], told["dataset"], told["version"]) == (bank.id, "people", 1)
    figures = {(one["figure"], one["column"]): one for one in told["figures"]}
    assert list(figures) == [(one["figure"], one.get("column", "")) for one in CHOSEN]
    assert abs(figures["rows", ""]["counts"][0] - 600) < 100
    counts = figures["histogram", "age"]["counts"]
    assert len(counts) == 6
    assert all(abs(count - exact) < 60 for count, exact in zip(counts, (0, 200, 200, 200, 0, 0), strict=True))
    assert abs(figures["quantiles", "age"]["quantiles"][4] - 50) < 6
    (card,) = await operator.ask("GET", f"/cards?project={project}")
    assert card["profile"]["figures"] == told["figures"]
    database: Database = operator.database()
    try:
        with database.engine.connect() as connection:
            tables = inspect(connection).get_table_names()
            kept = "".join(str(connection.exec_driver_sql(f'SELECT * FROM "{name}"').all()) for name in tables)
    finally:
        database.close()
    for secret in ("secret-", "Hamburg", "Lübeck", "13800130001", "deviation"):
        assert secret not in kept

    again = await bank.ask("POST", f"{place}/shares", asked)
    assert again["figures"] == shared["figures"]
    assert (await bank.ask("GET", f"{place}/budget"))["spent"] == 1.1
    other = {"project": project, "figures": [{**AGES, "edges": [20, 30, 80]}]}
    assert (await bank.fail("POST", f"{place}/shares", other))["code"] == "profile.released"
    await bank.ask("POST", f"{place}/shares", {"project": project, "figures": CHOSEN[:1]})
    await until(lambda: shares_of(seen), [["rows"]])
    await bank.client.delete(f"/v1{place}/shares/{project}")
    await until(seen, [])
    assert (await bank.ask("GET", f"{place}/budget"))["spent"] == 1.1
    assert len(bank.audited("profile.share")) == 3
    assert len(bank.audited("profile.withdraw")) == 1
    assert [details["figures"] for _, details in operator.audited("profile.shared")] == [5, 5, 1]


async def shares_of(seen: Any) -> list[list[str]]:
    return [[one["figure"] for one in told["figures"]] for told in await seen()]


async def test_epsilon_adds_up_over_figures_and_versions_and_is_refused_beyond_the_budget(
    open_house: Any, tmp_path: Path
) -> None:
    bank, operator = await open_house("bank", privacy_budget=1.0), await open_house("operator")
    project = await offered(bank, operator)
    await register(bank, tmp_path, rows_of(60))
    await bank.ask("POST", "/grants", {"dataset": "people", "project": project})
    place = "/datasets/people/profile"

    async def share(*figures: dict[str, Any]) -> Any:
        return await bank.ask("POST", f"{place}/shares", {"project": project, "figures": list(figures)})

    await share({"figure": "rows", "epsilon": 0.4}, {"figure": "missing", "column": "age", "epsilon": 0.4})
    assert (await bank.ask("GET", f"{place}/budget")) == {"most": 1.0, "spent": 0.8, "left": 0.2}
    await register(bank, tmp_path, rows_of(61))
    body = {"project": project, "figures": [{"figure": "rows", "epsilon": 0.201}]}
    assert (await bank.fail("POST", f"{place}/shares", body))["code"] == "profile.budget"
    assert (await bank.ask("GET", f"{place}/budget"))["spent"] == 0.8
    assert len(await bank.ask("GET", f"{place}/shares")) == 1
    (told,) = await bank.ask("GET", f"{place}/shares")
    assert told["version"] == 1, "nothing of a refused release is told"
    await share({"figure": "rows", "epsilon": 0.2})
    assert (await bank.ask("GET", f"{place}/budget"))["left"] == 0
    await share({"figure": "rows"})
    await bank.ask("PUT", f"{place}/budget", {"most": 1.5})
    await share({"figure": "distinct", "column": "city", "epsilon": 0.5})
    assert (await bank.ask("GET", f"{place}/budget")) == {"most": 1.5, "spent": 1.5, "left": 0.0}
    assert [details["epsilon"] for _, details in bank.audited("profile.share")] == [0.8, 0.2, 0.0, 0.5]
    assert len(bank.audited("profile.limit")) == 1


@pytest.mark.parametrize(
    "figure",
    [
        {"figure": "rows", "column": "age"},
        {"figure": "missing"},
        {"figure": "missing", "column": "phone"},
        {"figure": "malformed", "column": "age"},
        {"figure": "histogram", "column": "phone", "values": ["13800130001"]},
        {"figure": "histogram", "column": "name", "values": ["secret-1"]},
        {"figure": "histogram", "column": "age"},
        {"figure": "histogram", "column": "age", "edges": [3]},
        {"figure": "histogram", "column": "age", "edges": [3, 2]},
        {"figure": "histogram", "column": "age", "edges": [1, 2], "values": ["1"]},
        {"figure": "histogram", "column": "city", "edges": [1, 2]},
        {"figure": "histogram", "column": "city", "values": ["a", "a"]},
        {"figure": "quantiles", "column": "city", "values": ["a", "b"]},
        {"figure": "distinct", "column": "none"},
    ],
)
async def test_figures_that_would_tell_too_much_or_nothing_are_refused(figure: dict[str, Any], shop: Any) -> None:
    assert (await shop.fail("POST", "/datasets/people/profile/price", {"figures": [figure]}))[
        "code"
    ] == "profile.figure"


@pytest.fixture
async def shop(open_house: Any, tmp_path: Path) -> Any:
    bank = await open_house("bank")
    await register(bank, tmp_path, rows_of(5))
    await bank.ask("PATCH", "/datasets/people", {"sensitivities": {"name": "identifier"}})
    return bank


def test_junk_of_a_partner_is_refused() -> None:
    good = {"figure": "rows", "epsilon": 100, "counts": [5]}
    bad: list[dict[str, Any]] = [
        {**good, "counts": []},
        {**good, "counts": [1, 2]},
        {**good, "epsilon": 0},
        {**good, "figure": "names"},
        {**good, "figure": "histogram", "edges": [2.0, 1.0], "counts": [1, 2, 3, 4]},
        {**good, "figure": "histogram", "edges": [1.0, 2.0], "counts": [1, 2, 3]},
        {**good, "figure": "quantiles", "counts": [], "quantiles": [1.0]},
        {**good, "counts": [1 << 63]},
    ]
    said = {"project": "project-0123456789abcdef", "dataset": "people", "version": 1, "figures": [good]}
    assert msgspec.convert({**said, "type": "FiguresShared"}, FiguresShared).figures[0].counts == (5,)
    for figure in bad:
        with pytest.raises(msgspec.ValidationError):
            msgspec.json.decode(json.dumps({**said, "type": "FiguresShared", "figures": [figure]}), type=FiguresShared)


async def test_who_joins_later_is_told_the_same_and_all_forget_with_the_dataset(
    open_house: Any, until: Any, tmp_path: Path
) -> None:
    bank, operator, shop = [await open_house(name) for name in ("bank", "operator", "shop")]
    project = await offered(bank, operator)
    await bank.pair(shop)
    await register(bank, tmp_path, rows_of(30))
    await bank.ask("POST", "/cards", {"project": project, "dataset": "people"})
    asked = {"project": project, "figures": [{"figure": "rows"}]}
    shared = await bank.ask("POST", "/datasets/people/profile/shares", asked)
    await bank.ask("POST", f"/projects/{project}/members", {"members": ["shop"]})
    await until(lambda: known(shop), [project])
    await shop.ask("POST", f"/projects/{project}/accept")

    async def seen_by(house: Any) -> list[Any]:
        return [told["figures"] for told in await house.ask("GET", f"/projects/{project}/profiles")]

    await until(lambda: seen_by(shop), [shared["figures"]])
    await until(lambda: seen_by(operator), [shared["figures"]])
    end = await bank.ask("GET", "/datasets/people/consequences")
    await bank.ask("DELETE", f"/datasets/people?digest={end['digest']}")
    for house in (operator, shop):
        await until(lambda house=house: seen_by(house), [])
    assert len(operator.audited("profile.withdrawn")) == 1


async def known(house: Any) -> list[str]:
    return [project["id"] for project in await house.ask("GET", "/projects")]
