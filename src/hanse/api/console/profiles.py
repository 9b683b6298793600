"""Figures of one's own datasets, what of them partners are told, and what partners tell of theirs."""

from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from hanse.api.console.access import needs
from hanse.api.console.errors import ErrorView, view_fault
from hanse.api.console.parts import part
from hanse.api.console.shapes import Asked
from hanse.control.access.callers import Caller
from hanse.control.access.permissions import Permission
from hanse.control.database import Database
from hanse.control.datasets import service as datasets
from hanse.control.nodes.identity import Identity
from hanse.control.outbox.courier import Courier
from hanse.control.profiles import service as profiles
from hanse.control.profiles import sharing
from hanse.control.profiles.profiler import Profiler
from hanse.control.profiles.release import Releases
from hanse.control.profiles.sharing import Budget, Choice, Plan
from hanse.control.profiles.tables import DatasetProfile, PartnerProfile, ProfileShare
from hanse.core.profiles import MOST_BINS, MOST_FIGURES, ONE, QUANTILES, SharedFigure, margin
from hanse.core.schema import IdType

router = APIRouter(tags=["profiles"])

State = Literal["waiting", "running", "ready", "failed"]
Verdict = Literal["stable", "shifted", "drifted"]
SharedName = Literal["rows", "missing", "distinct", "malformed", "histogram", "quantiles"]
Version = Annotated[int, Field(ge=0, le=2**31 - 1)]
Epsilon = Annotated[float, Field(ge=0.001, le=100, multiple_of=0.001, examples=[0.1])]

Reader = Annotated[Caller, needs(Permission.DATASETS_READ)]
Owner = Annotated[Caller, needs(Permission.DATASETS_MANAGE)]
Ruler = Annotated[Caller, needs(Permission.RULES_MANAGE)]
Onlooker = Annotated[Caller, needs(Permission.PROJECTS_READ)]
Store = Annotated[Database, part(Database)]
Work = Annotated[Profiler, part(Profiler)]
Out = Annotated[Releases, part(Releases)]


class CountView(BaseModel):
    """A value, and in how many rows it stands."""

    value: str
    count: int


class NumbersView(BaseModel):
    """A column of numbers: bins of `counts` lie between `edges`; `below` and `above` the `fences` lie outliers."""

    minimum: float
    maximum: float
    mean: float
    deviation: float | None
    quantiles: list[float]
    edges: list[float]
    counts: list[int]
    fences: list[float] | None
    below: int
    above: int


class ColumnProfileView(BaseModel):
    """One column. `is_estimated`: `distinct` is true to about 1 in 100. Identifiers are shown without values."""

    name: str
    type: Literal["integer", "real", "text"]
    use: Literal["id", "label", "feature"]
    filled: int
    missing: int
    distinct: int
    is_estimated: bool
    numbers: NumbersView | None
    values: list[CountView]
    shortest: int | None
    longest: int | None


class IdProfileView(BaseModel):
    """Quality of the ids: `malformed` do not look like their type; `resembles` counts by the types they look like."""

    name: str
    id_type: IdType
    blank: int
    duplicates: int
    malformed: int
    resembles: dict[IdType, int]
    shortest: int
    longest: int


class CorrelationView(BaseModel):
    """Pearson's coefficient of each pair; null: undefined. `left_out` columns of numbers were not correlated."""

    columns: list[str]
    matrix: list[list[float | None]]
    left_out: int


class FiguresView(BaseModel):
    """`shares` are the shares at which `quantiles` are taken; `balance` counts the classes of the label."""

    rows: int
    shares: list[float] = Field(default_factory=lambda: list(QUANTILES), examples=[list(QUANTILES)])
    columns: list[ColumnProfileView]
    ids: IdProfileView
    correlation: CorrelationView
    balance: list[CountView]


class ColumnDriftView(BaseModel):
    """`stability` is the population stability index over bins (`edges` or `values`, others, missing) of both versions.

    Below 0.1 is `stable`, below 0.25 `shifted`, else `drifted`. `ks` is the greatest difference of the distribution
    functions and `p` how probable one as great is by chance.
    """

    name: str
    verdict: Verdict
    stability: float
    old: list[int]
    new: list[int]
    edges: list[float]
    values: list[str]
    ks: float | None
    p: float | None
    old_mean: float | None
    new_mean: float | None


class DriftFiguresView(BaseModel):
    """Columns that both versions have, and how their columns differ."""

    old_rows: int
    new_rows: int
    columns: list[ColumnDriftView]
    added: list[str]
    removed: list[str]
    retyped: list[str]


class RunView(BaseModel):
    """A run that finds figures: `ready` with them, `failed` with the `fault` in words."""

    dataset: str
    version: int
    state: State
    asked_at: str
    ended_at: str | None
    seconds: float
    peak_memory_bytes: int
    fault: ErrorView | None


class ProfileOutline(RunView):
    """A profile or (`older` is not 0) a drift, without its figures."""

    older: int


class ProfileView(RunView):
    """The figures of a version, when they are `ready`."""

    figures: FiguresView | None


class DriftView(RunView):
    """How a version differs from an `older` one, when it is `ready`."""

    older: int
    drift: DriftFiguresView | None


class ProfileAsked(Asked):
    """Which version; 0 is the newest."""

    version: Version = 0


class DriftAsked(Asked):
    """Two versions of one dataset."""

    old: Annotated[int, Field(ge=1, le=2**31 - 1)]
    new: Annotated[int, Field(ge=1, le=2**31 - 1)]


class FigureAsked(Asked):
    """A figure to be told. A histogram, and the quantiles that follow from one, need `edges` (numbers) or `values`.

    Whoever is told learns edges and values as they are: choose them without looking at single rows. What is left out of
    a figure that was told before is as it was.
    """

    figure: SharedName
    column: Annotated[str, Field(max_length=256)] = ""
    epsilon: Epsilon | None = None
    edges: Annotated[list[float], Field(max_length=MOST_BINS + 1, examples=[[18, 30, 45, 60, 100]])] = Field(
        default_factory=list
    )
    values: Annotated[list[Annotated[str, Field(max_length=256)]], Field(max_length=MOST_BINS)] = Field(
        default_factory=list
    )


class PriceAsked(Asked):
    """What telling figures of a version (0: the newest) would take.

    `epsilon` is of each figure that names none and was not drawn before.
    """

    version: Version = 0
    epsilon: Epsilon = 0.1
    figures: Annotated[list[FigureAsked], Field(min_length=1, max_length=MOST_FIGURES)]


class ShareAsked(PriceAsked):
    """Tell figures to the members of a project, in the place of what they were told of the dataset before."""

    project: Annotated[str, Field(max_length=64)]


class BudgetView(BaseModel):
    """Epsilon that all figures of all versions of a dataset may take together, and have taken."""

    most: float
    spent: float
    left: float


class BudgetAsked(Asked):
    """What the figures of a dataset may take; what was spent stays spent."""

    most: Annotated[float, Field(ge=0, le=100, multiple_of=0.001, examples=[2.0])]


class PricedView(BaseModel):
    """A figure to be drawn. `margin`: 19 of 20 of its counts are as near as this to the true ones.

    `is_known`: it was drawn before, is repeated as it was, and costs nothing.
    """

    figure: SharedName
    column: str
    epsilon: float
    margin: int
    is_known: bool


class PriceView(BaseModel):
    """`epsilon` is what would be spent of the `budget`."""

    version: int
    epsilon: float
    is_covered: bool
    budget: BudgetView
    figures: list[PricedView]


class SharedFigureView(BaseModel):
    """A figure with noise, as partners see it; `margin` as in the price. Counts may be below zero.

    Counts of a histogram: below the first edge, each bin, above the last edge, missing; or each value, others, missing.
    """

    figure: SharedName
    column: str
    epsilon: float
    margin: int
    edges: list[float]
    values: list[str]
    counts: list[int]
    quantiles: list[float | None]


class ShareView(BaseModel):
    """What the members of a project are told of a version of a dataset."""

    dataset: str
    project: str
    version: int
    at: str
    figures: list[SharedFigureView]


class PartnerProfileView(BaseModel):
    """What a partner tells of a version of its dataset; `shares` are those of `quantiles`."""

    project: str
    organisation: str
    dataset: str
    version: int
    received_at: str
    shares: list[float] = Field(default_factory=lambda: list(QUANTILES), examples=[list(QUANTILES)])
    figures: list[SharedFigureView]


@router.post("/datasets/{name}/profile", status_code=202, operation_id="profile_dataset")
async def profile_dataset(name: str, asked: ProfileAsked, caller: Owner, database: Store, work: Work) -> ProfileView:
    """Have the figures of a version found; what waits or runs already stays as it is."""
    with database.write() as session:
        view = _view_profile(session, caller, profiles.ask(session, caller, name, asked.version))
    work.wake()
    return view


@router.get("/datasets/{name}/profile", operation_id="get_dataset_profile")
def get_dataset_profile(
    name: str, caller: Reader, database: Store, version: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0
) -> ProfileView:
    """Show the figures of a version; 0 is the newest."""
    with database.read() as session:
        return _view_profile(session, caller, profiles.find(session, caller, name, version))


@router.get("/datasets/{name}/profiles", operation_id="list_dataset_profiles")
def list_dataset_profiles(
    name: str,
    caller: Reader,
    database: Store,
    after: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> list[ProfileOutline]:
    """List the profiles and drifts of the versions above `after`, without their figures."""
    with database.read() as session:
        rows = profiles.list_profiles(session, caller, name, after, limit)
        return [ProfileOutline(**_view_run(row), older=row.older) for row in rows]


@router.post("/datasets/{name}/drift", status_code=202, operation_id="compare_dataset_profiles")
async def compare_dataset_profiles(
    name: str, asked: DriftAsked, caller: Owner, database: Store, work: Work
) -> DriftView:
    """Have it found how the rows of two versions differ."""
    with database.write() as session:
        row = profiles.ask(session, caller, name, asked.new, asked.old)
        view = _view_drift(session, caller, row)
    work.wake()
    return view


@router.get("/datasets/{name}/drift", operation_id="get_dataset_drift")
def get_dataset_drift(
    name: str,
    caller: Reader,
    database: Store,
    old: Annotated[int, Query(ge=1, le=2**31 - 1)],
    new: Annotated[int, Query(ge=1, le=2**31 - 1)],
) -> DriftView:
    """Show how the rows of two versions differ."""
    with database.read() as session:
        return _view_drift(session, caller, profiles.find(session, caller, name, new, old))


@router.post("/datasets/{name}/profile/price", operation_id="price_profile_share")
def price_profile_share(name: str, asked: PriceAsked, caller: Owner, releases: Out) -> PriceView:
    """Say what telling figures would take of the privacy budget, and how exact they would be. Nothing is drawn."""
    return _view_price(releases.price(caller, name, asked.version, _choices(asked)))


@router.post("/datasets/{name}/profile/shares", status_code=201, operation_id="share_profile")
async def share_profile(name: str, asked: ShareAsked, caller: Owner, releases: Out) -> ShareView:
    """Tell the members of a project figures of a version: drawn once with noise, and repeated as they were."""
    row, plan = await releases.share(caller, name, asked.project, asked.version, _choices(asked))
    return _view_share(row, plan.snapshot.dataset.name)


@router.get("/datasets/{name}/profile/shares", operation_id="list_profile_shares")
def list_profile_shares(name: str, caller: Reader, database: Store) -> list[ShareView]:
    """List what is told of a dataset, by project."""
    with database.read() as session:
        called = datasets.find_for(session, caller, name).dataset.name
        return [_view_share(row, called) for row in sharing.list_shares(session, caller, name)]


@router.delete("/datasets/{name}/profile/shares/{project}", status_code=204, operation_id="withdraw_profile_share")
async def withdraw_profile_share(
    name: str,
    project: str,
    caller: Owner,
    database: Store,
    me: Annotated[Identity, part(Identity)],
    courier: Annotated[Courier, part(Courier)],
) -> None:
    """Have the members of a project forget what they were told. The epsilon stays spent."""

    def withdraw() -> None:
        with database.write() as session:
            sharing.withdraw(session, caller, me, name, project)

    await courier.after(withdraw)


@router.get("/datasets/{name}/profile/budget", operation_id="get_privacy_budget")
def get_privacy_budget(name: str, caller: Reader, releases: Out) -> BudgetView:
    """Show the privacy budget of a dataset."""
    with releases.database.read() as session:
        return _view_budget(sharing.budget(session, caller, name, releases.most))


@router.put("/datasets/{name}/profile/budget", operation_id="set_privacy_budget")
def set_privacy_budget(name: str, asked: BudgetAsked, caller: Ruler, releases: Out) -> BudgetView:
    """Say how much epsilon the figures of a dataset may take."""
    with releases.database.write() as session:
        return _view_budget(sharing.limit(session, caller, name, round(asked.most * ONE)))


@router.get("/projects/{project}/profiles", operation_id="list_partner_profiles")
def list_partner_profiles(project: str, caller: Onlooker, database: Store) -> list[PartnerProfileView]:
    """List what partners tell of the datasets that they offer to a project."""
    with database.read() as session:
        return [view_partner(row) for row in sharing.list_partners(session, caller, project)]


def _view_run(row: DatasetProfile) -> dict[str, Any]:
    return {
        "dataset": row.dataset,
        "version": row.version,
        "state": row.state,
        "asked_at": row.asked_at,
        "ended_at": row.ended_at,
        "seconds": row.seconds,
        "peak_memory_bytes": row.peak_memory_bytes,
        "fault": None if row.fault is None else view_fault(row.fault),
    }


def _view_profile(session: Session, caller: Caller, row: DatasetProfile) -> ProfileView:
    figures = None
    if row.figures is not None:
        snapshot = datasets.find_version(session, caller, row.dataset, row.version)
        figures = FiguresView.model_validate(msgspec.to_builtins(profiles.shown(snapshot, row.figures)))
    return ProfileView(**_view_run(row), figures=figures)


def _view_drift(session: Session, caller: Caller, row: DatasetProfile) -> DriftView:
    drift = None
    if row.drift is not None:
        snapshot = datasets.find_version(session, caller, row.dataset, row.version)
        drift = DriftFiguresView.model_validate(msgspec.to_builtins(profiles.shown_drift(snapshot, row.drift)))
    return DriftView(**_view_run(row), older=row.older, drift=drift)


def _choices(asked: PriceAsked) -> list[Choice]:
    return [
        Choice(
            one.figure,
            one.column,
            None if one.epsilon is None else round(one.epsilon * ONE),
            tuple(one.edges),
            tuple(one.values),
            round(asked.epsilon * ONE),
        )
        for one in asked.figures
    ]


def _view_price(plan: Plan) -> PriceView:
    wanted = {one.key: (one, False) for one in plan.wanted} | {one.key: (one, True) for one in plan.known}
    figures = []
    for choice in plan.choices:
        one, is_known = wanted[choice.key]
        epsilon = one.epsilon / ONE
        figures.append(
            PricedView(
                figure=choice.figure,
                column=choice.column,
                epsilon=epsilon,
                margin=margin(one.epsilon),
                is_known=is_known,
            )
        )
    return PriceView(
        version=plan.snapshot.version.number,
        epsilon=plan.epsilon / ONE,
        is_covered=plan.epsilon <= plan.budget.left,
        budget=_view_budget(plan.budget),
        figures=figures,
    )


def _view_budget(budget: Budget) -> BudgetView:
    return BudgetView(most=budget.most / ONE, spent=budget.spent / ONE, left=budget.left / ONE)


def _view_figure(one: SharedFigure) -> SharedFigureView:
    said = msgspec.to_builtins(one)
    return SharedFigureView.model_validate({**said, "epsilon": one.epsilon / ONE, "margin": margin(one.epsilon)})


def _view_share(row: ProfileShare, dataset: str) -> ShareView:
    figures = [_view_figure(one) for one in row.figures]
    return ShareView(dataset=dataset, project=row.project, version=row.version, at=row.at, figures=figures)


def view_partner(row: PartnerProfile) -> PartnerProfileView:
    """Return what a partner tells as it is shown."""
    return PartnerProfileView(
        project=row.project,
        organisation=row.organisation,
        dataset=row.dataset,
        version=row.version,
        received_at=row.received_at,
        figures=[_view_figure(one) for one in row.figures],
    )
