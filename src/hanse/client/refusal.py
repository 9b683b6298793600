"""Why a node did not do what it was asked, in the words of the catalogue of errors."""

from typing import Any

import msgspec

from hanse.client.resources import Failure, JobProblem
from hanse.core.faults import Fault, HanseError


class Refusal(HanseError):
    """The node said no. `text` is the catalogue's sentence (zh, en), `problems` what is wrong with a pipeline."""

    def __init__(
        self, status: int, fault: Fault, text: dict[str, str] | None = None, problems: tuple[JobProblem, ...] = ()
    ) -> None:
        super().__init__(fault)
        self.status = status
        self.text = dict(text or {})
        self.problems = problems


class _Body(msgspec.Struct, frozen=True):
    error: Failure | None = None
    problems: tuple[JobProblem, ...] = ()
    detail: Any = None


def read_refusal(status: int, body: bytes) -> Refusal:
    """Return the refusal that an answer with an error status carries, whatever its body is."""
    try:
        said = msgspec.json.decode(body, type=_Body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        said = _Body()
    if said.error is not None:
        return Refusal(status, said.error.fault(), said.error.text, said.problems)
    cause = f"the node answered {status}: {body[:200].decode('utf-8', 'replace')}"
    return Refusal(status, Fault("node.unexpected", cause=cause, remedy="see the node's log"), None, said.problems)
