"""Delete a dataset: what that takes with it is said first, and exactly that is confirmed."""

import hashlib
import shutil
from pathlib import Path

import msgspec
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from hanse.control.access.callers import Caller
from hanse.control.datasets import service as datasets
from hanse.control.datasets.tables import DatasetVersion
from hanse.control.grants.versions import end, standing_grants
from hanse.core.faults import fault
from hanse.core.ids import DatasetId, OrganisationId

KEPT = "kept"


class Consequences(msgspec.Struct, frozen=True):
    """What goes with a dataset. `digest` stands for all of it: a deletion names the one that was shown."""

    dataset: DatasetId
    name: str
    versions: int
    rows: int
    grants: tuple[str, ...]
    kept: tuple[str, ...]
    digest: str = ""


def foresee(session: Session, directory: Path, caller: Caller, name: str) -> Consequences:
    """Return what deleting a dataset would take: its versions, its grants, what components kept of it."""
    dataset, newest = datasets.find_for(session, caller, name, change=True)
    query = select(func.count()).where(DatasetVersion.dataset == dataset.id, DatasetVersion.retired_at.is_(None))
    seen = Consequences(
        dataset.id,
        dataset.name,
        session.scalar(query) or 0,
        newest.rows,
        tuple(grant.id for grant in standing_grants(session, dataset.id)),
        tuple(folder.name for folder in _kept(directory, dataset.id)),
    )
    return msgspec.structs.replace(seen, digest=hashlib.sha256(msgspec.json.encode(seen)).hexdigest())


def remove(
    session: Session, directory: Path, caller: Caller, name: str, digest: str, me: OrganisationId
) -> Consequences:
    """Delete a dataset with the consequences shown as `digest`. Its files go after the transaction, by `clear`.

    Raises `dataset.consequences` when they are others now.
    """
    seen = foresee(session, directory, caller, name)
    if seen.digest != digest:
        raise fault("dataset.consequences", f"what goes with {seen.name!r} has changed since it was shown")
    for grant in standing_grants(session, seen.dataset):
        end(session, grant, me)
    dataset = datasets.find_for(session, caller, name, change=True).dataset
    datasets.erase(session, caller, dataset, ended_grants=seen.grants, kept=seen.kept)
    return seen


def clear(directory: Path, seen: Consequences) -> None:
    """Remove from the disk what components kept of a deleted dataset."""
    for folder in _kept(directory, seen.dataset):
        shutil.rmtree(folder, ignore_errors=True)


def _kept(directory: Path, dataset: DatasetId) -> list[Path]:
    """Return the folders that are named after the dataset, alone or with others."""
    folders = (folder for folder in (directory / KEPT).glob("*") if dataset in folder.name.split("+"))
    return sorted(folders)
