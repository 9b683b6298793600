"""What can be set for an intersection."""

from typing import Annotated, Literal

import msgspec

from hanse.sdk import Params


class Settings(Params, frozen=True):
    """How ids are compared and who gets the result."""

    method: Annotated[
        Literal["ecdh"], msgspec.Meta(title="Method", description="ecdh: blinding on Curve25519, for any size.")
    ] = "ecdh"
    share_result: Annotated[
        bool,
        msgspec.Meta(
            title="Share the result",
            description="Hosts learn which of their ids are shared, as training needs; else their result has no rows.",
        ),
    ] = True
    minimum: Annotated[
        int,
        msgspec.Meta(
            ge=1,
            le=1_000_000_000,
            title="Least shared ids",
            description="Fewer shared ids than this end the task: a small intersection says much about single people.",
            extra_json_schema={"unit": "rows"},
        ),
    ] = 1
