"""Keep sources. A password goes in sealed and comes out only for the process that reads."""

from pathlib import Path

from sqlalchemy import Select, or_, select
from sqlalchemy.orm import Session

from hanse.control.access.callers import Caller, visible
from hanse.control.access.permissions import Permission
from hanse.control.audit import service as audit
from hanse.control.secrets import seal
from hanse.control.sources.tables import Source
from hanse.core.faults import fault
from hanse.core.ids import new_id
from hanse.core.sources import SourceSpec
from hanse.core.times import now


def purpose(source_id: str) -> str:
    """Return what a source's password is sealed for: put beside another source, it does not open."""
    return f"source:{source_id}"


def add(session: Session, directory: Path, caller: Caller, name: str, spec: SourceSpec, password: str) -> Source:
    """Keep a new source. Raises `source.exists`."""
    caller.demand(Permission.SOURCES_MANAGE)
    if session.scalar(select(Source.id).where(or_(Source.name == name, Source.id == name))) is not None:
        raise fault("source.exists", f"a source is called {name!r} already")
    moment, source_id = now(), new_id("source")
    source = Source(
        id=source_id,
        name=name,
        owner=caller.person,
        spec=spec,
        secret=seal(directory, password.encode(), purpose(source_id)),
        created_at=moment,
        changed_at=moment,
        tested_at=None,
    )
    session.add(source)
    session.flush()
    audit.append(session, caller.id, "source.add", source_id, name=name, **_where(spec))
    return source


def change(
    session: Session, directory: Path, caller: Caller, name: str, spec: SourceSpec, password: str | None
) -> Source:
    """Change where a source is, or its password (None: as it was). Raises `source.unknown`, `source.password_again`.

    A kept password goes only where it went before: who moves a source, or lowers its TLS, has to know it.
    """
    source = find(session, caller, name, lock=True)
    if password is None and _reached(spec) != _reached(source.spec):
        raise fault("source.password_again", "a kept password is not sent to another place or over another TLS")
    if password is not None:
        source.secret = seal(directory, password.encode(), purpose(source.id))
    source.spec, source.changed_at, source.tested_at = spec, now(), None
    audit.append(session, caller.id, "source.change", source.id, password=password is not None, **_where(spec))
    return source


def remove(session: Session, caller: Caller, name: str) -> None:
    """Forget a source and its password; datasets that came from it stay. Raises `source.unknown`."""
    source = find(session, caller, name, lock=True)
    session.delete(source)
    audit.append(session, caller.id, "source.remove", source.id, name=source.name)


def note_test(session: Session, caller: Caller, source_id: str, *, code: str = "") -> None:
    """Note that a source was tried: it answered, or failed with `code`. Raises `source.unknown`."""
    source = find(session, caller, source_id, lock=True)
    source.tested_at = None if code else now()
    audit.append(session, caller.id, "source.test", source.id, failed=code)


def find(session: Session, caller: Caller, name: str, *, lock: bool = False) -> Source:
    """Return a source that the caller may use, by its name or id. Raises `source.unknown`."""
    query = _seen_by(caller).where(or_(Source.name == name, Source.id == name))
    source = session.scalar(query.with_for_update() if lock else query)
    if source is None:
        raise fault("source.unknown", f"there is no source {name!r}")
    return source


def list_sources(session: Session, caller: Caller, after: str = "", limit: int = 100) -> list[Source]:
    """Return the caller's sources by name, from the one after `after` on."""
    query = _seen_by(caller).where(Source.name > after).order_by(Source.name).limit(limit)
    return list(session.scalars(query))


def _seen_by(caller: Caller) -> Select[Source]:
    return visible(select(Source), caller, Permission.SOURCES_MANAGE, owner=Source.owner)


def _reached(spec: SourceSpec) -> tuple[str, ...]:
    return (spec.kind, spec.host.lower(), str(spec.port), spec.user, spec.tls, spec.ca)


def _where(spec: SourceSpec) -> dict[str, str | int]:
    return {"kind": spec.kind, "host": spec.host, "port": spec.port, "database": spec.database, "user": spec.user}
