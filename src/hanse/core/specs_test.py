"""A pipeline that comes from a partner is bounded before anything looks at it."""

from typing import Any

import msgspec
import pytest

from hanse.core.specs import MOST_INPUTS, MOST_PARTIES, MOST_TASKS, PipelineSpec

TASK = {"component": "psi"}


def plain(**changes: Any) -> dict[str, Any]:
    return {"name": "credit", "project": "risk", "parties": {"guest": "bank"}, "tasks": {"a": TASK}, **changes}


@pytest.mark.parametrize(
    "changes",
    [
        {"tasks": {f"t{number}": TASK for number in range(MOST_TASKS + 1)}},
        {"tasks": {"a": {**TASK, "inputs": {f"p{number}": "b.out" for number in range(MOST_INPUTS + 1)}}}},
        {"parties": {f"host-{number}": "x" for number in range(MOST_PARTIES + 1)}},
        {"name": "x" * 201},
        {"description": "x" * 4001},
    ],
    ids=["tasks", "inputs", "parties", "name", "description"],
)
def test_a_pipeline_that_is_too_large_is_refused_when_it_is_read(changes: dict[str, Any]) -> None:
    msgspec.convert(plain(), PipelineSpec)
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(plain(**changes), PipelineSpec)
