"""Figures of tables as text: bars of eighths, shares in per cent, and the words by which they are chosen."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape

from hanse.cli.screen import draw_table
from hanse.cli.units import bytes_text, seconds_text
from hanse.client.resources import ProfileRun, ProfileShare, ToldFigure
from hanse.core.faults import fault
from hanse.core.profiles import QUANTILES, ColumnDrift, ColumnFigures, Counted, Drift, Figures

EIGHTHS = " ▁▂▃▄▅▆▇█"
SHOWN_VALUES = 3
STRONG = 0.8
SHOWN_PAIRS = 8
COLOURS = {"stable": "green", "shifted": "yellow", "drifted": "red"}


def figures_of(text: str) -> dict[str, Any]:
    """Read `FIGURE[:COLUMN[=BINS]][@EPSILON]`; bins are numbers with commas, or values with bars."""
    figure, _, rest = text.partition(":")
    if not rest:
        figure, at, epsilon = figure.partition("@")
        return {"figure": figure, **({"epsilon": _number(epsilon, text)} if at else {})}
    column, equals, bins = rest.partition("=")
    place = bins if equals else column
    head, at, epsilon = place.rpartition("@")
    said: dict[str, Any] = {"figure": figure}
    if at and _is_number(epsilon):
        said["epsilon"] = float(epsilon)
        column, bins = (column, head) if equals else (head, bins)
    said["column"] = column
    if "|" in bins:
        said["values"] = [value for value in bins.split("|") if value]
    elif bins:
        said["edges"] = [_number(edge, text) for edge in bins.split(",")]
    return said


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _number(text: str, whole: str) -> float:
    if not _is_number(text):
        raise fault("profile.figure", f"{text!r} in {whole!r} is no number", "name values like 'histogram:city=a|b'")
    return float(text)


def measured(run: ProfileRun) -> str:
    """Return what a run took."""
    if not run.ended_at or run.fault is not None:
        return ""
    return f"{seconds_text(run.seconds)}, {bytes_text(run.peak_memory_bytes)}"


def draw_figures(console: Console, name: str, run: ProfileRun, figures: Figures) -> None:
    """Draw the figures of a version."""
    ids = figures.ids
    console.print(
        f"[bold]{escape(name)}[/] version {run.version}: {figures.rows:,} rows, {len(figures.columns)} columns"
        f" [dim]({measured(run)})[/]"
    )
    malformed = f", {ids.malformed:,} malformed" if ids.id_type != "free" else ""
    console.print(
        f"id {escape(ids.name)} ({ids.id_type}): {ids.blank:,} blank, {ids.duplicates:,} duplicates{malformed},"
        f" {ids.shortest} to {ids.longest} characters"
    )
    if ids.id_type == "free" and (likely := _likely(figures)):
        console.print(f"[yellow]  {likely}[/]")
    if figures.balance:
        label = next((column.name for column in figures.columns if column.use == "label"), "label")
        console.print(f"label {escape(label)}: {escape(_shares(figures.balance, figures.rows, 10))}")
    heads = ("column", "type", "missing", "distinct", "least", "quartiles", "greatest", "outliers", "distribution")
    rows = [_row(column, figures.rows) for column in figures.columns]
    draw_table(console, heads, rows, "no columns beside the id")
    _draw_pairs(console, figures)


def _likely(figures: Figures) -> str:
    """Return a hint when most free ids look like those of a type."""
    kind, count = max(figures.ids.resembles.items(), key=lambda pair: pair[1], default=("", 0))
    if not figures.rows or count < 0.9 * figures.rows:
        return ""
    return f"{count:,} of them look like {kind}: registered with --id-type {kind} they meet partners' in one form"


def _row(column: ColumnFigures, rows: int) -> tuple[object, ...]:
    about = "≈ " if column.is_estimated else ""
    head = (column.name, column.type, _percent(column.missing, rows), f"{about}{column.distinct:,}")
    numbers = column.numbers
    if numbers is None:
        return (*head, "", "", "", "", _shares(column.values, rows, SHOWN_VALUES))
    middle = (numbers.quantiles[QUANTILES.index(share)] for share in (0.25, 0.5, 0.75))
    outliers = "" if numbers.fences is None else _percent(numbers.below + numbers.above, rows)
    spread = " · ".join(map(_plain, middle))
    return (*head, _plain(numbers.minimum), spread, _plain(numbers.maximum), outliers, bars(numbers.counts))


def _draw_pairs(console: Console, figures: Figures) -> None:
    """Name the pairs of columns that are strongly correlated."""
    names, matrix = figures.correlation.columns, figures.correlation.matrix
    pairs = [
        (abs(value), f"{names[i]} ~ {names[j]} {value:+.2f}")
        for i, line in enumerate(matrix)
        for j, value in enumerate(line[:i])
        if value is not None and abs(value) >= STRONG
    ]
    if pairs:
        told = " · ".join(text for _, text in sorted(pairs, reverse=True)[:SHOWN_PAIRS])
        more = f" and {len(pairs) - SHOWN_PAIRS} more" if len(pairs) > SHOWN_PAIRS else ""
        console.print(f"[dim]strongly correlated:[/] {escape(told)}{more}")


def draw_drift(console: Console, name: str, run: ProfileRun, drift: Drift) -> None:
    """Draw how two versions differ."""
    console.print(
        f"[bold]{escape(name)}[/] version {run.older} → {run.version}: {drift.old_rows:,} → {drift.new_rows:,} rows"
    )
    for word, names in (("added", drift.added), ("removed", drift.removed), ("of another type", drift.retyped)):
        if names:
            console.print(f"{word}: {escape(', '.join(names))}")
    heads = ("column", "verdict", "stability", "KS", "p", "mean", "before", "after")
    order = sorted(drift.columns, key=lambda column: -column.stability)
    draw_table(console, heads, [_drift_row(column) for column in order], "no column is in both")
    console.print("[dim]stability index: below 0.1 stable, below 0.25 shifted, else drifted[/]")


def _drift_row(column: ColumnDrift) -> tuple[object, ...]:
    ks = "" if column.ks is None else f"{column.ks:.3f}"
    p = "" if column.p is None else f"{column.p:.3g}"
    means = (
        ""
        if column.old_mean is None or column.new_mean is None
        else (f"{_plain(column.old_mean)} → {_plain(column.new_mean)}")
    )
    return (column.name, column.verdict, f"{column.stability:.3f}", ks, p, means, bars(column.old), bars(column.new))


def draw_told(console: Console, shares: Sequence[ProfileShare], names: Mapping[str, str] | None = None) -> None:
    """Draw what is told of datasets, to a project or by partners."""
    if not shares:
        console.print("[dim]Nothing is told.[/]")
    for share in shares:
        whose = (names or {}).get(share.organisation, share.organisation)
        owner = f"{whose}/" if whose else ""
        console.print(
            f"[bold]{escape(owner + share.dataset)}[/] version {share.version},"
            f" told to project {escape(share.project)}, with noise"
        )
        heads = ("figure", "column", "told", "19 of 20 within", "epsilon")
        rows = [(one.figure, one.column, _told(one), f"± {one.margin:,}", f"{one.epsilon:g}") for one in share.figures]
        draw_table(console, heads, rows, "nothing")


def _told(one: ToldFigure) -> str:
    if one.figure == "quantiles":
        pairs = zip(QUANTILES, one.quantiles, strict=False)
        return " · ".join(f"{share * 100:g} % {_plain(value)}" for share, value in pairs if value is not None)
    if one.figure != "histogram":
        return f"{one.counts[0]:,}"
    if one.edges:
        bins = [f"{_plain(low)}–{_plain(high)}" for low, high in zip(one.edges, one.edges[1:], strict=False)]
        heads = [f"< {_plain(one.edges[0])}", *bins, f"> {_plain(one.edges[-1])}", "missing"]
    else:
        heads = [*one.values, "others", "missing"]
    return " · ".join(f"{head}: {count:,}" for head, count in zip(heads, one.counts, strict=False))


def bars(counts: Sequence[int]) -> str:
    """Return a histogram on one line; the greatest count is a whole block, none a space."""
    most = max(counts, default=0)
    if most <= 0:
        return ""
    return "".join(EIGHTHS[-(-8 * max(count, 0) // most)] for count in counts)


def _shares(values: Sequence[Counted], rows: int, most: int) -> str:
    told = " · ".join(f"{one.value} {_percent(one.count, rows)}" for one in values[:most])
    return told + (" …" if len(values) > most else "")


def _percent(count: int, rows: int) -> str:
    if not count or not rows:
        return "0 %"
    share = 100 * count / rows
    return "< 0.1 %" if share < 0.1 else f"{share:.1f} %" if share < 99.95 else "100 %"


def _plain(value: float) -> str:
    return f"{value:,.0f}" if value == round(value) and abs(value) < 1e15 else f"{value:.4g}"
