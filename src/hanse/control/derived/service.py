"""Keep derived datasets, list them, remove them. What one may be used for is in `reading`."""

import os
import shutil
from pathlib import Path

import msgspec
from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from hanse.control.access.callers import LOCAL, Caller, visible
from hanse.control.access.permissions import Permission
from hanse.control.audit import service as audit
from hanse.control.datasets.tables import Dataset
from hanse.control.derived.tables import Derived
from hanse.core.faults import fault
from hanse.core.specs import Artefact

FOLDER = "derived"


def record(session: Session, caller: Caller, directory: Path, row: Derived) -> Derived:
    """Keep `row`, its artefact moved into a folder of its own; return what is there when the same was kept before.

    `directory` is the node's. Raises `derived.name_taken`.
    """
    known = session.scalar(select(Derived).where(Derived.digest == row.digest))
    if known is not None:
        return known
    for kind in (Derived, Dataset):
        if session.scalar(select(kind.id).where(kind.name == row.name)) is not None:
            raise fault("derived.name_taken", f"{row.name!r} is taken")
    row.artefact = _keep(directory, row.id, row.artefact)
    session.add(row)
    details = {"name": row.name, "job": row.job, "task": row.task, "digest": row.digest}
    audit.append(session, caller.id, "derived.save", row.id, **details)
    session.flush()
    return row


def list_derived(session: Session, caller: Caller, *, after: str = "", limit: int = 1000) -> list[Derived]:
    """Return the derived datasets that the caller may see, by name, from the one after `after` on."""
    query = _seen_by(caller).where(Derived.name > after)
    return list(session.scalars(query.order_by(Derived.name).limit(limit)))


def find(session: Session, name: str, caller: Caller = LOCAL) -> Derived:
    """Return a derived dataset by its name, id or digest. Raises `derived.unknown`."""
    same = (Derived.name == name) | (Derived.id == name) | (Derived.digest == name)
    found = session.scalar(_seen_by(caller).where(same))
    if found is None:
        raise fault("derived.unknown", f"no derived dataset is called {name!r}")
    return found


def remove(session: Session, caller: Caller, directory: Path, name: str) -> Path:
    """Forget a derived dataset; return the folder that the caller removes once that is committed."""
    row = find(session, name, caller)
    caller.demand(Permission.PIPELINES_WRITE, owner=row.owner, project=row.project)
    session.delete(row)
    audit.append(session, caller.id, "derived.remove", row.id, name=row.name, digest=row.digest)
    return directory / FOLDER / row.id


def _seen_by(caller: Caller) -> Select[Derived]:
    query = select(Derived)
    return visible(query, caller, Permission.DATASETS_READ, owner=Derived.owner, project=Derived.project)


def _keep(directory: Path, name: str, made: Artefact) -> Artefact:
    """Link the table into a folder of its own: it outlives the job's, and takes no room twice."""
    source, target = Path(made.path), Path(FOLDER) / name / "table"
    (directory / target).parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, directory / target, copy_function=_link)
    else:
        _link(str(source), str(directory / target))
    return msgspec.structs.replace(made, path=str(target))


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another disk, or one that has no links
        shutil.copy2(source, target)
