"""What a registry lists, and what this organisation shows and reads in others' registries."""

from sqlalchemy import Boolean, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from hanse.control.database import Base, Number, Record
from hanse.core.ids import OrganisationId
from hanse.core.registry_messages import ShownDataset, ShownProject, Sides


class Register(Base):
    """This node as a registry; one row, or none: it never was one."""

    __tablename__ = "register"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    is_open: Mapped[bool] = mapped_column(Boolean)
    changed_at: Mapped[str] = mapped_column(String(24))


class RegisterEntry(Base):
    """An organisation that this registry lists. `entry`, `chain` and `signature` are its own words (`both` sides)."""

    __tablename__ = "register_entries"

    organisation: Mapped[OrganisationId] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(64))
    root_pem: Mapped[str] = mapped_column(Text)
    address: Mapped[str] = mapped_column(String(255))
    sides: Mapped[Sides] = mapped_column(String(8))
    entry: Mapped[bytes] = mapped_column(LargeBinary)
    chain: Mapped[str] = mapped_column(Text)
    signature: Mapped[str] = mapped_column(String(256))
    serial: Mapped[int] = mapped_column(Number)
    listed_at: Mapped[str] = mapped_column(String(24))


class RegisterProposal(Base):
    """That a member of this registry asked to be paired with another, when last."""

    __tablename__ = "register_proposals"

    proposer: Mapped[OrganisationId] = mapped_column(String(32), primary_key=True)
    target: Mapped[OrganisationId] = mapped_column(String(32), primary_key=True)
    at: Mapped[str] = mapped_column(String(24))


class Registry(Base):
    """A registry (a member) that this organisation reads, and shows `projects` and `datasets` (ids) in.

    `told` is the digest of what it was told last, `trouble` the code of why it could not be read last.
    """

    __tablename__ = "registries"

    organisation: Mapped[OrganisationId] = mapped_column(String(32), primary_key=True)
    projects: Mapped[tuple[str, ...]] = mapped_column(Record(tuple[str, ...]))
    datasets: Mapped[tuple[str, ...]] = mapped_column(Record(tuple[str, ...]))
    serial: Mapped[int] = mapped_column(Number)
    told: Mapped[str] = mapped_column(String(64))
    told_at: Mapped[str] = mapped_column(String(24))
    read_at: Mapped[str] = mapped_column(String(24))
    trouble: Mapped[str] = mapped_column(String(64))


class RegistryListing(Base):
    """An organisation as a registry listed it when last read; `vouch` is the registry's signature."""

    __tablename__ = "registry_listings"

    listed_by: Mapped[OrganisationId] = mapped_column(String(32), primary_key=True)
    organisation: Mapped[OrganisationId] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(64))
    root_pem: Mapped[str] = mapped_column(Text)
    address: Mapped[str] = mapped_column(String(255))
    region: Mapped[str] = mapped_column(String(200))
    contact: Mapped[str] = mapped_column(String(200))
    sides: Mapped[Sides] = mapped_column(String(8))
    projects: Mapped[tuple[ShownProject, ...]] = mapped_column(Record(tuple[ShownProject, ...]))
    datasets: Mapped[tuple[ShownDataset, ...]] = mapped_column(Record(tuple[ShownDataset, ...]))
    as_of: Mapped[str] = mapped_column(String(24))
    vouch: Mapped[str] = mapped_column(String(256))
