"""Dataset: a party's own registered data, as far as it granted them, enters the pipeline.

Protocol  none: nothing is sent. Each party's node binds its own dataset to the task, limited to the
          granted columns.
Secure    trivially: no party hears of another's data.
Learns    guest: nothing.
          host: nothing.
"""

from typing import Annotated

import msgspec

from hanse.components.dataset.cost import cost
from hanse.core.roles import Role
from hanse.core.schema import Schema
from hanse.sdk import Component, Params, Party, Table


class Settings(Params, frozen=True):
    """Which data, usually given for each party on its own."""

    dataset: Annotated[
        str,
        msgspec.Meta(title="Dataset", description="Name under which this party registered its data.", max_length=200),
    ] = ""
    columns: Annotated[
        tuple[str, ...],
        msgspec.Meta(
            title="Columns",
            description="Granted feature columns to use; none named means all. Id and label come along.",
        ),
    ] = ()


async def take(me: Party, source: Table, settings: Settings) -> Table:
    """Hand on my granted columns, or those of them that are named."""
    table = source.select(settings.columns) if settings.columns else source
    me.note(f"{len(table)} rows, {len(table.schema.features)} feature columns")
    return table


def check(_role: Role, settings: Settings, schemas: dict[str, Schema]) -> list[str]:
    """Say which named columns are not granted."""
    if "source" not in schemas:
        return []
    granted = schemas["source"].features
    return [f"column {name!r} is not granted" for name in settings.columns if name not in granted]


component = Component(
    name="dataset",
    version="1.0.0",
    params=Settings,
    roles={"guest": take, "host": take},
    inputs={"source": Table},
    outputs={"table": Table},
    example={"dataset": "customers"},
    check=check,
    cost=cost,
)
