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
from hanse.components.dataset.schema import schema
from hanse.sdk import Component, Params, Party, Table
from hanse.sdk.findings import Naming


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


component = Component(
    name="dataset",
    version="1.0.0",
    params=Settings,
    roles={"guest": take, "host": take},
    inputs={"source": Table},
    outputs={"table": Table},
    example={"dataset": "customers"},
    names={"columns": Naming(("source",))},
    cost=cost,
    schema=schema,
)
