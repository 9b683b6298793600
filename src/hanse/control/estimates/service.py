"""Estimates of jobs before they run: cost models, corrected by what this node has measured."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import ColumnElement, delete, select
from sqlalchemy.orm import Session

from hanse.control.estimates.correction import DOUBT, correct, ratio
from hanse.control.estimates.tables import Expectation, LinkRate, Measure
from hanse.core.costs import FIGURES, Cost, Figures
from hanse.core.estimates import Estimate, Range, TaskEstimate
from hanse.core.ids import JobId, OrganisationId, TaskName
from hanse.core.planning import PipelineCheck, PlannedTask
from hanse.core.roles import PartyId, role_of
from hanse.core.times import now

LOOKED_AT = 30
"""How many measurements correct a model: the latest, so that a faster disk or release is learnt."""

KEPT = 200
"""How many are kept of each component, role and machine."""

USUAL_BYTES_S = 12.5e6
"""What a link is taken to carry, 100 Mbit/s, until `hanse doctor` has measured it."""


class Link(NamedTuple):
    """What lies between this node and another: bytes a second, and seconds for a byte there and back."""

    bytes_s: float = USUAL_BYTES_S
    round_trip_s: float = 0.0


LinkTo = Callable[[PartyId], Link]
"""Says how a party is reached."""


Ratios = Mapping[str, float | None]
"""Measured / modelled of one run, by figure; None where there is nothing to compare."""


class Key(NamedTuple):
    """What is alike in runs that can be compared."""

    component: str
    apply: bool
    role: str
    machine: str


class Foreseen(NamedTuple):
    """What is expected of a job at this party, and what the models alone say of the tasks that it will run."""

    estimate: Estimate
    modelled: dict[TaskName, tuple[Key, Figures]]


def foresee(
    session: Session, me: PartyId, check: PipelineCheck, reused: Collection[TaskName], link_to: LinkTo
) -> Foreseen:
    """Estimate a checked pipeline at party `me`; what is `reused` takes nothing."""
    modelled, found = {}, []
    for task in check.tasks:
        name, mine = TaskName(task.name), me in task.parties
        if name in reused:
            found.append(TaskEstimate(task.name, task.component, takes_part=mine, reused=True))
            continue
        cost = check.costs.get(task.name, Cost())
        figures = _figures(cost, [link_to(party) for party in task.parties if party != me])
        key = Key(task.component, task.apply, role_of(me), check.machine)
        if mine:
            modelled[name] = key, figures
        ratios = _ratios(session, key) if mine else []
        found.append(_correct(task, figures, ratios, cost.sums, takes_part=mine))
    return Foreseen(_add_up(me, check, found), modelled)


def keep(session: Session, job: JobId, foreseen: Foreseen) -> None:
    """Note what a job is expected to take, so that it can be compared with what it takes."""
    session.add(Expectation(job=job, at=now(), estimate=foreseen.estimate))
    for task, (key, figures) in foreseen.modelled.items():
        session.add(Measure(job=job, task=task, **key._asdict(), modelled=figures))


def note_rate(session: Session, organisation: OrganisationId, bytes_s: float) -> None:
    """Note how much the link to a member has carried; nothing of one that carried nothing."""
    if bytes_s > 0:
        session.merge(LinkRate(organisation=organisation, bytes_s=bytes_s, at=now()))


def rate_to(session: Session, organisation: OrganisationId) -> float:
    """Return how many bytes a second the link to a member carries, as last measured, or the usual."""
    row = session.get(LinkRate, organisation)
    return USUAL_BYTES_S if row is None else row.bytes_s


def find(session: Session, job: JobId) -> Estimate | None:
    """Return what a job was expected to take."""
    row = session.get(Expectation, job)
    return None if row is None else row.estimate


def measure(session: Session, job: JobId, task: TaskName, figures: Figures) -> None:
    """Note what a task took at this party, at its first attempt: later ones go on from checkpoints."""
    row = session.get(Measure, (job, task))
    if row is None or row.measured is not None:
        return
    row.measured, row.measured_at = figures, now()
    session.flush()
    _forget_old(session, _key_of(row))


def _figures(cost: Cost, links: Sequence[Link]) -> Figures:
    """Return the figures over the slowest of the links."""
    rate = min((link.bytes_s for link in links), default=USUAL_BYTES_S)
    seconds = cost.over(rate, max((link.round_trip_s for link in links), default=0.0))
    return Figures(seconds, cost.bytes_sent, cost.bytes_received, cost.memory_bytes)


def _correct(
    task: PlannedTask, figures: Figures, ratios: Sequence[Ratios], sums: dict[PartyId, int], *, takes_part: bool
) -> TaskEstimate:
    def of(name: str) -> Range:
        measured = [found for each in ratios if (found := each[name]) is not None]
        return correct(getattr(figures, name), measured, DOUBT[name])

    return TaskEstimate(
        task=task.name,
        component=task.component,
        seconds=of("seconds"),
        bytes_sent=of("bytes_sent"),
        bytes_received=of("bytes_received"),
        memory_bytes=of("memory_bytes"),
        sums=sums,
        history=len(ratios),
        takes_part=takes_part,
    )


def _ratios(session: Session, key: Key) -> list[Ratios]:
    query = select(Measure).where(*_is(key), Measure.measured_at != "")
    rows = session.scalars(query.order_by(Measure.measured_at.desc(), Measure.job, Measure.task).limit(LOOKED_AT))
    return [{name: ratio(getattr(row.measured, name), getattr(row.modelled, name)) for name in FIGURES} for row in rows]


def _key_of(row: Measure) -> Key:
    return Key(row.component, row.apply, row.role, row.machine)


def _is(key: Key) -> tuple[ColumnElement[bool], ...]:
    return tuple(getattr(Measure, name) == value for name, value in key._asdict().items())


def _forget_old(session: Session, key: Key) -> None:
    query = select(Measure.measured_at).where(*_is(key), Measure.measured_at != "")
    oldest = session.scalar(query.order_by(Measure.measured_at.desc()).offset(KEPT).limit(1))
    if oldest is not None:
        session.execute(delete(Measure).where(*_is(key), Measure.measured_at != "", Measure.measured_at <= oldest))


def _add_up(me: PartyId, check: PipelineCheck, tasks: Sequence[TaskEstimate]) -> Estimate:
    own = [task for task in tasks if task.takes_part and not task.reused]
    sums: dict[PartyId, int] = {}
    for task in tasks:
        for party, count in task.sums.items():
            sums[party] = sums.get(party, 0) + count
    return Estimate(
        party=me,
        seconds=_chain(check.tasks, {task.task: task.seconds for task in tasks}),
        bytes_sent=_sum([task.bytes_sent for task in own]),
        bytes_received=_sum([task.bytes_received for task in own]),
        memory_bytes=_largest([task.memory_bytes for task in own]),
        sums=sums,
        tasks=tuple(tasks),
        history=min((task.history for task in own), default=0),
        guessed=check.guessed,
        machine=check.machine,
    )


def _chain(tasks: Sequence[PlannedTask], seconds: Mapping[str, Range]) -> Range:
    """Return the time of the longest chain of tasks; at most they run one after the other."""
    ends: dict[str, tuple[float, float]] = {}
    for task in tasks:
        before = [ends[name] for name in task.after if name in ends]
        least, likely = (max((end[place] for end in before), default=0.0) for place in (0, 1))
        ends[task.name] = least + seconds[task.name].least, likely + seconds[task.name].likely
    least, likely = (max((end[place] for end in ends.values()), default=0.0) for place in (0, 1))
    return Range(least, likely, max(likely, sum(found.most for found in seconds.values())))


def _sum(ranges: Sequence[Range]) -> Range:
    return Range(*(sum(getattr(found, name) for found in ranges) for name in Range.__struct_fields__))


def _largest(ranges: Sequence[Range]) -> Range:
    names = Range.__struct_fields__
    return Range(*(max((getattr(found, name) for found in ranges), default=0.0) for name in names))
