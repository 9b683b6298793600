"""How measurements correct a cost model: by the median of measured / modelled, with an interval that follows from them.

    likely = modelled · median(r)        least, most = likely / w, likely · w
    ln w   = ln 1.2 + 2 · 1.4826 · median |ln r − median ln r| + ln(doubt) / (n + 1)

The median and its deviation bear that up to half of n ratios are outliers (Hampel 1974). Without history the width is
the doubt about the model; it shrinks as measurements come, but no run is the same as the last by less than 20 %.
"""

import math
from collections.abc import Sequence
from statistics import median

from hanse.core.estimates import Range

LEAST_WIDTH = 1.2
NORMAL_SPREAD = 1.4826
"""The median deviation of normal values, times this, is their standard deviation."""

DOUBT = {"seconds": 4.0, "bytes_sent": 2.0, "bytes_received": 2.0, "memory_bytes": 2.0}
"""By what factor a model without history may be wrong: its rates are of one machine, its sizes the largest possible."""

FARTHEST = 1e4
"""Ratios beyond this factor say more about the measurement than about the model."""


def correct(modelled: float, ratios: Sequence[float], doubt: float) -> Range:
    """Return where a figure lies that a model puts at `modelled` and that was `ratios` times as large before."""
    if modelled <= 0:
        return Range()
    logs = [math.log(ratio) for ratio in ratios]
    centre = median(logs) if logs else 0.0
    spread = NORMAL_SPREAD * median(abs(found - centre) for found in logs) if logs else 0.0
    width = math.exp(math.log(LEAST_WIDTH) + 2 * spread + math.log(doubt) / (len(logs) + 1))
    likely = modelled * math.exp(centre)
    return Range(likely / width, likely, likely * width)


def ratio(measured: float, modelled: float) -> float | None:
    """Return how many times a figure was what the model says; None when there is nothing to compare."""
    if modelled <= 0 or measured <= 0:
        return None
    return min(max(measured / modelled, 1 / FARTHEST), FARTHEST)
