"""The templates that come with the product: matching, boosted trees with a judgement, scoring. All of two parties."""

from typing import Any

from hanse.core.specs import PREDICT
from hanse.core.templates import Blank, BlankKind, TemplateSpec

MOST_ROWS = 10**10


def _blank(name: str, kind: BlankKind, en: str, zh: str, **more: Any) -> Blank:
    return Blank(name, kind, {"en": en, "zh": zh}, **more)


def _at(name: str) -> dict[str, str]:
    return {"blank": name}


_PARTIES = (
    _blank("project", "project", "the project", "项目"),
    _blank("guest", "organisation", "the organisation that starts the job", "发起方组织"),
    _blank("host", "organisation", "the organisation that adds data", "数据提供方组织"),
    _blank("guest_data", "dataset", "the guest's dataset", "发起方的数据集"),
    _blank("host_data", "dataset", "the host's dataset", "数据提供方的数据集"),
)
_COLUMNS = (
    _blank("guest_columns", "columns", "the guest's columns; all if not said", "发起方的列；缺省为全部", optional=True),
    _blank(
        "host_columns", "columns", "the host's columns; all if not said", "数据提供方的列；缺省为全部", optional=True
    ),
)
_MINIMUM = _blank(
    "minimum", "integer", "fewest shared ids", "最少共有 ID 数", default=100, at_least=1, at_most=MOST_ROWS
)
_GROWTH = (
    _blank("test_ratio", "number", "share of rows for the test", "测试集比例", default=0.2, at_least=0.01, at_most=0.9),
    _blank("objective", "choice", "what is predicted", "预测目标", default="binary", choices=("binary", "regression")),
    _blank("trees", "integer", "number of trees", "树的数量", default=20, at_least=1, at_most=500),
    _blank("depth", "integer", "levels of a tree", "树的深度", default=3, at_least=1, at_most=8),
)


def _aligned(name: str, *, columns: bool) -> dict[str, Any]:
    """Return the pipeline that reads both datasets and finds the shared rows."""
    sides: dict[str, dict[str, Any]] = {
        "guest": {"dataset": _at("guest_data")},
        "host-1": {"dataset": _at("host_data")},
    }
    if columns:
        sides["guest"]["columns"], sides["host-1"]["columns"] = _at("guest_columns"), _at("host_columns")
    tasks = {
        "data": {"component": "dataset", "party_settings": sides},
        "align": {"component": "psi", "settings": {"minimum": _at("minimum")}, "inputs": {"table": "data.table"}},
    }
    parties = {"guest": _at("guest"), "host-1": _at("host")}
    return {"name": name, "project": _at("project"), "parties": parties, "tasks": tasks}


def _boosted() -> dict[str, Any]:
    pipeline = _aligned("train and judge", columns=True)
    growth = {name: _at(name) for name in ("objective", "trees", "depth")}
    pipeline["tasks"] |= {
        "split": {
            "component": "split",
            "settings": {"test_ratio": _at("test_ratio")},
            "inputs": {"table": "align.table"},
        },
        "boost": {"component": "hetero_boost", "settings": growth, "inputs": {"train": "split.train"}},
        "scores": {"component": PREDICT, "inputs": {"model": "boost.model", "table": "split.test"}},
        "judge": {"component": "evaluation", "inputs": {"scores": "scores.scores"}},
    }
    return pipeline


def _scored() -> dict[str, Any]:
    pipeline = _aligned("score customers", columns=False)
    pipeline["tasks"]["scores"] = {"component": PREDICT, "inputs": {"model": _at("model"), "table": "align.table"}}
    return pipeline


MATCHING = TemplateSpec(
    "matching",
    {"en": "Find shared ids", "zh": "隐私求交"},
    _aligned("find shared ids", columns=False),
    (*_PARTIES, _MINIMUM),
    {
        "en": "Private set intersection of two organisations: both keep the rows that they share, in one order.",
        "zh": "两方隐私求交：双方各自保留共有的行，顺序一致。",
    },
)
BOOSTING = TemplateSpec(
    "boosting",
    {"en": "Train boosted trees and judge them", "zh": "训练提升树并评估"},
    _boosted(),
    (*_PARTIES, *_COLUMNS, _MINIMUM, *_GROWTH),
    {
        "en": "Aligns, holds out a test, trains over the columns of both, judges. The guest's dataset has the label.",
        "zh": "对齐、划分测试集、用双方的列训练并评估。标签在发起方的数据集中。",
    },
)
SCORING = TemplateSpec(
    "scoring",
    {"en": "Score with a trained model", "zh": "用已训练的模型打分"},
    _scored(),
    (
        *_PARTIES,
        _MINIMUM,
        _blank("model", "model", "the model version: hanse model list", "模型版本：hanse model list"),
    ),
    {
        "en": "Aligns two datasets and scores the shared rows with a model that both have trained before.",
        "zh": "对齐两方数据集，并用双方此前训练的模型为共有的行打分。",
    },
)
BUILT_IN = {template.name: template for template in (BOOSTING, MATCHING, SCORING)}
