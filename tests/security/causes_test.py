"""What nodes say of what went wrong: party, step and code, and nothing that only one house should know."""

from typing import Any

import msgspec
import pytest

from hanse.core.faults import Fault
from hanse.core.ids import JobId, TaskName
from hanse.core.job_messages import (
    AttemptEnded,
    AttemptStanding,
    JobEnded,
    JobReply,
    JobRequest,
    JobStanding,
    TaskEnded,
    TaskStanding,
)
from hanse.core.roles import GUEST
from hanse.gateway import wire

JOB, FIT = JobId("job-0123456789abcdef"), TaskName("fit")
WHOLE = Fault("component.failed", GUEST, "fit", "row 17 holds 4711", "look at /srv/bank/people.csv")
TOLD = Fault("component.failed", GUEST, "fit")


def carried(message: Any, fault: Fault) -> Any:
    """Take a message as a sender would have it that leaves nothing out."""
    plain = msgspec.json.encode(message).replace(msgspec.json.encode(TOLD), msgspec.json.encode(fault))
    return msgspec.json.decode(plain, type=JobRequest | JobReply)


MESSAGES = [
    AttemptEnded(JOB, FIT, 1, GUEST, "failed", TOLD),
    TaskEnded(JOB, FIT, "failed", TOLD),
    JobEnded(JOB, "failed", TOLD),
    AttemptStanding("failed", TOLD),
    JobStanding("failed", {FIT: TaskStanding("failed", TOLD)}, TOLD),
]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_causes_and_remedies_do_not_cross(message: Any) -> None:
    assert carried(message, WHOLE) == carried(message, TOLD) == message
    assert msgspec.structs.replace(message, fault=WHOLE).fault == TOLD


@pytest.mark.parametrize("step", ["\x1b]0;owned\x07", "fit\n✓ job succeeded", "x" * 301])
@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_a_fault_that_would_deceive_a_terminal_is_refused(message: Any, step: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        carried(message, Fault("component.failed", GUEST, step))


def test_a_refusal_between_gateways_brings_party_step_and_code() -> None:
    plain = {"type": "Reply", "id": 1, "fault": msgspec.to_builtins(WHOLE)}
    assert msgspec.convert(plain, wire.Head) == wire.Reply(1, TOLD)
    deceiving = msgspec.to_builtins(Fault("component.failed", GUEST, "\x1b]0;owned\x07"))
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({**plain, "fault": deceiving}, wire.Head)
