"""Samplers change what is fitted and nothing else, and say how their prior is undone."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from fraudlab import registry
from fraudlab.config import Choice
from fraudlab.errors import ConfigError, DataError
from fraudlab.protocols import Resampled

SAMPLERS = registry.names("sampler")


def build(name: str, **params: object) -> object:
    return registry.build("sampler", Choice(name, params))


def rows(frauds: int = 40, genuine: int = 400, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    y = np.array([1] * frauds + [0] * genuine, dtype=np.int8)
    X = draw.normal(size=(len(y), 3)) + y[:, None]
    return X.astype(np.float32), y


def resample(name: str, X: np.ndarray, y: np.ndarray, **params: object) -> Resampled:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return build(name, **params).resample(X, y)


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_sampler_keeps_types_width_and_both_classes_and_changes_no_argument(name):
    X, y = rows()
    kept_X, kept_y = X.copy(), y.copy()
    found = resample(name, X, y)
    np.testing.assert_array_equal(X, kept_X)
    np.testing.assert_array_equal(y, kept_y)
    assert found.X.dtype == np.float32
    assert found.y.dtype == np.int8
    assert found.X.shape == (len(found.y), 3)
    assert set(found.y.tolist()) == {0, 1}
    assert found.sample_weight is None or len(found.sample_weight) == len(found.y)


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_sampler_gives_the_same_rows_every_time(name):
    X, y = rows()
    first, second = resample(name, X, y), resample(name, X, y)
    np.testing.assert_array_equal(first.X, second.X)
    np.testing.assert_array_equal(first.y, second.y)


@pytest.mark.parametrize(
    ("name", "params", "frauds", "genuine"),
    [
        ("random_over", {}, 400, 400),
        ("random_over", {"sampling_strategy": 0.5}, 200, 400),
        ("random_under", {}, 40, 40),
        ("random_under", {"sampling_strategy": 0.5}, 40, 80),
        ("smote", {"sampling_strategy": 0.25}, 100, 400),
        ("smote_under", {"over": 0.5, "under": 1.0}, 200, 200),
        ("identity", {}, 40, 400),
        ("class_weight", {}, 40, 400),
    ],
)
def test_the_ratio_asked_for_is_the_ratio_afterwards(name, params, frauds, genuine):
    found = resample(name, *rows(), **params)
    assert np.bincount(found.y).tolist() == [genuine, frauds]


def test_smote_only_invents_frauds_between_frauds():
    X, y = rows()
    found = resample("smote", X, y)
    np.testing.assert_array_equal(found.X[: len(X)], X)
    invented = found.X[len(X) :]
    assert (found.y[len(X) :] == 1).all()
    frauds = X[y == 1]
    assert (invented >= frauds.min(axis=0) - 1e-6).all()
    assert (invented <= frauds.max(axis=0) + 1e-6).all()


def test_under_sampling_is_undone_by_the_kept_share_of_genuine_rows():
    found = resample("random_under", *rows(), sampling_strategy=0.5)
    assert found.prior_ratio == pytest.approx(80 / 400)  # beta of Dal Pozzolo et al.


def test_over_sampling_is_undone_by_how_often_a_fraud_is_repeated():
    assert resample("random_over", *rows()).prior_ratio == pytest.approx(40 / 400)


@pytest.mark.parametrize(
    ("weights", "ratio"), [({0: 1.0, 1: 50.0}, 1 / 50), ({0: 2.0, 1: 1.0}, 2.0), ("balanced", 0.1)]
)
def test_class_weights_are_undone_by_their_ratio(weights, ratio):
    assert resample("class_weight", *rows(), weights=weights).prior_ratio == pytest.approx(ratio)


@pytest.mark.parametrize("name", ["smote", "smote_under"])
def test_invented_rows_have_no_closed_form(name):
    assert resample(name, *rows()).prior_ratio is None


def test_balanced_weights_are_those_of_scikit_learn():
    from sklearn.utils.class_weight import compute_sample_weight

    X, y = rows(frauds=7, genuine=301)
    found = resample("class_weight", X, y)
    np.testing.assert_allclose(
        found.sample_weight, compute_sample_weight("balanced", y), rtol=1e-15
    )


def test_class_weights_need_both_classes():
    with pytest.raises(ConfigError, match="a weight for 0 and for 1"):
        build("class_weight", weights={1: 5.0})


@pytest.mark.parametrize("name", ["smote", "smote_under"])
def test_too_few_frauds_are_said_with_their_number(name):
    with pytest.raises(DataError, match="3 frauds, 400 genuine"):
        resample(name, *rows(frauds=3))


@pytest.mark.parametrize("name", ["random_over", "random_under"])
def test_a_ratio_that_train_exceeds_already_is_said(name):
    with pytest.raises(DataError, match="cannot work on this train part"):
        resample(name, *rows(frauds=200, genuine=210), sampling_strategy=0.5)


def test_flags_stay_flags_in_invented_frauds_when_asked_to() -> None:
    draw = np.random.default_rng(0)
    X = np.column_stack([draw.normal(size=400), draw.integers(0, 2, 400) * 0.25])
    X = X.astype(np.float32)
    y = (np.arange(400) < 40).astype(np.int8)
    between, kept = (
        registry.build("sampler", Choice("smote", {"keep_flags": keep})).resample(X, y).X
        for keep in (False, True)
    )
    assert len(np.unique(between[:, 1])) > 2
    assert set(np.unique(kept[:, 1])) == {0.0, 0.25}
    np.testing.assert_array_equal(kept[:, 0], between[:, 0])
    np.testing.assert_array_equal(kept[:, 1], np.where(between[:, 1] >= 0.25, 0.25, 0.0))
