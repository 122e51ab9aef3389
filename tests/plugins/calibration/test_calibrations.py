"""Calibrations map scores to probabilities as published, and keep the order of the rows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fraudlab import registry
from fraudlab.config import Choice
from fraudlab.errors import NotApplicableError
from fraudlab.links import MeanLink, PriorCalibration, SigmoidLink, expit
from tests.candidates import fit, make_config, make_table

NAMES = registry.names("calibration")


def true_chances(rows: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return an input, the chance of a fraud it stands for, and labels drawn by that chance."""
    draw = np.random.default_rng(0)
    x = draw.normal(size=rows)
    chance = expit(2.0 * x - 3.5)
    return x, chance, (draw.random(rows) < chance).astype(int)


def fitted(name: str, margin: np.ndarray, y: np.ndarray, ratio: float | None = 1.0) -> np.ndarray:
    link = SigmoidLink()
    linear, score = link.linear(margin), link.score(margin)
    calibrator = registry.build("calibration", Choice(name))
    return calibrator.fit(linear, score, y, ratio).apply(margin, link)


def margins(rows: int = 3000, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    true = draw.normal(-2.0, 1.5, rows)
    y = (draw.random(rows) < expit(true)).astype(np.int8)
    return 3.0 * true + 4.0, y  # far too sure, and far too high


@pytest.mark.parametrize("name", NAMES)
def test_the_order_of_the_rows_is_kept(name):
    margin, y = margins()
    calibrated = fitted(name, margin, y)
    order = np.argsort(margin, kind="stable")
    assert (np.diff(calibrated[order]) >= 0).all()
    assert ((calibrated >= 0) & (calibrated <= 1)).all()


@pytest.mark.parametrize("name", ["sigmoid", "isotonic"])
def test_scores_that_are_no_probabilities_become_some(name):
    margin, y = margins()
    assert abs(expit(margin).mean() - y.mean()) > 0.1
    assert fitted(name, margin, y).mean() == pytest.approx(y.mean(), abs=0.002)


def test_sigmoid_finds_the_slope_and_intercept_that_made_the_labels():
    margin, y = margins(60_000)
    calibration = registry.build("calibration", Choice("sigmoid")).fit(margin, margin, y, None)
    assert calibration.slope == pytest.approx(1 / 3, rel=0.03)
    assert calibration.intercept == pytest.approx(-4 / 3, rel=0.03)


def test_sigmoid_agrees_with_scikit_learn():
    from sklearn.calibration import _SigmoidCalibration

    margin, y = margins()
    theirs = _SigmoidCalibration().fit(margin, y).predict(margin)
    np.testing.assert_allclose(fitted("sigmoid", margin, y), theirs, atol=1e-4)


def test_sigmoid_never_turns_the_order_round():
    margin, y = margins()
    calibrated = fitted("sigmoid", -margin, y)
    order = np.argsort(-margin)
    assert (np.diff(calibrated[order]) >= 0).all()


def test_sigmoid_takes_a_constant_score():
    y = np.array([1, 0, 0, 0] * 25, dtype=np.int8)
    assert fitted("sigmoid", np.full(100, 2.5), y) == pytest.approx(np.full(100, 0.25), abs=0.02)


def test_isotonic_agrees_with_scikit_learn():
    from sklearn.isotonic import IsotonicRegression

    margin, y = margins()
    score = expit(margin)
    theirs = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(score, y)
    np.testing.assert_allclose(fitted("isotonic", margin, y), theirs.predict(score), atol=1e-12)


@settings(derandomize=True)
@given(st.floats(0, 1), st.floats(1e-6, 1, exclude_min=True))
def test_prior_is_the_formula_of_dal_pozzolo_for_under_sampling(score, beta):
    ps = np.array([score])
    published = beta * ps / (beta * ps - ps + 1)
    np.testing.assert_allclose(PriorCalibration(beta).apply(ps, MeanLink()), published, rtol=1e-9)


@settings(derandomize=True)
@given(st.floats(0.001, 0.999), st.floats(0.001, 0.999), st.floats(0.001, 0.999))
def test_prior_is_the_formula_of_elkan_for_a_change_of_base_rate(score, base, new):
    ratio = (new / (1 - new)) / (base / (1 - base))
    published = new * (score - score * base) / (base - score * base + new * score - base * new)
    p = np.array([score])
    np.testing.assert_allclose(PriorCalibration(ratio).apply(p, MeanLink()), published, rtol=1e-9)


def test_prior_refuses_rows_that_were_invented():
    with pytest.raises(NotApplicableError, match="no closed form"):
        fitted("prior", *margins(), ratio=None)


@pytest.mark.parametrize(
    "sampler",
    [
        ("random_under", {"sampling_strategy": 1.0}),
        ("random_over", {"sampling_strategy": 1.0}),
        ("class_weight", {"weights": "balanced"}),
        ("class_weight", {"weights": {0: 1.0, 1: 30.0}}),
    ],
    ids=["under", "over", "balanced", "weighted"],
)
def test_prior_undoes_the_sampler_on_a_model_that_is_right(sampler):
    x, chance, fraud = true_chances(40_000)
    table = make_table({"x": x, "fraud": fraud})
    detector = fit(make_config(model=("logreg", {"C": 1e4}), sampler=sampler), table)
    score = detector.model.score(detector.train)
    assert score.mean() > 3 * fraud.mean()
    prior = registry.build("calibration", Choice("prior"))
    correction = prior.fit(score, score, table.label, detector.prior_ratio)
    undone = correction.apply(score, MeanLink())
    assert undone.mean() == pytest.approx(fraud.mean(), rel=0.05)
    assert np.abs(undone - chance).max() < 0.06


WEIGHT = 20.0
BOOSTED = {
    "xgb": {"n_estimators": 40, "max_depth": 2, "learning_rate": 0.3},
    "lgbm": {"n_estimators": 60, "num_leaves": 4},
}


@pytest.mark.parametrize("sampler", ["identity", ("class_weight", {"weights": {0: 1, 1: 3}})])
@pytest.mark.parametrize("model", BOOSTED)
def test_prior_undoes_the_weight_a_model_gives_to_frauds(model, sampler):
    x, chance, fraud = true_chances(40_000)
    table = make_table({"x": x, "fraud": fraud})
    weighted = (model, {**BOOSTED[model], "scale_pos_weight": WEIGHT})
    detector = fit(make_config(model=weighted, sampler=sampler), table)
    score = detector.model.score(detector.train)
    assert score.mean() > 3 * fraud.mean()
    assert detector.prior_ratio == pytest.approx(1 / WEIGHT / (1 if sampler == "identity" else 3))
    prior = registry.build("calibration", Choice("prior"))
    undone = prior.fit(score, score, table.label, detector.prior_ratio).apply(score, MeanLink())
    assert undone.mean() == pytest.approx(fraud.mean(), rel=0.1)
    assert np.abs(undone - chance).mean() < 0.02


def test_a_weight_of_the_model_does_not_make_invented_rows_undoable():
    x, _, fraud = true_chances(2000)
    table = make_table({"x": x, "fraud": fraud})
    model = ("xgb", {"n_estimators": 2, "scale_pos_weight": WEIGHT})
    assert fit(make_config(model=model, sampler="smote"), table).prior_ratio is None
