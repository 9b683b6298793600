"""The parts of the node that routes call, by type: `Annotated[Database, part(Database)]`."""

from collections.abc import Iterable
from typing import Any, TypeVar

from fastapi import Depends, FastAPI, Request

T = TypeVar("T")


def install(app: FastAPI, parts: Iterable[object]) -> None:
    """Let the routes of `app` find these parts."""
    app.state.parts = {type(part): part for part in parts}


def part(kind: type[T]) -> Any:
    """Return the dependency that is this app's part of a type."""

    async def find(request: Request) -> T:
        found: T = request.app.state.parts[kind]
        return found

    return Depends(find)
