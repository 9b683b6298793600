"""Settings of every boosted model, on one table and across organisations: types, bounds, and the sizes that follow."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from hanse.core.faults import fault
from hanse.kernel.gradients import Loss, Objective
from hanse.kernel.metrics import METRICS
from hanse.kernel.trees import Form, Rules
from hanse.sdk.params import Clash, Params

MetricName = Literal[
    "default",
    "auc",
    "aucpr",
    "deviance",
    "error",
    "log_loss",
    "mae",
    "ndcg",
    "pairwise_error",
    "pinball",
    "rmse",
]

TreeCount = Annotated[
    int,
    Meta(
        title="Trees", description="Rounds to grow at most; multiclass grows a tree per class in each.", ge=1, le=2000
    ),
]
Depth = Annotated[int, Meta(title="Depth", description="Levels of splits in each tree at most.", ge=1, le=10)]
GrowthOrder = Annotated[
    Literal["level", "leaf"],
    Meta(
        title="Growth",
        description="level: all nodes of a level are split. leaf: the leaf that gains most is split first.",
    ),
]
Leaves = Annotated[
    int, Meta(title="Leaves", description="Leaves of each tree at most; used when growth is leaf.", ge=2, le=512)
]
LearningRate = Annotated[
    float, Meta(title="Learning rate", description="How much of each tree is added to the model.", gt=0, le=1)
]
Bins = Annotated[
    int, Meta(title="Bins", description="Each column is cut into at most so many groups of rows.", ge=2, le=254)
]
ObjectiveName = Annotated[
    Objective,
    Meta(
        title="Objective",
        description=(
            "binary: a label of 0 and 1, scores are probabilities. multiclass: a class. regression: a number. "
            "poisson: a count. gamma: an amount above 0. tweedie: an amount that is often 0. "
            "quantile: a quantile of a number. ranking: relevance within a group."
        ),
    ),
]
Classes = Annotated[
    int, Meta(title="Classes", description="How many values the label has; for multiclass.", ge=2, le=100)
]
TweediePower = Annotated[
    float, Meta(title="Tweedie power", description="Variance grows as mean^power; for tweedie.", gt=1, lt=2)
]
QuantileAlpha = Annotated[
    float, Meta(title="Quantile", description="Share of the labels below the score; for quantile.", gt=0, lt=1)
]
RegLambda = Annotated[
    float, Meta(title="L2 regularisation", description="Shrinks the weights of small leaves.", ge=0, le=1e6)
]
RegAlpha = Annotated[
    float, Meta(title="L1 regularisation", description="Sets the weights of weak leaves to 0.", ge=0, le=1e6)
]
MinChildWeight = Annotated[
    float, Meta(title="Least child weight", description="Least sum of second derivatives in a child.", ge=0, le=1e9)
]
MinSplitGain = Annotated[
    float, Meta(title="Least split gain", description="A split must gain more than this.", ge=0, le=1e9)
]
MaxDeltaStep = Annotated[
    float, Meta(title="Largest step", description="No leaf is larger than this before the rate; 0: any.", ge=0, le=1e6)
]
RowSample = Annotated[
    float,
    Meta(title="Share of rows", description="Share of the training rows to grow trees on, drawn once.", gt=0, le=1),
]
SampleSeed = Annotated[
    int, Meta(title="Seed of the rows", description="Another seed draws other rows.", ge=0, le=(1 << 53) - 1)
]
ColumnSample = Annotated[
    float,
    Meta(title="Share of columns", description="Share of each party's columns, drawn anew in each round.", gt=0, le=1),
]
ColumnName = Annotated[str, Meta(min_length=1, max_length=1000)]
ColumnNames = tuple[ColumnName, ...]
Categorical = Annotated[
    ColumnNames,
    Meta(
        title="Categories",
        description="Columns of whole numbers that are names rather than amounts; text always is.",
        max_length=10_000,
    ),
]
Increasing = Annotated[
    ColumnNames,
    Meta(title="Rising", description="Columns with which the score may only rise.", max_length=10_000),
]
Decreasing = Annotated[
    ColumnNames,
    Meta(title="Falling", description="Columns with which the score may only fall.", max_length=10_000),
]
WeightName = Annotated[
    str, Meta(title="Weight", description="The guest's column of row weights; empty: all weigh 1.", max_length=1000)
]
GroupName = Annotated[
    str,
    Meta(title="Group", description="The guest's column that says which rows are ranked together.", max_length=1000),
]
EarlyStopping = Annotated[
    int,
    Meta(
        title="Early stopping",
        description="Stop after so many trees without a better validation metric, and keep the best; 0: never.",
        ge=0,
        le=2000,
        extra_json_schema={"unit": "trees"},
    ),
]
StoppingMetric = Annotated[
    MetricName, Meta(title="Stopping metric", description="default: the first that suits the objective.")
]


class BoostSettings(Params, frozen=True):
    """How trees are grown; the same at all parties. `trees` counts rounds: multiclass grows a tree a class in each."""

    trees: TreeCount = 20
    depth: Depth = 4
    growth: GrowthOrder = "level"
    leaves: Leaves = 16
    learning_rate: LearningRate = 0.3
    max_bins: Bins = 16
    objective: ObjectiveName = "binary"
    classes: Classes = 2
    tweedie_power: TweediePower = 1.5
    quantile_alpha: QuantileAlpha = 0.5
    reg_lambda: RegLambda = 1.0
    reg_alpha: RegAlpha = 0.0
    min_child_weight: MinChildWeight = 1.0
    min_split_gain: MinSplitGain = 0.0
    max_delta_step: MaxDeltaStep = 0.0
    row_sample: RowSample = 1.0
    sample_seed: SampleSeed = 0
    column_sample: ColumnSample = 1.0
    categorical: Categorical = ()
    monotone_increasing: Increasing = ()
    monotone_decreasing: Decreasing = ()
    weight: WeightName = ""
    group: GroupName = ""
    early_stopping_rounds: EarlyStopping = 0
    early_stopping_metric: StoppingMetric = "default"

    def __post_init__(self) -> None:
        metrics = METRICS[self.objective]
        if self.early_stopping_metric not in ("default", *metrics):
            metric, fitting = self.early_stopping_metric, ", ".join(("default", *metrics))
            raise Clash(
                f"early_stopping_metric {metric} does not suit the objective {self.objective}: {fitting} do",
                f"早停指标 {metric} 不适用于目标 {self.objective}：可用 {fitting}",
                "early_stopping_metric",
            )
        if self.growth == "leaf" and self.leaves > (most := 1 << self.depth):
            raise Clash(
                f"a tree of depth {self.depth} has at most {most} leaves, not {self.leaves}",
                f"深度为 {self.depth} 的树至多有 {most} 个叶子，而不是 {self.leaves}",
                "leaves",
            )
        if (self.objective == "ranking") != bool(self.group):
            raise Clash(
                "the objective ranking needs group, the name of a column; other objectives take none",
                "目标 ranking 需要设置 group（列名）；其他目标不需要",
                "group",
            )
        if self.group and self.group == self.weight:
            raise Clash("weight and group name the same column", "weight 与 group 指定了同一列", "group")
        if both := set(self.monotone_increasing) & set(self.monotone_decreasing):
            named = ", ".join(sorted(both))
            raise Clash(
                f"the score cannot both rise and fall with {named}",
                f"分数不能随 {named} 既升又降",
                "monotone_decreasing",
            )
        if bent := set(self.categorical) & {*self.monotone_increasing, *self.monotone_decreasing}:
            named = ", ".join(sorted(bent))
            raise Clash(
                f"categories have no order to rise or fall with: {named}",
                f"类别没有可升降的次序：{named}",
                "categorical",
            )

    @property
    def loss(self) -> Loss:
        """What is made small."""
        match self.objective:
            case "multiclass":
                return Loss(self.objective, classes=self.classes)
            case "tweedie":
                return Loss(self.objective, power=self.tweedie_power)
            case "quantile":
                return Loss(self.objective, alpha=self.quantile_alpha)
            case _:
                return Loss(self.objective)

    @property
    def outputs(self) -> int:
        """Trees of a round."""
        return self.loss.outputs

    @property
    def rules(self) -> Rules:
        """What a split must satisfy."""
        return Rules(
            reg_lambda=self.reg_lambda,
            reg_alpha=self.reg_alpha,
            min_child_weight=self.min_child_weight,
            min_split_gain=self.min_split_gain,
            max_delta_step=self.max_delta_step or self.loss.max_delta_step,
        )

    @property
    def form(self) -> Form:
        """How far a tree grows."""
        return Form(self.depth, self.growth, self.leaves if self.growth == "leaf" else 0)

    @property
    def queries_per_tree(self) -> int:
        """Encrypted queries that a tree takes at hosts, whatever it looks like: one for the root, one for each pair."""
        return 1 << (self.depth - 1) if self.growth == "level" else self.leaves - 1

    @property
    def queries_per_round(self) -> int:
        """Encrypted queries of all trees of a round."""
        return self.outputs * self.queries_per_tree

    def follows(self, validation_rows: int) -> str:
        """Return which validation metric decides on the rounds that are kept; empty when early stopping is off.

        Raises HanseError("valid.absent") when early stopping has nothing to look at.
        """
        if not self.early_stopping_rounds:
            return ""
        if not validation_rows:
            remedy = "connect a table to valid, or set early_stopping_rounds to 0"
            raise fault("valid.absent", "early stopping needs validation rows", remedy)
        metric = self.early_stopping_metric
        return METRICS[self.objective][0] if metric == "default" else metric
