"""What organisations say to each other about themselves, projects and grants.

The first part is JSON on `/v1/pair`, spoken with strangers that hold an invitation. The second is msgpack on the
session of two members, each request with its reply; the sender is the organisation of the client certificate, never a
field. All may be said twice.
"""

from typing import Annotated, Literal

import msgspec

from hanse.core.clauses import Clauses
from hanse.core.ids import GrantId, OrganisationId, ProjectId
from hanse.core.job_messages import Acknowledged
from hanse.core.profiles import MOST_FIGURES, SharedFigure
from hanse.core.registry_messages import RegisterPage, RegistryRequest
from hanse.core.schema import Schema
from hanse.core.words import PRINTABLE, Label, Title

NAME_LENGTH = 256

Pem = Annotated[str, msgspec.Meta(max_length=16 << 10)]
Address = Annotated[str, msgspec.Meta(max_length=255)]
DialledAddress = Annotated[
    str, msgspec.Meta(max_length=255, pattern=r"^([A-Za-z0-9._-]+:[0-9]{1,5}|\[[0-9A-Fa-f:.]+\]:[0-9]{1,5})?$")
]
"""`host:port` or `[address]:port`, or nothing."""

Note = Annotated[str, msgspec.Meta(max_length=64, pattern=PRINTABLE)]
Seal = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}$")]
Moment = Annotated[str, msgspec.Meta(min_length=24, max_length=24)]
OrganisationKey = Annotated[OrganisationId, msgspec.Meta(pattern=r"^[0-9a-f]{32}$")]
ProjectKey = Annotated[ProjectId, msgspec.Meta(pattern=r"^project-[0-9a-f]{16}$")]
GrantKey = Annotated[GrantId, msgspec.Meta(pattern=r"^grant-[0-9a-f]{16}$")]
ApplicationKey = Annotated[str, msgspec.Meta(pattern=r"^application-[0-9a-f]{16}$")]
ColumnName = Annotated[str, msgspec.Meta(min_length=1, max_length=NAME_LENGTH, pattern=PRINTABLE)]
Limit = Annotated[float, msgspec.Meta(gt=0, le=1e12)]
Remark = Annotated[str, msgspec.Meta(max_length=1000, pattern=PRINTABLE)]


class Introduction(msgspec.Struct, frozen=True):
    """GET /v1/pair: who answers here. Worth what the certificate of the connection makes of it."""

    name: Title
    root: Pem
    release: Label = ""


class JoinRequest(msgspec.Struct, frozen=True):
    """POST /v1/pair: the joiner shows itself.

    `seal` is an HMAC-SHA256 over all of it under the invitation's secret; `signature` is over the seal by the key of
    the node's certificate, so that nobody joins in another's name.
    """

    invitation: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{16}$")]
    root: Pem
    chain: Pem
    address: Address
    seal: Seal
    signature: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64,256}$")]


class JoinReply(msgspec.Struct, frozen=True):
    """The inviter has noted the joiner; the seal, under the same secret, says that it is the inviter who says so."""

    state: Literal["pending", "active"]
    seal: Seal


class Profile(msgspec.Struct, frozen=True):
    """What an organisation says of itself: where it is dialled, whom to ask, where its machines stand."""

    release: Label = ""
    address: DialledAddress = ""
    region: Note = ""
    contact: Label = ""
    pool: Note = ""


class Ping(msgspec.Struct, frozen=True, tag=True):
    """Are you there, and am I a member of yours? Reply: `Pong`, or the fault `member.unknown`."""


class Pong(msgspec.Struct, frozen=True, tag=True):
    """Here, and you are; and this is what I say of myself. Releases before 0.2 say the release alone."""

    release: Label
    profile: Profile = Profile()


class MemberConfirmed(msgspec.Struct, frozen=True, tag=True):
    """inviter → joiner: my administrator has compared the fingerprint and confirmed you."""


class Place(msgspec.Struct, frozen=True):
    """An organisation in a project, and whether it has agreed."""

    organisation: OrganisationKey
    name: Title
    state: Literal["invited", "accepted"]
    agreed: Annotated[int, msgspec.Meta(ge=0, le=1 << 30)] = 1
    """The latest version of the list of members that it has agreed to."""


class ProjectOffered(msgspec.Struct, frozen=True, tag=True):
    """owner → members: this is the project and who is in it now. Each change of who is in it makes a new `version`."""

    project: ProjectKey
    name: Title
    members: Annotated[tuple[Place, ...], msgspec.Meta(min_length=2, max_length=256)]
    created_at: Moment
    version: Annotated[int, msgspec.Meta(ge=1, le=1 << 30)] = 1


class ProjectAccepted(msgspec.Struct, frozen=True, tag=True):
    """member → owner: my administrator has agreed to this version of the list of members."""

    project: ProjectKey
    version: Annotated[int, msgspec.Meta(ge=1, le=1 << 30)] = 1


class ProjectLeft(msgspec.Struct, frozen=True, tag=True):
    """member → owner: I am no longer in it. owner → member: you are no longer in it."""

    project: ProjectKey


class GrantOffered(msgspec.Struct, frozen=True, tag=True):
    """owner of a dataset → members of a project: you may use these columns, until then. Names and numbers, no row."""

    grant: GrantKey
    project: ProjectKey
    dataset: Title
    schema: Schema
    rows: Annotated[int, msgspec.Meta(ge=0, le=1 << 40)]
    until: Moment | None
    disclosure_limit: Limit
    clauses: Clauses = Clauses()
    version: Annotated[int, msgspec.Meta(ge=1, le=1 << 31)] = 1

    def __post_init__(self) -> None:
        uses = [column.use for column in self.schema.columns]
        if uses.count("id") != 1 or uses.count("label") > 1 or len(set(self.schema.names)) < len(uses):
            raise ValueError("a schema has one id, at most one label, and no name twice")
        if not all(name.isprintable() and 0 < len(name) <= NAME_LENGTH for name in self.schema.names):
            raise ValueError(f"a column has a printable name of at most {NAME_LENGTH} characters")


class GrantRevoked(msgspec.Struct, frozen=True, tag=True):
    """owner of a dataset → members of a project: no longer. The owner's own node has stopped allowing it already."""

    grant: GrantKey


class ApplicationMade(msgspec.Struct, frozen=True, tag=True):
    """partner → owner of a dataset: we ask for this, in this project. `dataset` is a name that was seen, or words."""

    application: ApplicationKey
    project: ProjectKey
    dataset: Title
    columns: Annotated[tuple[ColumnName, ...], msgspec.Meta(max_length=10_000)]
    until: Moment | None
    disclosure_limit: Limit
    clauses: Clauses
    reason: Remark


class ApplicationAnswered(msgspec.Struct, frozen=True, tag=True):
    """owner → partner: granted (the grant comes with a message of its own), or not, and why."""

    application: ApplicationKey
    state: Literal["approved", "rejected"]
    answer: Remark
    grant: GrantKey | None = None


class ApplicationWithdrawn(msgspec.Struct, frozen=True, tag=True):
    """partner → owner: no longer wanted."""

    application: ApplicationKey


class CardPublished(msgspec.Struct, frozen=True, tag=True):
    """owner → members of a project: a dataset that you may ask for. Nothing is granted by it.

    `rows` is the magnitude alone: the greatest power of ten that is not above the number of rows.
    """

    project: ProjectKey
    dataset: Title
    description: Remark
    columns: Annotated[tuple[ColumnName, ...], msgspec.Meta(max_length=10_000)]
    rows: Annotated[int, msgspec.Meta(ge=0, le=1 << 40)]


class CardWithdrawn(msgspec.Struct, frozen=True, tag=True):
    """owner → members of a project: forget this card."""

    project: ProjectKey
    dataset: Title


class FiguresShared(msgspec.Struct, frozen=True, tag=True):
    """owner → members of a project: this is what a version of a dataset looks like, with noise. Nothing is granted.

    It stands in the place of what was told of the dataset before.
    """

    project: ProjectKey
    dataset: Title
    version: Annotated[int, msgspec.Meta(ge=1, le=1 << 31)]
    figures: Annotated[tuple[SharedFigure, ...], msgspec.Meta(min_length=1, max_length=MOST_FIGURES)]


class FiguresWithdrawn(msgspec.Struct, frozen=True, tag=True):
    """owner → members of a project: forget what I told of this dataset."""

    project: ProjectKey
    dataset: Title


FederationRequest = (
    Ping
    | MemberConfirmed
    | ProjectOffered
    | ProjectAccepted
    | ProjectLeft
    | GrantOffered
    | GrantRevoked
    | ApplicationMade
    | ApplicationAnswered
    | ApplicationWithdrawn
    | CardPublished
    | CardWithdrawn
    | FiguresShared
    | FiguresWithdrawn
    | RegistryRequest
)
FederationReply = Pong | Acknowledged | RegisterPage
