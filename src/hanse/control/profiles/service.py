"""Ask for figures of versions, find them, and keep the queue of those that are asked for."""

from datetime import timedelta

import msgspec
from sqlalchemy import delete, select
from sqlalchemy.orm import Session, aliased

from hanse.control.access.callers import NODE, Caller
from hanse.control.audit import service as audit
from hanse.control.datasets import service as datasets
from hanse.control.datasets.service import Snapshot
from hanse.control.datasets.tables import Dataset, DatasetVersion
from hanse.control.notifications import service as notifications
from hanse.control.profiles.tables import DatasetProfile
from hanse.core.faults import Fault, fault
from hanse.core.ids import DatasetId
from hanse.core.profiles import ColumnFigures, Drift, Figures
from hanse.core.times import format_time, now, parse_time

SILENT_S = 30.0
"""A process that has not said for so long that it runs a profile is dead."""

MOST_CAUGHT_UP = 50


class Outcome(msgspec.Struct, frozen=True):
    """How a run ended: with figures, with a drift, or with a fault."""

    figures: Figures | None = None
    drift: Drift | None = None
    fault: Fault | None = None
    seconds: float = 0.0
    peak_memory_bytes: int = 0


def ask(session: Session, caller: Caller, name: str, version: int = 0, older: int = 0) -> DatasetProfile:
    """Put a version (0: the newest) into the queue to be measured, or compared with an older one.

    What waits or runs already stays as it is. Raises `dataset.*`, `profile.retired`.
    """
    dataset = datasets.find_for(session, caller, name, change=True).dataset
    number = version or dataset.version
    for one in (number, *([older] if older else ())):
        if datasets.find_version(session, caller, name, one).version.retired_at is not None:
            raise fault("profile.retired", f"version {one} of {dataset.name!r} is retired")
    if older == number:
        raise fault("dataset.no_version", f"version {number} does not differ from itself")
    row = session.get(DatasetProfile, (dataset.id, number, older))
    if row is not None and row.state in ("waiting", "running"):
        return row
    if row is None:
        row = DatasetProfile(dataset=dataset.id, version=number, older=older)
        session.add(row)
    row.state, row.asked_at, row.asked_by, row.alive_at = "waiting", now(), caller.id[:64], ""
    row.ended_at, row.fault, row.figures, row.drift = None, None, None, None
    row.seconds, row.peak_memory_bytes = 0.0, 0
    session.flush()
    audit.append(session, caller.id, "profile.ask", dataset.id, version=number, **({"older": older} if older else {}))
    return row


def find(session: Session, caller: Caller, name: str, version: int = 0, older: int = 0) -> DatasetProfile:
    """Return the profile of a version (0: the newest), or its drift from an older one. Raises `profile.none`."""
    snapshot = datasets.find_for(session, caller, name)
    number = version or snapshot.dataset.version
    row = session.get(DatasetProfile, (snapshot.dataset.id, number, older))
    if row is None:
        what = f"version {number} against {older}" if older else f"version {number}"
        raise fault("profile.none", f"{what} of {snapshot.dataset.name!r}")
    return row


def list_profiles(session: Session, caller: Caller, name: str, after: int, limit: int) -> list[DatasetProfile]:
    """Return the profiles and drifts of the versions above `after`, oldest first."""
    dataset = datasets.find_for(session, caller, name).dataset
    query = select(DatasetProfile).where(DatasetProfile.dataset == dataset.id, DatasetProfile.version > after)
    return list(session.scalars(query.order_by(DatasetProfile.version, DatasetProfile.older).limit(limit)))


def shown(snapshot: Snapshot, figures: Figures) -> Figures:
    """Return figures without the values of columns that identify people."""
    columns = tuple(_shown(snapshot, column) for column in figures.columns)
    return msgspec.structs.replace(figures, columns=columns)


def _shown(snapshot: Snapshot, column: ColumnFigures) -> ColumnFigures:
    if datasets.sensitivity_of(snapshot, column.name) != "identifier":
        return column
    return msgspec.structs.replace(column, values=(), numbers=None)


def shown_drift(snapshot: Snapshot, drift: Drift) -> Drift:
    """Return a drift without the values of columns that identify people."""
    hidden = {"values": (), "edges": (), "old_mean": None, "new_mean": None}
    columns = tuple(
        msgspec.structs.replace(column, **hidden)
        if datasets.sensitivity_of(snapshot, column.name) == "identifier"
        else column
        for column in drift.columns
    )
    return msgspec.structs.replace(drift, columns=columns)


# ------------------------------------------------------------------------------------------------------ the queue


def is_behind(session: Session) -> bool:
    """Say whether there is a newest version without a profile."""
    return bool(_unmeasured(session, 1))


def catch_up(session: Session) -> None:
    """Put newest versions without a profile into the queue, each with its drift from the version before it."""
    for dataset, version in _unmeasured(session, MOST_CAUGHT_UP):
        before = session.get(DatasetVersion, (dataset, version - 1))
        olders = [0] if before is None or before.retired_at is not None else [0, version - 1]
        for older in olders:
            if session.get(DatasetProfile, (dataset, version, older)) is None:
                session.add(
                    DatasetProfile(
                        dataset=dataset, version=version, older=older, state="waiting", asked_at=now(), asked_by=NODE.id
                    )
                )


def _unmeasured(session: Session, most: int) -> list[tuple[DatasetId, int]]:
    known = aliased(DatasetProfile)
    has = select(known.version).where(known.dataset == Dataset.id, known.version == Dataset.version, known.older == 0)
    query = (
        select(Dataset.id, DatasetVersion.number)
        .join(DatasetVersion, (DatasetVersion.dataset == Dataset.id) & (DatasetVersion.number == Dataset.version))
        .where(Dataset.deleted_at.is_(None), DatasetVersion.retired_at.is_(None), ~has.exists())
        .order_by(DatasetVersion.created_at, Dataset.id)
        .limit(most)
    )
    return [(dataset, number) for dataset, number in session.execute(query)]


def has_work(session: Session) -> bool:
    """Say whether something waits that nobody runs."""
    return _next(session) is not None


def claim(session: Session) -> DatasetProfile | None:
    """Take what has waited longest, or what a dead process has left."""
    row = _next(session, lock=True)
    if row is not None:
        row.state, row.alive_at = "running", now()
    return row


def _next(session: Session, *, lock: bool = False) -> DatasetProfile | None:
    silent = format_time(parse_time(now()) - timedelta(seconds=SILENT_S))
    left = (DatasetProfile.state == "running") & (DatasetProfile.alive_at < silent)
    query = select(DatasetProfile).where((DatasetProfile.state == "waiting") | left)
    query = query.order_by(DatasetProfile.asked_at, DatasetProfile.dataset, DatasetProfile.older).limit(1)
    return session.scalar(query.with_for_update(skip_locked=True) if lock else query)


def beat(session: Session, row: DatasetProfile) -> bool:
    """Say that a run goes on; return whether anybody still wants it."""
    found = session.get(DatasetProfile, (row.dataset, row.version, row.older))
    if found is None or found.state != "running":
        return False
    found.alive_at = now()
    return True


def snapshots_of(session: Session, row: DatasetProfile) -> tuple[Snapshot, Snapshot | None]:
    """Return the version that a row is about, and the older one. Raises `profile.retired` when rows are gone."""
    dataset = session.get_one(Dataset, row.dataset)
    found = []
    for number in (row.version, *([row.older] if row.older else ())):
        version = session.get(DatasetVersion, (row.dataset, number))
        if version is None or version.retired_at is not None:
            raise fault("profile.retired", f"version {number} of {dataset.name!r} has no rows any more")
        found.append(Snapshot(dataset, version))
    return found[0], found[1] if row.older else None


def settle(session: Session, row: DatasetProfile, outcome: Outcome) -> None:
    """Note how a run ended: a use of the data, so it is audited."""
    found = session.get(DatasetProfile, (row.dataset, row.version, row.older), with_for_update=True)
    if found is None or found.state != "running":
        return
    found.state = "failed" if outcome.fault else "ready"
    found.figures, found.drift, found.fault = outcome.figures, outcome.drift, outcome.fault
    found.seconds, found.peak_memory_bytes, found.ended_at = outcome.seconds, outcome.peak_memory_bytes, now()
    details = {"version": row.version, "state": found.state, "asked_by": row.asked_by}
    if row.older:
        details["older"] = row.older
    if outcome.fault:
        details["code"] = outcome.fault.code
    audit.append(session, NODE.id, "profile.compare" if row.older else "profile.measure", row.dataset, **details)
    _tell(session, found)


def _tell(session: Session, row: DatasetProfile) -> None:
    """Tell the owner of a dataset that a version drifted, or that its figures were not found."""
    dataset = session.get_one(Dataset, row.dataset)
    words = {"dataset": dataset.name, "version": str(row.version)}
    drifted = [] if row.drift is None else [column.name for column in row.drift.columns if column.verdict == "drifted"]
    if row.fault is not None:
        said = {**words, "code": row.fault.code}
        link = f"/datasets/{dataset.id}/profile"
        notifications.tell(session, "profile.failed", to=[dataset.owner], link=link, words=said)
    elif drifted:
        said = {**words, "older": str(row.older), "columns": ", ".join(drifted)}
        link = f"/datasets/{dataset.id}/drift/{row.older}/{row.version}"
        notifications.tell(session, "dataset.drifted", to=[dataset.owner], link=link, words=said)


def let_go(session: Session, row: DatasetProfile) -> None:
    """Put back what this process no longer runs."""
    found = session.get(DatasetProfile, (row.dataset, row.version, row.older))
    if found is not None and found.state == "running":
        found.state, found.alive_at = "waiting", ""


def forget(session: Session, dataset: DatasetId) -> None:
    """Forget the figures of a dataset that is deleted. What was drawn for partners stays noted, and so its epsilon."""
    session.execute(delete(DatasetProfile).where(DatasetProfile.dataset == dataset))
