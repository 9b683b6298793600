"""A bank, a telecom operator and a retailer that know the same people: who will not pay back a loan?

Nobody here exists. Every number is drawn from a seeded generator: `generate(20_000, seed=7)` gives the same
population on every machine with the same numpy. Ids look like mobile numbers but start with 999, which no country has.

How the people are made. Each has an age, a disposable income (log-normal) and three traits of mean 0 and deviation 1
that correlate with one another only a little (`TRAITS`):

    debt     what the bank sees: borrowed close to the limit, paid late before
    strain   short of cash by the end of the month; the operator sees it in small top-ups and suspended lines
    shock    income has just fallen; the retailer sees it in a falling basket and a turn to discounts

The columns are noisy readings of age, income and traits: counts are Poisson or negative binomial, amounts log-normal
with heavy tails, shares squeezed into 0..1. No column holds a trait itself.

The label `defaulted` is Bernoulli with log-odds (`log_odds`) that add the three traits, age and income, and two
products across organisations (strain × shock, debt × strain). So none of the three can see the whole risk, and all
of them together can. About 18 % default.

What there is to gain (20,000 customers, seed 7; AUC on customers not trained on, gradient boosting of 20 trees of
depth 4, bins 16): the bank alone 0.71, with the operator 0.79, all three 0.82; the true probability itself, which no
model can beat, 0.87.

Who holds whom. The bank has `rows` customers. The operator and the retailer each know nine in ten of them (a little
more of the young) and have customers of their own besides, so about four in five of the bank's are known to all.
"""

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from hanse.samples.population import Column, Holding, Population, Values

Floats = NDArray[np.float64]

SEED = 7
ROWS = 20_000
FEWEST_ROWS = 200
ID = "phone"
LABEL = "defaulted"

OPERATOR_OWN = 0.35
RETAILER_OWN = 0.20
"""Customers that the bank does not have, as a share of the bank's."""

TRAITS = np.array([[1.0, 0.15, 0.10], [0.15, 1.0, 0.20], [0.10, 0.20, 1.0]])
"""Correlation of debt, strain and shock."""

_PHONE = Column(ID, "", "mobile number: 999 and eight digits, assigned to nobody")

BANK = (
    _PHONE,
    Column(LABEL, "0 or 1", "90 days or more past due within the next twelve months"),
    Column("age", "years", "age at application"),
    Column("income", "yuan per month", "average salary credited"),
    Column("bank_tenure", "months", "since the first account was opened"),
    Column("balance", "yuan", "average balance of current accounts, last quarter"),
    Column("credit_limit", "yuan", "sum of card limits"),
    Column("utilisation", "share", "used part of the card limits", 4),
    Column("past_due_days", "days", "longest delay of a payment, last twelve months"),
    Column("past_due_count", "times", "delayed payments, last twelve months"),
    Column("enquiries", "times", "credit enquiries, last six months"),
    Column("open_loans", "loans", "loans running"),
    Column("instalment_share", "share", "instalments due by income", 4),
)

OPERATOR = (
    _PHONE,
    Column("line_tenure", "months", "since the number was activated"),
    Column("call_minutes", "minutes per month", "outgoing calls"),
    Column("contacts", "people", "different numbers called, last month"),
    Column("data_volume", "GB per month", "mobile data", 2),
    Column("night_data_share", "share", "data used between 0:00 and 6:00", 4),
    Column("topups", "times per month", "prepaid top-ups"),
    Column("topup_amount", "yuan", "median top-up", 2),
    Column("bill_delay", "days", "average delay of a bill, last year", 1),
    Column("suspended_days", "days", "line suspended for lack of credit, last year"),
    Column("roaming_days", "days", "abroad or in another province, last year"),
    Column("complaints", "times", "calls to the service centre, last year"),
    Column("handset_price", "yuan", "list price of the device in use"),
)

RETAILER = (
    _PHONE,
    Column("loyalty_tenure", "months", "since the loyalty card was issued"),
    Column("visits", "times per month", "visits with a purchase", 1),
    Column("basket", "yuan", "average basket", 2),
    Column("spend_trend", "ratio", "spend of the last quarter by that of the year before", 3),
    Column("discount_share", "share", "spend on discounted goods", 4),
    Column("premium_share", "share", "spend on premium brands", 4),
    Column("returns_share", "share", "goods brought back", 4),
    Column("categories", "categories", "different categories bought, last quarter"),
    Column("online_share", "share", "spend in the web shop", 4),
    Column("pay_later", "times", "purchases paid by instalments, last year"),
    Column("points", "points", "loyalty points not yet spent"),
    Column("days_since_visit", "days", "since the last purchase"),
)


class People:
    """The people themselves, as no organisation sees them: everything else is a reading of these arrays."""

    def __init__(self, count: int, rng: Generator) -> None:
        traits = rng.standard_normal((count, 3)) @ np.linalg.cholesky(TRAITS).T
        self.debt, self.strain, self.shock = traits.T
        self.age = np.clip(rng.gamma(9.0, 2.4, count) + 19.0, 19.0, 85.0)
        youth = (self.age - 41.0) / 12.0
        means = 0.6 * rng.standard_normal(count) - 0.18 * youth**2 - 0.15 * self.strain - 0.10 * self.debt
        self.means = means
        self.income = 7_500.0 * np.exp(0.55 * means + 0.05)

    def __len__(self) -> int:
        return len(self.age)


def log_odds(people: People) -> Floats:
    """Return each person's true log-odds of default."""
    youth = np.clip((33.0 - people.age) / 14.0, 0.0, 1.0)
    single = 0.85 * people.debt + 0.95 * people.strain + 0.85 * people.shock
    across = 0.35 * people.strain * people.shock + 0.20 * people.debt * people.strain
    odds: Floats = -2.35 + single + across + 0.55 * youth - 0.35 * people.means
    return odds


def generate(rows: int = ROWS, seed: int = SEED) -> Population:
    """Return the population in which the bank has `rows` customers. Raises ValueError below `FEWEST_ROWS`."""
    if rows < FEWEST_ROWS:
        raise ValueError(f"a population of {rows} is too small to learn from: at least {FEWEST_ROWS}")
    rng = np.random.default_rng(seed)
    people, phones = _draw(rows, rng)
    operators_own = rows + round(rows * OPERATOR_OWN)
    everybody = np.arange(len(people))
    outcome = (rng.random(len(people)) < _logistic(log_odds(people))).astype(np.int64)
    at_bank = everybody < rows
    at_operator = (at_bank & _known(people, rng)) | (~at_bank & (everybody < operators_own))
    at_retailer = (at_bank & _known(people, rng)) | (everybody >= operators_own)
    readings = (
        ("bank", "loans", BANK, at_bank, _at_bank(people, rng) | {LABEL: outcome}),
        ("operator", "subscribers", OPERATOR, at_operator, _at_operator(people, rng)),
        ("retailer", "loyalty", RETAILER, at_retailer, _at_retailer(people, rng)),
    )
    holdings = []
    for organisation, dataset, columns, known, values in readings:
        order = rng.permutation(np.flatnonzero(known))
        held = {column.name: _as_written(column, (values | {ID: phones})[column.name][order]) for column in columns}
        label = LABEL if LABEL in held else None
        holdings.append(Holding(organisation, dataset, columns, held, label))
    return Population("who will not pay back a loan", tuple(holdings))


def chances(rows: int = ROWS, seed: int = SEED) -> dict[str, float]:
    """Return the true probability of default of each of the bank's customers, by id: what no model can beat."""
    people, phones = _draw(rows, np.random.default_rng(seed))
    return dict(zip(phones[:rows].tolist(), _logistic(log_odds(people))[:rows].tolist(), strict=True))


def _draw(rows: int, rng: Generator) -> tuple[People, NDArray[np.str_]]:
    """Return everybody and their numbers: the bank's customers first, then the operator's own, then the retailer's."""
    people = People(rows + round(rows * OPERATOR_OWN) + round(rows * RETAILER_OWN), rng)
    return people, np.strings.mod("999%08d", rng.choice(10**8, len(people), replace=False))


def _logistic(log_odds: Floats) -> Floats:
    return 1.0 / (1.0 + np.exp(-log_odds))


def _known(people: People, rng: Generator) -> NDArray[np.bool_]:
    """Nine in ten, of the young a little more."""
    return rng.random(len(people)) < _logistic(2.25 - 0.02 * (people.age - 41.0))


def _share(rng: Generator, level: Floats, noise: float) -> Floats:
    """A share in 0..1 around the logistic of `level`."""
    return _logistic(level + noise * rng.standard_normal(len(level)))


def _amount(rng: Generator, log_level: Floats, noise: float) -> Floats:
    """A positive amount with a heavy tail: log-normal, and now and then several times that."""
    tail = np.where(rng.random(len(log_level)) < 0.03, rng.pareto(2.5, len(log_level)), 0.0)
    return np.exp(log_level + noise * rng.standard_normal(len(log_level))) * (1.0 + tail)


def _count(rng: Generator, log_level: Floats, spread: float = 1.0) -> Floats:
    """A count with more spread than Poisson: negative binomial, by a gamma mixture of shape 1/spread."""
    rate = np.exp(np.clip(log_level, -8.0, 6.0)) * rng.gamma(1.0 / spread, spread, len(log_level))
    return rng.poisson(rate).astype(np.float64)


def _tenure(rng: Generator, people: People, mean_months: float) -> Floats:
    """Months since joining, never before the age of 18."""
    return np.minimum(rng.exponential(mean_months, len(people)), (people.age - 18.0) * 12.0)


def _at_bank(people: People, rng: Generator) -> dict[str, Values]:
    debt, income = people.debt, people.income
    count = _count(rng, -1.5 + 0.75 * debt, 0.8)
    longest = np.where(count > 0, np.minimum(np.ceil(rng.gamma(1.2, 7.0, len(people)) * np.exp(0.3 * debt)), 89.0), 0.0)
    loans = _count(rng, -0.2 + 0.40 * debt, 0.3)
    return {
        "age": np.floor(people.age),
        "income": _amount(rng, np.log(income), 0.15),
        "bank_tenure": _tenure(rng, people, 70.0),
        "balance": _amount(rng, np.log(income) + 0.5 - 0.45 * debt - 0.20 * people.strain, 0.9),
        "credit_limit": np.round(_amount(rng, np.log(income) + 1.2 + 0.1 * debt, 0.5), -3),
        "utilisation": _share(rng, -0.7 + 0.85 * debt + 0.15 * people.shock, 1.0),
        "past_due_days": longest,
        "past_due_count": count,
        "enquiries": _count(rng, 0.1 + 0.45 * debt + 0.10 * people.shock, 0.6),
        "open_loans": loans,
        "instalment_share": np.where(loans > 0, _share(rng, -1.6 + 0.25 * loans + 0.35 * debt, 0.6), 0.0),
    }


def _at_operator(people: People, rng: Generator) -> dict[str, Values]:
    strain, youth = people.strain, (41.0 - people.age) / 12.0
    social = rng.standard_normal(len(people))
    return {
        "line_tenure": _tenure(rng, people, 80.0),
        "call_minutes": _amount(rng, 5.2 + 0.45 * social - 0.1 * youth, 0.5),
        "contacts": _count(rng, 3.0 + 0.40 * social - 0.12 * strain, 0.2),
        "data_volume": _amount(rng, 2.4 + 0.35 * youth + 0.1 * social, 0.7),
        "night_data_share": _share(rng, -2.2 + 0.40 * strain + 0.30 * youth, 0.7),
        "topups": _count(rng, 0.5 + 0.45 * strain, 0.25),
        "topup_amount": _amount(rng, 3.9 - 0.40 * strain + 0.25 * people.means, 0.4),
        "bill_delay": _amount(rng, 0.9 + 0.65 * strain, 0.8),
        "suspended_days": _count(rng, -1.2 + 1.00 * strain, 1.0),
        "roaming_days": _count(rng, 1.2 + 0.50 * people.means, 1.5),
        "complaints": _count(rng, -0.8 + 0.15 * strain, 0.8),
        "handset_price": np.round(_amount(rng, 7.7 + 0.50 * people.means - 0.15 * strain, 0.45), -2),
    }


def _at_retailer(people: People, rng: Generator) -> dict[str, Values]:
    shock, youth = people.shock, (41.0 - people.age) / 12.0
    visits = _amount(rng, 1.4 - 0.18 * shock + 0.1 * people.means, 0.5)
    tenure = _tenure(rng, people, 50.0)
    return {
        "loyalty_tenure": tenure,
        "visits": visits,
        "basket": _amount(rng, 4.9 + 0.45 * people.means - 0.25 * shock, 0.4),
        "spend_trend": _amount(rng, 0.02 - 0.22 * shock, 0.22),
        "discount_share": _share(rng, -0.8 + 0.60 * shock - 0.2 * people.means, 0.6),
        "premium_share": _share(rng, -1.6 - 0.35 * shock + 0.40 * people.means, 0.7),
        "returns_share": _share(rng, -3.2 + 0.40 * shock, 0.6),
        "categories": 1.0 + _count(rng, 1.7 - 0.15 * shock + 0.15 * people.means, 0.2),
        "online_share": _share(rng, -0.9 + 0.55 * youth, 0.9),
        "pay_later": _count(rng, -0.9 + 0.60 * shock + 0.15 * people.debt, 0.7),
        "points": _amount(rng, 4.0 + 0.3 * np.log1p(tenure) - 0.3 * shock, 0.9),
        "days_since_visit": rng.exponential(30.0 / (visits + 0.3)),
    }


def _as_written(column: Column, values: Values) -> Values:
    """Round to what the file will hold, so that the file and the arrays are the same data."""
    if values.dtype.kind in "iU":
        return values
    rounded = np.round(values.astype(np.float64), column.decimals)
    return rounded if column.decimals else rounded.astype(np.int64)
