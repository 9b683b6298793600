"""Breast Cancer Wisconsin (diagnostic), the real data set of scikit-learn, cut in three by columns.

569 tumours, 30 measured columns (W. N. Street, W. H. Wolberg, O. L. Mangasarian, UCI 1993, CC BY 4.0). A hospital has
the diagnosis and the ten standard errors, one laboratory the ten means, another the ten worst values. The data are
public and few, so both laboratories consent to a much higher disclosure figure than the platform's default.
"""

import importlib
import importlib.util

import numpy as np

from hanse.core.faults import fault
from hanse.samples.population import Column, Holding, Population, Values

LIBRARY = "sklearn"
SEED = 7
ID = "tumour"
LABEL = "malignant"
DISCLOSURE_LIMIT = 3.0
"""What 16 bins of 455 training rows need. Above 1 a guest could recover columns: for public data only."""

FEWEST_ROWS = 100
SHARES = (
    ("hospital", "diagnoses", slice(10, 20)),
    ("laboratory", "means", slice(0, 10)),
    ("clinic", "worst", slice(20, 30)),
)
"""Organisation, its dataset, and which of the thirty columns it has; the first is the guest."""


def load(rows: int | None = None, seed: int = SEED) -> Population:
    """Return the data set (or `rows` tumours of it, drawn with `seed`), each holding in an order of its own.

    Raises HanseError when scikit-learn is not installed, ValueError below `FEWEST_ROWS`.
    """
    if importlib.util.find_spec(LIBRARY) is None:
        raise fault(
            "sample.absent",
            "the case breast is scikit-learn's data set, and scikit-learn is not installed",
            "pip install 'hanse[ml]', or run the default case: hanse demo",
            step="breast",
        )
    if rows is not None and rows < FEWEST_ROWS:
        raise ValueError(f"{rows} tumours are too few to learn from: at least {FEWEST_ROWS}")
    # Imported here: it is an extra, and takes seconds that no other case should wait for.
    bunch = importlib.import_module(f"{LIBRARY}.datasets").load_breast_cancer()
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(len(bunch.target))[:rows]
    ids = np.strings.mod("BC-%04d", chosen)
    names = [str(name).replace(" ", "_") for name in bunch.feature_names]
    holdings: list[Holding] = []
    for organisation, dataset, columns in SHARES:
        order = rng.permutation(len(chosen))
        values: dict[str, Values] = {ID: ids[order]} | {
            name: np.asarray(bunch.data[chosen[order], number], dtype=np.float64)
            for number, name in list(enumerate(names))[columns]
        }
        described = [Column(ID, "", "number of the tumour")]
        described += [Column(name, "", name.replace("_", " "), 6) for name in values if name != ID]
        if not holdings:
            values[LABEL] = 1 - np.asarray(bunch.target[chosen[order]], dtype=np.int64)
            described.insert(1, Column(LABEL, "0 or 1", "diagnosis: malignant"))
        holdings.append(Holding(organisation, dataset, tuple(described), values, None if holdings else LABEL))
    return Population("which tumours are malignant", tuple(holdings), DISCLOSURE_LIMIT)
