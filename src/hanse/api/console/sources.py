"""Databases and stores that this organisation's datasets are read from."""

from importlib.util import find_spec
from typing import Annotated

import msgspec
from fastapi import APIRouter, Query
from pydantic import BaseModel, Field, SecretStr

from hanse.api.console.access import needs
from hanse.api.console.parts import part
from hanse.api.console.shapes import Asked, Title
from hanse.control.access.callers import Caller
from hanse.control.access.permissions import Permission
from hanse.control.sources import service as sources
from hanse.control.sources.desk import SourceDesk
from hanse.control.sources.tables import Source
from hanse.core.sources import KINDS, SourceKind, SourceSpec, Tls

router = APIRouter(tags=["sources"])

Owner = Annotated[Caller, needs(Permission.SOURCES_MANAGE)]
Desk = Annotated[SourceDesk, part(SourceDesk)]
Host = Annotated[str, Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9._:-]{0,251}[A-Za-z0-9])?$", max_length=253)]
Word = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f]*$", max_length=128)]
Pem = Annotated[str, Field(pattern=r"^[\x20-\x7e\r\n]*$", max_length=1 << 18)]
Secret = Annotated[SecretStr, Field(max_length=1024)]


class SourceAsked(Asked):
    """A port of 0 is the kind's own. `tls`: verify (certificate and name), require (encrypted only), off.

    Of an S3 store, `database` is the bucket (empty: the host's name begins with it), `user` the access key's id and
    `password` its secret. Of WebHDFS, `database` is a folder; without a password the user is only named.
    """

    name: Title
    kind: SourceKind
    host: Host
    port: Annotated[int, Field(ge=0, le=65535)] = 0
    database: Word
    user: Word
    password: Secret
    tls: Tls = "verify"
    ca: Pem = ""
    region: Word = ""


class SourceChangeAsked(Asked):
    """What is not said stays. Another place or TLS needs the password again."""

    host: Host | None = None
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    database: Word | None = None
    user: Word | None = None
    password: Secret | None = None
    tls: Tls | None = None
    ca: Pem | None = None
    region: Word | None = None


class DataSourceView(BaseModel):
    """A source; its password is never shown. `tested`: a server of this kind was in the tests of this release."""

    id: str
    name: str
    owner: str
    kind: SourceKind
    host: str
    port: int
    database: str
    user: str
    tls: Tls
    ca: str
    region: str
    tested: bool
    created_at: str
    changed_at: str
    tested_at: str | None


class SourceKindView(BaseModel):
    """A kind of source. `tested`: a server of it was in the tests of this release; `extra` installs its driver."""

    kind: SourceKind
    port: int
    store: bool
    driver: str
    extra: str
    installed: bool
    tested: bool


class SourceTableView(BaseModel):
    """A table or view as the source's catalogue calls it; of a store, an object or (with `/` at its end) a folder."""

    space: str
    name: str


class SourceTestView(BaseModel):
    """What answered, whether the connection was encrypted, and how long it took."""

    server: str
    encrypted: bool
    seconds: float
    tables: int


@router.get("/source-kinds", operation_id="list_source_kinds", dependencies=[needs(Permission.SOURCES_MANAGE)])
def list_source_kinds() -> list[SourceKindView]:
    """List the kinds of sources, and whether their drivers are installed here."""
    return [
        SourceKindView(
            kind=name,
            port=kind.port,
            store=kind.is_store,
            driver=kind.module,
            extra=kind.extra,
            installed=not kind.module or find_spec(kind.module) is not None,
            tested=kind.tested,
        )
        for name, kind in KINDS.items()
    ]


@router.post("/sources", status_code=201, operation_id="add_source")
def add_source(asked: SourceAsked, caller: Owner, desk: Desk) -> DataSourceView:
    """Keep a source. Its password is sealed, and nothing is dialled yet."""
    said = asked.model_dump(exclude={"name", "password"}) | {"port": asked.port or KINDS[asked.kind].port}
    spec = msgspec.convert(said, SourceSpec)
    with desk.database.write() as session:
        password = asked.password.get_secret_value()
        return _view(sources.add(session, desk.directory, caller, asked.name, spec, password))


@router.get("/sources", operation_id="list_sources")
def list_sources(
    caller: Owner,
    desk: Desk,
    after: Annotated[str, Query(max_length=64)] = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> list[DataSourceView]:
    """List sources by name."""
    with desk.database.read() as session:
        return [_view(source) for source in sources.list_sources(session, caller, after, limit)]


@router.get("/sources/{name}", operation_id="get_source")
def get_source(name: str, caller: Owner, desk: Desk) -> DataSourceView:
    """Show a source, by its name or id."""
    with desk.database.read() as session:
        return _view(sources.find(session, caller, name))


@router.patch("/sources/{name}", operation_id="change_source")
def change_source(name: str, asked: SourceChangeAsked, caller: Owner, desk: Desk) -> DataSourceView:
    """Change where a source is, or its password."""
    changes = asked.model_dump(exclude={"password"}, exclude_none=True)
    password = None if asked.password is None else asked.password.get_secret_value()
    with desk.database.write() as session:
        spec = msgspec.structs.replace(sources.find(session, caller, name).spec, **changes)
        return _view(sources.change(session, desk.directory, caller, name, spec, password))


@router.delete("/sources/{name}", status_code=204, operation_id="remove_source")
def remove_source(name: str, caller: Owner, desk: Desk) -> None:
    """Forget a source and its password. Datasets that came from it stay."""
    with desk.database.write() as session:
        sources.remove(session, caller, name)


@router.post("/sources/{name}/test", operation_id="test_source")
async def test_source(name: str, caller: Owner, desk: Desk) -> SourceTestView:
    """Connect, and say what answers."""
    answer = await desk.test(caller, name)
    return SourceTestView(
        server=answer.server, encrypted=answer.encrypted, seconds=answer.seconds, tables=len(answer.tables)
    )


@router.get("/sources/{name}/tables", operation_id="list_source_tables")
async def list_source_tables(
    name: str, caller: Owner, desk: Desk, limit: Annotated[int, Query(ge=1, le=1000)] = 1000
) -> list[SourceTableView]:
    """List the tables and views that the source's user sees."""
    answer = await desk.look(caller, name, limit)
    return [SourceTableView(space=table.schema, name=table.name) for table in answer.tables]


def _view(source: Source) -> DataSourceView:
    spec = source.spec
    return DataSourceView(
        id=source.id,
        name=source.name,
        owner=source.owner,
        kind=spec.kind,
        host=spec.host,
        port=spec.port,
        database=spec.database,
        user=spec.user,
        tls=spec.tls,
        ca=spec.ca,
        region=spec.region,
        tested=KINDS[spec.kind].tested,
        created_at=source.created_at,
        changed_at=source.changed_at,
        tested_at=source.tested_at,
    )
