"""Errors as JSON, in the catalogue's words. Nothing else reaches a user, and no traceback ever does."""

import asyncio
from collections.abc import Mapping
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from hanse.control.admission.gate import Gate
from hanse.core.errors import describe
from hanse.core.faults import Fault, HanseError, Waits

DENIED = "access.denied"

log = structlog.get_logger("hanse.api")

_CODES = {404: "request.no_such_path", 405: "request.method", 413: "request.too_large"}


class ErrorView(BaseModel):
    """A fault: `text` says what it is and `advice` what to do, in general; `cause` and `remedy` in this case."""

    code: str
    party: str | None = None
    step: str = ""
    cause: str = ""
    remedy: str = ""
    text: dict[str, str]
    advice: dict[str, str]
    correlation: str = ""


class ErrorAnswer(BaseModel):
    error: ErrorView


FAULTS: dict[int | str, dict[str, Any]] = {
    "4XX": {
        "description": "A fault of the catalogue.",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ErrorAnswer"}}},
    }
}
"""For routes whose answers are no JSON: their refusals are."""


def answer_fault(
    fault: Fault,
    correlation: str = "",
    headers: Mapping[str, str] | None = None,
    more: Mapping[str, Any] | None = None,
) -> JSONResponse:
    """Return the response that tells a fault; `correlation` leads to the node's log, `more` goes beside `error`."""
    content = {"error": view_fault(fault, correlation).model_dump(), **(more or {})}
    return JSONResponse(content, status_code=describe(fault.code).status, headers=dict(headers or {}))


def view_fault(fault: Fault, correlation: str = "") -> ErrorView:
    """Return a fault in the catalogue's words."""
    entry = describe(fault.code)
    return ErrorView(
        code=fault.code,
        party=fault.party,
        step=fault.step,
        cause=fault.cause,
        remedy=fault.remedy or entry.advice["en"],
        text=entry.text,
        advice=entry.advice,
        correlation=correlation,
    )


def answer_error(error: HanseError, correlation: str = "") -> JSONResponse:
    """Return the response that tells an error, with what its status demands beside (RFC 9110: 401, 429)."""
    headers = {"Retry-After": str(error.seconds)} if isinstance(error, Waits) else {}
    if describe(error.fault.code).status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return answer_fault(error.fault, correlation, headers)


def install(app: FastAPI) -> None:
    """Answer every exception of a route in the catalogue's words."""
    app.add_exception_handler(HanseError, _answer_known)
    app.add_exception_handler(RequestValidationError, _answer_invalid)
    app.add_exception_handler(HTTPException, _answer_http)
    app.add_exception_handler(Exception, _answer_mistake)


async def _answer_known(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, HanseError):
        raise error
    log.info("request.refused", code=error.fault.code, cause=error.fault.cause, path=request.url.path)
    gate, caller = getattr(request.app.state, "parts", {}).get(Gate), request.scope.get("caller")
    if error.fault.code == DENIED and gate is not None and caller is not None:
        await asyncio.to_thread(gate.note_denial, caller, request.scope["route"].operation_id)
    return answer_error(error, _correlation(request))


async def _answer_invalid(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, RequestValidationError):
        raise error
    return answer_fault(Fault("request.invalid", cause=_say(error.errors())), _correlation(request))


async def _answer_http(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, HTTPException):
        raise error
    code = _CODES.get(error.status_code, "request.invalid")
    return answer_fault(Fault(code, cause=f"{request.method} {request.url.path}"), _correlation(request), error.headers)


async def _answer_mistake(request: Request, _: Exception) -> JSONResponse:
    """Tell that there was a mistake; the exception itself goes on to the guard, which logs it."""
    return answer_fault(mistake(_correlation(request)), _correlation(request))


def mistake(correlation: str) -> Fault:
    """Return what a user hears of an exception that nobody foresaw: where to look it up, nothing of its inside."""
    return Fault("node.failed", cause=f"see the node's log, {correlation}")


def _say(problems: Any) -> str:
    """Return `columns.0: Input should be a valid string; …`; what was sent is not repeated, it may be a secret."""
    return "; ".join(
        f"{'.'.join(str(p) for p in problem['loc'][1:]) or 'body'}: {problem['msg']}" for problem in problems
    )


def _correlation(request: Request) -> str:
    return str(request.scope.get("correlation", ""))
