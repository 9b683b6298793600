"""The order of a pipeline's tasks, and the circles in it: Tarjan's strongly connected components (1972), iterative."""

from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple


class Arranged(NamedTuple):
    """Names in an order in which each comes after what it needs, as far as there is one; one circle of each knot.

    A circle begins and ends with the same name; each name in it is needed by the next.
    """

    order: list[str]
    circles: list[list[str]]


def arrange(needs: Mapping[str, Collection[str]]) -> Arranged:
    """Arrange names by what each `needs`, all of them keys, too. Takes time linear in names and needs."""
    order: list[str] = []
    circles = []
    for knot in _knots(needs):
        order += knot
        if len(knot) > 1 or knot[0] in needs[knot[0]]:
            circles.append(_circle(needs, knot))
    return Arranged(order, circles)


def _knots(needs: Mapping[str, Collection[str]]) -> Iterator[list[str]]:
    """Yield the strongly connected components, each after those that it needs."""
    number: dict[str, int] = {}
    lowest: dict[str, int] = {}
    waiting: list[str] = []
    is_waiting: set[str] = set()
    for root in needs:
        path = [] if root in number else [(root, iter(needs[root]))]
        while path:
            name, left = path[-1]
            if name not in number:
                number[name] = lowest[name] = len(number)
                waiting.append(name)
                is_waiting.add(name)
            for other in left:
                if other not in number:
                    path.append((other, iter(needs[other])))
                    break
                if other in is_waiting:
                    lowest[name] = min(lowest[name], lowest[other])
            else:
                path.pop()
                if path:
                    above = path[-1][0]
                    lowest[above] = min(lowest[above], lowest[name])
                if lowest[name] == number[name]:
                    yield _take_until(name, waiting, is_waiting)


def _take_until(name: str, waiting: list[str], is_waiting: set[str]) -> list[str]:
    knot: list[str] = []
    while not knot or knot[-1] != name:
        knot.append(waiting.pop())
    is_waiting.difference_update(knot)
    return knot


def _circle(needs: Mapping[str, Collection[str]], knot: list[str]) -> list[str]:
    """Return a circle of a knot: from any name on, one that it needs, until a name comes again."""
    inside = set(knot)
    place: dict[str, int] = {}
    path = [min(knot)]
    while path[-1] not in place:
        place[path[-1]] = len(path) - 1
        path.append(min(other for other in needs[path[-1]] if other in inside))
    return path[place[path[-1]] :][::-1]
