"""What a route needs: `caller: Annotated[Caller, needs(Permission.DATASETS_READ)]`."""

from typing import Any

from fastapi import Depends, Request

from hanse.control.access.callers import Caller
from hanse.control.access.permissions import Permission


def needs(permission: Permission) -> Any:
    """Return the dependency that is the request's caller, once it has this permission. Raises `access.denied`."""

    def admit(request: Request) -> Caller:
        caller: Caller = request.scope["caller"]
        caller.demand(permission)
        return caller

    admit.permission = permission  # type: ignore[attr-defined]  # read by the test that no route needs nothing by mistake
    return Depends(admit)
