"""What a pipeline takes, task by task: sizes go from task to task, and each component's cost model judges its own."""

import platform
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from hanse.core.costs import Cost, Size
from hanse.core.planning import CheckPipeline
from hanse.core.roles import PartyId, role_of
from hanse.core.specs import TaskSpec
from hanse.kernel import _kernel
from hanse.runtime import log
from hanse.sdk.component import Component
from hanse.sdk.costs import Costs, Work

START_S, START_BYTES = 1.0, 160 << 20
"""What every attempt takes before it does anything: a process with its libraries."""

OPENING_BYTES = 22
"""What two parties of a task say to each other before its component speaks: which release, from where on."""

UNKNOWN = Size(10_000, 10)
"""How large a table is taken to be when no party's is known."""

SOURCE = "source"
MODEL = "model"
MODEL_CHARACTERS = 80


class Step(Protocol):
    """One task of a pipeline with its component, checked."""

    @property
    def name(self) -> str: ...
    @property
    def spec(self) -> TaskSpec: ...
    @property
    def component(self) -> Component: ...
    @property
    def apply(self) -> bool: ...
    @property
    def parties(self) -> tuple[PartyId, ...]: ...
    @property
    def settings(self) -> Mapping[PartyId, Any]: ...


class Foreseen(NamedTuple):
    """What each task takes at the asked party, whose tables were guessed, and on which machine."""

    costs: dict[str, Cost]
    guessed: tuple[PartyId, ...]
    machine: str


def foresee(question: CheckPipeline, steps: Sequence[Step]) -> Foreseen:
    """Judge the tasks in their order, from the side of the asked party."""
    sizes: dict[tuple[PartyId, str, str], Size] = {}
    guessed: dict[PartyId, None] = {}
    costs = {}
    by_name = {step.name: step for step in steps}
    for step in steps:
        inputs = {party: _inputs(question, step, party, sizes) for party in step.parties}
        if (unknown := [party for party in step.parties if _reads(step, party) and SOURCE not in inputs[party]]) != []:
            guessed |= dict.fromkeys(unknown)
            inputs |= {party: {SOURCE: _guess(question)} for party in unknown}
        costs[step.name], gives = _judge(question, step, inputs, _settings(step, by_name))
        sizes |= {(party, step.name, port): size for party, ports in gives.items() for port, size in ports.items()}
    return Foreseen(costs, tuple(guessed), machine(question.threads))


def _judge(
    question: CheckPipeline,
    step: Step,
    inputs: Mapping[PartyId, Mapping[str, Size]],
    settings: Mapping[PartyId, Any],
) -> tuple[Cost, Mapping[PartyId, Mapping[str, Size]]]:
    """Return what a task takes here. Where this party has no part in it, it waits for the others: seconds alone."""
    mine = question.party in step.parties
    me = question.party if mine else step.parties[0]
    work = Work(me, step.parties, inputs, settings, question.threads, step.apply)
    found = _ask(work, step)
    sums = _count_sums(step, settings)
    if not mine:
        return Cost(START_S + found.cost.seconds, sums=sums), found.gives
    own, opening = found.cost, OPENING_BYTES * len(work.others)
    return (
        Cost(
            START_S + own.seconds,
            own.bytes_sent + opening,
            own.bytes_received + opening,
            START_BYTES + own.memory_bytes,
            own.round_trips,
            sums,
        ),
        found.gives,
    )


def _ask(work: Work, step: Step) -> Costs:
    """Ask the component's cost model. One that fails keeps no job from running: the task then counts as a start."""
    if step.component.cost is not None:
        try:
            return step.component.cost(work)
        except (ArithmeticError, AttributeError, LookupError, ValueError) as error:
            log.error("cost.failed", error)
    return Costs(Cost(), _pass_on(work, step))


def _count_sums(step: Step, settings: Mapping[PartyId, Any]) -> dict[PartyId, int]:
    count = step.component.queries
    if count is None or step.apply:
        return {}
    return {party: count(settings[party]) for party in step.parties if role_of(party) == "host" and party in settings}


def _inputs(
    question: CheckPipeline, step: Step, party: PartyId, sizes: Mapping[tuple[PartyId, str, str], Size]
) -> dict[str, Size]:
    if _reads(step, party):
        known = question.sizes.get(party, {}).get(step.settings[party].dataset)
        return {} if known is None else {SOURCE: known}
    found = {}
    for port, reference in step.spec.inputs.items():
        name, _, output = reference.partition(".")
        if (size := sizes.get((party, name, output))) is not None:
            found[port] = size
    return found


def _reads(step: Step, party: PartyId) -> bool:
    """Say whether the node binds a dataset to the task."""
    return "dataset" in step.component.params.__struct_fields__ and party in step.settings


def _guess(question: CheckPipeline) -> Size:
    """Take a table of which nothing is known for one like this party's largest."""
    own = question.sizes.get(question.party, {}).values()
    return max(own, key=lambda size: size.rows, default=UNKNOWN)


def _settings(step: Step, by_name: Mapping[str, Step]) -> Mapping[PartyId, Any]:
    """Return the settings that hold: of the training where a model is used, the usual ones for an older model."""
    if not step.apply:
        return step.settings
    maker = by_name.get(step.spec.inputs.get(MODEL, "").partition(".")[0])
    return maker.settings if maker is not None else dict.fromkeys(step.parties, step.component.params())


def _pass_on(work: Work, step: Step) -> dict[PartyId, dict[str, Size]]:
    """Take the outputs of a component without a cost model for as large as its largest input."""
    gives = {}
    for party in work.parties:
        largest = max(work.sizes.get(party, {}).values(), key=lambda size: size.rows, default=Size(0))
        gives[party] = dict.fromkeys(step.component.gives(role_of(party), apply=step.apply), largest)
    return gives


@cache
def machine(threads: int) -> str:
    """Return on what attempts run: the processor, its instructions that the kernel uses, the threads of an attempt."""
    counted = "1 thread" if threads == 1 else f"{threads} threads"
    return f"{_processor()[:MODEL_CHARACTERS]}, {_kernel.simd_path()}, {counted}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())
