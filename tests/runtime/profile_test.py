"""Figures of real data as plain numpy finds them, in processes whose memory is bounded."""

from __future__ import annotations

import asyncio
import csv
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import numpy as np
import pytest

from hanse.core.faults import HanseError
from hanse.core.profiles import QUANTILES, Drawn, Drift, Figures, ProfileSpec, Wanted
from hanse.core.schema import Column, Schema
from hanse.core.specs import Artefact, AttemptResult, IngestSpec, Limits
from hanse.runtime import profile
from hanse.sdk import drift as drifting
from hanse.sdk.drawing import draw
from hanse.sdk.drift import compare, kolmogorov
from hanse.sdk.engine import Bounds
from hanse.sdk.ingest import ingest
from hanse.sdk.profiling import measure

MIB = 1 << 20
BOUNDS = Bounds(1, 512 * MIB)

MIXED = """id,y,age,city,note
13800138000,1,30,Bremen,
13800138001,0,,Lübeck,a
13800138002,0,30,Bremen,b
x,0,1000,Bremen,c
 X2 ,1,31,,d
"""


def take_in(folder: Path, text: str, **more: Any) -> Artefact:
    folder.mkdir(parents=True, exist_ok=True)
    source = folder / "data.csv"
    source.write_text(text)
    return ingest(IngestSpec(str(source), "id", str(folder / "out"), **more))


def perform(folder: Path, spec: ProfileSpec, kind: Any) -> tuple[Any, AttemptResult]:
    folder.mkdir(parents=True, exist_ok=True)
    order = folder / "profile.json"
    order.write_bytes(msgspec.json.encode(spec))
    subprocess.run([sys.executable, "-m", "hanse.runtime", "profile", str(order)], check=False, timeout=120)
    result = msgspec.json.decode((folder / "result.json").read_bytes(), type=AttemptResult)
    found = folder / "figures.json"
    return (msgspec.json.decode(found.read_bytes(), type=kind) if found.exists() else None), result


@pytest.mark.parametrize("bounds", [BOUNDS, Bounds(1, 32 * MIB)])
def test_the_figures_of_real_data_are_those_of_numpy(data: Path, tmp_path: Path, bounds: Bounds) -> None:
    path = data / "default_credit_hetero_guest.csv"
    artefact = ingest(IngestSpec(str(path), "id", str(tmp_path / "out"), "y"))
    figures = measure(artefact, tmp_path, bounds)
    with path.open() as file:
        plain = {name: np.array(values, float) for name, *values in zip(*csv.reader(file), strict=True)}
    assert (figures.rows, len(figures.columns)) == (30_000, 14)
    for column in figures.columns:
        numbers, expected = column.numbers, plain[column.name]
        assert numbers is not None
        assert numbers.deviation is not None
        assert (column.missing, column.distinct, column.is_estimated) == (0, len(np.unique(expected)), False)
        assert (numbers.minimum, numbers.maximum) == (expected.min(), expected.max())
        assert np.isclose(numbers.mean, expected.mean(), rtol=1e-9, atol=1e-12)
        assert np.isclose(numbers.deviation, expected.std(ddof=1), rtol=1e-9)
        assert np.allclose(numbers.quantiles, np.quantile(expected, QUANTILES), rtol=1e-12)
        quarter, three = np.quantile(expected, [0.25, 0.75])
        fences = (quarter - 1.5 * (three - quarter), three + 1.5 * (three - quarter))
        inside = expected
        assert (quarter < three) == (numbers.fences is not None)
        if numbers.fences is not None:
            assert np.allclose(numbers.fences, fences)
            assert (numbers.below, numbers.above) == (np.sum(expected < fences[0]), np.sum(expected > fences[1]))
            inside = expected[(expected >= fences[0]) & (expected <= fences[1])]
        assert sum(numbers.counts) == len(inside)
        assert list(numbers.counts) == np.histogram(inside, numbers.edges)[0].tolist()
    names = figures.correlation.columns
    assert np.allclose(
        np.array(figures.correlation.matrix, float), np.corrcoef([plain[name] for name in names]), atol=1e-10
    )
    assert {one.value: one.count for one in figures.balance} == {"0": 23364, "1": 6636}


def test_ids_texts_and_what_is_missing_are_counted(tmp_path: Path) -> None:
    figures = measure(take_in(tmp_path, MIXED, label_column="y", id_type="phone"), tmp_path, BOUNDS)
    ids = figures.ids
    assert (ids.id_type, ids.blank, ids.duplicates, ids.malformed) == ("phone", 0, 0, 2)
    assert (ids.resembles["phone"], ids.shortest, ids.longest) == (3, 1, 11)
    columns = {column.name: column for column in figures.columns}
    assert (columns["age"].filled, columns["age"].missing, columns["age"].distinct) == (4, 1, 3)
    city = columns["city"]
    assert [(one.value, one.count) for one in city.values] == [("Bremen", 3), ("Lübeck", 1)]
    assert (city.distinct, city.shortest, city.longest) == (2, 6, 6)
    assert "id" not in columns


def test_correlation_takes_the_rows_in_which_both_are_filled(tmp_path: Path) -> None:
    generator = np.random.default_rng(3)
    x, y = generator.normal(size=(2, 500))
    y += x
    rows = [
        f"{i},{'' if i % 7 == 0 else a},{'' if i % 5 == 0 else b},1" for i, (a, b) in enumerate(zip(x, y, strict=True))
    ]
    found = measure(take_in(tmp_path, "id,x,y,c\n" + "\n".join(rows) + "\n"), tmp_path, BOUNDS).correlation
    both = [i for i in range(500) if i % 7 and i % 5]
    assert found.columns == ("x", "y"), "a constant has no correlation"
    assert np.isclose(np.array(found.matrix, float)[0, 1], np.corrcoef(x[both], y[both])[0, 1], atol=1e-12)


def test_duplicates_of_a_snapshot_that_nobody_checked_are_found(tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    with duckdb.connect() as engine:
        engine.execute(f"COPY (SELECT (i % 900)::VARCHAR AS id FROM range(1000) r(i)) TO '{path}' (FORMAT parquet)")
    artefact = Artefact("table", str(path), "", 1000, Schema((Column("id", "text", "id"),)))
    assert measure(artefact, tmp_path, BOUNDS).ids.duplicates == 100


@pytest.mark.parametrize("held", [True, False])
def test_drift_is_what_the_formulas_say(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held: bool
) -> None:
    if not held:
        monkeypatch.setattr(drifting, "HELD", 1 << 40)
    special = pytest.importorskip("scipy.special")
    with (data / "default_credit_hetero_guest.csv").open() as file:
        rows = list(csv.reader(file))
    head, old, new = rows[0], rows[1:15001], [[*row[:2], str(float(row[2]) + 0.3), *row[3:]] for row in rows[15001:]]
    older, newer = [
        take_in(tmp_path / name, "\n".join(map(",".join, [head, *part])) + "\n")
        for name, part in (("old", old), ("new", new))
    ]
    drift = compare(older, newer, tmp_path, BOUNDS)
    assert (drift.old_rows, drift.new_rows, len(drift.columns)) == (15000, 15000, 14)
    for column in drift.columns:
        place = head.index(column.name)
        a, b = (np.sort(np.array([row[place] for row in part], float)) for part in (old, new))
        every = np.concatenate([a, b])
        gaps = np.searchsorted(a, every, "right") / len(a) - np.searchsorted(b, every, "right") / len(b)
        assert column.ks == pytest.approx(np.abs(gaps).max(), abs=1e-12)
        assert column.p == pytest.approx(special.kolmogorov(column.ks * np.sqrt(7500)), abs=1e-9)
        inner = np.unique(np.quantile(a, np.arange(1, 10) / 10))
        assert np.allclose(column.edges, inner)
        limits = [-np.inf, *inner, np.inf]
        p, q = (
            np.maximum([np.mean((part > low) & (part <= high)) for low, high in pairwise(limits)], 1e-4)
            for part in (a, b)
        )
        assert column.stability == pytest.approx(np.sum((q - p) * np.log(q / p)), abs=1e-3)
    moved = {column.name: column.verdict for column in drift.columns}
    assert moved["x0"] == "drifted"
    assert moved["x12"] == "stable"


def table_of(path: Path, **columns: tuple[str, list[Any]]) -> Artefact:
    """Write columns (SQL type, values) beside an id as they are, without what the ingest would refuse."""
    count = len(next(iter(columns.values()))[1])
    with duckdb.connect() as engine:
        types = ", ".join(f"{name} {kind}" for name, (kind, _) in columns.items())
        engine.execute(f"CREATE TABLE t (id VARCHAR, {types})")
        rows = [[str(n), *(values[n] for _, values in columns.values())] for n in range(count)]
        if rows:
            engine.executemany(f"INSERT INTO t VALUES ({', '.join('?' * (len(columns) + 1))})", rows)
        engine.execute(f"COPY t TO '{path}' (FORMAT parquet)")
    names: dict[str, Any] = {"DOUBLE": "real", "BIGINT": "integer", "VARCHAR": "text"}
    schema = [Column("id", "text", "id"), *(Column(name, names[kind]) for name, (kind, _) in columns.items())]
    return Artefact("table", str(path), "", count, Schema(tuple(schema)))


def test_numbers_at_the_ends_of_what_there_is_have_figures(tmp_path: Path) -> None:
    wide = [-1.7e308, 1.7e308, 0.0, 5e-324, -0.0, 1e308]
    table = table_of(
        tmp_path / "t.parquet",
        wide=("DOUBLE", wide),
        tiny=("DOUBLE", [5e-324 * n for n in range(6)]),
        same=("DOUBLE", [1e300] * 6),
        large=("BIGINT", [2**63 - 1, -(2**63), 0, 1, 2, 3]),
        none=("DOUBLE", [None] * 6),
        empty=("VARCHAR", [None] * 6),
        long=("VARCHAR", ["x" * 100_000, "y" * 100_000, "a", "b", "c", None]),
    )
    figures = measure(table, tmp_path, BOUNDS)
    assert msgspec.json.decode(msgspec.json.encode(figures), type=Figures) == figures
    columns = {column.name: column for column in figures.columns}
    numbers = columns["wide"].numbers
    assert numbers is not None
    assert (numbers.minimum, numbers.maximum, sum(numbers.counts)) == (-1.7e308, 1.7e308, 6)
    assert numbers.mean == pytest.approx(1e308 / 6)
    assert numbers.deviation == pytest.approx(np.std(np.array(wide) / 2**600, ddof=1) * 2.0**600)
    same = columns["same"].numbers
    assert same is not None
    assert (same.edges, same.counts, same.deviation) == ((1e300, 1e300), (6,), 0)
    assert [columns[name].numbers for name in ("none", "empty")] == [None, None]
    assert (columns["none"].missing, columns["none"].distinct, columns["empty"].values) == (6, 0, ())
    assert {len(one.value) for one in columns["long"].values} == {200, 1}
    drift = compare(table, table, tmp_path, BOUNDS)
    assert {column.verdict for column in drift.columns} == {"stable"}
    assert msgspec.json.decode(msgspec.json.encode(drift), type=Drift) == drift


def test_a_table_without_rows_has_figures(tmp_path: Path) -> None:
    table = table_of(tmp_path / "t.parquet", x=("DOUBLE", []), t=("VARCHAR", []))
    figures = measure(table, tmp_path, BOUNDS)
    assert (figures.rows, [column.filled for column in figures.columns], figures.ids.longest) == (0, [0, 0], 0)
    assert compare(table, table, tmp_path, BOUNDS).columns[0].ks is None
    assert draw(table, [Wanted("histogram", 100_000, "x", edges=(0, 1))], tmp_path, BOUNDS)[0].counts == (0, 0, 0, 0)


def test_drift_of_texts_and_of_what_is_missing(tmp_path: Path) -> None:
    old = take_in(tmp_path / "old", "id,city,gone\n" + "".join(f"{i},{'ab'[i % 2]},1\n" for i in range(100)))
    new = take_in(tmp_path / "new", "id,city,came\n" + "".join(f"{i},{('a', '')[i % 2]},1\n" for i in range(100)))
    drift = compare(old, new, tmp_path, BOUNDS)
    (city,) = drift.columns
    assert (drift.added, drift.removed) == (("came",), ("gone",))
    assert dict(zip(city.values, city.new[:2], strict=True)) == {"a": 50, "b": 0}
    assert (city.old[2:], city.new[2:], city.verdict) == ((0, 0), (0, 50), "drifted")
    assert compare(old, old, tmp_path, BOUNDS).columns[0].stability == 0


@pytest.mark.parametrize("x", [0.0, 0.05, 0.3, 0.8276, 1.36, 3.0])
def test_the_distribution_of_kolmogorov(x: float) -> None:
    assert kolmogorov(x) == pytest.approx(pytest.importorskip("scipy.special").kolmogorov(x), abs=1e-9)


def test_figures_are_drawn_of_what_the_owner_chose(tmp_path: Path) -> None:
    table = take_in(tmp_path, MIXED, id_type="phone")
    wanted = (
        Wanted("rows", 100),
        Wanted("missing", 100, "age"),
        Wanted("distinct", 100, "city"),
        Wanted("malformed", 100, "id"),
        Wanted("histogram", 100, "age", edges=(20, 30, 31, 100)),
        Wanted("histogram", 100, "city", values=("Bremen", "Kiel")),
        Wanted("histogram", 100, "age", values=("30.0", "7")),
    )
    exact = [(5,), (1,), (2,), (2,), (0, 0, 2, 1, 1, 1), (3, 0, 1, 1), (2, 0, 2, 1)]
    still = draw(table, [msgspec.structs.replace(one, epsilon=100_000) for one in wanted], tmp_path, BOUNDS)
    assert [one.counts for one in still] == exact
    noised = [draw(table, wanted, tmp_path, BOUNDS) for _ in range(2)]
    assert noised[0] != noised[1]
    pairs = zip(noised[0], exact, strict=True)
    offsets = [abs(n - e) for one, figure in pairs for n, e in zip(one.counts, figure, strict=True)]
    assert 0 < sum(offsets) < 1000


def test_a_value_that_is_named_twice_would_halve_the_noise_and_is_refused(tmp_path: Path) -> None:
    table = take_in(tmp_path, MIXED)
    for values in (("30", "30.0"), ("many",)):
        with pytest.raises(HanseError, match=r"profile\.figure"):
            draw(table, (Wanted("histogram", 100, "age", values=values),), tmp_path, BOUNDS)


def wide(path: Path, rows: int, columns: int) -> Artefact:
    numbers = ", ".join(f"(hash(i * {columns} + {c}) / 1e3)::DOUBLE AS x{c}" for c in range(columns))
    text = "hash(i)::VARCHAR AS t"
    with duckdb.connect() as engine:
        engine.execute(
            f"COPY (SELECT printf('%09d', i) AS id, {numbers}, {text} FROM range({rows}) r(i)) TO '{path}' "
            "(FORMAT parquet, COMPRESSION snappy)"
        )
    schema = [Column("id", "text", "id"), *(Column(f"x{c}", "real") for c in range(columns)), Column("t", "text")]
    return Artefact("table", str(path), "", rows, Schema(tuple(schema)))


def test_a_table_larger_than_the_memory_is_measured_within_it(tmp_path: Path) -> None:
    table = wide(tmp_path / "table.parquet", 800_000, 30)  # 192 MB of numbers, 22 MB of texts
    limits = Limits(threads=1, memory_bytes=192 * MIB)  # of which twice is the hard limit of the process
    spec = ProfileSpec("measure", table, str(tmp_path / "work"), limits=limits)
    figures, result = perform(tmp_path / "work", spec, Figures)
    assert result.fault is None
    assert figures.rows == 800_000
    assert figures.columns[-1].is_estimated
    assert abs(figures.columns[-1].distinct / 800_000 - 1) < 0.03
    assert result.peak_memory_bytes < 2 * limits.memory_bytes


def test_too_little_memory_and_a_damaged_snapshot_end_in_words(tmp_path: Path) -> None:
    table = wide(tmp_path / "table.parquet", 50_000, 3)
    broken = tmp_path / "broken.parquet"
    broken.write_bytes(Path(table.path).read_bytes()[:-100])
    spec = ProfileSpec("measure", msgspec.structs.replace(table, path=str(broken)), str(tmp_path / "a"))
    figures, result = perform(tmp_path / "a", spec, Figures)
    assert figures is None
    assert result.fault is not None
    assert result.fault.code == "profile.failed"
    assert str(broken) not in result.fault.cause
    with pytest.raises(HanseError) as caught:
        asyncio.run(profile._work(ProfileSpec("measure", table, str(tmp_path), limits=Limits(1, 2 * MIB))))
    assert caught.value.fault.code == "profile.memory"


def test_a_process_draws_figures(tmp_path: Path) -> None:
    spec = ProfileSpec("draw", take_in(tmp_path, MIXED), str(tmp_path / "work"), wanted=(Wanted("rows", 5000),))
    drawn, result = perform(tmp_path / "work", spec, tuple[Drawn, ...])
    assert result.fault is None
    assert drawn[0].wanted == spec.wanted[0]
    assert abs(drawn[0].counts[0] - 5) < 20


def test_the_peak_of_a_process_is_not_that_of_whoever_started_it(tmp_path: Path) -> None:
    ballast = np.ones(400 * MIB // 8)
    spec = ProfileSpec("draw", take_in(tmp_path, MIXED), str(tmp_path / "work"), wanted=(Wanted("rows", 5000),))
    _, result = perform(tmp_path / "work", spec, tuple[Drawn, ...])
    assert 20 * MIB < result.peak_memory_bytes < ballast.nbytes
