from typing import Any, get_args

import pytest

from hanse.kernel.metrics import METRICS
from hanse.sdk.boosting.settings import BoostSettings, MetricName


def test_every_metric_can_be_followed() -> None:
    known = {metric for metrics in METRICS.values() for metric in metrics}
    assert set(get_args(MetricName)) == {"default", *known}


@pytest.mark.parametrize(
    ("settings", "queries"),
    [
        ({"depth": 1}, 1),
        ({"depth": 5}, 16),
        ({"growth": "leaf", "leaves": 12}, 11),
        ({"objective": "multiclass", "classes": 3, "depth": 3}, 12),
    ],
)
def test_the_queries_of_a_round_follow_from_the_settings_alone(settings: dict[str, Any], queries: int) -> None:
    assert BoostSettings(**settings).queries_per_round == queries


@pytest.mark.parametrize(
    ("settings", "metric"),
    [
        ({}, ""),
        ({"early_stopping_rounds": 2}, "auc"),
        ({"early_stopping_rounds": 2, "objective": "poisson"}, "deviance"),
        ({"early_stopping_rounds": 2, "early_stopping_metric": "log_loss"}, "log_loss"),
    ],
)
def test_the_first_metric_of_the_objective_is_followed_unless_another_is_named(
    settings: dict[str, Any], metric: str
) -> None:
    assert BoostSettings(**settings).follows(validation_rows=5) == metric


def test_numbers_of_other_objectives_do_not_make_losses_differ() -> None:
    assert BoostSettings(quantile_alpha=0.1, tweedie_power=1.2, classes=7).loss == BoostSettings().loss
    quantiles = {BoostSettings(objective="quantile", quantile_alpha=alpha).loss for alpha in (0.1, 0.9)}
    assert len(quantiles) == 2
