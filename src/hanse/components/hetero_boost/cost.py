"""What vertical boosting takes: the cost model of docs/protocols/histogram.md, with the kernel's sizes of messages."""

from typing import NamedTuple

from hanse.components.hetero_boost.exposure import planned_queries
from hanse.components.hetero_boost.settings import Settings
from hanse.core.costs import Size
from hanse.kernel import histogram
from hanse.sdk.boosting.costs import grow_s
from hanse.sdk.costs import Costs, Work, exchanged

SUM_S = 0.4e-9
"""A ciphertext word of one sample added up for one feature."""

SET_UP_S = 1.3e-9
"""One cell of a feature and one sample, for each prime, when the set-up is made."""

ENCRYPT_S = 8e-9
"""One sample of one query."""

OPEN_S = 3e-6
"""One answer opened: an inner product with a ternary secret."""

WALK_S = 4e-9
BIN_S = 4e-8
ROW_BYTES = 120
SCORED_BYTES = 80
STEP_BYTES = 200


class _Plan(NamedTuple):
    """What follows from settings and sizes before any cell is known; every feature has as many cells as it may."""

    settings: Settings
    parameters: histogram.ParameterSet
    rows: int
    passengers: int
    cells: int
    routed: float
    """Of all splits, those on this host's features, every party having as many: only they are routed by messages."""

    @property
    def queries(self) -> int:
        return self.settings.trees * self.settings.queries_per_round

    @property
    def steps(self) -> int:
        return self.settings.trees * sum(
            1 for level in range(self.settings.levels) for _ in self.settings.steps_at(level)
        )

    @property
    def splits(self) -> int:
        """The most splits of all trees."""
        settings = self.settings
        return settings.trees * settings.outputs * sum(settings.splits_at(level) for level in range(settings.levels))

    @property
    def asked_bytes(self) -> float:
        """What one host is sent to add up, and the rows of the nodes that it splits."""
        each = sum(
            histogram.block_size(self.parameters, self.rows, block, 1) for block in range(histogram.blocks(self.rows))
        )
        dummies = histogram.dummies_size(self.parameters, 1)
        return self.queries * (each + dummies) + self.steps * STEP_BYTES + self.routed_bytes(self.settings.route)

    @property
    def answered_bytes(self) -> float:
        """What one host sends back: its set-up once, its sums, and which rows go left."""
        drawn = max(1, round(self.cells * self.settings.column_sample))
        sums = self.queries * histogram.answer_size(self.parameters, drawn)
        return histogram.hint_size(self.parameters, self.cells) + sums + self.routed_bytes("host")

    def routed_bytes(self, route: str) -> float:
        """Return the bits of all rows, for each split on a host's feature; a host that is told nothing gets none."""
        return 0.0 if route == "bitmap" else self.routed * self.splits * (self.rows + self.passengers) / 8


def cost(work: Work) -> Costs:
    """From the guest's side all hosts are asked with the same bytes."""
    settings: Settings = work.settings.get(work.me) or Settings()
    return _score(work, settings) if work.apply else _fit(work, settings)


def _fit(work: Work, settings: Settings) -> Costs:
    table = work.size("train", work.guest)
    rows, passengers = _counted(table.rows, settings), work.size("valid", work.guest).rows
    plans = {
        host: _plan(settings, rows, passengers, work.size("train", host).columns, len(work.parties))
        for host in work.hosts
    }
    slowest = max((_host_s(plan, work.size("train", host).columns) for host, plan in plans.items()), default=0.0)
    seconds = slowest + _guest_s(settings, rows, table.columns, list(plans.values()))
    asked = [plans[host] for host in work.asked]
    told = exchanged(
        work,
        sum(plan.asked_bytes for plan in asked),
        sum(plan.answered_bytes for plan in asked),
        seconds=seconds / work.threads,
        memory_bytes=_memory(work, asked),
        round_trips=settings.trees * (2 * settings.levels + 1),
    )
    model = {party: {"model": Size(rows)} for party in work.parties}
    gives = {**model, work.guest: {"model": Size(rows), "scores": Size(table.rows, 1)}}
    return Costs(told, gives)


def _score(work: Work, settings: Settings) -> Costs:
    rows, plan = work.size("table", work.guest).rows, _plan(settings, 0, 0, 1, len(work.parties))
    sides = plan.routed * plan.splits * rows / 8
    seconds = rows * settings.trees * settings.outputs * settings.depth * WALK_S / work.threads
    told = exchanged(
        work,
        len(work.asked) * SCORED_BYTES,
        len(work.asked) * sides,
        seconds=seconds,
        memory_bytes=round(rows * 16 + sides),
        round_trips=1,
    )
    return Costs(told, {work.guest: {"scores": Size(rows, 1)}})


def _counted(rows: int, settings: Settings) -> int:
    return max(1, round(rows * settings.row_sample))


def _plan(settings: Settings, rows: int, passengers: int, columns: int, parties: int) -> _Plan:
    cells = max(1, columns * (settings.max_bins - 1))
    row, queries = -(-rows // settings.max_bins), planned_queries(settings)
    try:
        parameters = histogram.choose(max(rows, 1), row, cells, queries, settings.precision_for(rows))
    except ValueError:  # what does not fit is refused when it runs, with its reason
        parameters = max(histogram.PARAMETER_SETS.values(), key=lambda found: found.modulus_bits)
    return _Plan(settings, parameters, rows, passengers, cells, 1 / parties)


def _host_s(plan: _Plan, columns: int) -> float:
    cells = columns * plan.settings.max_bins
    made = plan.rows * cells * len(plan.parameters.primes) * SET_UP_S + plan.rows * columns * BIN_S
    return made + plan.queries * plan.rows * columns * plan.settings.column_sample * SUM_S


def _guest_s(settings: Settings, rows: int, columns: int, plans: list[_Plan]) -> float:
    encrypted = max((plan.queries for plan in plans), default=0) * rows * ENCRYPT_S
    opened = sum(plan.queries * plan.cells * settings.column_sample * OPEN_S for plan in plans)
    return encrypted + opened + rows * columns * BIN_S + grow_s(settings, rows, columns)


def _memory(work: Work, asked: list[_Plan]) -> int:
    rows, columns = work.size("train").rows + work.size("valid").rows, work.size("train").columns
    hints = sum(histogram.hint_size(plan.parameters, plan.cells) for plan in asked)
    return round(rows * (ROW_BYTES + 10 * columns) + 2 * hints)
