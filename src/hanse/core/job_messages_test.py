"""What comes from another node is bounded before anybody reads it."""

import msgspec
import pytest

from hanse.core.faults import Fault
from hanse.core.ids import JobId, TaskName
from hanse.core.job_messages import (
    AttemptStanding,
    Decision,
    JobProblem,
    JobReply,
    JobRequest,
    OrderAttempt,
    StartJob,
    report_problem,
)
from hanse.core.roles import GUEST, PartyId
from hanse.core.specs import PipelineSpec

JOB = JobId("job-0123456789abcdef")


@pytest.mark.parametrize(
    "request_",
    [
        StartJob(JobId("job-1")),
        StartJob(JobId("../../etc")),
        OrderAttempt(JOB, TaskName("../x"), 1),
        OrderAttempt(JOB, TaskName("fit"), 0),
        OrderAttempt(JOB, TaskName("fit"), 1001),
    ],
)
def test_names_and_numbers_that_cannot_be_are_no_request(request_: JobRequest) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.msgpack.decode(msgspec.msgpack.encode(request_), type=JobRequest)


def test_a_request_comes_back_as_it_went_in() -> None:
    order = OrderAttempt(JOB, TaskName("fit"), 2)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(order), type=JobRequest) == order


def test_another_nodes_fault_brings_no_cause_and_nothing_long() -> None:
    said = Fault("x" * 500, PartyId("y" * 500), "z" * 500, "row 17", "call me")
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"state": "failed", "fault": msgspec.to_builtins(said)}, AttemptStanding)
    assert AttemptStanding("failed", Fault("x", GUEST, "z", "row 17", "call me")).fault == Fault("x", GUEST, "z")


def test_problems_that_would_deceive_a_terminal_are_cleaned_by_who_reports_and_refused_by_who_reads() -> None:
    told = Decision((report_problem(GUEST, "f\x1bt", "one\ntwo\x1b[2J", "\x9b31m"),))
    assert told.problems == (JobProblem(GUEST, "f t", "one two [2J", " 31m"),)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(told), type=JobReply) == told
    for evil in (JobProblem(GUEST, "", "\x1b[2J"), JobProblem(GUEST, "", "x", "\x9b31m"), JobProblem(GUEST, "\n", "x")):
        with pytest.raises(msgspec.ValidationError):
            msgspec.msgpack.decode(msgspec.msgpack.encode(Decision((evil,))), type=JobReply)


@pytest.mark.parametrize(
    "changes",
    [{"name": "\x1b[2J"}, {"project": "a\nb"}, {"parties": {GUEST: "\u202eknab"}}, {"parties": {"g" * 17: "x"}}],
)
def test_a_pipeline_whose_names_a_terminal_would_obey_is_no_proposal(changes: dict[str, object]) -> None:
    spec = {"name": "risk of default", "project": "risk", "parties": {GUEST: "bank"}, "tasks": {}}
    assert msgspec.convert(spec, PipelineSpec).name == "risk of default"
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({**spec, **changes}, PipelineSpec)


def test_problems_in_many_words_are_cut_so_that_they_arrive() -> None:
    decision = Decision((report_problem(GUEST, "fit", "a" * 5000, "b" * 5000),))
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(decision), type=JobReply) == decision
    endless = Decision((JobProblem(GUEST, "fit", "a" * 5000),))
    with pytest.raises(msgspec.ValidationError):
        msgspec.msgpack.decode(msgspec.msgpack.encode(endless), type=JobReply)
