"""Each part of the split is used for its one purpose, and no other part can change its result."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from fraudlab import experiment, exporting, packing
from fraudlab.bundle import CARD, MODEL, Bundle
from fraudlab.calibrating import PARTS, calibrate_and_cut, parts_by_card
from fraudlab.config import Choice, Config
from fraudlab.encoding import encode
from fraudlab.links import SigmoidLink
from fraudlab.metrics import evaluate
from fraudlab.outcomes import RunResult, truth_of
from fraudlab.protocols import Cut, Fold, Rows, Scores, Split, Stage
from fraudlab.registry import build, names
from fraudlab.table import Table
from tests.candidates import (
    make_config,
    make_table,
    split_of,
    train,
    transaction_table,
    transactions,
)

SMALL = {"tree": {"max_depth": 4}, "xgb": {"n_estimators": 8}, "lgbm": {"n_estimators": 8}}
SMALL |= {"rf": {"n_estimators": 8}}
CANDIDATES = [
    ("tree", "identity"),
    ("logreg", "class_weight"),
    ("xgb", "smote"),
    ("lgbm", "random_under"),
    ("rf", "random_over"),
    ("tree", "smote_under"),
]


def candidate(model: str = "tree", **choices: Any) -> Config:
    return make_config(model=(model, SMALL.get(model, {})), **choices)


@pytest.fixture(scope="module")
def table() -> Table:
    return transaction_table(1500)


@pytest.fixture(scope="module")
def split(table: Table) -> Split:
    return split_of(candidate(), table)


@pytest.fixture(scope="module")
def plain(table: Table, split: Split) -> RunResult:
    return train(candidate(), table, split)


def spoiled(table: Table, rows: Rows) -> Table:
    """Return the table with other values and labels in `rows`, of both classes still."""
    frame, label = table.frame.copy(), table.label.copy()
    frame.iloc[rows, frame.columns.get_loc("risk")] *= -3.0
    frame.iloc[rows, frame.columns.get_loc("signal")] = 0.5
    frame.iloc[rows, frame.columns.get_loc("shop")] = "seen nowhere else"
    label[rows] = np.random.default_rng(1).permutation(label[rows])
    return replace(table, frame=frame, label=label)


def judged(split: Split) -> tuple[Rows, Rows, Rows]:
    fold = split.folds[0]
    return fold.test.fit, fold.cut.judge, fold.test.judge


@pytest.mark.parametrize(("model", "sampler"), CANDIDATES)
def test_resampling_and_fitting_see_train_alone(model, sampler, table, split):
    config = candidate(model, sampler=sampler)
    _, validation, test = judged(split)
    first = train(config, table, split).bundle
    again = train(config, spoiled(table, np.concatenate([validation, test])), split).bundle
    assert again.files[MODEL] == first.files[MODEL]
    assert again.manifest.preprocess == first.manifest.preprocess
    assert again.manifest.features == first.manifest.features


def test_train_does_change_the_model(table, split, plain):
    fit, _, _ = judged(split)
    assert (
        train(candidate(), spoiled(table, fit), split).bundle.files[MODEL]
        != (plain.bundle.files[MODEL])
    )


@pytest.mark.parametrize("calibration", ["sigmoid", "isotonic"])
def test_calibration_and_threshold_do_not_see_test(calibration, table, split):
    config = candidate(calibration=calibration)
    first = train(config, table, split).bundle.manifest
    again = train(config, spoiled(table, judged(split)[2]), split).bundle.manifest
    assert again.calibration == first.calibration
    assert again.threshold == first.threshold
    assert again.metrics.validation == first.metrics.validation
    assert again.metrics.test != first.metrics.test


def test_calibration_and_threshold_do_see_validation(table, split, plain):
    again = train(candidate(), spoiled(table, judged(split)[1]), split).bundle.manifest
    assert again.calibration != plain.bundle.manifest.calibration
    assert again.threshold != plain.bundle.manifest.threshold


def test_rows_of_test_are_never_resampled(table, split):
    test = judged(split)[2]
    for sampler in names("sampler"):
        manifest = train(candidate(sampler=sampler), table, split).bundle.manifest
        assert manifest.metrics.test["prevalence"] == table.label[test].mean()


def rescored(bundle: Bundle, table: Table, rows: Rows) -> dict[str, float]:
    """Return the metrics of `rows` by nothing but the bundle's files."""
    scorer = bundle.scorer()
    scores = truth_of(table, rows, scorer.scores(encode(table, rows, scorer.manifest.preprocess)))
    assert scores.amount is not None
    return evaluate(scores, scorer.thresholds(scores.amount))


@pytest.mark.parametrize(("model", "sampler"), CANDIDATES)
def test_the_metrics_in_the_manifest_are_those_of_the_written_bundle(
    model, sampler, table, split, home
):
    from fraudlab.bundle import read_bundle, write_bundle

    bundle = train(candidate(model, sampler=sampler), table, split).bundle
    read = read_bundle(write_bundle(bundle, home / "bundles"))
    told = bundle.manifest.metrics.test
    of_train = {name for name in told if name.startswith("train_")}
    assert {"train_average_precision", "train_roc_auc"} <= of_train
    again = rescored(read, table, judged(split)[2])
    assert again == {name: told[name] for name in told.keys() - of_train}


def scored(rows: int = 400, cards: int = 60, seed: int = 0) -> tuple[np.ndarray, Scores]:
    draw = np.random.default_rng(seed)
    margin = draw.normal(size=rows) * 2
    label = (draw.random(rows) < 1 / (1 + np.exp(2 - margin))).astype(np.int8)
    day = np.zeros(rows, dtype=np.int64)
    return margin, Scores(margin, label, day, draw.integers(0, cards, rows))


class Recorder:
    """A calibrator that calls the rows it was fitted on by their margins, and passes them on."""

    def __init__(self) -> None:
        self.fitted: list[set[float]] = []

    def fit(self, linear, score, y, prior_ratio):
        self.fitted.append(set(linear.tolist()))
        return build("calibration", Choice("sigmoid")).fit(linear, score, y, prior_ratio)


class Taker:
    """A strategy that keeps what it was shown."""

    def choose(self, scores: Scores) -> Cut:
        self.shown = scores
        return Cut(0.5)


def test_the_threshold_is_chosen_on_scores_calibrated_without_their_own_card():
    margin, truth = scored()
    recorder, taker = Recorder(), Taker()
    link = SigmoidLink()
    found = calibrate_and_cut(margin, link, truth, recorder, taker, None)
    assert len(recorder.fitted) == PARTS + 1
    part = parts_by_card(truth)
    for card in np.unique(truth.card):
        assert len(set(part[truth.card == card].tolist())) == 1
    all_rows = set(margin.tolist())
    assert recorder.fitted[0] == all_rows
    for number in range(PARTS):
        assert recorder.fitted[number + 1] == all_rows - set(margin[part == number].tolist())
        own = part == number
        rest = build("calibration", Choice("sigmoid")).fit(
            margin[~own], margin[~own], truth.label[~own], None
        )
        expected = rest.apply(margin[own], link)
        np.testing.assert_array_equal(taker.shown.score[own], expected)
    shipped = build("calibration", Choice("sigmoid")).fit(margin, margin, truth.label, None)
    assert found.calibration == shipped


def test_frauds_are_spread_over_the_parts():
    _, truth = scored()
    frauds = np.bincount(parts_by_card(truth), weights=truth.label, minlength=PARTS)
    assert frauds.min() >= 0.7 * frauds.mean()


def test_a_validation_with_one_fraud_is_calibrated_all_the_same():
    margin, truth = scored()
    label = np.zeros_like(truth.label)
    label[np.argmax(margin)] = 1
    few = replace(truth, label=label)
    found = calibrate_and_cut(
        margin,
        SigmoidLink(),
        few,
        build("calibration", Choice("sigmoid")),
        build("threshold_strategy", Choice("max_fbeta")),
        None,
    )
    assert np.isfinite(found.out_of_fold.score).all()
    assert found.cut.reached["recall"] == 1.0


@pytest.mark.parametrize("model", ["tree", "logreg", "xgb", "lgbm", "rf"])
def test_shuffled_labels_are_worth_the_prevalence(model):
    draw = np.random.default_rng(5)
    rows = 6000
    columns = {f"x{n}": draw.normal(size=rows) for n in range(4)}
    columns["fraud"] = (draw.random(rows) < 0.1).astype(int)
    test = train(candidate(model), make_table(columns)).metrics.test
    assert test["average_precision"] == pytest.approx(test["prevalence"], abs=0.04)
    assert test["roc_auc"] == pytest.approx(0.5, abs=0.07)


def tied(scores: Scores) -> int:
    return len(scores.score) - len(np.unique(scores.score))


def test_a_calibration_that_makes_ties_is_ranked_with_them(table, split):
    raw = train(candidate("logreg"), table, split)
    isotonic = train(candidate("logreg", calibration="isotonic"), table, split)
    shipped = isotonic.outcomes["validation"].scores
    assert tied(shipped) > tied(raw.outcomes["validation"].scores) + 50
    found = isotonic.metrics.validation
    assert found["average_precision"] == average_precision_score(shipped.label, shipped.score)
    assert found["roc_auc"] == roc_auc_score(shipped.label, shipped.score)
    assert found["average_precision"] != raw.metrics.validation["average_precision"]


@pytest.mark.parametrize("calibration", names("calibration"))
def test_a_calibration_keeps_the_ranking_exactly_when_it_says_so(calibration):
    margin, truth = scored(3000)
    linear, score = margin, SigmoidLink().score(margin)
    fitted = build("calibration", Choice(calibration)).fit(linear, score, truth.label, 0.5)
    calibrated = fitted.apply(margin, SigmoidLink())
    made_ties = len(np.unique(calibrated)) < len(np.unique(margin))
    assert fitted.keeps_ranking is not made_ties


def test_ranking_metrics_of_a_calibration_that_keeps_the_order_are_those_of_the_model(table, split):
    identity = train(candidate("logreg", calibration="identity"), table, split)
    sigmoid = train(candidate("logreg"), table, split)
    for name in ("average_precision", "roc_auc"):
        assert sigmoid.metrics.validation[name] == identity.metrics.validation[name]


def test_the_scores_of_each_part_are_kept_with_their_rows(table, split):
    result = train(candidate(), table, Split(split.folds * 2, split.validation))
    _, validation, test = judged(split)
    assert result.outcomes["validation"].scores.row.tolist() == validation.tolist()
    assert result.outcomes["test"].scores.row.tolist() == [*test, *test]
    for scores in (each.scores for each in result.outcomes.values()):
        assert scores.label.tolist() == table.label[scores.row].tolist()
        assert scores.card.tolist() == table.card[scores.row].tolist()
        assert scores.day is None
    cut = result.bundle.manifest.threshold.value
    again = evaluate(result.outcomes["test"].scores, np.full(2 * len(test), cut))
    assert again["average_precision"] == pytest.approx(result.metrics.test["average_precision"])


def test_equal_stages_of_several_folds_are_fitted_once_and_one_bundle_is_packed(
    table, split, monkeypatch
):
    counts = Counter()

    def counted(module: ModuleType, name: str) -> None:
        real = getattr(module, name)

        def call(*arguments: Any, **options: Any) -> Any:
            counts[name] += 1
            return real(*arguments, **options)

        monkeypatch.setattr(module, name, call)

    counted(exporting, "fit_detector")
    counted(experiment, "calibrate_and_cut")
    counted(packing, "pack")
    fold = split.folds[0]
    cut, test = (Stage(of.fit.copy(), of.judge.copy()) for of in (fold.cut, fold.test))
    train(candidate(), table, Split((fold, Fold(cut, test)), (fold.cut, cut)))
    assert counts == {"fit_detector": 1, "calibrate_and_cut": 1, "pack": 1}


def test_parts_that_differ_in_one_row_are_fitted_each(table, split):
    fold = split.folds[0]
    shorter = Stage(fold.test.fit[1:], fold.test.judge)
    both = train(candidate(), table, Split((fold, Fold(fold.cut, shorter)), (fold.cut,)))
    alone = train(candidate(), table, Split((Fold(fold.cut, shorter),), (fold.cut,)))
    half = len(fold.test.judge)
    assert (
        both.outcomes["test"].scores.score[half:].tolist()
        == alone.outcomes["test"].scores.score.tolist()
    )


def test_a_table_without_days_and_cards_has_no_figure_per_day_or_card(home):
    columns = transactions(600)
    del columns["card"]
    result = train(candidate(), make_table(columns, amount="amount"))
    for part in (result.metrics.validation, result.metrics.test):
        assert "value_detection_rate" in part
        assert not [name for name in part if "per_day" in name or "card" in name]
    assert "alerts_per_day" not in result.bundle.files[CARD].decode()


def test_a_model_that_learns_nothing_is_worth_nothing(table, split):
    nothing = make_config(model=("tree", {"min_impurity_decrease": 10.0}))
    result = train(nothing, table, split)
    for part in (result.metrics.validation, result.metrics.test):
        assert part["roc_auc"] == 0.5
        assert part["average_precision"] == pytest.approx(part["prevalence"], abs=1e-12)


def test_the_shipped_threshold_lies_between_two_scores(plain, table, split):
    manifest = plain.bundle.manifest
    assert 0 < manifest.threshold.value < 1
    _, validation, _ = judged(split)
    scorer = plain.bundle.scorer()
    scores = scorer.scores(encode(table, validation, manifest.preprocess))
    assert manifest.threshold.value not in scores


def test_what_could_not_be_reached_is_said_in_the_manifest(table, split):
    impossible = ("min_precision", {"precision": 1.0})
    manifest = train(
        make_config(model=("tree", {"max_depth": 1}), threshold_strategy=impossible), table, split
    ).bundle.manifest
    assert manifest.threshold.feasible is False
    assert manifest.threshold.reached["precision"] < 1.0
    possible = train(candidate(threshold_strategy="min_recall"), table, split).bundle.manifest
    assert possible.threshold.feasible is True
