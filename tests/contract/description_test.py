"""The description of the interface is true: what it generates, valid or not, is answered as it says (schemathesis)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis.openapi
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.config import SchemathesisConfig
from schemathesis.core.failures import FailureGroup
from schemathesis.generation.case import Case
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from tests.access.asking import HOUSE, Operation, operations
from tests.access.premises import Premises
from tests.access.world import Shelf, furnish

from hanse.api.console.app import build_api

DESCRIPTION = build_api().openapi()
OPERATIONS = {one.name: one for one in operations(DESCRIPTION)}
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
    allow_header_conformance,
]
CONFIG = SchemathesisConfig.from_dict({"generation": {"with-security-parameters": False}})
STREAMS = frozenset({"stream_events", "stream_job_events"})
"""Answers without an end; tests/control/streams_test.py reads them."""
TIMEOUT_S = 20.0
UNREADABLE = b"Invalid HTTP request received."
"""What the server itself says, before any route, of a request line above its 64 KiB."""


def ask(premises: Premises, words: dict[str, str], name: str, mode: GenerationMode, examples: int) -> Iterator[str]:
    """Send generated requests of one operation; yield what is wrong with an answer, the smallest request that shows it.

    With valid parameters, half of the requests are about things that are there.
    """
    schema = schemathesis.openapi.from_dict(DESCRIPTION, config=CONFIG)
    operation = schema.find_operation_by_id(name)
    there = _there(OPERATIONS[name], words)

    @settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(operation.as_strategy(generation_mode=mode))
    def send(case: Case) -> None:
        for parameters in [case.path_parameters] + ([there] if mode is GenerationMode.POSITIVE and there else []):
            case.path_parameters = parameters
            if "wait_s" in (case.query or {}):
                del case.query["wait_s"]  # nobody waits here
            answer = case.call(base_url=premises.node.rest, headers=headers, timeout=TIMEOUT_S)
            if answer.content != UNREADABLE:
                case.validate_response(answer, checks=CHECKS)

    headers = {"Authorization": f"Bearer {premises.token}"}
    try:
        send()
    except Unsatisfiable:
        return  # nothing that is sent could be wrong
    except (FailureGroup, AssertionError) as failure:
        yield f"{name}: {failure}"


def _there(operation: Operation, words: dict[str, str]) -> dict[str, Any]:
    """Return path parameters of an operation under which there is something."""
    named = [part[1:-1] for part in operation.path.split("/") if part.startswith("{")]
    meant = [part[1:-1] for part in operation.template.split("\n")[0].split("/") if part.startswith("{")]
    return {name: words[word] for name, word in zip(named, meant, strict=True)}


async def search(premises: Premises, mode: GenerationMode, examples: int, names: list[str]) -> list[str]:
    found = furnish(premises.node, premises.directory, "")
    words = {**HOUSE, **found["own"]}
    shelf = Shelf(premises.node.database)
    wrong: list[str] = []
    for name in names:
        wrong += await asyncio.to_thread(lambda name=name: list(ask(premises, words, name, mode, examples)))  # type: ignore[misc]
        await asyncio.to_thread(shelf.put_back)
    return wrong


NAMES = sorted(set(OPERATIONS) - STREAMS)


@pytest.mark.timeout(600)
async def test_a_valid_request_of_every_operation_is_answered_as_described(premises: Premises) -> None:
    wrong = await search(premises, GenerationMode.POSITIVE, 1, NAMES)
    assert not wrong, "\n".join(wrong)


@pytest.mark.deep
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("mode", list(GenerationMode))
async def test_many_requests_of_every_operation_are_answered_as_described(
    premises: Premises, mode: GenerationMode
) -> None:
    wrong = await search(premises, mode, 8, NAMES)
    assert not wrong, "\n".join(wrong)
