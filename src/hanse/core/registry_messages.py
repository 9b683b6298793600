"""What organisations say to a registry, and it to them: who is there, and which projects and datasets they show.

A registry is a node that many have paired with. It hands on what each has signed about itself; whom to trust is decided
by people on both sides of a pair. The sender of a message is the organisation of the client certificate.
"""

from typing import Annotated, Literal

import msgspec

from hanse.core.ids import OrganisationId, ProjectId
from hanse.core.words import PRINTABLE, Label, Title

ENTRY_BYTES = 128 << 10
MOST_SHOWN = 200
MOST_LISTINGS = 64
"""In one page."""

Key = Annotated[OrganisationId, msgspec.Meta(pattern=r"^[0-9a-f]{32}$")]
ProjectKey = Annotated[ProjectId, msgspec.Meta(pattern=r"^project-[0-9a-f]{16}$")]
Address = Annotated[
    str, msgspec.Meta(max_length=255, pattern=r"^([A-Za-z0-9._-]+:[0-9]{1,5}|\[[0-9A-Fa-f:.]+\]:[0-9]{1,5})?$")
]
Pem = Annotated[str, msgspec.Meta(max_length=16 << 10)]
Signature = Annotated[str, msgspec.Meta(pattern=r"^([0-9a-f]{2}){32,128}$")]
Moment = Annotated[str, msgspec.Meta(min_length=24, max_length=24)]
Remark = Annotated[str, msgspec.Meta(max_length=1000, pattern=PRINTABLE)]
Column = Annotated[str, msgspec.Meta(min_length=1, max_length=256, pattern=PRINTABLE)]
Sides = Literal["both", "one"]
"""`both`: the organisation has paired with the registry and signed its entry. `one`: the registry alone tells of it."""


class ShownProject(msgspec.Struct, frozen=True):
    """A project that an organisation shows: that it takes part, and who founded it; of the others, nothing."""

    project: ProjectKey
    name: Title
    owner: Key


class ShownDataset(msgspec.Struct, frozen=True):
    """A dataset that an organisation shows, and the shown projects that it has granted it to.

    `rows` is the magnitude alone: the greatest power of ten that is not above the number of rows.
    """

    name: Title
    description: Remark
    columns: Annotated[tuple[Column, ...], msgspec.Meta(max_length=1000)]
    rows: Annotated[int, msgspec.Meta(ge=0, le=1 << 40)]
    projects: Annotated[tuple[ProjectKey, ...], msgspec.Meta(max_length=MOST_SHOWN)] = ()


class Entry(msgspec.Struct, frozen=True):
    """What an organisation says of itself to one registry, and to all who read there."""

    registry: Key
    organisation: Key
    name: Title
    address: Address
    region: Label
    contact: Label
    projects: Annotated[tuple[ShownProject, ...], msgspec.Meta(max_length=MOST_SHOWN)]
    datasets: Annotated[tuple[ShownDataset, ...], msgspec.Meta(max_length=MOST_SHOWN)]
    serial: Annotated[int, msgspec.Meta(ge=1, le=1 << 50)]
    written_at: Moment


class SignedEntry(msgspec.Struct, frozen=True):
    """An `Entry` (msgpack) with the signature by the key of a node's certificate; `chain` is that and its root."""

    entry: Annotated[bytes, msgspec.Meta(min_length=1, max_length=ENTRY_BYTES)]
    chain: Pem
    signature: Signature


class EntryPublished(msgspec.Struct, frozen=True, tag=True):
    """member → registry: show this of me."""

    signed: SignedEntry


class EntryWithdrawn(msgspec.Struct, frozen=True, tag=True):
    """member → registry: show nothing of me any more."""


class RegisterAsked(msgspec.Struct, frozen=True, tag=True):
    """member → registry: whom do you list after this id? Reply: `RegisterPage`."""

    after: Annotated[str, msgspec.Meta(pattern=r"^([0-9a-f]{32})?$")] = ""


class Listing(msgspec.Struct, frozen=True):
    """One organisation of a registry's list. The registry's signature `vouch` is over all else that stands here."""

    organisation: Key
    name: Title
    root: Pem
    address: Address
    sides: Sides
    as_of: Moment
    signed: SignedEntry | None
    vouch: Signature | Literal[""] = ""


class RegisterPage(msgspec.Struct, frozen=True, tag=True):
    """registry → member: whom it lists, by id. `chain` is of the key that vouches."""

    chain: Pem
    listings: Annotated[tuple[Listing, ...], msgspec.Meta(max_length=MOST_LISTINGS)]
    more: bool


class PairingProposed(msgspec.Struct, frozen=True, tag=True):
    """member → registry: my administrator wants to be paired with this organisation; tell it."""

    organisation: Key


class PairingForwarded(msgspec.Struct, frozen=True, tag=True):
    """registry → member: this organisation wants to be paired with you. Nothing is trusted before people confirm."""

    signed: SignedEntry


RegistryRequest = EntryPublished | EntryWithdrawn | RegisterAsked | PairingProposed | PairingForwarded
