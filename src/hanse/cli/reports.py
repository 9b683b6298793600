"""A task's report as people read it: figures, tables, curves, and the trees of a model.

The values are drawn by their shape, whatever component wrote them: a new kind of report needs nothing here.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.tree import Tree

from hanse.cli.screen import draw_facts, draw_table
from hanse.cli.units import number_text
from hanse.client.resources import Report

MOST_ROWS = 40
"""Rows of one table that are drawn; `--json` has all."""

BARS = "▁▂▃▄▅▆▇█"
SPARK_CELLS = 32


def draw_report(console: Console, report: Report, trees: int = 0) -> None:
    """Draw a report, and of the trees in it the first `trees`."""
    _draw_values(console, "", report.values, trees)


def _draw_values(console: Console, title: str, values: Mapping[str, Any], trees: int) -> None:
    plain = {name: value for name, value in values.items() if _is_plain(value)}
    curves = {name: value for name, value in values.items() if _is_curve(value)}
    if title and (plain or curves):
        _draw_title(console, title)
    if plain:
        draw_facts(console, [(_words(name), _text(value)) for name, value in plain.items()])
    _draw_curves(console, curves)
    for name, value in values.items():
        if name in plain or name in curves or not value:
            continue
        below = f"{title} · {_words(name)}" if title else _words(name)
        if _is_forest(value):
            _draw_forest(console, below, value, trees)
        elif isinstance(value, Mapping):
            _draw_values(console, below, value, trees)
        else:
            _draw_rows(console, below, value)


def _draw_title(console: Console, title: str) -> None:
    console.print(f"\n[bold]{escape(title)}[/]")


def _draw_rows(console: Console, title: str, rows: Sequence[Any]) -> None:
    """Draw a list of records as a table, any other list as its values."""
    _draw_title(console, title)
    lines = [row for row in rows if isinstance(row, Mapping)]
    if len(lines) < len(rows):
        console.print(escape(", ".join(map(_listed, rows[:MOST_ROWS]))))
    else:
        heads = list(dict.fromkeys(head for line in lines for head in line))
        shown = [[_text(line.get(head)) for head in heads] for line in lines[:MOST_ROWS]]
        draw_table(console, [_words(head) for head in heads], shown, "")
    if len(rows) > MOST_ROWS:
        console.print(f"[dim]… and {len(rows) - MOST_ROWS:,} more: --json shows all[/]")


def _draw_curves(console: Console, curves: Mapping[str, Sequence[float]]) -> None:
    if not curves:
        return
    heads = ("curve", "points", "first", "last", "lowest", "highest", "")
    rows = [
        (_words(name), len(curve), *map(_text, (curve[0], curve[-1], min(curve), max(curve))), _spark(curve))
        for name, curve in curves.items()
    ]
    draw_table(console, heads, rows, "")


def _spark(curve: Sequence[float]) -> str:
    """Return a curve as a line of small bars."""
    cells = min(len(curve), SPARK_CELLS)
    points = [curve[place * (len(curve) - 1) // max(cells - 1, 1)] for place in range(cells)]
    low, span = min(points), max(points) - min(points)
    return "".join(BARS[round((point - low) / span * (len(BARS) - 1)) if span else 0] for point in points)


# ---------------------------------------------------------------------- trees


def _draw_forest(console: Console, title: str, forest: Mapping[str, Any], most: int) -> None:
    shown, total = forest["shown"], forest.get("trees", len(forest["shown"]))
    _draw_title(console, title)
    for number, tree in enumerate(shown[:most], 1):
        of = "" if tree.get("class") is None else f" · class {tree['class']}"
        console.print(_tree(f"tree {number}{of}", tree["nodes"]))
    if most < total:
        console.print(f"[dim]{total:,} trees, {len(shown):,} of them in the report: --trees N draws the first N[/]")


def _tree(title: str, nodes: Sequence[Mapping[str, Any]]) -> Tree:
    """Return a tree for the screen; whose children do not come after it (no tree at all) ends where that is seen."""
    top = Tree(f"[bold]{escape(title)}[/]")
    waiting = [(top, "", 0)]
    while waiting:
        above, side, place = waiting.pop()
        node = nodes[place]
        here = above.add(f"{side}{_node_text(node)}")
        for word, child in (("right", node.get("right")), ("left", node.get("left"))):
            if isinstance(child, int) and place < child < len(nodes):
                waiting.append((here, f"[dim]{word}[/]  ", child))
    return top


def _node_text(node: Mapping[str, Any]) -> str:
    if "weight" in node:
        return f"[green]{_text(node['weight'])}[/] [dim]cover {_text(node.get('cover'))}[/]"
    if "one_of" in node:
        rule = f" is {', '.join(map(_text, node['one_of']))}"
    elif "at_most" in node:
        rule = " is there" if node["at_most"] is None else f" ≤ {node['at_most']:g}"
    else:
        rule = ""
    missing = f" [dim]missing {escape(_text(node['missing']))}[/]" if "missing" in node else ""
    figures = f"[dim]gain {_text(node.get('gain'))}, cover {_text(node.get('cover'))}[/]"
    return f"[cyan]{escape(_text(node.get('party')))}[/] {escape(_text(node.get('feature')) + rule)}{missing} {figures}"


# ---------------------------------------------------------------------- shapes


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float)


def _is_curve(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) > 1
        and all(isinstance(point, int | float) and not isinstance(point, bool) for point in value)
        and not all(float(point).is_integer() for point in value)  # a list of numbers that are names, such as classes
    )


def _is_forest(value: Any) -> bool:
    return isinstance(value, Mapping) and isinstance(value.get("shown"), list)


def _words(name: str) -> str:
    return name.replace("_", " ")


def _listed(value: Any) -> str:
    """Return an entry of a plain list: whole numbers there are names, such as those of classes."""
    return _text(int(value) if isinstance(value, float) and value.is_integer() else value)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return number_text(value)
    if isinstance(value, list):
        return ", ".join(map(_text, value))
    if isinstance(value, Mapping):
        return ", ".join(f"{_words(name)} {_text(inner)}" for name, inner in value.items())
    return "" if value is None else str(value)
