"""The play: every scene is what administrators and analysts of real organisations would do, in the same order."""

import asyncio
import contextlib
import itertools
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from hanse.cli.demo.cast import GROWTH, TEST_SHARE, Cast, Player, consent
from hanse.cli.demo.pooled import Objective, Pool, farthest, judge_pool, read_pool, read_scores
from hanse.cli.demo.stage import MemoryMeter, NodeProcess
from hanse.cli.demo.story import INDENT, Story
from hanse.cli.outcome import demand_success
from hanse.cli.watching import Board
from hanse.client import AsyncClient, Pipeline
from hanse.client.resources import Job
from hanse.core.faults import fault

PROJECT = "demo"
EQUAL = 1e-6
POLL_S = 0.1
AGREEMENT_TIMEOUT_S = 30.0


class Scored(msgspec.Struct, frozen=True):
    """One customer of the batch prediction, the middle of the id masked."""

    id: str
    score: float


class Check(msgspec.Struct, frozen=True):
    """Scores of the batch prediction against scores of the training job, on the rows that both have."""

    against: str
    rows: int
    farthest: float

    @property
    def holds(self) -> bool:
        return self.rows > 0 and self.farthest <= EQUAL


class Outcome(msgspec.Struct, frozen=True):
    """What the demonstration found; with --json this is the document."""

    story: str
    objective: Objective
    rows: dict[str, int]
    shared: int
    train: int
    test: int
    table: dict[str, dict[str, float]]
    bytes_sent: dict[str, int]
    learns: dict[str, dict[str, list[str]]]
    disclosure: dict[str, list[dict[str, Any]]]
    scored: list[Scored]
    scored_rows: int
    checks: list[Check]


class Actor(msgspec.Struct, frozen=True):
    """A player with its node and the way to speak to it."""

    player: Player
    node: NodeProcess
    client: AsyncClient

    @property
    def name(self) -> str:
        return self.player.organisation


async def perform(cast: Cast, directory: Path, story: Story, nodes: list[NodeProcess], meter: MemoryMeter) -> Outcome:
    """Play all scenes. `nodes` receives each node as it starts: stopping them is the caller's."""
    together = directory / "all-in-one-place"
    with story.step("files", "The files, one at each organisation"):
        pool = await read_pool(cast, together)
        cast = consent(cast, pool.shared)
    _tell_files(story, pool)
    async with _removed(together), _measured(meter), _on_stage(cast, directory, story, nodes) as actors:
        await _pair(actors, story)
        await _agree(cast, actors, story)
        job = await _train(cast, pool.objective, actors, story)
        with story.step("pooled", "The same trees on all data in one place, to compare with"):
            train, test = (_path(job, "split", port) for port in ("train", "test"))
            pooled = await asyncio.to_thread(judge_pool, pool, train, test, together)
        batch = await _score(cast, job, actors, story)
        return await _collect(cast, pool, job, batch, pooled, actors)


def training_pipeline(cast: Cast, objective: Objective) -> Pipeline:
    """Return the pipeline that aligns, splits, trains together and alone, and judges both."""
    pipeline = _start("train and judge", cast)
    table = pipeline.add("align", "psi", table=_data(pipeline, cast))["table"]
    split = pipeline.add("split", "split", {"test_ratio": TEST_SHARE, "seed": cast.story}, table=table)
    trees = {"objective": objective, **GROWTH}
    together = pipeline.add("boost", "hetero_boost", trees, train=split["train"])
    scores = pipeline.predict("scores", model=together["model"], table=split["test"])
    pipeline.add("judge", "evaluation", scores=scores["scores"])
    alone = pipeline.add("alone", "local_boost", trees, train=split["train"])
    alone_scores = pipeline.predict("alone_scores", model=alone["model"], table=split["test"])
    pipeline.add("alone_judge", "evaluation", scores=alone_scores["scores"])
    return pipeline


def batch_pipeline(cast: Cast, model: str) -> Pipeline:
    """Return the pipeline that scores every shared customer with a model that was trained before."""
    pipeline = _start("score customers", cast)
    table = pipeline.add("align", "psi", table=_data(pipeline, cast))["table"]
    pipeline.predict("scores", model=f"model:{model}", table=table)
    return pipeline


def mask(name: str) -> str:
    """Return an id of which the middle cannot be read: at most a third at either end stays."""
    ends = min(3, len(name) // 3)
    return name[:ends] + "*" * (len(name) - 2 * ends) + name[len(name) - ends :]


def _start(name: str, cast: Cast) -> Pipeline:
    hosts = [player.organisation for player in cast.hosts]
    return Pipeline(name, project=PROJECT, guest=cast.guest.organisation, hosts=hosts)


def _data(pipeline: Pipeline, cast: Cast) -> str:
    return pipeline.add("data", "dataset", at={one.party: {"dataset": one.dataset} for one in cast.players})["table"]


def _tell_files(story: Story, pool: Pool) -> None:
    lines = []
    for player, snapshot, rows in zip(pool.cast.players, pool.snapshots, pool.rows, strict=True):
        columns = len(snapshot.schema.features) if snapshot.schema is not None else 0
        label = "" if player.label is None else f", and the label {player.label}"
        lines.append((player.organisation, f"{rows:,} rows", f"{columns} columns{label}"))
    story.facts(lines)


@asynccontextmanager
async def _removed(folder: Path) -> AsyncIterator[None]:
    """Remove a folder at the end: even who keeps the nodes does not keep everybody's data in one place."""
    try:
        yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@asynccontextmanager
async def _measured(meter: MemoryMeter) -> AsyncIterator[None]:
    work = asyncio.create_task(meter.run())
    try:
        yield
    finally:
        work.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await work


@asynccontextmanager
async def _on_stage(
    cast: Cast, directory: Path, story: Story, nodes: list[NodeProcess]
) -> AsyncIterator[tuple[Actor, ...]]:
    """Start a node for each player, and close the clients at the end."""
    clients: list[AsyncClient] = []
    try:
        with story.step("nodes", "A node for each: own keys, own database, own folder"):
            nodes.extend(NodeProcess(one.organisation, directory / one.organisation) for one in cast.players)
            for (
                node
            ) in nodes:  # they start at the same time; what is opened is closed below, even if the next one fails
                clients.append(await node.client())  # noqa: PERF401
        actors = tuple(Actor(*all_three) for all_three in zip(cast.players, nodes, clients, strict=True))
        facts = [await actor.client.node() for actor in actors]
        story.facts((fact.organisation, f"party port {fact.party_address}", fact.fingerprint) for fact in facts)
        yield actors
    finally:
        for client in clients:
            await client.close()


async def _pair(actors: tuple[Actor, ...], story: Story) -> None:
    """Pair everybody with everybody: no organisation takes part in a job with one that it has not confirmed itself."""
    pairs = list(itertools.combinations(actors, 2))
    with story.step("pair", "Invited, compared, confirmed: both sides see one fingerprint"):
        prints = [await _introduce(inviter, joiner) for inviter, joiner in pairs]
    story.facts((f"{one.name} ⇄ {other.name}", seen) for (one, other), seen in zip(pairs, prints, strict=True))


async def _introduce(inviter: Actor, joiner: Actor) -> str:
    """Pair two nodes as two administrators would, and return the fingerprint that both saw."""
    invitation = await inviter.client.invite()
    found = await joiner.client.inspect(invitation.code)
    _demand_same(invitation.fingerprint, found.fingerprint, joiner)
    await joiner.client.join(invitation.code, found.pair_fingerprint)
    joined = next(one for one in await inviter.client.members() if one.organisation == joiner.name)
    _demand_same(joined.pair_fingerprint, found.pair_fingerprint, joiner)
    await inviter.client.confirm_member(joined.organisation_id, joined.pair_fingerprint)
    for actor, partner in ((inviter, joiner), (joiner, inviter)):
        await _until_active(actor, partner.name)
    return found.pair_fingerprint


def _demand_same(said: str, seen: str, joiner: Actor) -> None:
    if said != seen:
        cause = f"the inviter says {said}, {joiner.name} sees {seen}"
        raise fault("pairing.mismatch", cause, step="compare fingerprints")


async def _until_active(actor: Actor, partner: str) -> None:
    deadline = asyncio.get_running_loop().time() + AGREEMENT_TIMEOUT_S
    while not any(one.organisation == partner and one.state == "active" for one in await actor.client.members()):
        if asyncio.get_running_loop().time() > deadline:
            raise fault("peer.unreachable", f"{partner} is not active at {actor.name}", step="pair")
        await asyncio.sleep(POLL_S)


async def _agree(cast: Cast, actors: tuple[Actor, ...], story: Story) -> None:
    guest, *hosts = actors
    with story.step("agree", "Data registered, a project agreed on, columns granted"):
        for actor in actors:  # one at a time: each ingest may use all of the cores that there are
            one = actor.player
            await actor.client.register_dataset(one.dataset, str(one.file), cast.id, one.label)
        await guest.client.create_project(PROJECT, [host.name for host in hosts])
        for host in hosts:
            await _accept(host)
        for actor in actors:
            limit = None if actor is guest else cast.hosts_limit
            mine = next(one for one in await actor.client.projects() if one.name == PROJECT)
            await actor.client.add_grant(actor.player.dataset, mine.id, disclosure_limit=limit)
    limit_text = "the platform's default" if cast.hosts_limit is None else f"{cast.hosts_limit:g}"
    story.line(f"[dim]the hosts allow a disclosure figure of[/] {limit_text}")
    if (cast.hosts_limit or 0) > 1:
        story.line("[yellow]so few rows that exact sums give them away: only for public or made-up data[/]")


async def _accept(host: Actor) -> None:
    deadline = asyncio.get_running_loop().time() + AGREEMENT_TIMEOUT_S
    while True:
        offered = [one for one in await host.client.projects() if one.name == PROJECT]
        if offered:
            await host.client.accept_project(offered[0].id)
            await host.client.add_rule("job", offered[0].id)
            return
        if asyncio.get_running_loop().time() > deadline:
            raise fault("project.unknown", f"{host.name} was not offered the project", step="agree on a project")
        await asyncio.sleep(POLL_S)


async def _train(cast: Cast, objective: Objective, actors: tuple[Actor, ...], story: Story) -> Job:
    names = ", ".join(actor.name for actor in actors)
    with story.step("train", f"One job at {names}: align, split, train, judge", live=True):
        return await _run(training_pipeline(cast, objective), actors[0], story)


async def _score(cast: Cast, job: Job, actors: tuple[Actor, ...], story: Story) -> Job:
    guest = actors[0].client
    model = next(one for one in await guest.models() if one.job == job.id and one.component == "hetero_boost")
    with story.step("score", "A second job: the model scores every shared customer", live=True):
        return await _run(batch_pipeline(cast, model.id), actors[0], story)


async def _run(pipeline: Pipeline, guest: Actor, story: Story) -> Job:
    """Propose a pipeline, draw how it goes, and return the job when it has succeeded. Raises its fault otherwise."""
    proposed = await guest.client.run_job(pipeline.spec(), fresh=True)
    with Board(story.console, INDENT) as board:
        async for event in guest.client.events(proposed.id):
            board.event(event)
            if event.kind in ("task", "job"):
                board.job(await guest.client.job(proposed.id))
        job = await guest.client.job(proposed.id)
        board.job(job)
    demand_success(job)
    return job


async def _collect(
    cast: Cast, pool: Pool, job: Job, batch: Job, pooled: dict[str, Any], actors: tuple[Actor, ...]
) -> Outcome:
    guest = actors[0].client
    federated = (await guest.output(job.id, "judge", "report"))["values"]
    alone = (await guest.output(job.id, "alone_judge", "report"))["values"]
    scores = await asyncio.to_thread(read_scores, _path(batch, "scores", "scores"), cast.id)
    trained = await asyncio.to_thread(read_scores, _path(job, "boost", "scores"), cast.id)
    judged = await asyncio.to_thread(read_scores, _path(job, "scores", "scores"), cast.id)
    mine = {actor: [await actor.client.job(one.id) for one in (job, batch)] for actor in actors}
    table = {"guest alone": alone, "federated": federated, "all data in one place": pooled}
    return Outcome(
        story=cast.story,
        objective=pool.objective,
        rows={player.organisation: rows for player, rows in zip(cast.players, pool.rows, strict=True)},
        shared=len(scores),
        train=len(trained),
        test=len(judged),
        table={who: _numbers(report) for who, report in table.items()},
        bytes_sent={actor.name: sum(map(_sent, jobs)) for actor, jobs in mine.items()},
        learns=job.learns,
        disclosure={
            actor.name: [msgspec.to_builtins(use) for use in jobs[-1].disclosure if use.guest != actor.name]
            for actor, jobs in mine.items()
        },
        scored=[Scored(mask(name), scores[name]) for name in _five(scores)],
        scored_rows=len(scores),
        checks=[Check("training rows", *farthest(scores, trained)), Check("test rows", *farthest(scores, judged))],
    )


def _numbers(report: dict[str, Any]) -> dict[str, float]:
    return {name: float(report[name]) for name in ("auc", "ks", "log_loss", "rmse") if report.get(name) is not None}


def _sent(job: Job) -> int:
    return sum(sum(task.bytes_sent.values()) for task in job.tasks)


def _five(scores: dict[str, float]) -> list[str]:
    """Return five ids from the highest score to the lowest, evenly by rank."""
    ranked = sorted(scores, key=lambda name: -scores[name])
    last = len(ranked) - 1
    return list(dict.fromkeys(ranked[round(last * quarter / 4)] for quarter in range(5)))


def _path(job: Job, task: str, port: str) -> Path:
    """Return where the table that a task gave lies on the guest's disk."""
    return Path(job.task(task).outputs[port].path)
