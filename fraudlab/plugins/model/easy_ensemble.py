"""AdaBoost on balanced draws."""

from __future__ import annotations

from fraudlab.estimators import BaggedEstimator, Positive, Seed, Trees
from fraudlab.registry import register
from fraudlab.resampling import Ratio


@register("model", "easy_ensemble", excludes={"sampler": ["class_weight"]})
def easy_ensemble(
    *,
    n_estimators: Trees = 10,
    n_stumps: Trees = 50,
    learning_rate: Positive = 1.0,
    sampling_strategy: Ratio = 1.0,
    replacement: bool = False,
    random_state: Seed = 42,
) -> BaggedEstimator:
    """imbalanced-learn's EasyEnsembleClassifier: bags of boosted stumps.

    It takes no class weights.

    Parameters
    ----------
    n_estimators
        Bags: each has all frauds, its own draw of the genuine rows, and an AdaBoostClassifier.
    n_stumps
        Trees of one split a bag boosts, at most: the n_estimators of that AdaBoostClassifier.
    learning_rate
        Weight of each stump in its bag.
    sampling_strategy
        Frauds per genuine row in a bag.
    replacement
        Whether a genuine row may be drawn twice.
    random_state
        Seed of the draws.

    References
    ----------
    Liu, Wu and Zhou, Exploratory Undersampling for Class-Imbalance Learning, IEEE Transactions on
    Systems, Man, and Cybernetics, Part B 39(2), 2009.
    """
    from imblearn.ensemble import EasyEnsembleClassifier
    from sklearn.ensemble import AdaBoostClassifier

    from fraudlab.graph.easy import export

    estimator = EasyEnsembleClassifier(
        n_estimators=n_estimators,
        estimator=AdaBoostClassifier(n_estimators=n_stumps, learning_rate=learning_rate),
        sampling_strategy=sampling_strategy,
        replacement=replacement,
        random_state=random_state,
    )
    return BaggedEstimator(estimator, export, seen_odds=sampling_strategy)
