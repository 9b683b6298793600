"""Delete a dataset: what that takes with it is said first, and exactly that is confirmed."""

import hashlib
import shutil
from pathlib import Path

import msgspec
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from hanse.control.access.callers import Caller
from hanse.control.datasets import service as datasets
from hanse.control.datasets.keeping import folders_with
from hanse.control.datasets.tables import DatasetVersion
from hanse.control.derived.tables import Derived
from hanse.control.grants.versions import end, standing_grants
from hanse.control.profiles import service as profiles
from hanse.control.profiles import sharing
from hanse.core.faults import fault
from hanse.core.ids import DatasetId, OrganisationId


class Consequences(msgspec.Struct, frozen=True):
    """What goes with a dataset: its grants end, what components kept is removed, `derived` datasets become invalid.

    `digest` stands for all of it: a deletion names the one that was shown.
    """

    dataset: DatasetId
    name: str
    versions: int
    rows: int
    grants: tuple[str, ...]
    kept: tuple[str, ...]
    derived: tuple[str, ...]
    digest: str = ""


def foresee(session: Session, directory: Path, caller: Caller, name: str) -> Consequences:
    """Return what deleting a dataset would take: its versions, its grants, what was made and kept of it."""
    dataset, newest = datasets.find_for(session, caller, name, change=True)
    query = select(func.count()).where(DatasetVersion.dataset == dataset.id, DatasetVersion.retired_at.is_(None))
    seen = Consequences(
        dataset.id,
        dataset.name,
        session.scalar(query) or 0,
        newest.rows,
        tuple(grant.id for grant in standing_grants(session, dataset.id)),
        tuple(folder.name for folder in folders_with(directory, dataset.id)),
        _derived(session, dataset.id),
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
    sharing.withdraw_all(session, me, dataset.id, dataset.name)
    profiles.forget(session, dataset.id)
    datasets.erase(session, caller, dataset, ended_grants=seen.grants, kept=seen.kept, derived=seen.derived)
    return seen


def clear(directory: Path, seen: Consequences) -> None:
    """Remove from the disk what components kept of a deleted dataset."""
    for folder in folders_with(directory, seen.dataset):
        shutil.rmtree(folder, ignore_errors=True)


def _derived(session: Session, dataset: DatasetId) -> tuple[str, ...]:
    """Return the names of the derived datasets that were made of a dataset."""
    rows = session.scalars(select(Derived).order_by(Derived.name))
    return tuple(row.name for row in rows if any(source.dataset == dataset for source in row.sources))
