"""Approvals, the votes on them, who watches and who stands in; policies and rules that decide what waits."""

from typing import Any, Literal, get_args

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from hanse.control.database import Base, Number, Record

Kind = Literal["member", "project", "grant", "application", "job", "model", "service", "download"]
KINDS: tuple[Kind, ...] = get_args(Kind)
State = Literal["pending", "approved", "rejected", "withdrawn", "void"]
Verdict = Literal["approve", "reject"]
Requirement = Literal["never", "partner", "always"]
"""Whether a kind waits for approval: not at all, when a partner asks, or whoever asks."""


class Approval(Base):
    """A decision awaited or taken on exactly `digest` of a subject. The latest of a subject is the one that counts.

    `requester` is the person (or partner) that asks; `details` what the approver is shown, `facts` what rules look at.
    """

    __tablename__ = "approvals"
    __table_args__ = (Index("ix_approvals_subject", "kind", "subject"),)

    number: Mapped[int] = mapped_column(Number, primary_key=True, autoincrement=True)
    id: Mapped[str] = mapped_column(String(40), unique=True)
    kind: Mapped[Kind] = mapped_column(String(16))
    subject: Mapped[str] = mapped_column(String(200))
    digest: Mapped[str] = mapped_column(String(64))
    state: Mapped[State] = mapped_column(String(16), index=True)
    title: Mapped[str] = mapped_column(String(200))
    details: Mapped[dict[str, Any]] = mapped_column(Record(dict[str, Any]))
    facts: Mapped[dict[str, Any]] = mapped_column(Record(dict[str, Any]))
    project: Mapped[str] = mapped_column(String(40), index=True)
    organisation: Mapped[str] = mapped_column(String(32))
    requester: Mapped[str] = mapped_column(String(64), index=True)
    needed: Mapped[int]
    rule: Mapped[str] = mapped_column(String(40), index=True)
    reason: Mapped[str] = mapped_column(String(1000))
    created_at: Mapped[str] = mapped_column(String(24), index=True)
    due_at: Mapped[str] = mapped_column(String(24))
    ended_at: Mapped[str | None] = mapped_column(String(24))


class Vote(Base):
    """What one person has said. `authority` is whose right to decide was used: one's own, or that of who delegated."""

    __tablename__ = "approval_votes"
    __table_args__ = (UniqueConstraint("approval", "authority"),)

    approval: Mapped[str] = mapped_column(ForeignKey("approvals.id"), primary_key=True)
    voter: Mapped[str] = mapped_column(String(64), primary_key=True)
    authority: Mapped[str] = mapped_column(String(64))
    verdict: Mapped[Verdict] = mapped_column(String(8))
    reason: Mapped[str] = mapped_column(String(1000))
    at: Mapped[str] = mapped_column(String(24))


class Watcher(Base):
    """A person that wants to hear what becomes of an approval."""

    __tablename__ = "approval_watchers"

    approval: Mapped[str] = mapped_column(ForeignKey("approvals.id"), primary_key=True)
    person: Mapped[str] = mapped_column(String(64), primary_key=True)


class Delegation(Base):
    """`giver` lets `receiver` decide in its place until a time: one approval, or (with `approval` empty) all."""

    __tablename__ = "approval_delegations"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    giver: Mapped[str] = mapped_column(String(64), index=True)
    receiver: Mapped[str] = mapped_column(String(64), index=True)
    approval: Mapped[str] = mapped_column(String(40))
    created_at: Mapped[str] = mapped_column(String(24))
    until: Mapped[str] = mapped_column(String(24))


class Policy(Base):
    """How a kind is decided: when approval is required, by how many, and when approvers are told again."""

    __tablename__ = "approval_policies"

    kind: Mapped[Kind] = mapped_column(String(16), primary_key=True)
    required: Mapped[Requirement] = mapped_column(String(8))
    approvers: Mapped[int]
    remind_hours: Mapped[int]


class Rule(Base):
    """Approves by itself what stays inside all its limits; an empty or absent limit does not limit."""

    __tablename__ = "approval_rules"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    kind: Mapped[Kind] = mapped_column(String(16), index=True)
    project: Mapped[str] = mapped_column(String(40))
    partner: Mapped[str] = mapped_column(String(32))
    components: Mapped[tuple[str, ...]] = mapped_column(Record(tuple[str, ...]))
    most_disclosure: Mapped[float | None]
    most_rows: Mapped[int | None] = mapped_column(Number)
    a_day: Mapped[int | None]
    until: Mapped[str | None] = mapped_column(String(24))
    maker: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[str] = mapped_column(String(24))
    removed_at: Mapped[str | None] = mapped_column(String(24))
