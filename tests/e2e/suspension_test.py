"""A member is suspended in the middle of a job: the job ends at all of its parties, and says with whom."""

from __future__ import annotations

from collections.abc import Iterator

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


@pytest.mark.parametrize(("who", "whom", "party"), [("bank", "telecom", "host-1"), ("telecom", "bank", "guest")])
def test_a_job_with_a_suspended_member_ends_everywhere_and_names_it(
    federation: Federation, who: str, whom: str, party: str
) -> None:
    acting, other = federation.nodes[who], federation.nodes[whom]
    suspended = next(m.organisation_id for m in acting.client.members() if m.organisation == whom)
    job = federation.guest.client.run_job(federation.pipeline(trees=200, depth=4).spec()).id
    wait(lambda: is_training(acting, job), END_S, "training has begun")
    acting.client.suspend_member(suspended)
    try:
        for node in federation.nodes.values():
            wait(lambda node=node: node.client.job(job).ended, END_S, f"{node.name} has ended the job")  # type: ignore[misc]
            found = node.client.job(job)
            assert found.state == "failed", federation.explain(job)
            assert found.fault is not None
            assert (found.fault.code, found.fault.party) == ("member.suspended", party), federation.explain(job)
        assert not any(m.connected for m in other.client.members() if m.organisation == who)
    finally:
        acting.client.resume_member(suspended)
        back = lambda: all(m.connected for m in acting.client.members())  # noqa: E731
        wait(back, 30, "they are connected again")
