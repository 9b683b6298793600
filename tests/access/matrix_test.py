"""Every operation, asked by everybody, about their own things, others' and none: the answers are those of the table."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from tests.access.asking import HOUSE, LISTS, Operation, missing, operations
from tests.access.knocking import Answered, knock
from tests.access.premises import Premises
from tests.access.table import CALLERS, HEAD, PEOPLE, Row, read_table
from tests.access.world import KEY_SCOPES, Badge, Shelf, badges, furnish
from tests.databases import open_new

from hanse.api.console.app import ROUTERS, build_api
from hanse.api.console.security import PUBLIC
from hanse.control.access.permissions import GROUPS, Permission
from hanse.control.users import groups
from hanse.control.users.tables import User

OPERATIONS = operations(build_api().openapi())
TABLE = read_table()

EXCEPTIONS = {
    "approve_approval": "the approver sees the approval by another permission, and nobody decides what they asked for",
    "reject_approval": "as above",
    "delegate_approvals": "who may decide hands it on, for one approval, not for one's own",
    "withdraw_approval": "only who asked for it may take it back",
    "end_delegation": "a delegation is its giver's alone",
    "rotate_key": "a secret is told to the key's own user alone",
    "withdraw_application": "the application has to be seen, too: grants.read",
    "set_job_priority": "jobs.read to see it; jobs.run or node.operate to change it",
    "begin_sign_in": "the provider of this test lies at an address that may not be called",
    "check_provider": "as above",
    "test_source": "as above, of a source",
    "list_source_tables": "as above, of a source",
    "check_link": "the name that it is tried with is no member's",
    "make_setup_link": "there is an administrator already",
    "list_delegations": "a delegation is its giver's alone",
    "change_policy": "a kind that there is not is a wrong request",
    "list_sessions": "one's own unless asked for everybody's",
    "register_dataset": "a name that is not there yet is a new dataset's",
    "create_key": "a key belongs to a user",
}
"""Where the permission alone does not say what the answer is, and why."""


def permissions() -> dict[str, str]:
    """Return by operation the permission that its route says it needs, `signed in` or `public`."""
    routes = [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]
    said = {(verb, f"/v1{route.path}"): _needed(route.dependant) for route in routes for verb in route.methods or ()}
    said |= dict.fromkeys(PUBLIC, "public")
    return {one.name: said[one.verb, one.path] for one in OPERATIONS}


def _needed(dependant: Dependant) -> str:
    own = getattr(dependant.call, "permission", None)
    return str(own or next(filter(None, map(_needed, dependant.dependencies)), ""))


def test_every_operation_has_its_rows_in_the_table() -> None:
    wanted = [(one.name, kind) for one in OPERATIONS for kind in one.objects()]
    assert [(row.operation, row.object) for row in TABLE] == wanted


def test_every_route_needs_the_permission_that_its_rows_are_about() -> None:
    assert {row.operation: row.permission for row in TABLE} == permissions()


@pytest.mark.parametrize("group", PEOPLE)
def test_the_table_says_what_the_groups_permit(group: str) -> None:
    """Derived from the groups alone: without the permission 403 whatever the object; `own` sees no other's."""
    given = GROUPS["modeller" if group == "api user" else group]
    if group == "api user":
        given = {permission: scope for permission, scope in given.items() if permission in KEY_SCOPES}
    by_operation: dict[str, dict[str, str]] = defaultdict(dict)
    for row in TABLE:
        if row.permission not in ("signed in", "public"):
            by_operation[row.operation][row.object] = row.cells[group]
    needed = {row.operation: row.permission for row in TABLE}
    wrong = {
        operation: cells
        for operation, cells in by_operation.items()
        if operation not in EXCEPTIONS and not _follows(given.get(Permission(needed[operation])), cells)
    }
    assert wrong == {}


def _follows(scope: str | None, cells: Mapping[str, str]) -> bool:
    """Say whether the answers about own, other and missing objects are those of a permission that reaches so far."""
    if scope is None:
        return set(cells.values()) == {"403"}
    refused = {"401", "403", "404", "hidden"}
    reached = {
        cell for kind, cell in cells.items() if kind in ("own", "any", "-") or (kind == "other" and scope == "all")
    }
    kept = {cell for kind, cell in cells.items() if kind == "missing" or (kind == "other" and scope == "own")}
    return not reached & refused and kept <= {"404", "hidden"}


def test_a_stranger_gets_nothing_but_the_public_doors() -> None:
    wrong = [
        row
        for row in TABLE
        for caller in ("anonymous", "another organisation")
        if row.permission != "public" and row.cells[caller] != "401"
    ]
    assert wrong == []


@pytest.mark.timeout(300)
async def test_every_cell_of_the_table_is_what_the_node_answers(premises: Premises, tmp_path: Path) -> None:
    known = badges(premises.node.database, premises.directory) | {"anonymous": Badge({})}
    foreign = [badge for badge in _strangers(tmp_path / "elsewhere").values() if badge.headers]
    bare = Shelf(premises.node.database)
    answers: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    for caller, badge in known.items():
        bare.put_back()
        found = furnish(premises.node, premises.directory, badge.person)
        shelf = Shelf(premises.node.database)
        for operation in OPERATIONS:
            for kind in operation.objects():
                answer = await _ask(premises, operation, kind, badge, found)
                if operation.verb != "GET" and answer.status < 300:
                    shelf.put_back()
                answers[operation.name, kind][caller] = _cell(operation, kind, answer, found)
        if caller == "anonymous":
            for operation in OPERATIONS:
                for kind in operation.objects():
                    got = {(await _ask(premises, operation, kind, badge, found)).status for badge in foreign}
                    answers[operation.name, kind]["another organisation"] = "/".join(map(str, sorted(got)))
    needed = permissions()
    seen = [Row(name, needed[name], kind, cells).line() for (name, kind), cells in answers.items()]
    (tmp_path / "seen.csv").write_text("\n".join([HEAD, *seen, ""]))
    assert seen == [row.line() for row in TABLE], f"what was answered lies in {tmp_path / 'seen.csv'}"


async def _ask(
    premises: Premises, operation: Operation, kind: str, badge: Badge, found: Mapping[str, Mapping[str, str]]
) -> Answered:
    words = {**HOUSE, **found["other" if kind == "other" else "own"], "somebody": found["other"]["person"]}
    if kind == "missing":
        words |= missing(words)
    path, query, body = operation.fill(words)
    return await knock(premises.node.app, operation.verb, path, query=query, headers=badge.headers, body=body)


def _cell(operation: Operation, kind: str, answer: Answered, found: Mapping[str, Mapping[str, str]]) -> str:
    if operation.name not in LISTS or answer.status != 200:
        return str(answer.status)
    return "listed" if json.dumps(found[kind][LISTS[operation.name]]) in answer.body.decode() else "hidden"


def _strangers(directory: Path) -> dict[str, Badge]:
    """Return the people of another organisation's node, whose sessions and keys mean nothing here."""
    directory.mkdir()
    database = open_new(directory)
    with database.write() as session:
        groups.plant(session)
    found = badges(database, directory)
    database.close()
    return found


async def test_nobody_shares_with_a_project_of_theirs_what_belongs_to_somebody_else(premises: Premises) -> None:
    owner = badges(premises.node.database, premises.directory)["data owner"]
    found = furnish(premises.node, premises.directory, owner.person)
    for name in ("give_grant", "publish_card"):
        operation = next(one for one in OPERATIONS if one.name == name)
        body = operation.fill({**found["other"], "project": found["own"]["project"]}).body
        answer = await knock(premises.node.app, "POST", operation.path, headers=owner.headers, body=body)
        assert (answer.status, json.loads(answer.body)["error"]["code"]) == (404, "dataset.unknown")


async def test_nothing_is_changed_by_a_cookie_alone(premises: Premises) -> None:
    """What a browser sends by itself is no proof that its user meant it (ASVS 5.0, 3.5.1)."""
    cookie = {"cookie": badges(premises.node.database, premises.directory)["administrator"].headers["cookie"]}
    changing = [one for one in OPERATIONS if one.verb != "GET" and (one.verb, one.path) not in PUBLIC]
    got = {one.name: await _code(premises, one, cookie) for one in changing}
    assert set(got.values()) == {(403, "request.forged")}


async def test_who_has_to_choose_a_password_gets_nothing_else(premises: Premises) -> None:
    badge = badges(premises.node.database, premises.directory)["administrator"]
    with premises.node.database.write() as session:
        session.get_one(User, badge.person).must_change = True
    permitted = {row.operation for row in TABLE if row.permission not in ("signed in", "public")}
    got = {one.name: await _code(premises, one, badge.headers) for one in OPERATIONS if one.name in permitted}
    assert set(got.values()) == {(403, "password.change_needed")}


async def test_the_token_of_the_file_is_worth_nothing_from_another_machine(premises: Premises) -> None:
    bearer = {"authorization": f"Bearer {premises.token}"}
    asked = [one for one in OPERATIONS if (one.verb, one.path) not in PUBLIC]
    assert {await _code(premises, one, bearer, "192.0.2.7") for one in asked} == {(401, "request.token")}


async def _code(
    premises: Premises, operation: Operation, headers: Mapping[str, str], peer: str = "127.0.0.1"
) -> tuple[int, str]:
    answer = await knock(premises.node.app, operation.verb, operation.path, headers=headers, peer=peer)
    return answer.status, json.loads(answer.body)["error"]["code"]


def test_the_table_has_a_column_for_every_group_that_a_node_begins_with() -> None:
    assert set(GROUPS) < set(CALLERS)


def test_no_query_asks_for_a_secret() -> None:
    """What stands in an address stands in histories and logs (ASVS 5.0, 14.2.1); a sign-in's code works once."""
    named = {
        parameter["name"]
        for path in build_api().openapi()["paths"].values()
        for operation in path.values()
        for parameter in operation.get("parameters", ())
        if operation["operationId"] != "end_sign_in"
    }
    assert named & {"password", "token", "secret", "key", "code", "totp"} == set()
