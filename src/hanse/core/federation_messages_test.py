"""What a partner says of its data is checked before it is kept and shown."""

import math

import msgspec
import pytest

from hanse.core.federation_messages import FederationRequest, GrantOffered
from hanse.core.ids import GrantId, ProjectId
from hanse.core.schema import Column, Schema

ID, LABEL, AGE = Column("phone", "text", "id"), Column("bad", "integer", "label"), Column("age", "integer")
OFFER = GrantOffered(
    GrantId("grant-0123456789abcdef"), ProjectId("project-0123456789abcdef"), "x", Schema((ID, AGE)), 7, None, 0.1
)


def carried(offer: GrantOffered, **changes: object) -> object:
    plain = {**msgspec.to_builtins(offer), **changes}
    return msgspec.msgpack.decode(msgspec.msgpack.encode(plain), type=FederationRequest)


def test_an_offer_arrives_as_it_was_sent() -> None:
    assert carried(OFFER) == OFFER


@pytest.mark.parametrize("limit", [math.nan, math.inf, -1.0, 0.0])
def test_a_limit_that_is_no_number_to_show_is_refused(limit: float) -> None:
    with pytest.raises(msgspec.ValidationError):
        carried(OFFER, disclosure_limit=limit)


@pytest.mark.parametrize(
    "columns", [(), (AGE,), (ID, ID), (ID, LABEL, LABEL), (ID, AGE, AGE)], ids=lambda columns: str(len(columns))
)
def test_a_schema_without_one_id_or_with_a_name_twice_is_refused(columns: tuple[Column, ...]) -> None:
    with pytest.raises(msgspec.ValidationError):
        carried(OFFER, schema={"columns": [msgspec.to_builtins(column) for column in columns]})
