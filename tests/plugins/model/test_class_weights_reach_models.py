"""Class weights are sample weights, and every model obeys them."""

from __future__ import annotations

import numpy as np
import pytest

from fraudlab import registry
from fraudlab.composition import Composer
from fraudlab.config import Choice
from tests.candidates import fit, make_config, transaction_table

HEAVY = ("class_weight", {"weights": {0: 1.0, 1: 20.0}})


def takes_weights(model: str) -> bool:
    return "class_weight" not in registry.excludes("model", model).get("sampler", ())


MODELS = [name for name in registry.names("model") if takes_weights(name)]


@pytest.fixture(scope="module")
def table():
    return transaction_table(1200)


# Too small to learn train by heart: then a weight has nothing to change.
SMALL = {
    "tree": {"max_depth": 3},
    "rf": {"max_depth": 3, "n_estimators": 20},
    "extra_trees": {"max_depth": 3, "n_estimators": 20},
    "xgb": {"max_depth": 2, "n_estimators": 20},
    "lgbm": {"num_leaves": 4, "n_estimators": 20},
    "hist_gb": {"max_leaf_nodes": 4, "max_iter": 20},
    "bagging": {"max_depth": 3},
    "balanced_rf": {"max_depth": 3, "n_estimators": 20},
    "mlp": {"hidden_layer_sizes": [4], "learning_rate_init": 0.05, "tol": 1e-2},
}


@pytest.mark.parametrize("model", MODELS)
def test_heavier_frauds_raise_the_scores(model, table):
    small = (model, SMALL.get(model, {}))
    plain = fit(make_config(model=small), table)
    heavy = fit(make_config(model=small, sampler=HEAVY), table)
    gain = heavy.model.score(heavy.train).mean() - plain.model.score(plain.train).mean()
    assert gain > 0.1


def test_only_models_whose_library_takes_no_weights_or_no_labels_refuse_them():
    refused = {name for name in registry.names("model") if not takes_weights(name)}
    assert refused == {"balanced_bagging", "easy_ensemble", "isolation_forest"}


@pytest.mark.parametrize("model", ["balanced_bagging", "easy_ensemble", "isolation_forest"])
def test_class_weights_with_a_model_that_takes_none_are_refused_before_any_data(model):
    plan = Composer().plan([f"model={model}", "sampler=class_weight,identity"], multirun=True)
    reasons = [candidate.not_applicable for candidate in plan.candidates]
    assert [bool(reason) for reason in reasons] == [True, False]


def test_hist_gb_and_mlp_equal_the_library_with_the_same_weights(table):
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.neural_network import MLPClassifier

    weight = np.where(table.label == 1, 20.0, 1.0)
    theirs = {
        "hist_gb": HistGradientBoostingClassifier(
            max_leaf_nodes=4, max_iter=20, early_stopping=False, random_state=42
        ),
        "mlp": MLPClassifier([4], learning_rate_init=0.05, tol=1e-2, random_state=42),
    }
    for model, estimator in theirs.items():
        ours = fit(make_config(model=(model, SMALL[model]), sampler=HEAVY), table)
        X = ours.train.astype(np.float64)
        expected = estimator.fit(X, table.label, weight).predict_proba(X)[:, 1]
        np.testing.assert_allclose(ours.model.score(ours.train), expected, rtol=1e-9)


def test_logreg_equals_the_library_with_its_own_class_weight(table):
    from sklearn.linear_model import LogisticRegression

    ours = fit(make_config(model=("logreg", {"tol": 1e-8}), sampler=HEAVY), table)
    theirs = LogisticRegression(max_iter=1000, tol=1e-8, class_weight={0: 1, 1: 20})
    X = ours.train.astype(np.float64)
    theirs.fit(X, table.label)
    np.testing.assert_allclose(ours.model.score(ours.train), theirs.predict_proba(X)[:, 1], 1e-9)


def test_lgbm_equals_the_library_with_its_own_class_weight(table):
    from lightgbm import LGBMClassifier

    ours = fit(make_config(model="lgbm", sampler=HEAVY), table)
    theirs = LGBMClassifier(
        class_weight={0: 1, 1: 20}, random_state=42, verbosity=-1, deterministic=True,
        force_row_wise=True, n_jobs=1,
    ).fit(ours.train, table.label)  # fmt: skip
    expected = theirs.booster_.predict(ours.train)
    np.testing.assert_allclose(ours.model.score(ours.train), expected, rtol=1e-12)


def test_xgb_equals_the_library_with_its_own_scale_pos_weight(table):
    from xgboost import XGBClassifier

    # exact: the bins of hist are quantiles of weighted rows, which scale_pos_weight is not.
    params = {"tree_method": "exact", "base_score": 0.5, "n_estimators": 20}
    ours = fit(make_config(model=("xgb", params), sampler=HEAVY), table)
    theirs = XGBClassifier(**params, scale_pos_weight=20.0, random_state=42, n_jobs=1)
    theirs.fit(ours.train, table.label)
    expected = theirs.predict_proba(ours.train)[:, 1]
    np.testing.assert_allclose(ours.model.score(ours.train), expected, rtol=1e-6)


def test_the_weights_of_a_choice_survive_a_configuration_file():
    built = registry.build("sampler", Choice("class_weight", {"weights": {"0": 1, "1": 20}}))
    assert built.weights == {0: 1.0, 1: 20.0}
