"""Tasks are put in order, and every circle is found, against brute force."""

from graphlib import CycleError, TopologicalSorter
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from hanse.runtime.graphs import arrange

NAMES = [f"t{number}" for number in range(6)]
GRAPHS = st.fixed_dictionaries({name: st.sets(st.sampled_from(NAMES)) for name in NAMES})


@given(GRAPHS)
def test_each_name_comes_once_and_after_what_it_needs_unless_it_is_in_a_circle(needs: dict[str, set[str]]) -> None:
    order, circles = arrange(needs)
    assert sorted(order) == NAMES
    for circle in circles:
        assert circle[0] == circle[-1]
        assert len(set(circle)) == len(circle) - 1
        assert all(before in needs[after] for before, after in pairwise(circle))
    try:
        TopologicalSorter(needs).prepare()
    except CycleError:
        assert circles
    else:
        assert not circles
        assert all(order.index(other) < order.index(name) for name in NAMES for other in needs[name])


@given(GRAPHS)
def test_when_each_circle_is_broken_once_the_next_round_finds_others_until_none_is_left(
    needs: dict[str, set[str]],
) -> None:
    for _ in range(sum(map(len, needs.values())) + 1):
        circles = arrange(needs).circles
        knotted = [set(circle) for circle in circles]
        assert all(not one & other for one in knotted for other in knotted if one is not other)
        for circle in circles:
            needs[circle[1]].discard(circle[0])
    assert arrange(needs).circles == []


def test_a_chain_of_many_is_no_matter_of_the_stack() -> None:
    needs = {f"t{number}": [f"t{number + 1}"] for number in range(10_000)} | {"t10000": []}
    assert arrange(needs).order[0] == "t10000"
