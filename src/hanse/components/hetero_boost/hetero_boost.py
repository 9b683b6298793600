"""Vertical gradient boosting: the guest has the label, every party has columns, nobody shows them.

Protocol  boosted trees (Friedman 2001; Chen and Guestrin 2016) whose histograms over a host's binned features come from
          a static-hint ring-LWE matrix-vector product: the host sends once how its 0/1 matrix of cells acts on the
          public part of all ciphertexts, then adds up ciphertext words (docs/protocols/histogram.md). Gradients are
          rounded stochastically, leaf weights are exact. One encrypted query for each pair of nodes: always
          2^(depth-1) a tree, or one less than its leaves where the best leaf grows first. Rows are routed at a host's
          split by that host. Later jobs on the same rows and cells go on with the set-up that both sides keep.
Secure    against semi-honest parties, any of which may collude (then they share what each learns). Guest's data:
          ring-LWE, at least 128 bits classical. Host's data: ring-LWE plus statistical distance 2^-30 for at most 2^28
          answers a hint. A guest that deviates can read the cells of samples it chooses: at most 46 to 83 bits per row
          and query, by parameter set, and at each level, for every sample, its side of one cut that it chooses
          (route=bitmap: of as many as the level may have nodes), which no limit on queries bounds; a host that deviates
          can choose its rows and learns which of them wins.
Learns    guest: for every query and every cell (bin, set of categories, or missing) of a host's drawn features but its
                 largest (which follows by subtraction), the exact sum of the rounded gradients over the samples of
                 that cell and node. Cells carry stable numbers, grouped by feature and in order, so that sums of one
                 cell can be linked over nodes, trees and jobs. It is told the number of features and cells of each
                 host, which of them are categories, may only rise or fall, or miss values, the size of the smallest
                 and largest cell, and can tell about how many samples each cell has. Many sums can determine the
                 members of a small cell: the host keeps them below the limit that the report shows, counting all jobs
                 on all cells that it ever answered for. [predict=false]
          guest: for every split on a host's feature, which training and validation samples of the node go left.
                 [predict=false, route=host]
          guest: for every split on a host's feature, which of all training and validation samples go left.
                 [predict=false, route=bitmap]
          guest: where a training goes on from a fitted model, for every training and validation sample the side on
                 which it lies of each split that this model has at a host. [predict=false]
          guest: for every row that is scored, the side on which it lies of each split that the model has at a host.
                 [predict=true]
          host: the aligned samples and their order, the number of trees, levels and queries, which of its features are
                drawn for a tree, after each tree how many trees the model keeps so far, and which of its cells were
                chosen as splits, at which level of which tree. No label, gradient or score. [predict=false]
          host: which training and validation samples were in the nodes that it split. No membership of other nodes.
                [predict=false, route=host]
          host: no membership of any node. [predict=false, route=bitmap]
          host: which rows are scored. [predict=true]
"""

from collections.abc import Mapping

from hanse.components.hetero_boost import guest, host
from hanse.components.hetero_boost.cost import cost
from hanse.components.hetero_boost.exposure import planned_queries
from hanse.components.hetero_boost.schema import schema
from hanse.components.hetero_boost.settings import Settings
from hanse.core.roles import Role
from hanse.core.schema import KnownTable
from hanse.sdk import Component, Model, Report, Table, Variant
from hanse.sdk.boosting import names_of_columns, problems
from hanse.sdk.findings import Finding


def check(role: Role, settings: Settings, tables: Mapping[str, KnownTable]) -> list[Finding]:
    """Say what is wrong with the tables before a row is read."""
    return problems(settings, tables, labelled=role == "guest")


OUTPUTS: dict[Role, dict[str, type[Table | Model | Report]]] = {
    "guest": {"model": Model, "scores": Table, "report": Report},
    "host": {"model": Model, "report": Report},
}
SCORES: dict[Role, dict[str, type[Table]]] = {"guest": {"scores": Table}, "host": {}}

component = Component(
    name="hetero_boost",
    version="2.0.0",
    params=Settings,
    roles={"guest": guest.guest, "host": host.host},
    inputs={"train": Table, "valid": Table, "warm": Model},
    outputs=OUTPUTS,
    optional=("valid", "warm"),
    apply={"guest": guest.predict, "host": host.predict},
    apply_inputs={"table": Table},
    apply_outputs=SCORES,
    example={"trees": 2, "depth": 2, "max_bins": 4},
    variants={
        "bitmap": Variant({"route": "bitmap", "growth": "leaf", "leaves": 3, "column_sample": 0.6}, hosts=(1,)),
        "classes": Variant({"objective": "multiclass", "classes": 2, "trees": 1, "row_sample": 0.8}, hosts=(1,)),
    },
    names=names_of_columns("guest", anywhere=True),
    check=check,
    cost=cost,
    schema=schema,
    queries=planned_queries,
)
