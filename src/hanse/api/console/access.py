"""What a route needs: `caller: Annotated[Caller, needs(Permission.DATASETS_READ)]`.

The dependencies are coroutines because they wait for nothing: a function would be given a thread of its own.
"""

from typing import Any

from fastapi import Depends, Request

from hanse.control.access.callers import Caller
from hanse.control.access.permissions import Permission
from hanse.control.admission.gate import Admission
from hanse.core.faults import fault


def needs(permission: Permission) -> Any:
    """Return the dependency that is the request's caller, once it has this permission. Raises `access.denied`."""

    async def admit(request: Request) -> Caller:
        admission = _admitted(request)
        admission.caller.demand(permission)
        return admission.caller

    admit.permission = permission  # type: ignore[attr-defined]  # read by the test that no route needs nothing by mistake
    return Depends(admit)


def anybody() -> Any:
    """Return the dependency that is the request's caller, for what all may who have logged in: their own things."""

    async def admit(request: Request) -> Caller:
        return _admitted(request).caller

    admit.permission = "signed in"  # type: ignore[attr-defined]
    return Depends(admit)


def signed_in() -> Any:
    """Return the dependency that is the admission of whoever calls, for routes about the caller itself."""

    async def admit(request: Request) -> Admission:
        return _admission(request)

    admit.permission = "signed in"  # type: ignore[attr-defined]
    return Depends(admit)


def _admitted(request: Request) -> Admission:
    """Return who calls, unless it has to choose a new password first."""
    admission = _admission(request)
    if admission.must_change:
        raise fault("password.change_needed", "this account has to choose a new password first")
    return admission


def _admission(request: Request) -> Admission:
    """Return who calls. A public door has no caller, and a route behind one that asks for it refuses."""
    admission: Admission | None = request.scope.get("admission")
    if admission is None:
        raise fault("request.token", "no token, session or key was sent")
    return admission
