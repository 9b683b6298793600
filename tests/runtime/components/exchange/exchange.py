"""Exchange: the guest asks every host in turn, round after round, and adds up what they answer.

Protocol  numbers in the clear.
Secure    against nobody: it is there to try the runtime with.
Learns    guest: the hosts' answers.
          host: the guest's questions.
          host: how many rounds there are [rounds=3]
"""

import secrets
from typing import Annotated, ClassVar, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from hanse.sdk import Component, Message, Model, Params, Party, Report, Table


class Settings(Params, frozen=True):
    rounds: Annotated[int, msgspec.Meta(ge=1, le=1000, title="Rounds", description="How often the guest asks.")] = 3
    size: Annotated[int, msgspec.Meta(ge=1, le=1 << 27, title="Size", description="Numbers in a question.")] = 10
    fail_in: Annotated[int, msgspec.Meta(ge=0, title="Fail in", description="Round in which hosts fail.")] = 0
    memory_mb: Annotated[int, msgspec.Meta(ge=0, title="Memory", description="MB that a host asks for.")] = 0
    wait: Annotated[bool, msgspec.Meta(title="Wait", description="Whether hosts wait for ever.")] = False


class Question(Message, frozen=True):
    """guest → host: numbers to add up."""

    max_bytes: ClassVar[int] = 2 << 30
    round: int
    numbers: NDArray[np.float64]


class Answer(Message, frozen=True):
    """host → guest: their sum, and the numbers back."""

    max_bytes: ClassVar[int] = 2 << 30
    round: int
    total: float
    numbers: NDArray[np.float64]


class State(msgspec.Struct):
    round: int
    total: float


class Fitted(NamedTuple):
    model: Model
    report: Report


async def guest(me: Party, table: Table | None, settings: Settings) -> Fitted:
    state = me.resumed(State) or State(0, 0.0)
    started_at = state.round
    tried = len(list(me.scratch.iterdir())) + 1
    (me.scratch / f"attempt-{tried}").touch()
    (me.kept / f"{me.id}-{secrets.token_hex(4)}").touch(mode=0o600)
    kept = len(list(me.kept.iterdir()))
    for number in range(state.round + 1, settings.rounds + 1):
        await me.hosts.send(Question(number, np.full(settings.size, float(number))))
        for peer, answer in zip(me.hosts, await me.hosts.gather(Answer), strict=True):
            peer.must(answer.round == number, "answers the round that was asked")
            peer.must(len(answer.numbers) == settings.size, "answers with as many numbers")
            state.total += answer.total
        state.round = number
        me.progress(number, settings.rounds, "asked")
        me.checkpoint(state)
    rows = len(table) if table else 0
    return Fitted(
        Model({"totals": np.array([state.total])}, {"rounds": state.round}),
        Report(
            "exchange",
            {
                "total": state.total,
                "rounds": state.round,
                "started_at": started_at,
                "rows": rows,
                "tried": tried,
                "kept": kept,
            },
        ),
    )


async def host(me: Party, table: Table | None, settings: Settings) -> Fitted:
    state = me.resumed(State) or State(0, 0.0)
    if settings.memory_mb:
        state.total += float(np.ones(settings.memory_mb << 17).sum())
    if settings.wait:
        await me.guest.fork(7).recv(Answer)
    for number in range(state.round + 1, settings.rounds + 1):
        question = await me.guest.recv(Question)
        me.guest.must(question.round == number, "asks in order")
        if number == settings.fail_in:
            raise KeyError("a value of the host")
        await me.spend(1)
        total = float(question.numbers.sum())
        await me.guest.send(Answer(number, total, question.numbers))
        state = State(number, state.total + total)
        me.checkpoint(state)
    return Fitted(Model({}, {}), Report("exchange", {"total": state.total}))


async def alone(me: Party, model: Model, settings: Settings) -> Report:
    return Report("exchange", {"again": float(model.arrays["totals"][0]), "rounds": settings.rounds})


component = Component(
    name="exchange",
    version="1.2.0",
    params=Settings,
    roles={"guest": guest, "host": host},
    inputs={"table": Table},
    outputs={"model": Model, "report": Report},
    apply={"guest": alone},
    apply_outputs={"report": Report},
    optional=("table",),
    example={"rounds": 2},
)
