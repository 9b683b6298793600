"""Pipelines, artefacts, and the files by which the two planes speak: `task.json` in, `result.json` out.

All are JSON by msgspec. The control plane writes an `AttemptSpec`, the data plane answers with an
`AttemptResult`; what happens in between goes over the attempts' socket (`hanse.core.frames`).
"""

from typing import Annotated, Any, Literal

import msgspec

from hanse.core.faults import Fault
from hanse.core.ids import DatasetId, JobId, ModelVersionId, OrganisationId, TaskName
from hanse.core.roles import PartyId
from hanse.core.schema import IdType, Schema
from hanse.core.sources import Reader
from hanse.core.words import Label, Title

PREDICT = "predict"
"""The one word of a pipeline that is no component: use what a model's component fitted, on other rows."""

DERIVED = "derived:"
"""How the name of a dataset begins that was made of others: `derived:<digest>`, the same at all of its parties."""

MOST_TASKS, MOST_INPUTS, MOST_PARTIES = 500, 50, 50
"""What a pipeline may have at most: a partner may send any, and every party checks it before it can say no."""

PartyKey = Annotated[PartyId, msgspec.Meta(max_length=16)]
Name = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9_]{0,47}$")]
Encoding = Literal["", "utf-8", "utf-16", "gbk", "gb18030"]
Delimiter = Literal["", ",", ";", "\t", "|"]
ArtefactKind = Literal["table", "model", "rule", "report"]


class TaskSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One node of a pipeline.

    `settings` holds for every party, `party_settings[party]` for that party only (its dataset, its columns).
    `inputs` maps a port to `task.port` of another task or, for a model, to `model:<model version id>`.
    """

    component: Name
    settings: dict[str, Any] = {}
    party_settings: dict[PartyId, dict[str, Any]] = {}
    inputs: Annotated[dict[str, str], msgspec.Meta(max_length=MOST_INPUTS)] = {}


class PipelineSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A graph of components, with the organisation (by name) that stands behind each party."""

    name: Label
    project: Title
    parties: Annotated[dict[PartyKey, Title], msgspec.Meta(max_length=MOST_PARTIES)]
    tasks: Annotated[dict[TaskName, TaskSpec], msgspec.Meta(max_length=MOST_TASKS)]
    description: Annotated[str, msgspec.Meta(max_length=4000)] = ""


class Artefact(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One party's part of an input or output: a file or folder on this party's own disk.

    `sha256` is over the content (a table's Parquet file; a model's or report's files in name order, of a model's large
    files the digests of their blocks).
    `columns` limits what may be read of a table; None means all of its schema.
    """

    kind: ArtefactKind
    path: str
    sha256: str
    rows: int | None = None
    schema: Schema | None = None
    columns: tuple[str, ...] | None = None
    component: str = ""
    version: str = ""


class Disclosure(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the owner of a dataset allows one guest to learn from exact sums (rule R1 of docs/protocols/histogram.md).

    `used` queries were answered before; rho = queries / (k_min · ln(n / k_min)) may not pass `limit`.
    """

    used: int = 0
    limit: float = 0.1


class Terms(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What the owner of the data demands of results, where only the component can see whether it holds.

    `minimum_group`: the fewest rows behind any number that is told of the data. `minimum_intersection`: the fewest ids
    that may be found shared. Of several grants the strictest counts.
    """

    minimum_group: int = 1
    minimum_intersection: int = 1


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one attempt may use."""

    threads: int = 1
    memory_bytes: int = 2 << 30
    message_bytes: int = 2 << 30
    step_s: float = 600.0


class AttemptSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """`task.json`: one party's share of one task, tried for the n-th time (`attempt` counts from 1).

    `parties` are those that take part in this task, with their organisations. `directory` holds what this attempt
    writes (`outputs/<port>/`, `result.json`); `checkpoints` is shared by all attempts of the task, `kept` by all jobs
    in which this component reads the same datasets for the same guest (empty when no dataset is read), and
    `kept_by_port` what it would be for the datasets behind one input port alone. `socket` and `token` lead to the
    gateway; both are empty for a task that only one party has.
    """

    job: JobId
    task: TaskName
    attempt: int
    component: str
    version: str
    party: PartyId
    parties: dict[PartyId, OrganisationId]
    settings: dict[str, Any]
    inputs: dict[str, Artefact]
    directory: str
    checkpoints: str
    kept: str = ""
    kept_by_port: dict[str, str] = {}
    socket: str = ""
    token: str = ""
    apply: bool = False
    disclosure: Disclosure | None = None
    terms: Terms = Terms()
    limits: Limits = Limits()


class AttemptResult(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """`result.json`: how one party's attempt ended. Absent when the process was killed."""

    state: Literal["succeeded", "failed"]
    outputs: dict[str, Artefact] = {}
    fault: Fault | None = None
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_memory_bytes: int = 0


class IngestSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """`ingest.json`: read a file, check it, write a snapshot. A local attempt, without a gateway.

    `encoding` and `delimiter` are those of a CSV file, `sheet` that of a workbook; empty: look.
    With a `reader` the rows come from there, its password over standard input; `source` is a name for people.
    """

    source: str
    id_column: str
    directory: str
    label_column: str | None = None
    limits: Limits = Limits()
    id_type: IdType = "free"
    encoding: Encoding = ""
    delimiter: Delimiter = ""
    sheet: Annotated[str, msgspec.Meta(max_length=64)] = ""
    reader: Reader | None = None


class Intake(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`intake.json`, beside a snapshot: what was read. `misfits` counts the ids that do not look like their type."""

    source_bytes: int
    source_sha256: str
    misfits: int = 0


class ModelManifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """`manifest.json` of one party's part of a model: what fitted it, with which settings and which sides."""

    component: str
    version: str
    party: PartyId
    parties: dict[PartyId, OrganisationId]
    settings: dict[str, Any]
    job: JobId
    task: TaskName
    features: tuple[str, ...] = ()
    details: dict[str, Any] = {}


class ModelReference(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A model version in a pipeline: `model:<id>`."""

    id: ModelVersionId


class DatasetReference(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A dataset as the setting `dataset` of the component `dataset` names it, resolved by its owner's node."""

    id: DatasetId
    name: str
