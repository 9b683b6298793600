"""Who is on stage: organisations, each with one file of its own; made up, public, or the user's."""

import math
from pathlib import Path

import duckdb
import msgspec

from hanse.core.faults import fault
from hanse.core.roles import GUEST, PartyId, host
from hanse.samples import breast, credit
from hanse.samples.population import Population, write

LONGEST_NAME = 20
TREES = 20
DEPTH = 4
LEARNING_RATE = 0.15
"""Half of the default: on a few thousand rows trees of small steps differ less from one run to the next."""
GROWTH = {"trees": TREES, "depth": DEPTH, "learning_rate": LEARNING_RATE}
BINS = 16
RESERVED_TREES = 2
TEST_SHARE = 0.2
CAUTIOUS_LIMIT = 0.1
"""The platform's default disclosure limit."""


class Player(msgspec.Struct, frozen=True):
    """One organisation: its party in the job and the file it brings."""

    party: PartyId
    organisation: str
    dataset: str
    file: Path
    label: str | None = None


class Cast(msgspec.Struct, frozen=True):
    """Everybody, the guest first. `hosts_limit` is the disclosure figure that the hosts allow, None the default."""

    story: str
    id: str
    players: tuple[Player, ...]
    hosts_limit: float | None = None

    @property
    def guest(self) -> Player:
        return self.players[0]

    @property
    def hosts(self) -> tuple[Player, ...]:
        return self.players[1:]


def write_case(case: str, rows: int | None, directory: Path) -> Cast:
    """Write the files of a built-in case and return who brings which. Raises HanseError."""
    try:
        if case == "credit":
            return _written(credit.generate(credit.ROWS if rows is None else rows), directory)
        return _written(breast.load(rows), directory)
    except ValueError as error:
        raise fault("demo.settings", str(error), "give a larger --rows, or none", step="make the data") from error


def bring_files(guest: Path, hosts: list[Path], id_column: str, label: str, rows: int | None, directory: Path) -> Cast:
    """Return the cast of the user's own files. With `rows`, the guest brings only its first ones."""
    if rows is not None:
        guest = _first_rows(guest, rows, directory)
    names = _names([guest, *hosts])
    parties = [GUEST, *(host(number) for number in range(1, len(hosts) + 1))]
    players = tuple(
        Player(party, name, "rows", file.absolute(), label if party == GUEST else None)
        for party, name, file in zip(parties, names, [guest, *hosts], strict=True)
    )
    return Cast(f"what {label} will be", id_column, players)


def consent(cast: Cast, shared: int) -> Cast:
    """Return the cast whose hosts consent to what training on `shared` rows discloses.

    Rule R1: rho = Q / (k ln(n/k)), with Q the exact sums asked for (half of the nodes of a level are subtracted; a few
    trees are reserved for restarts) and k = n / bins. Few rows disclose more about each of them: below some 12,500
    shared rows the platform's cautious default would have bins merged, and soon refuse.
    """
    if cast.hosts_limit is not None:
        return cast
    train = max(shared * (1 - TEST_SHARE), 2 * BINS)
    rho = (TREES + RESERVED_TREES) * 2 ** (DEPTH - 1) * BINS / (train * math.log(BINS))
    return cast if rho <= CAUTIOUS_LIMIT else msgspec.structs.replace(cast, hosts_limit=round(1.3 * rho, 2))


def _written(population: Population, directory: Path) -> Cast:
    players = []
    for number, holding in enumerate(population.holdings):
        file = write(holding, directory / f"{holding.organisation}.csv")
        party = host(number) if number else GUEST
        players.append(Player(party, holding.organisation, holding.dataset, file, holding.label))
    return Cast(population.story, population.holdings[0].id, tuple(players), population.disclosure_limit)


def _names(files: list[Path]) -> list[str]:
    """Name organisations after their files, or by number where that is too long or said twice."""
    stems = [file.stem for file in files]
    if len(set(stems)) == len(stems) and max(map(len, stems)) <= LONGEST_NAME:
        return stems
    return ["guest", *(f"host-{number}" for number in range(1, len(files)))]


def _first_rows(file: Path, rows: int, directory: Path) -> Path:
    target = directory / f"{file.stem}.parquet"
    try:
        with duckdb.connect() as engine:
            parquet = file.suffix.lower() == ".parquet"
            table = engine.read_parquet(str(file)) if parquet else engine.read_csv(str(file), all_varchar=True)
            table.limit(rows).write_parquet(str(target))
    except duckdb.Error as error:
        remedy = "give a CSV or Parquet file with a header"
        raise fault("dataset.unreadable", f"{file}: {error}", remedy, step="read the files") from error
    return target
