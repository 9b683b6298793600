"""What several resources have in common on the wire."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from hanse.core.schema import Schema

Title = Annotated[
    str, StringConstraints(min_length=1, max_length=64, pattern=r"^[^\s/\\](?:[^/\\\x00-\x1f\x7f]*[^\s/\\])?$")
]


class Asked(BaseModel):
    """What a caller sends: a field that is not known is a mistake, and said to be one."""

    model_config = ConfigDict(extra="forbid")


class ColumnView(BaseModel):
    name: str
    type: Literal["integer", "real", "text"]
    use: Literal["id", "label", "feature"]


class SchemaView(BaseModel):
    """The columns of a table, in order."""

    columns: list[ColumnView]


class WithSchema(BaseModel):
    """An answer that has a schema, under that name."""

    model_config = ConfigDict(populate_by_name=True)

    table_schema: SchemaView = Field(serialization_alias="schema", validation_alias="schema")


def view_schema(schema: Schema) -> SchemaView:
    return SchemaView(columns=[ColumnView(name=c.name, type=c.type, use=c.use) for c in schema.columns])
