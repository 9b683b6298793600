"""Trees as plain data for a report: one's own splits in words, another party's without its threshold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hanse.kernel.trees import LEAF, OWN
from hanse.sdk.boosting.ensemble import Ensemble, name_classes
from hanse.sdk.boosting.features import list_categories

MOST_TREES = 100
MOST_NODES = 20_000


def view(ensemble: Ensemble, parties: Sequence[str] = (), others: Sequence[Sequence[str]] = ()) -> dict[str, Any]:
    """Return {"trees": how many there are, "shown": [{"round", "class", "nodes": [node, …]}, …]}.

    parties[k − 1] is the k-th other party, others[k − 1][number] the name of the feature that its split with this
    number tests. At most `MOST_TREES` trees of `MOST_NODES` nodes together are shown, the first ones. Node 0 is the
    root; `left` and `right` are places in `nodes`:

        {"party": "guest", "feature", "at_most" | "one_of", "missing", "gain", "cover", "left", "right"}
        {"party": "host-1", "feature", "gain", "cover", "left", "right"}
        {"weight", "cover"}
    """
    forest, outputs = ensemble.forest, ensemble.loss.outputs
    labels: list[str | None] = [*name_classes(ensemble.classes)] or [None]
    shown, room = [], MOST_NODES
    for tree in range(min(len(forest), MOST_TREES)):
        nodes = forest.nodes(tree)
        room -= nodes.stop - nodes.start
        if room < 0:
            break
        drawn = [_node(ensemble, node, parties, others) for node in range(nodes.start, nodes.stop)]
        shown.append({"round": tree // outputs + 1, "class": labels[tree % outputs], "nodes": drawn})
    return {"trees": len(forest), "shown": shown}


def _node(ensemble: Ensemble, node: int, parties: Sequence[str], others: Sequence[Sequence[str]]) -> dict[str, Any]:
    forest = ensemble.forest
    party, index, cover = int(forest.party[node]), int(forest.index[node]), float(forest.cover[node])
    if party == LEAF:
        return {"weight": float(forest.weight[node]), "cover": cover}
    if party == OWN:
        said = {"party": "guest", **_own(ensemble, node, index)}
    else:
        said = {"party": parties[party - 1], "feature": others[party - 1][index]}
    below = {"left": int(forest.left[node]), "right": int(forest.right[node])}
    return {**said, "gain": float(forest.gain[node]), "cover": cover, **below}


def _own(ensemble: Ensemble, node: int, feature: int) -> dict[str, Any]:
    """Return an own split in words: `at_most` a number (None: all numbers), or `one_of` some categories."""
    forest, place = ensemble.forest, int(ensemble.forest.set_index[node])
    missing = "left" if forest.missing_left[node] else "right"
    if place >= 0:
        split: dict[str, Any] = {"one_of": list_categories(ensemble.features.bins[feature], forest.sets[place])}
    else:
        threshold = float(forest.threshold[node])
        split = {"at_most": threshold if threshold < float("inf") else None}
    return {"feature": ensemble.features.names[feature], **split, "missing": missing}
