"""Questions that the control plane asks its planner, which knows the components, and their answers."""

from typing import Any

import msgspec

from hanse.core.costs import Cost, Size
from hanse.core.roles import PartyId, Role
from hanse.core.schema import KnownTable, Schema
from hanse.core.specs import ArtefactKind, PipelineSpec


class Learns(msgspec.Struct, frozen=True):
    """One `Learns` line of a component: what `role` learns, and under which settings the line holds."""

    role: Role
    text: str
    when: dict[str, Any] = {}


class ComponentCard(msgspec.Struct, frozen=True):
    """Everything the rest of the platform knows of a component: data, no code."""

    name: str
    version: str
    title: dict[str, str]
    summary: dict[str, str]
    protocol: str
    secure: str
    learns: tuple[Learns, ...]
    roles: tuple[Role, ...]
    inputs: dict[Role, dict[str, ArtefactKind]]
    outputs: dict[Role, dict[str, ArtefactKind]]
    applies: tuple[Role, ...]
    apply_inputs: dict[Role, dict[str, ArtefactKind]]
    apply_outputs: dict[Role, dict[str, ArtefactKind]]
    optional: tuple[str, ...]
    params: dict[str, Any]


class DescribeCatalogue(msgspec.Struct, frozen=True, tag=True):
    """Which components does this installation have? Answer: `Catalogue`."""


class Catalogue(msgspec.Struct, frozen=True):
    components: tuple[ComponentCard, ...]


class CheckPipeline(msgspec.Struct, frozen=True, tag=True):
    """Is this pipeline sound, as far as `party` can tell? Answer: `PipelineCheck`.

    `schemas` has the granted schema of each dataset of this party, by dataset name; `versions` the component versions
    that the guest proposes (empty when the guest itself asks); `models` the component of each `model:` input.
    `sizes` has how large datasets are, by party and name, as far as this party knows; `threads` of one attempt.
    `offered` has the schemas of what partners have granted, by party and name, for whoever does not ask them; a party
    that is not in it has told nothing. `tells_tables`: the answer is to have what is known of every table.
    """

    pipeline: PipelineSpec
    party: PartyId
    schemas: dict[str, Schema]
    versions: dict[str, str] = {}
    models: dict[str, str] = {}
    sizes: dict[PartyId, dict[str, Size]] = {}
    threads: int = 1
    offered: dict[PartyId, dict[str, Schema]] = {}
    tells_tables: bool = False


class Problem(msgspec.Struct, frozen=True):
    """One thing wrong with a pipeline, at one task (empty: the pipeline itself), in words of two languages.

    `pointer` is its place in the pipeline (RFC 6901), `code` says of which kind it is, `suggestion` what is likely
    meant there. Texts are by `hanse.core.problems`.
    """

    task: str
    message: str
    remedy: str = ""
    pointer: str = ""
    code: str = ""
    message_zh: str = ""
    remedy_zh: str = ""
    suggestion: str = ""


class PlannedTask(msgspec.Struct, frozen=True):
    """How one task runs: which component (the model's own for `predict`), which parties, after which tasks.

    `queries` is how many exact sums of its own table the asked party may have to answer: none unless it is a host.
    `redraws`: another run on the same inputs is meant to come out differently.
    """

    name: str
    component: str
    version: str
    parties: tuple[PartyId, ...]
    after: tuple[str, ...]
    outputs: dict[PartyId, dict[str, ArtefactKind]]
    apply: bool = False
    queries: int = 0
    redraws: bool = False


class Ports(msgspec.Struct, frozen=True):
    """Which table is at each input and output of one party's share of a task: its place in `PipelineCheck.tables`."""

    inputs: dict[str, int]
    outputs: dict[str, int]


class PipelineCheck(msgspec.Struct, frozen=True):
    """`tasks` in an order in which they can run; with problems, those of which that much is clear.

    `costs` has what each takes at the asked party, by the models of components, on this `machine`; the sizes of tables
    of the parties in `guessed` were not known, and taken to be as this party's own. `tables`, each once, are what is
    known of the tables at the `ports`, by task and party, when that was asked for.
    """

    problems: tuple[Problem, ...]
    tasks: tuple[PlannedTask, ...]
    learns: dict[str, tuple[Learns, ...]] = {}
    costs: dict[str, Cost] = {}
    guessed: tuple[PartyId, ...] = ()
    machine: str = ""
    tables: tuple[KnownTable, ...] = ()
    ports: dict[str, dict[PartyId, Ports]] = {}


Question = DescribeCatalogue | CheckPipeline
