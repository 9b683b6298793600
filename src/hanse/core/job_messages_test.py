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
from hanse.core.planning import Problem
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
    evil = Problem("f\x1bt", "one\ntwo\x1b[2J", "\x9b31m", "/tasks/f\x1bt", "a.b", "一\n二", suggestion="\u202eknab")
    told = Decision((report_problem(GUEST, evil),))
    clean = JobProblem(GUEST, "f t", "one two [2J", " 31m", "/tasks/f t", "a.b", "一 二", "", " knab")
    assert told.problems == (clean,)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(told), type=JobReply) == told
    evils = (
        JobProblem(GUEST, "", "\x1b[2J"),
        JobProblem(GUEST, "", "x", "\x9b31m"),
        JobProblem(GUEST, "\n", "x"),
        *(JobProblem(GUEST, "", "x", **{name: "\x1b[2J"}) for name in JobProblem.__struct_fields__[3:]),
    )
    for refused in evils:
        with pytest.raises(msgspec.ValidationError):
            msgspec.msgpack.decode(msgspec.msgpack.encode(Decision((refused,))), type=JobReply)


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
    decision = Decision((report_problem(GUEST, Problem("fit", *("a" * 5000 for _ in Problem.__struct_fields__[1:]))),))
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(decision), type=JobReply) == decision
    endless = Decision((JobProblem(GUEST, "fit", "a" * 5000),))
    with pytest.raises(msgspec.ValidationError):
        msgspec.msgpack.decode(msgspec.msgpack.encode(endless), type=JobReply)


def test_nodes_of_another_release_understand_one_anothers_problems() -> None:
    words = {"party": "guest", "task": "fit", "message": "no", "remedy": "yes"}
    for said in (words, {**words, "pointer": "/tasks/fit", "of_a_later_release": 1}):
        decision = {"type": "Decision", "problems": [said]}
        reply = msgspec.msgpack.decode(msgspec.msgpack.encode(decision), type=JobReply)
        assert isinstance(reply, Decision)
        assert (reply.problems[0].message, reply.problems[0].code) == ("no", "")


def test_a_partner_is_not_told_which_names_there_are() -> None:
    assert JobProblem(GUEST, "fit", "no", suggestion="income").for_peers() == JobProblem(GUEST, "fit", "no")
