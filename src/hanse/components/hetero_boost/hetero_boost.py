"""Vertical gradient boosting: the guest has the label, every party has columns, nobody shows them.

Protocol  boosted trees (Friedman 2001; Chen and Guestrin 2016) whose histograms over a host's binned features come from
          a static-hint ring-LWE matrix-vector product: the host sends once how its 0/1 matrix of bins acts on the
          public part of all ciphertexts, then adds up ciphertext words (docs/protocols/histogram.md). Gradients are
          rounded stochastically, leaf weights are exact. One encrypted query for each pair of nodes, always
          2^(depth-1) a tree; nodes that a host splits are routed by that host.
Secure    against semi-honest parties, any of which may collude (then they share what each learns). Guest's data:
          ring-LWE, at least 128 bits classical. Host's data: ring-LWE plus statistical distance 2^-30 for at most 2^28
          answers a hint. A guest that deviates can read the bins of samples it chooses: at most 45 bits per row and
          query, and at each level, for every sample, its side of one cut that it chooses, which no limit on queries
          bounds; a host that deviates can choose its rows and learns which of them wins.
Learns    guest: for every query and every bin of a host's feature but its largest (which follows by subtraction), the
                 exact sum of the rounded gradients over the samples of that bin and node. Bins carry stable numbers,
                 grouped by feature and in order, so that sums of one bin can be linked over nodes and trees. It is told
                 the number of features and bins of each host and the size of the smallest and largest bin, and can
                 tell about how many samples each bin has. Many sums can determine the members of a small bin: the host
                 keeps them below the limit that the report shows. [predict=false]
          guest: for every split on a host's feature, which training and validation samples of the node go left.
                 [predict=false]
          guest: for every row that is scored, the side on which it lies of each split that the model has at a host.
                 [predict=true]
          host: the aligned samples and their order, the number of trees, levels and queries, after each tree how many
                trees the model keeps so far, which of its bins were chosen as splits, and which training and validation
                samples were in the nodes that it split. No label, gradient or score, and no membership of other nodes.
                [predict=false]
          host: which rows are scored. [predict=true]
"""

from hanse.components.hetero_boost import guest, host
from hanse.components.hetero_boost.exposure import planned_queries
from hanse.components.hetero_boost.settings import Settings
from hanse.core.roles import Role
from hanse.core.schema import Schema
from hanse.kernel import boosting
from hanse.sdk import Component, Model, Report, Table


def check(role: Role, _settings: Settings, schemas: dict[str, Schema]) -> list[str]:
    """Say what is wrong with the tables before a row is read."""
    tables = schemas.items()
    return [found for port, schema in tables for found in boosting.problems(port, schema, labelled=role == "guest")]


OUTPUTS: dict[Role, dict[str, type[Table | Model | Report]]] = {
    "guest": {"model": Model, "scores": Table, "report": Report},
    "host": {"model": Model},
}
SCORES: dict[Role, dict[str, type[Table]]] = {"guest": {"scores": Table}, "host": {}}

component = Component(
    name="hetero_boost",
    version="1.0.0",
    params=Settings,
    roles={"guest": guest.guest, "host": host.host},
    inputs={"train": Table, "valid": Table},
    outputs=OUTPUTS,
    optional=("valid",),
    apply={"guest": guest.predict, "host": host.predict},
    apply_inputs={"table": Table},
    apply_outputs=SCORES,
    example={"trees": 2, "depth": 2, "max_bins": 4},
    check=check,
    queries=planned_queries,
)
