"""All data in one place: what the federation is compared with. Only a demonstration that owns every file may do it."""

import asyncio
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np

from hanse.cli.demo.cast import GROWTH, Cast, Player
from hanse.components.evaluation.evaluation import component as evaluation
from hanse.components.local_boost.local_boost import component as local_boost
from hanse.core.faults import fault
from hanse.core.roles import GUEST
from hanse.core.schema import Column, Schema
from hanse.core.specs import Artefact, IngestSpec
from hanse.sdk import Report, Table, run
from hanse.sdk.engine import connect, named, quote
from hanse.sdk.ingest import ingest

Objective = Literal["binary", "regression"]


class Pool(msgspec.Struct, frozen=True):
    """Every player's file with its ids in the one form in which organisations compare them."""

    cast: Cast
    snapshots: tuple[Artefact, ...]
    shared: int
    objective: Objective

    @property
    def rows(self) -> tuple[int, ...]:
        return tuple(snapshot.rows or 0 for snapshot in self.snapshots)


async def read_pool(cast: Cast, directory: Path) -> Pool:
    """Read all files. Raises HanseError when one is no good, or when they have no row in common."""
    snapshots = tuple([await asyncio.to_thread(_snapshot, cast, player, directory) for player in cast.players])
    guest = snapshots[0]
    label = named(cast.guest.label or "")
    with connect([Path(one.path) for one in snapshots]) as engine:
        (shared,) = engine.execute(f"SELECT count(*) FROM {_joined(cast, snapshots)}").fetchall()[0]
        values = engine.execute(f"SELECT DISTINCT {label}::DOUBLE FROM {_scan(guest.path)} LIMIT 3").fetchall()
    if not shared:
        names = ", ".join(player.organisation for player in cast.players)
        cause = f"no {cast.id} is in the files of all: {names}"
        raise fault("demo.disjoint", cause, "bring files about the same people", step="read the files")
    return Pool(cast, snapshots, shared, "binary" if {value for (value,) in values} <= {0.0, 1.0} else "regression")


def judge_pool(pool: Pool, train: Path, test: Path, directory: Path) -> dict[str, Any]:
    """Fit the same trees on all columns of the rows in `train`, and return how they judge those in `test`."""
    settings = local_boost.params.parse({"objective": pool.objective, **GROWTH})
    tables = [_pooled(pool, ids, directory / f"{ids.parent.name}.parquet") for ids in (train, test)]
    fitted = run(local_boost, settings, {GUEST: {"train": tables[0], "valid": None}})[GUEST]
    scored = run(local_boost, settings, {GUEST: {"model": fitted["model"], "table": tables[1]}}, apply=True)[GUEST]
    judged = run(evaluation, evaluation.params(), {GUEST: {"scores": scored["scores"]}})[GUEST]["report"]
    if not isinstance(judged, Report):
        raise TypeError("the evaluation gave no report")
    return dict(judged.values)


def read_scores(path: Path, id_column: str) -> dict[str, float]:
    """Return the scores of a table of scores, by id."""
    with connect([path]) as engine:
        rows = engine.execute(f"SELECT {named(id_column)}, score FROM {_scan(str(path))}").fetchall()
    return dict(rows)


def farthest(left: dict[str, float], right: dict[str, float]) -> tuple[int, float]:
    """Return how many rows two tables of scores share, and by how much they differ at most."""
    shared = sorted(left.keys() & right.keys())
    apart = np.abs(np.array([left[name] for name in shared]) - np.array([right[name] for name in shared]))
    return len(shared), float(apart.max(initial=0.0))


def _snapshot(cast: Cast, player: Player, directory: Path) -> Artefact:
    return ingest(IngestSpec(str(player.file), cast.id, str(directory / player.party), player.label))


def _pooled(pool: Pool, ids: Path, target: Path) -> Table:
    """Write the rows whose ids are in the Parquet file `ids`, with everybody's columns side by side."""
    cast, key = pool.cast, named(pool.cast.id)
    columns = [Column(cast.id, "text", "id")]
    picks = [f"t.{key}"]
    for number, snapshot in enumerate(pool.snapshots):
        schema = _schema(snapshot)
        for column in schema.columns:
            if column.use != "id":
                name = column.name if column.use == "label" else f"{cast.players[number].party}.{column.name}"
                columns.append(Column(name, column.type, column.use))
                picks.append(f"s{number}.{named(column.name)} AS {named(name)}")
    joins = " ".join(
        f"JOIN {_scan(one.path)} s{number} ON s{number}.{named(_schema(one).id)} = t.{key}"
        for number, one in enumerate(pool.snapshots)
    )
    query = f"SELECT {', '.join(picks)} FROM {_scan(str(ids))} t {joins} ORDER BY t.{key}"
    with connect([ids, *(Path(one.path) for one in pool.snapshots)], target.parent) as engine:
        engine.execute(f"COPY ({query}) TO {quote(str(target))} (FORMAT parquet)")
    return Table.open(target, Schema(tuple(columns)))


def _joined(cast: Cast, snapshots: tuple[Artefact, ...]) -> str:
    first, *others = (f"(SELECT {named(cast.id)} FROM {_scan(one.path)})" for one in snapshots)
    return " ".join([first, *(f"JOIN {other} USING ({named(cast.id)})" for other in others)])


def _schema(snapshot: Artefact) -> Schema:
    if snapshot.schema is None:
        raise TypeError("a snapshot without a schema")
    return snapshot.schema


def _scan(path: str) -> str:
    return f"read_parquet({quote(path)})"
