"""What a name in the setting `dataset` stands for: a registered dataset, or `derived:<digest>`, and whether it holds.

The grants of all that a derived dataset was made of govern it as if these were read themselves. Its state is worked out
anew at each question, so that no change of a source can be missed.
"""

from pathlib import Path
from typing import Literal, NamedTuple

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from hanse.control.datasets import service as datasets
from hanse.control.derived.tables import Derived, Source
from hanse.control.grants.service import Use, resolve
from hanse.core.faults import HanseError, fault
from hanse.core.ids import ProjectId
from hanse.core.schema import Schema
from hanse.core.specs import DERIVED, Artefact


class Reading(NamedTuple):
    """A table to be read, every grant that governs it, and which versions of datasets it comes from."""

    artefact: Artefact
    schema: Schema
    uses: tuple[Use, ...]
    sources: tuple[Source, ...]


class Standing(NamedTuple):
    """Whether a derived dataset may be used, and why it is stale or invalid."""

    state: Literal["valid", "stale", "invalid"]
    reason: str = ""


def is_derived(name: str) -> bool:
    """Say whether a name in a pipeline is that of a derived dataset."""
    return name.startswith(DERIVED)


def open_reading(session: Session, directory: Path, name: str, project: ProjectId, at: str) -> Reading:
    """Return what `project` may read under a name. `directory` is the node's.

    Raises what `grants.resolve` raises, and `derived.unknown` or `derived.invalid`.
    """
    if not is_derived(name):
        use = resolve(session, directory, name, project, at)
        dataset, version = use.snapshot
        return Reading(
            use.artefact, use.schema, (use,), (Source(dataset.id, dataset.name, version.number, use.grant.id),)
        )
    row = find_digest(session, name)
    uses, standing = _judge(session, directory, row, project, at)
    if standing.state == "invalid":
        raise fault("derived.invalid", f"{row.name!r}: {standing.reason}")
    schema = _shown(row, uses)
    artefact = msgspec.structs.replace(row.artefact, path=str(directory / row.artefact.path), columns=schema.names)
    return Reading(artefact, schema, uses, row.sources)


def names_behind(session: Session, name: str) -> tuple[str, ...]:
    """Return the ids of the datasets behind a derived one, or the name itself. Raises `derived.unknown`."""
    if not is_derived(name):
        return (name,)
    return tuple(source.dataset for source in find_digest(session, name).sources)


def stand(session: Session, directory: Path, row: Derived, at: str) -> Standing:
    """Say whether a derived dataset may be used in its project."""
    return _judge(session, directory, row, row.project, at)[1]


def find_digest(session: Session, reference: str) -> Derived:
    """Return this party's part of `derived:<digest>`. Raises `derived.unknown`."""
    found = session.scalar(select(Derived).where(Derived.digest == reference.removeprefix(DERIVED)))
    if found is None:
        raise fault("derived.unknown", f"no part of {reference[:80]} is kept here")
    return found


def _judge(
    session: Session, directory: Path, row: Derived, project: ProjectId, at: str
) -> tuple[tuple[Use, ...], Standing]:
    uses, newer = [], []
    for source in row.sources:
        try:
            use = resolve(session, directory, source.dataset, project, at)
        except HanseError as error:
            return (), Standing("invalid", error.fault.cause or f"{source.name} may not be used: {error.fault.code}")
        if use.grant.id != source.grant:
            return (), Standing("invalid", f"the grant of {source.name!r} that it was made under is gone")
        if use.snapshot.version.number != source.version:
            newer.append(source)
        if not datasets.has_version(session, source.dataset, source.version):
            return (), Standing("invalid", f"version {source.version} of {source.name!r} is retired")
        uses.append(use)
    if not newer:
        return tuple(uses), Standing("valid")
    reason = f"{newer[0].name!r} has a newer version than {newer[0].version}, which it was made of"
    return tuple(uses), Standing(row.on_refresh, reason)


def _shown(row: Derived, uses: tuple[Use, ...]) -> Schema:
    """Return the schema without the columns of one's own sources that are no longer granted."""
    schema = row.artefact.schema
    if schema is None:
        raise fault("derived.invalid", f"{row.name!r} has no schema")
    own = {name for use in uses for name in use.snapshot.version.schema.names}
    granted = {name for use in uses for name in use.schema.names}
    return schema.only(name for name in schema.names if name in granted or name not in own)
