"""What can be set for a cached intersection, and the sizes that follow from it."""

from typing import Annotated

import msgspec

from hanse.sdk import Params

CHECKED_BITS, UNCHECKED_BITS = 20, 40
"""One run in 2^bits has a false find: where finds are checked against whole values before they count; where not."""


class Settings(Params, frozen=True):
    """How many ids one run may ask for, and who gets the result; the preparation says it for all runs that use it."""

    share_result: Annotated[
        bool,
        msgspec.Meta(
            title="Share the result",
            description="Hosts learn which of their ids are shared, as training needs; else their result has no rows, "
            "and what is prepared takes 7.8 bytes an id in place of 5.3.",
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
    most_ids: Annotated[
        int,
        msgspec.Meta(
            ge=1,
            le=1 << 24,
            title="Most ids of one run",
            description="A host refuses a guest that asks for more ids in one run: whether it has an id can be guessed "
            "by asking, and in no other way.",
            extra_json_schema={"unit": "ids"},
        ),
    ] = 1 << 20

    @property
    def low_bits(self) -> int:
        """Bits of a tag that the filter keeps beside its place."""
        bits = CHECKED_BITS if self.share_result else UNCHECKED_BITS
        return bits + (self.most_ids - 1).bit_length()
