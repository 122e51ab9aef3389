"""Bags of trees are the libraries' own, fitted alike by any number of threads."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import make_classification
from sklearn.ensemble import AdaBoostClassifier, BaggingClassifier, IsolationForest
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.model_selection import StratifiedKFold
from sklearn.tree import DecisionTreeClassifier

from fraudlab import registry
from fraudlab.config import Choice
from fraudlab.errors import DataError, NotApplicableError
from fraudlab.links import IsolationLink, Link
from fraudlab.protocols import Model
from fraudlab.scoring import GraphRunner
from fraudlab.threads import VARIABLE
from tests.candidates import one_thread

SEED = 7


def build(name: str, **params: Any) -> Model:
    return registry.build("model", Choice(name, params))


def fitted(name: str, X: np.ndarray, y: np.ndarray, **params: Any) -> Model:
    with one_thread():
        model = build(name, **params)
        model.fit(X, y, None)
    return model


def rare(rows: int = 3000, features: int = 6, share: float = 0.95) -> tuple[Any, Any]:
    X, y = make_classification(
        rows, features, n_informative=4, weights=[share], class_sep=0.8, random_state=1
    )
    return X.astype(np.float32), y.astype(np.int8)


def their_balanced_bagging(**params: Any) -> Any:
    from imblearn.ensemble import BalancedBaggingClassifier

    tree = DecisionTreeClassifier(max_depth=params.pop("max_depth"), random_state=SEED)
    return BalancedBaggingClassifier(tree, random_state=SEED, **params)


def their_balanced_rf(**params: Any) -> Any:
    from imblearn.ensemble import BalancedRandomForestClassifier

    return BalancedRandomForestClassifier(random_state=SEED, **params)


def their_easy_ensemble(**params: Any) -> Any:
    from imblearn.ensemble import EasyEnsembleClassifier

    boosting = AdaBoostClassifier(n_estimators=params.pop("n_stumps"), random_state=SEED)
    return EasyEnsembleClassifier(estimator=boosting, random_state=SEED, **params)


def their_bagging(**params: Any) -> Any:
    tree = DecisionTreeClassifier(max_depth=params.pop("max_depth"), random_state=SEED)
    return BaggingClassifier(tree, random_state=SEED, **params)


SAME = [
    ("bagging", their_bagging, {"n_estimators": 8, "max_depth": 4}),
    (
        "bagging",
        their_bagging,
        {
            "n_estimators": 8,
            "max_depth": 3,
            "max_samples": 0.4,
            "max_features": 0.5,
            "bootstrap": False,
        },
    ),
    ("balanced_bagging", their_balanced_bagging, {"n_estimators": 8, "max_depth": 4}),
    (
        "balanced_bagging",
        their_balanced_bagging,
        {
            "n_estimators": 8,
            "max_depth": None,
            "max_samples": 0.6,
            "max_features": 0.5,
            "bootstrap": False,
            "sampling_strategy": 0.4,
            "replacement": True,
        },
    ),
    ("balanced_rf", their_balanced_rf, {"n_estimators": 8, "max_depth": 4}),
    (
        "balanced_rf",
        their_balanced_rf,
        {"n_estimators": 8, "sampling_strategy": 0.5, "replacement": False, "bootstrap": True},
    ),
    ("easy_ensemble", their_easy_ensemble, {"n_estimators": 3, "n_stumps": 6}),
]


@pytest.mark.parametrize(("name", "theirs", "params"), SAME)
def test_a_bag_scores_as_the_library_does_and_so_does_its_graph(name, theirs, params):
    X, y = rare()
    model = fitted(name, X, y, **params, random_state=SEED)
    expected = theirs(**params).fit(X, y).predict_proba(X)[:, 1]
    np.testing.assert_array_equal(model.score(X), expected)
    graph = model.to_onnx()
    found = graph.link.score(GraphRunner(graph.onnx).margins(X))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-15)


@pytest.mark.parametrize("x", [0.0, 1.0], ids=["one leaf", "a leaf with as many of both"])
def test_stumps_that_tell_little_vote_as_the_library_does(x):
    # Every bag is all of train, whose frauds are all at 0, with as many genuine rows.
    X = np.repeat([0.0, x], [40, 20]).astype(np.float32)[:, np.newaxis]
    y = np.repeat([1, 0], [20, 40]).astype(np.int8)
    params = {"n_estimators": 3, "sampling_strategy": 0.5}
    graph = fitted("easy_ensemble", X, y, n_stumps=1, **params).to_onnx()
    expected = their_easy_ensemble(n_stumps=1, **params).fit(X, y).predict_proba(X)[:, 1]
    assert (expected < 0.5).all()
    found = graph.link.score(GraphRunner(graph.onnx).margins(X))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-15)


def test_the_isolation_forest_scores_what_the_library_calls_strange():
    X, y = rare()
    model = fitted("isolation_forest", X, y, n_estimators=10, random_state=SEED)
    theirs = IsolationForest(n_estimators=10, random_state=SEED).fit(X)
    np.testing.assert_array_equal(model.score(X), -theirs.score_samples(X))
    far = np.full((1, X.shape[1]), 1e6, dtype=np.float32)
    assert model.score(far)[0] > np.quantile(model.score(X), 0.99)


@settings(derandomize=True, deadline=None)
@given(st.lists(st.floats(-1e6, 0), min_size=2), st.floats(1e-2, 1e6))
def test_shallower_rows_are_stranger_and_the_link_survives_the_manifest(margins, scale):
    link = msgspec.json.decode(msgspec.json.encode(IsolationLink(scale)), type=Link)
    assert link == IsolationLink(scale)
    rising = np.sort(margins)
    for numbers in (link.score(rising), link.linear(rising)):
        assert (np.diff(numbers) >= 0).all()
    assert ((link.score(rising) >= 0) & (link.score(rising) <= 1)).all()


def test_labels_change_nothing_for_the_isolation_forest():
    X, y = rare()
    graphs = [fitted("isolation_forest", X, each, n_estimators=5).to_onnx() for each in (y, 1 - y)]
    assert graphs[0].onnx == graphs[1].onnx


@pytest.mark.parametrize(
    ("name", "params"),
    [(name, params) for name, _, params in SAME]
    + [("isolation_forest", {"n_estimators": 8}), ("hist_gb", {"max_iter": 5})],
)
def test_threads_change_no_bit(name, params, monkeypatch):
    X, y = rare()
    graphs = []
    for threads in ("1", "3"):
        monkeypatch.setenv(VARIABLE, threads)
        model = build(name, **params)
        model.fit(X, y, None)
        graphs.append((model.to_onnx().onnx, model.score(X).tobytes()))
    assert graphs[0] == graphs[1]


# The Handbook's toy data: means of ROC AUC and average precision over its five folds, and how far
# they may be off. Its balanced forest has the parameters imbalanced-learn had before 0.13.
TOY: dict[str, tuple[dict[str, Any], list[float], list[float]]] = {
    "bagging": ({}, [0.943, 0.597], [6e-3, 5e-3]),
    "balanced_bagging": ({}, [0.947, 0.586], [6e-3, 5e-3]),
    "balanced_rf": (
        {"sampling_strategy": 1.0, "replacement": False, "bootstrap": True},
        [0.946, 0.580],
        [1e-2, 1e-2],
    ),
}


@pytest.mark.parametrize("name", TOY)
def test_the_published_results_of_the_toy_data_come_out(name):
    X, y = make_classification(
        n_samples=5000, n_features=2, n_redundant=0, n_classes=2, n_clusters_per_class=1,
        weights=[0.95], class_sep=0.5, random_state=0,
    )  # fmt: skip
    X, y = X.astype(np.float32), y.astype(np.int8)
    more, published, tolerance = TOY[name]
    params = {"n_estimators": 100, "max_depth": 5, "random_state": 0, **more}
    found = []
    for train, test in StratifiedKFold(5, shuffle=True, random_state=0).split(X, y):
        score = fitted(name, X[train], y[train], **params).score(X[test])
        found.append([roc_auc_score(y[test], score), average_precision_score(y[test], score)])
    reached = np.mean(found, axis=0)
    assert (np.abs(reached - published) <= tolerance).all(), reached


@pytest.mark.parametrize(
    ("name", "params", "odds"),
    [
        ("balanced_rf", {"n_estimators": 40, "max_depth": 4}, 1.0),
        ("balanced_rf", {"n_estimators": 40, "max_depth": 4, "sampling_strategy": 0.25}, 0.25),
        ("balanced_bagging", {"n_estimators": 40, "max_depth": 4}, 1.0),
        ("balanced_bagging", {"n_estimators": 40, "max_depth": 4, "sampling_strategy": 0.2}, 0.2),
        ("easy_ensemble", {"n_estimators": 10, "n_stumps": 10}, 1.0),
        ("easy_ensemble", {"n_estimators": 10, "sampling_strategy": 0.5, "n_stumps": 10}, 0.5),
    ],
)
def test_the_ratio_undoes_the_balance_a_bag_draws(name, params, odds):
    X, y = rare(20_000)
    model = fitted(name, X, y, **params)
    frauds = int(y.sum())
    assert model.prior_ratio == pytest.approx(frauds / (len(y) - frauds) / odds, rel=1e-12)
    if name != "easy_ensemble":  # votes of stumps are far from 0 and 1, whatever the balance
        score = model.score(X)
        undone = model.prior_ratio * score / (model.prior_ratio * score + 1 - score)
        assert score.mean() > 1.8 * y.mean()
        assert undone.mean() == pytest.approx(y.mean(), rel=0.4)


def test_a_bag_without_frauds_is_an_error_that_says_so():
    X, y = rare()
    y[:] = 0
    y[0] = 1
    with pytest.raises(DataError, match=r"1 frauds, 2999 genuine\): The target 'y' needs to have"):
        fitted("balanced_bagging", X, y)


def test_a_share_of_rows_that_leaves_less_than_two_is_refused():
    X, y = rare(200)
    with pytest.raises(DataError, match=r"max_samples=0\.005 of 200 rows"):
        fitted("isolation_forest", X, y, max_samples=0.005)


def test_drawing_without_replacement_by_weight_is_refused():
    X, y = rare()
    model = build("bagging", bootstrap=False)
    with pytest.raises(NotApplicableError, match=r"model\.params\.bootstrap=true"):
        model.fit(X, y, np.ones(len(y)))


def test_an_interrupt_that_the_library_swallows_is_one_still(monkeypatch: pytest.MonkeyPatch):
    from sklearn.neural_network import MLPClassifier

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(MLPClassifier, "_update_no_improvement_count", interrupted)
    draw = np.random.default_rng(0)
    X = draw.normal(size=(200, 3)).astype(np.float32)
    model = registry.build("model", Choice("mlp", {"hidden_layer_sizes": [3]}))
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, (X[:, 0] > 1).astype(np.int8), None)
