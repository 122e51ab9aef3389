"""data=toy is the published toy table: trees on it give the printed figures."""

from __future__ import annotations

import numpy as np
import pytest

from fraudlab import registry
from fraudlab.composition import Composer
from fraudlab.config import Choice
from fraudlab.errors import DataError
from fraudlab.splitting import split_table
from fraudlab.table import Table

# metric of scikit-learn: (mean, sample standard deviation), of values rounded to 3 decimals
PUBLISHED = {
    "roc_auc": (0.906, 0.025),
    "average_precision": (0.528, 0.072),
    "balanced_accuracy": (0.786, 0.046),
}


def toy(**params: object) -> Table:
    raw = registry.build("data", Choice("toy", params)).read()
    table: Table = registry.build("features", Choice("identity")).build(raw)
    return table


def test_a_tree_over_its_folds_gives_the_published_figures() -> None:
    from sklearn.metrics import get_scorer
    from sklearn.tree import DecisionTreeClassifier

    table = toy()
    split = split_table(table, registry.build("split", Choice("kfold", {"random_state": 0})))
    X, y = table.frame.to_numpy(), table.label
    found: dict[str, list[float]] = {name: [] for name in PUBLISHED}
    for stage in split.validation:
        tree = DecisionTreeClassifier(max_depth=5, random_state=0).fit(X[stage.fit], y[stage.fit])
        for name, values in found.items():
            score = get_scorer(name)(tree, X[stage.judge], y[stage.judge])
            values.append(round(float(score), 3))
    for name, (mean, spread) in PUBLISHED.items():
        assert round(np.mean(found[name]), 3) == mean
        assert round(np.std(found[name], ddof=1), 3) == spread


def test_it_is_the_same_table_for_every_seed_of_the_run_and_another_for_its_own() -> None:
    plan = Composer().plan(["data=toy", "seed=1,2"], multirun=True)
    assert [candidate.config.data.params["random_state"] for candidate in plan.candidates] == [0, 0]
    assert toy().fingerprint == toy().fingerprint
    assert toy().fingerprint != toy(random_state=1).fingerprint


def test_it_comes_with_folds_and_its_own_columns_unless_told_otherwise() -> None:
    (candidate,) = Composer().plan(["data=toy"]).candidates
    assert candidate.config.choices["split"] == "kfold"
    assert candidate.config.choices["features"] == "identity"
    (candidate,) = Composer().plan(["data=toy", "split=stratified"]).candidates
    assert candidate.config.choices["split"] == "stratified"


def test_the_share_of_frauds_and_their_distance_can_be_set() -> None:
    table = toy(n_samples=2000, fraud_share=0.3)
    assert len(table) == 2000
    assert table.label.mean() == pytest.approx(0.3, abs=0.02)
    near, far = (
        np.ptp(toy(class_sep=gap).frame.groupby(toy().label).mean(), axis=0).sum()
        for gap in (0.5, 5.0)
    )
    assert far > near


def test_a_toy_without_time_or_cards_is_told_so_by_splits_that_need_them() -> None:
    with pytest.raises(DataError, match="has none"):
        registry.build("split", Choice("kfold", {"grouped": True})).split(toy())
    with pytest.raises(DataError, match="split=prequential needs a time column"):
        registry.build("split", Choice("prequential")).split(toy())
