"""What a grant demands beside columns and time: for what, with which components, how often, by whom, how coarse."""

from collections.abc import Iterable
from typing import Annotated, Literal

import msgspec

from hanse.core.ids import OrganisationId
from hanse.core.specs import PREDICT, Name, Terms
from hanse.core.words import PRINTABLE

Purpose = Literal["any", "credit", "fraud", "marketing", "health", "research", "operations", "other"]
"""What data may be used for, in one word; `purpose_text` says it in full."""

Window = Literal["hour", "day"]
WINDOW_S = {"hour": 3600.0, "day": 86400.0}

MOST_USES = 1_000_000_000
MOST_ROWS = 1 << 40

Count = Annotated[int, msgspec.Meta(ge=1, le=MOST_USES)]
Least = Annotated[int, msgspec.Meta(ge=1, le=MOST_ROWS)]
AllowedComponent = Annotated[str, msgspec.Meta(pattern=r"^(predict:)?[a-z][a-z0-9_]{0,47}$")]
PurposeText = Annotated[str, msgspec.Meta(max_length=500, pattern=PRINTABLE)]
OrganisationKey = Annotated[OrganisationId, msgspec.Meta(pattern=r"^[0-9a-f]{32}$")]


class Clauses(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The clauses of a grant. Each is held by the node that owns the data; the defaults allow what the project may do.

    `components` (none named: all) may fit or prepare; the word `predict` lets models of these be applied as well, and
    `predict:<component>` lets models of that one be applied and nothing be fitted. `uses` is how many jobs may read the
    dataset in all, `rate` how many in any `window`. `organisations` (none named: all members of the project) may be the
    guest of such a job. `minimum_group` is the fewest rows behind a number that is told, `minimum_intersection` the
    fewest shared ids.
    """

    purpose: Purpose = "any"
    purpose_text: PurposeText = ""
    components: Annotated[tuple[AllowedComponent, ...], msgspec.Meta(max_length=100)] = ()
    uses: Count | None = None
    rate: Count | None = None
    window: Window = "day"
    minimum_group: Least = 1
    minimum_intersection: Least = 1
    organisations: Annotated[tuple[OrganisationKey, ...], msgspec.Meta(max_length=256)] = ()

    def allows(self, component: Name, *, apply: bool) -> bool:
        """Say whether a component may read the data, to fit or (`apply`) to use what was fitted."""
        if not self.components:
            return True
        if not apply:
            return component in self.components
        return f"{PREDICT}:{component}" in self.components or (
            PREDICT in self.components and component in self.components
        )


def strictest(clauses: Iterable[Clauses]) -> Terms:
    """Return what an attempt that reads data under all of these has to hold to."""
    found = list(clauses)
    return Terms(
        minimum_group=max((each.minimum_group for each in found), default=1),
        minimum_intersection=max((each.minimum_intersection for each in found), default=1),
    )
