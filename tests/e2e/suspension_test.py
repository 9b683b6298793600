"""A member is suspended or revoked in the middle of a job: the job ends at all of its parties and says with whom.

No process of an attempt outlives it anywhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import psutil
import pytest
from tests.e2e.federation import END_S, Federation, Node, raised, wait

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def federation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    """Return three organisations that tell enough of their data for a long training."""
    with raised(tmp_path_factory.mktemp("suspension"), disclosure_limit=500.0) as federation:
        yield federation


def is_training(node: Node, job: str) -> bool:
    return any(task.name == "boost" and task.state == "running" for task in node.client.job(job).tasks)


def attempts_of(node: Node, job: str) -> list[psutil.Process]:
    """Return the processes that run attempts of a job at a node: each is told its task by a path that names the job."""

    def runs(process: psutil.Process) -> bool:
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            return process.status() != psutil.STATUS_ZOMBIE and any(job in word for word in process.cmdline())
        return False

    return [process for process in psutil.Process(node.process.pid).children(recursive=True) if runs(process)]


def begin_training(federation: Federation, node: Node) -> str:
    """Start a job of a long training, and return its id once a node is at it."""
    job = federation.guest.client.run_job(federation.pipeline(trees=200, depth=4).spec()).id
    wait(lambda: is_training(node, job) and attempts_of(node, job), END_S, "training has begun")
    return job


def see_it_end(federation: Federation, job: str, code: str, party: str) -> None:
    """See that every node has ended the job for this reason, and that nothing of it runs there any more."""
    for node in federation.nodes.values():
        wait(lambda node=node: node.client.job(job).ended, END_S, f"{node.name} has ended the job")  # type: ignore[misc]
        found = node.client.job(job)
        assert found.state == "failed", federation.explain(job)
        assert found.fault is not None
        assert (found.fault.code, found.fault.party) == (code, party), federation.explain(job)
        wait(lambda node=node: not attempts_of(node, job), 15, f"no attempt is left at {node.name}")  # type: ignore[misc]


@pytest.mark.parametrize(("who", "whom", "party"), [("bank", "telecom", "host-1"), ("telecom", "bank", "guest")])
def test_a_job_with_a_suspended_member_ends_everywhere_and_names_it(
    federation: Federation, who: str, whom: str, party: str
) -> None:
    acting, other = federation.nodes[who], federation.nodes[whom]
    suspended = next(m.organisation_id for m in acting.client.members() if m.organisation == whom)
    job = begin_training(federation, acting)
    acting.client.suspend_member(suspended)
    try:
        see_it_end(federation, job, "member.suspended", party)
        assert not any(m.connected for m in other.client.members() if m.organisation == who)
    finally:
        acting.client.resume_member(suspended)
        back = lambda: all(m.connected for m in acting.client.members())  # noqa: E731
        wait(back, 30, "they are connected again")


def test_a_job_with_a_revoked_member_ends_everywhere_and_the_member_stays_away(federation: Federation) -> None:
    """The last test of this module: what is revoked does not come back."""
    bank, telecom = federation.nodes["bank"], federation.nodes["telecom"]
    revoked = next(m.organisation_id for m in bank.client.members() if m.organisation == "telecom")
    job = begin_training(federation, bank)
    bank.client.revoke_member(revoked, "its key was lost")
    see_it_end(federation, job, "member.revoked", "host-1")
    assert not any(m.connected for m in telecom.client.members() if m.organisation == "bank")
    assert [m.state for m in bank.client.members() if m.organisation_id == revoked] == ["revoked"]
