"""Which features a model's trees use, and what that gained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hanse.kernel.trees import Trees


def importance(forest: Trees, party: int, names: Sequence[str]) -> list[dict[str, Any]]:
    """Return `gain`, `cover` and `splits` of each `feature` of one party, greatest gain first.

    `names[index]` is the feature that a node of that party with this index tests; several may be the same. The gain is
    that of all its splits together, the cover the sum of second derivatives over the rows that they part.
    """
    mine = forest.party == party
    features = sorted(set(names))
    place = {name: number for number, name in enumerate(features)}
    which = np.array([place[names[index]] for index in forest.index[mine].tolist()], np.int64)
    gains = np.bincount(which, forest.gain[mine], len(features))
    covers = np.bincount(which, forest.cover[mine], len(features))
    splits = np.bincount(which, minlength=len(features))
    lines = [
        {"feature": name, "gain": float(gain), "cover": float(cover), "splits": int(count)}
        for name, gain, cover, count in zip(features, gains, covers, splits, strict=True)
        if count
    ]
    return sorted(lines, key=lambda line: (-line["gain"], line["feature"]))
