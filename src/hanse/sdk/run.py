"""Run a component with all its parties in one process: unit tests, notebooks, dry runs."""

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace as replaced
from functools import partial
from typing import Any

from hanse.core.faults import fault
from hanse.core.roles import PartyId, role_of
from hanse.core.specs import Disclosure, Terms
from hanse.protocols.channel import Party
from hanse.protocols.simulation import MemoryAttempt, Wrap, simulate
from hanse.sdk.component import Component, RoleFunction, Value, perform
from hanse.sdk.model import Model
from hanse.sdk.params import Params


def run(
    component: Component,
    settings: Params | Mapping[str, Params],
    inputs: Mapping[str, Mapping[str, Value | None]],
    *,
    apply: bool = False,
    seed: int | str = 0,
    disclosure: Disclosure | None = None,
    terms: Mapping[PartyId, Terms] | None = None,
    replace: Mapping[str, RoleFunction] | None = None,
    wrap: Wrap | None = None,
    attempts: Mapping[PartyId, MemoryAttempt] | None = None,
    threads: int = 1,
) -> dict[str, dict[str, Any]]:
    """Return the outputs `{party: {port: value}}` of one task.

    `inputs` is `{party: {port: value}}` and names the parties: `guest`, `host-1`, `host-2` …, in the job's order.
    `settings` hold for all, or are given by party. `replace[party]` plays that party in place of its role's program.
    `wrap` injects faults (see `hanse.protocols.simulation`). `attempts` are kept by the caller who wants to see events
    and what was spent, or to restart from the checkpoints of an earlier run.

    Errors: the first cause, as HanseError (ProtocolError and PeerLost are such); a bug of a program surfaces as it is.
    """
    parties = [PartyId(name) for name in inputs]
    for party in parties:
        if role_of(party) not in component.roles:
            raise fault("component.role", f"{component.name} has no part for {party}", "leave this party out")
    programs = {
        party: partial(
            _play,
            component=component,
            inputs=inputs[party],
            settings=(settings if isinstance(settings, Params) else settings[party]).checked(),
            apply=apply,
            program=(replace or {}).get(party),
        )
        for party in parties
    }
    held = attempts or {party: MemoryAttempt() for party in parties}
    play = simulate(programs, seed=seed, attempts=held, disclosure=disclosure, terms=terms, threads=threads, wrap=wrap)
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        outputs = asyncio.run(play)
    else:
        with ThreadPoolExecutor(1) as thread:  # a notebook's loop runs already: this one gets a thread of its own
            outputs = thread.submit(asyncio.run, play).result()
    return {
        party: {port: _keep(value, held[party]) for port, value in ports.items()} for party, ports in outputs.items()
    }


def _keep(value: Value, attempt: MemoryAttempt) -> Value:
    """Have a model whose files lie in the attempt's scratch folder hold the attempt, and with it the folder."""
    return replaced(value, _keep=attempt) if isinstance(value, Model) and value.files else value


async def _play(
    me: Party,
    *,
    component: Component,
    inputs: Mapping[str, Value | None],
    settings: Params,
    apply: bool,
    program: RoleFunction | None,
) -> dict[str, Value]:
    return await perform(component, me, inputs, settings, apply=apply, program=program)
