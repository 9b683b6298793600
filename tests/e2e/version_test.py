"""A partner of another release: refused by name before anything runs, or at the first word if it changed since."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.e2e.federation import Federation, raised

from hanse.client.refusal import Refusal

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def federation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    """Three organisations, of which the shop may have another release."""
    with raised(tmp_path_factory.mktemp("version"), rows=300, scripts={"shop": "aged.py"}) as federation:
        yield federation


def restart_shop(federation: Federation, *changes: tuple[str, str, str]) -> None:
    """Start the shop's node again, with (verb, component, version) of another release."""
    shop = federation.nodes["shop"]
    shop.stop()
    shop.break_attempts([dict(zip(("verb", "component", "version"), change, strict=True)) for change in changes])
    shop.start()


def test_a_partner_with_another_version_refuses_the_job_by_name(federation: Federation) -> None:
    restart_shop(federation, ("planner", "hetero_boost", "3.0.0"), ("run", "hetero_boost", "3.0.0"))
    with pytest.raises(Refusal) as caught:
        federation.run(federation.pipeline())
    assert {(problem.party, problem.task) for problem in caught.value.problems} == {
        ("host-2", "boost"),
        ("host-2", "again"),
    }
    for problem in caught.value.problems:
        assert "hetero_boost 2." in problem.message
        assert "3.0.0" in problem.message
        assert problem.remedy
    job = federation.guest.client.jobs()[0].id
    assert federation.ends(job) == {"rejected"}
    bystander = federation.end(federation.nodes["telecom"], job).fault
    assert bystander is not None
    assert (bystander.code, bystander.party) == ("job.rejected", "host-2")
    assert "3.0.0" not in repr(bystander)


def test_a_version_that_changes_after_the_plan_ends_the_job_by_name(federation: Federation) -> None:
    restart_shop(federation, ("run", "hetero_boost", "3.0.0"))
    job = federation.run(federation.pipeline())
    assert federation.ends(job) == {"failed"}, federation.explain(job)
    for node in federation.nodes.values():
        fault = federation.end(node, job).fault
        assert fault is not None
        assert (fault.code, fault.party, fault.step) == ("version.mismatch", "host-2", "boost")
        assert ("3.0.0" in (fault.cause or "")) == (node.name == "shop"), node.name


def test_a_version_that_differs_in_its_last_number_takes_part(federation: Federation) -> None:
    restart_shop(federation, ("planner", "hetero_boost", "2.0.77"), ("run", "hetero_boost", "2.0.77"))
    job = federation.run(federation.pipeline())
    assert federation.ends(job) == {"succeeded"}, federation.explain(job)
