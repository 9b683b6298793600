"""Settings of hetero_boost, and the sizes that follow from them."""

from hanse.kernel import boosting
from hanse.sdk import Params


class Settings(Params, frozen=True):
    """How the trees are grown; the same at all parties."""

    trees: boosting.TreeCount = 20
    depth: boosting.Depth = 4
    learning_rate: boosting.LearningRate = 0.3
    max_bins: boosting.Bins = 16
    objective: boosting.ObjectiveName = "binary"
    reg_lambda: boosting.RegLambda = 1.0
    min_child_weight: boosting.MinChildWeight = 1.0
    min_split_gain: boosting.MinSplitGain = 0.0
    early_stopping_rounds: boosting.EarlyStopping = 0
    early_stopping_metric: boosting.StoppingMetric = "default"

    def __post_init__(self) -> None:
        boosting.check_metric(self.objective, self.early_stopping_metric)

    @property
    def queries_per_tree(self) -> int:
        """2^(depth − 1): one for the root, then one for each pair of children."""
        return sum(self.queries_at(level) for level in range(self.depth))

    def queries_at(self, level: int) -> int:
        """Queries at one level, always the same number, whatever nodes live there."""
        return max(1, 1 << level >> 1)
