"""What partners are told of a dataset: chosen figure by figure, drawn once with noise, within a budget of epsilon.

Epsilon adds up (Dwork and Roth 2014, theorem 3.16): over the figures of a release, and over all versions of a dataset,
since they tell of the same people. A figure of a version is drawn once. Told again, to whomever, it is repeated as it
was and costs nothing: an average over many draws would wear the noise off.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import msgspec
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from hanse.control.access.callers import Caller, visible
from hanse.control.access.permissions import Permission
from hanse.control.audit import service as audit
from hanse.control.datasets import service as datasets
from hanse.control.datasets.service import Snapshot
from hanse.control.grants import applications
from hanse.control.grants import service as grants
from hanse.control.nodes.identity import Identity
from hanse.control.outbox import service as outbox
from hanse.control.profiles.tables import DrawnFigure, PartnerProfile, PrivacyBudget, ProfileShare
from hanse.control.projects import service as projects
from hanse.core.faults import fault
from hanse.core.federation_messages import FiguresShared, FiguresWithdrawn
from hanse.core.ids import DatasetId, OrganisationId, ProjectId
from hanse.core.profiles import MOST_BINS, MOST_FIGURES, Drawn, FigureName, SharedName, Wanted, tell
from hanse.core.schema import Column
from hanse.core.times import now

USUAL_EPSILON = 100
"""Thousandths, of a figure for which none is said and that was not drawn before."""

MOST_PROFILES = 500
"""Of one partner in one project."""


class Choice(msgspec.Struct, frozen=True):
    """A figure to be told. What is not said of one that was drawn before is as it was; else `usual` is its epsilon."""

    figure: SharedName
    column: str = ""
    epsilon: int | None = None
    edges: tuple[float, ...] = ()
    values: tuple[str, ...] = ()
    usual: int = USUAL_EPSILON

    @property
    def key(self) -> tuple[str, FigureName]:
        """The figure that is drawn for it."""
        return self.column, "histogram" if self.figure == "quantiles" else self.figure


class Budget(NamedTuple):
    """Thousandths of epsilon: what all figures of a dataset may take, and what those drawn have taken."""

    most: int
    spent: int

    @property
    def left(self) -> int:
        return max(0, self.most - self.spent)


class Plan(NamedTuple):
    """What a share tells, of which version, and what is still to be drawn for it."""

    snapshot: Snapshot
    choices: tuple[Choice, ...]
    wanted: tuple[Wanted, ...]
    known: tuple[Wanted, ...]
    budget: Budget

    @property
    def epsilon(self) -> int:
        """What it costs."""
        return sum(one.epsilon for one in self.wanted)


def plan(session: Session, caller: Caller, name: str, version: int, choices: Sequence[Choice], most: int) -> Plan:
    """Return what telling these figures of a version (0: the newest) takes. Raises `profile.*`.

    `most` is the budget of a dataset for which none was said.
    """
    newest = datasets.find_for(session, caller, name, change=True)
    snapshot = datasets.find_version(session, caller, name, version or newest.dataset.version)
    if not 0 < len(choices) <= MOST_FIGURES:
        raise fault("profile.figure", f"{len(choices)} figures are chosen, not 1 to {MOST_FIGURES}")
    drawn = {one.wanted.key: one.wanted for one in _drawn(session, snapshot).values()}
    wanted: dict[tuple[str, FigureName], Wanted] = {}
    for choice in sorted(choices, key=lambda one: (one.epsilon is None, not one.edges and not one.values)):
        before = wanted.get(choice.key, drawn.get(choice.key))
        wanted[choice.key] = _wanted(snapshot, choice, before)
    fresh = tuple(one for key, one in wanted.items() if key not in drawn)
    known = tuple(one for key, one in wanted.items() if key in drawn)
    told = tuple({(choice.figure, choice.column): choice for choice in choices}.values())
    found = Plan(snapshot, told, fresh, known, _budget(session, snapshot.dataset.id, most))
    if fresh and snapshot.version.retired_at is not None:
        raise fault("profile.retired", f"version {snapshot.version.number} of {snapshot.dataset.name!r} is retired")
    return found


def demand_budget(found: Plan) -> None:
    """Raise `profile.budget` when a plan costs more than is left."""
    if found.epsilon > found.budget.left:
        said = f"it takes epsilon {found.epsilon / 1000:g}; {found.budget.left / 1000:g} is left"
        raise fault("profile.budget", f"{said} of {found.budget.most / 1000:g} for {found.snapshot.dataset.name!r}")


def demand_offered(session: Session, caller: Caller, me: Identity, name: str, project: str) -> ProjectId:
    """Return the project, of whose members the caller may tell figures of a dataset that is offered to it."""
    agreed = projects.find_for(session, caller, Permission.GRANTS_MANAGE, project)
    snapshot = datasets.find_for(session, caller, name, change=True)
    projects.demand_member(session, agreed.id, me.organisation)
    if not _is_offered(session, me.organisation, snapshot, agreed.id):
        raise fault("profile.not_offered", f"{snapshot.dataset.name!r} has neither card nor grant in {agreed.name!r}")
    return agreed.id


def share(
    session: Session,
    caller: Caller,
    me: Identity,
    name: str,
    project: str,
    version: int,
    choices: Sequence[Choice],
    drawn: Sequence[Drawn],
    most: int,
) -> ProfileShare:
    """Tell the members of a project these figures of a version; `drawn` are those that were drawn for it.

    In the place of what they were told of the dataset before. Raises `profile.*`; what was drawn is then forgotten.
    """
    agreed = demand_offered(session, caller, me, name, project)
    found = plan(session, caller, name, version, choices, most)
    demand_budget(found)
    fresh = {one.wanted: one for one in drawn}
    for wanted in found.wanted:
        _keep(session, caller, found.snapshot, fresh[wanted])
    session.flush()
    all_drawn = _drawn(session, found.snapshot)
    figures = tuple(tell(all_drawn[choice.key], choice.figure) for choice in found.choices)
    row = session.merge(
        ProfileShare(
            dataset=found.snapshot.dataset.id,
            project=agreed,
            version=found.snapshot.version.number,
            figures=figures,
            at=now(),
            actor=caller.id[:64],
        )
    )
    session.flush()
    audit.append(
        session,
        caller.id,
        "profile.share",
        found.snapshot.dataset.id,
        project=agreed,
        version=row.version,
        epsilon=found.epsilon / 1000,
        figures=[f"{one.figure} {one.column}".strip() for one in figures],
    )
    _tell(session, me.organisation, row, found.snapshot.dataset.name)
    return row


def withdraw(session: Session, caller: Caller, me: Identity, name: str, project: str) -> None:
    """Tell the members of a project to forget the figures of a dataset. The epsilon stays spent."""
    agreed = projects.find_for(session, caller, Permission.GRANTS_MANAGE, project)
    snapshot = datasets.find_for(session, caller, name, change=True)
    row = session.get(ProfileShare, (snapshot.dataset.id, agreed.id))
    if row is None:
        raise fault("profile.none", f"nothing of {snapshot.dataset.name!r} is told to {agreed.name!r}")
    session.delete(row)
    audit.append(session, caller.id, "profile.withdraw", snapshot.dataset.id, project=agreed.id)
    for partner in projects.partners(session, agreed.id, me.organisation):
        outbox.write(session, partner, FiguresWithdrawn(agreed.id, snapshot.dataset.name))


def withdraw_all(session: Session, me: OrganisationId, dataset: DatasetId, name: str) -> None:
    """Have the members of all projects forget the figures of a dataset that is about to be deleted."""
    for row in session.scalars(select(ProfileShare).where(ProfileShare.dataset == dataset)):
        for partner in projects.partners(session, row.project, me):
            outbox.write(session, partner, FiguresWithdrawn(row.project, name))
        session.delete(row)


def list_shares(session: Session, caller: Caller, name: str) -> list[ProfileShare]:
    """Return what is told of a dataset, by project."""
    dataset = datasets.find_for(session, caller, name).dataset
    query = select(ProfileShare).where(ProfileShare.dataset == dataset.id)
    return list(session.scalars(query.order_by(ProfileShare.project)))


def budget(session: Session, caller: Caller, name: str, most: int) -> Budget:
    """Return the budget of a dataset; `most` where none was said."""
    return _budget(session, datasets.find_for(session, caller, name).dataset.id, most)


def limit(session: Session, caller: Caller, name: str, most: int) -> Budget:
    """Say how much epsilon the figures of a dataset may take: what was spent stays spent."""
    dataset = datasets.find_for(session, caller, name).dataset
    caller.demand(Permission.RULES_MANAGE)
    session.merge(PrivacyBudget(dataset=dataset.id, most=most))
    session.flush()
    audit.append(session, caller.id, "profile.limit", dataset.id, epsilon=most / 1000)
    return _budget(session, dataset.id, most)


# ------------------------------------------------------------------------------------------------------ partners


def share_all(session: Session, me: OrganisationId, project: ProjectId, partner: OrganisationId) -> None:
    """Tell a partner that has just joined a project what its members were told before."""
    for row in session.scalars(select(ProfileShare).where(ProfileShare.project == project)):
        name = datasets.find(session, row.dataset).dataset.name
        if partner in projects.partners(session, project, me):
            outbox.write(session, partner, FiguresShared(project, name, row.version, row.figures))


def record_shared(session: Session, sender: OrganisationId, said: FiguresShared) -> None:
    """Note the figures of a partner's dataset. Raises `project.not_member`, `card.too_many`."""
    projects.demand_place(session, said.project, sender)
    if session.get(PartnerProfile, (said.project, sender, said.dataset)) is None:
        query = select(func.count()).where(PartnerProfile.project == said.project)
        if (session.scalar(query.where(PartnerProfile.organisation == sender)) or 0) >= MOST_PROFILES:
            raise fault("card.too_many", f"{sender} has told figures of {MOST_PROFILES} datasets to {said.project}")
    session.merge(
        PartnerProfile(
            project=said.project,
            organisation=sender,
            dataset=said.dataset,
            version=said.version,
            figures=said.figures,
            received_at=now(),
        )
    )
    details = {"project": said.project, "version": said.version, "figures": len(said.figures)}
    audit.append(session, sender, "profile.shared", said.dataset, **details)


def forget_shared(session: Session, sender: OrganisationId, said: FiguresWithdrawn) -> None:
    """Forget the figures of a partner's dataset."""
    row = session.get(PartnerProfile, (said.project, sender, said.dataset))
    if row is not None:
        session.delete(row)
        audit.append(session, sender, "profile.withdrawn", said.dataset, project=said.project)


def forget_partner(session: Session, project: ProjectId, partner: OrganisationId | None) -> None:
    """Forget what a partner (None: each) told in a project in which it or this organisation is no longer."""
    gone = delete(PartnerProfile).where(PartnerProfile.project == project)
    session.execute(gone if partner is None else gone.where(PartnerProfile.organisation == partner))


def list_partners(session: Session, caller: Caller, project: str) -> list[PartnerProfile]:
    """Return what partners told of the datasets that they offer to a project."""
    agreed = projects.find_visible(session, caller, project)
    query = select(PartnerProfile).where(PartnerProfile.project == agreed.id)
    query = visible(query, caller, Permission.PROJECTS_READ, project=PartnerProfile.project)
    offered = {(offer.organisation, offer.dataset) for offer in grants.list_offers(session, agreed.id)}
    offered |= {(card.organisation, card.dataset) for card in applications.list_cards(session, caller, agreed.id)}
    rows = session.scalars(query.order_by(PartnerProfile.organisation, PartnerProfile.dataset))
    return [row for row in rows if (row.organisation, row.dataset) in offered]


# -------------------------------------------------------------------------------------------------------- checks


def _wanted(snapshot: Snapshot, choice: Choice, before: Wanted | None) -> Wanted:
    """Return what has to be drawn for a choice: what was drawn before, if it was."""
    column, figure = choice.key
    if before is not None:
        said = (choice.epsilon in (None, before.epsilon), choice.edges in ((), before.edges))
        if not all(said) or choice.values not in ((), before.values):
            what = f"{figure} of {column}" if column else figure
            raise fault("profile.released", f"{what} in version {snapshot.version.number}")
    epsilon = choice.usual if choice.epsilon is None else choice.epsilon
    found = before or Wanted(figure, epsilon, column, choice.edges, choice.values)
    _demand_figure(snapshot, found, choice.figure)
    try:
        return msgspec.convert(msgspec.to_builtins(found), Wanted)
    except msgspec.ValidationError as error:
        raise fault("profile.figure", str(error)) from error


def _demand_figure(snapshot: Snapshot, wanted: Wanted, told: SharedName) -> None:
    if wanted.figure == "rows":
        _demand(not wanted.column and not wanted.edges and not wanted.values, "rows are of the whole dataset")
        return
    columns = {column.name: column for column in snapshot.version.schema.columns}
    column = columns.get(wanted.column)
    if column is None:
        raise fault("profile.figure", f"{snapshot.dataset.name!r} has no column {wanted.column!r}")
    if wanted.figure == "histogram":
        _demand_bins(snapshot, column, wanted, told)
        return
    _demand(not wanted.edges and not wanted.values, f"{wanted.figure} has no bins")
    of_ids = wanted.figure == "malformed"
    _demand((column.use == "id") == of_ids, f"{wanted.figure} is not told of the column {column.name!r}")
    _demand(not of_ids or column.id_type != "free", "free ids have no form that they could miss")


def _demand_bins(snapshot: Snapshot, column: Column, wanted: Wanted, told: SharedName) -> None:
    edges, values = wanted.edges, wanted.values
    hidden = column.use == "id" or datasets.sensitivity_of(snapshot, column.name) == "identifier"
    _demand(not hidden, f"{column.name!r} identifies people")
    _demand(bool(edges) != bool(values), f"the histogram of {column.name!r} has either edges or values")
    _demand(not edges or column.type != "text", f"{column.name!r} holds texts: name values")
    rising = all(low < high for low, high in pairwise(edges))
    _demand(not edges or (2 <= len(edges) <= MOST_BINS + 1 and rising), "edges rise, from 2 to 201 of them")
    _demand(all(map(math.isfinite, edges)), "edges are finite")
    _demand(len(set(values)) == len(values), f"a value of {column.name!r} is named twice")
    _demand(told != "quantiles" or bool(edges), f"quantiles of {column.name!r} follow from edges, not from values")


def _demand(holds: bool, rule: str) -> None:
    if not holds:
        raise fault("profile.figure", rule)


def _is_offered(session: Session, me: OrganisationId, snapshot: Snapshot, project: ProjectId) -> bool:
    if grants.find_current(session, snapshot.dataset.id, project) is not None:
        return True
    return applications.is_published(session, project, me, snapshot.dataset.name)


def _drawn(session: Session, snapshot: Snapshot) -> dict[tuple[str, FigureName], Drawn]:
    query = select(DrawnFigure).where(
        DrawnFigure.dataset == snapshot.dataset.id, DrawnFigure.version == snapshot.version.number
    )
    return {(row.column, row.figure): row.drawn for row in session.scalars(query)}


def _keep(session: Session, caller: Caller, snapshot: Snapshot, drawn: Drawn) -> None:
    session.add(
        DrawnFigure(
            dataset=snapshot.dataset.id,
            version=snapshot.version.number,
            column=drawn.wanted.column,
            figure=drawn.wanted.figure,
            epsilon=drawn.wanted.epsilon,
            drawn=drawn,
            at=now(),
            actor=caller.id[:64],
        )
    )


def _budget(session: Session, dataset: DatasetId, most: int) -> Budget:
    said = session.get(PrivacyBudget, dataset)
    spent = session.scalar(
        select(func.coalesce(func.sum(DrawnFigure.epsilon), 0)).where(DrawnFigure.dataset == dataset)
    )
    return Budget(most if said is None else said.most, int(spent or 0))


def _tell(session: Session, me: OrganisationId, row: ProfileShare, name: str) -> None:
    for partner in projects.partners(session, row.project, me):
        outbox.write(session, partner, FiguresShared(row.project, name, row.version, row.figures))
