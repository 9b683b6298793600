"""One party's share of one task: `task.json` in, outputs and `result.json` out."""

import asyncio
import resource
import signal
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import msgspec

from hanse.core.faults import Fault, HanseError, fault
from hanse.core.loops import new_runner
from hanse.core.roles import role_of
from hanse.core.specs import Artefact, AttemptResult, AttemptSpec
from hanse.protocols.channel import Attempt, Channel, Party
from hanse.protocols.simulation import Wrap
from hanse.runtime import catalogue, limits, log, storage
from hanse.runtime.agreement import agree, line_of
from hanse.runtime.channel import NoChannel, NodeAttempt, SocketChannel, SystemEntropy
from hanse.runtime.post import CONTROL_STREAM, Post
from hanse.runtime.storage import Checkpoints
from hanse.sdk import artefacts
from hanse.sdk.component import Component, Value, perform
from hanse.sdk.engine import Bounds
from hanse.sdk.model import Model
from hanse.sdk.params import Params


def main(path: str, *, tap: Wrap | None = None) -> int:
    """Run the attempt that `path` (a `task.json`) describes, and return the exit status: 0 when it succeeded.

    `tap` puts something between the role's program and its surroundings, as `sdk.run` does: faults of tests.
    """
    spec = msgspec.json.decode(Path(path).read_bytes(), type=AttemptSpec)
    log.start(job=spec.job, task=spec.task, attempt=spec.attempt, party=spec.party)
    result = conclude(spec, attempt(spec, tap))
    return 0 if result.state == "succeeded" else 1


def conclude(spec: AttemptSpec, work: Coroutine[Any, Any, dict[str, Artefact]]) -> AttemptResult:
    """Do the work, write `result.json` and return it: every way to end is a result."""
    began = time.monotonic()
    with new_runner() as runner:
        outputs, problem = runner.run(_settle(spec, work))
    usage = resource.getrusage(resource.RUSAGE_SELF)
    result = AttemptResult(
        state="failed" if problem else "succeeded",
        outputs=outputs,
        fault=problem,
        seconds=time.monotonic() - began,
        cpu_seconds=usage.ru_utime + usage.ru_stime,
        peak_memory_bytes=limits.peak_memory_bytes(),
    )
    storage.write_result(spec.directory, result)
    log.info("attempt.ended", state=result.state, seconds=round(result.seconds, 3))
    return result


async def _settle(
    spec: AttemptSpec, work: Coroutine[Any, Any, dict[str, Artefact]]
) -> tuple[dict[str, Artefact], Fault | None]:
    running = asyncio.create_task(work)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, running.cancel)
    await asyncio.wait({running})
    if running.cancelled():
        return {}, Fault("attempt.cancelled", spec.party, spec.task, "it was told to stop")
    error = running.exception()
    if error is None:
        return running.result(), None
    log.error("attempt.failed", error)
    return {}, explain(spec, error)


def explain(spec: AttemptSpec, error: BaseException) -> Fault:
    """Return an error as what a person is told: who, in which step, why, and what to do."""
    match error:
        case HanseError(fault=told):
            place = "" if told.step in ("", spec.task) or not told.cause else f"{told.step}: "
            return msgspec.structs.replace(told, step=spec.task, cause=f"{place}{told.cause}")
        case MemoryError():
            limit = f"the limit of {spec.limits.memory_bytes >> 20} MiB"
            remedy = "give its node more memory for an attempt, or use fewer rows or columns"
            return Fault("attempt.memory", spec.party, spec.task, f"{spec.component} needs more than {limit}", remedy)
        case _:
            cause = f"{type(error).__name__}: {error}"
            remedy = "see the attempt's log on that party's node, and report it"
            return Fault("component.failed", spec.party, spec.task, cause, remedy)


async def attempt(spec: AttemptSpec, tap: Wrap | None) -> dict[str, Artefact]:
    """Run the whole attempt and return its outputs. Cancelled when the node says so."""
    others = [party for party in spec.parties if party != spec.party]
    if not spec.socket:
        return await _work(spec, None, tap)
    post = await Post.open(spec.socket, spec.token, others, spec.limits)
    well = False
    try:
        work = asyncio.create_task(_work(spec, post, tap))
        post.on_cancel(work.cancel)
        outputs = await work
        well = True
        return outputs
    finally:
        await post.close(well=well)


async def _work(spec: AttemptSpec, post: Post | None, tap: Wrap | None) -> dict[str, Artefact]:
    component = load_component(spec)
    inputs = open_inputs(spec)
    settings = choose_settings(spec, component, inputs)
    checkpoints = Checkpoints(Path(spec.checkpoints), spec.attempt)
    others = tuple(party for party in spec.parties if party != spec.party)
    start = max(checkpoints.marks(), default=None)
    if others and post is not None:
        start = await agree(spec, SocketChannel(post, CONTROL_STREAM), checkpoints.marks())
    checkpoints.start_from(start)
    log.info("attempt.started", component=spec.component, version=spec.version, checkpoint=start)
    channel: Channel = SocketChannel(post) if post is not None else NoChannel()
    needed = component.needs(role_of(spec.party), apply=spec.apply)
    surroundings: Attempt = NodeAttempt(post, checkpoints, start, storage.kept_folder(spec, needed))
    if tap is not None:
        channel, surroundings = tap(spec.party, channel, surroundings)
    me = Party(
        spec.party,
        others,
        channel,
        SystemEntropy(),
        surroundings,
        threads=spec.limits.threads,
        disclosure=spec.disclosure,
        terms=spec.terms,
        organisations=dict(spec.parties),
    )
    outputs = await perform(component, me, inputs, settings, apply=spec.apply)
    return storage.save_outputs(spec, inputs, outputs)


def load_component(spec: AttemptSpec) -> Component:
    """Return the component that the attempt was ordered for. Raises HanseError when this release has another."""
    component = catalogue.load(spec.component)
    if line_of(component.version) != line_of(spec.version):
        raise fault(
            "version.mismatch",
            f"the job was planned for {spec.component} {spec.version}, this release has {component.version}",
            "start the job again with the components that are installed now",
            step=spec.task,
            party=spec.party,
        )
    return component


def open_inputs(spec: AttemptSpec) -> dict[str, Value]:
    """Return the inputs by port, each with its digest found right and limited to the granted columns."""
    role_of(spec.party)
    bounds = Bounds(spec.limits.threads, spec.limits.memory_bytes // 2)
    inputs = {port: artefacts.load(artefact, bounds) for port, artefact in spec.inputs.items()}
    model = inputs.get("model")
    if spec.apply and isinstance(model, Model) and model.manifest is not None:
        made_by = (model.manifest.component, model.manifest.party)
        if made_by != (spec.component, spec.party):
            cause = f"the model's part was made by {made_by[0]} for {made_by[1]}, not {spec.component} for {spec.party}"
            raise fault("model.other", cause, "choose the model of this component and party", party=spec.party)
    return inputs


def choose_settings(spec: AttemptSpec, component: Component, inputs: dict[str, Value]) -> Params:
    """Return the settings: those of the task, or to apply a model, those that it was trained with."""
    model = inputs.get("model")
    if spec.apply and isinstance(model, Model) and model.manifest is not None:
        return component.params.parse(model.manifest.settings)
    return component.params.parse(spec.settings)
