"""Metrics equal scikit-learn's where it has them, and the slow, obvious way where it has none."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference

from fraudlab.budgets import card_precision
from fraudlab.config import Costs
from fraudlab.metrics import NAMES, calibration_error, evaluate
from fraudlab.protocols import Scores


@st.composite
def scored_rows(draw: st.DrawFn, fewest: int = 2) -> Scores:
    """Draw scored rows of both classes, most of them tied."""
    rows = draw(st.integers(fewest, 60))
    levels = draw(st.integers(1, 12))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    label = random.integers(0, 2, rows).astype(np.int8)
    label[:2] = 0, 1
    return Scores(
        score=random.integers(0, levels + 1, rows) / levels,
        label=label,
        day=np.sort(random.integers(0, 4, rows)),
        card=random.integers(0, 9, rows),
        amount=np.round(random.gamma(1.0, 50.0, rows), 2),
    )


@settings(max_examples=150, deadline=None, derandomize=True)
@given(scored_rows(), st.integers(0, 12))
def test_metrics_equal_those_of_scikit_learn_ties_included(scores, cut):
    threshold = cut / 12
    found = evaluate(scores, np.full(len(scores.score), threshold))
    y, p, alert = scores.label, scores.score, scores.score >= threshold
    expected = {
        "average_precision": reference.average_precision_score(y, p),
        "roc_auc": reference.roc_auc_score(y, p),
        "precision": reference.precision_score(y, alert, zero_division=0),
        "recall": reference.recall_score(y, alert),
        "f1": reference.f1_score(y, alert, zero_division=0),
        "fpr": 1 - reference.recall_score(y, alert, pos_label=0),
        "f2": reference.fbeta_score(y, alert, beta=2, zero_division=0),
        "mcc": reference.matthews_corrcoef(y, alert),
        "balanced_accuracy": reference.balanced_accuracy_score(y, alert),
        "brier": reference.brier_score_loss(y, p),
        "log_loss": reference.log_loss(y, np.clip(p, 1e-15, 1 - 1e-15)),
        "mean_score": p.mean(),
        "prevalence": y.mean(),
    }
    (tn, fp), (fn, tp) = reference.confusion_matrix(y, alert, labels=[0, 1])
    expected |= {"true_negatives": tn, "false_positives": fp}
    expected |= {"false_negatives": fn, "true_positives": tp}
    for name, value in expected.items():
        assert found[name] == pytest.approx(float(value), rel=1e-9, abs=1e-12), name


@settings(max_examples=60, deadline=None, derandomize=True)
@given(scored_rows())
def test_a_metric_does_not_depend_on_the_order_of_the_rows(scores):
    order = np.random.default_rng(0).permutation(len(scores.score))
    shuffled = Scores(
        *(getattr(scores, name)[order] for name in ("score", "label", "day", "card", "amount"))
    )
    thresholds = np.full(len(order), 0.5)
    found, again = evaluate(scores, thresholds), evaluate(shuffled, thresholds)
    assert again == pytest.approx(found, rel=1e-12, abs=1e-15)


def slow_card_precision(scores: Scores, k: int) -> float:
    """Walk over the days as the definition says, a dict at a time."""
    detected: set[int] = set()
    shares = []
    for day in sorted(set(scores.day.tolist())):
        best: dict[int, float] = {}
        fraud: dict[int, bool] = {}
        for at in range(len(scores.score)):
            card = int(scores.card[at])
            if scores.day[at] == day and card not in detected:
                best[card] = max(best.get(card, -1.0), float(scores.score[at]))
                fraud[card] = fraud.get(card, False) or scores.label[at] == 1
        ranked = sorted(best, key=lambda card: (-best[card], card))  # the tie rule: card's number
        hits = {card for card in ranked[:k] if fraud[card]}
        shares.append(len(hits) / k)
        detected |= hits
    return sum(shares) / len(shares)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(scored_rows(), st.integers(1, 6))
def test_card_precision_equals_the_slow_way(scores, k):
    assert card_precision(scores, k) == pytest.approx(slow_card_precision(scores, k), abs=1e-15)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(scored_rows())
def test_no_ranking_beats_the_ceiling_of_card_precision(scores):
    found = evaluate(scores, np.full(len(scores.score), 0.5))
    assert found["card_precision_at_100"] <= found["card_precision_at_100_ceiling"] + 1e-15


def rows_of(score: list[float], label: list[int], **more: list[float]) -> Scores:
    zeros = np.zeros(len(score), dtype=np.int64)
    amount = np.array(more["amount"]) if "amount" in more else None
    return Scores(
        np.array(score), np.array(label, dtype=np.int8), zeros, np.arange(len(score)), amount
    )


def test_a_detected_card_is_not_counted_on_later_days():
    scores = Scores(
        score=np.array([0.9, 0.1, 0.9, 0.5]),
        label=np.array([1, 0, 1, 1], dtype=np.int8),
        day=np.array([0, 0, 1, 1]),
        card=np.array([7, 8, 7, 8]),
    )
    assert card_precision(scores, 1) == 1.0  # card 7 on day 0, then card 8
    assert card_precision(scores, 2) == 0.5  # never more than one is left


def test_a_constant_score_is_worth_nothing():
    random = np.random.default_rng(0)
    label = (random.random(1000) < 0.03).astype(int)
    found = evaluate(rows_of([0.4] * 1000, label.tolist()), np.full(1000, 0.5))
    assert found["roc_auc"] == 0.5
    assert found["average_precision"] == pytest.approx(label.mean(), abs=1e-15)


def test_an_alert_takes_all_tied_rows_or_none():
    scores = rows_of([0.5, 0.5, 0.5, 0.1], [1, 0, 0, 0])
    assert evaluate(scores, np.full(4, 0.5))["alert_rate"] == 0.75
    assert evaluate(scores, np.full(4, np.nextafter(0.5, 1)))["alert_rate"] == 0.0


def test_every_row_is_held_against_its_own_threshold():
    scores = rows_of([0.5, 0.5], [1, 0], amount=[100.0, 1.0])
    found = evaluate(scores, np.array([0.1, 1.0]))
    assert (found["precision"], found["recall"], found["value_detection_rate"]) == (1.0, 1.0, 1.0)


def test_a_part_without_alerts_has_finite_metrics_and_no_warning():
    scores = rows_of([0.1, 0.2, 0.3], [0, 1, 0], amount=[1.0, 0.0, 2.0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = evaluate(scores, np.ones(3))
    assert found["precision"] == found["recall"] == found["f1"] == 0.0
    assert all(np.isfinite(value) for value in found.values())


def test_scores_of_exactly_zero_and_one_have_a_finite_log_loss():
    found = evaluate(rows_of([1.0, 0.0], [0, 1]), np.full(2, 0.5))
    assert found["log_loss"] == pytest.approx(-np.log(1e-15), rel=0.01)


PER_CARD = {"card_precision_at_100", "card_precision_at_100_ceiling", "card_recall_at_100"}
PER_DAY = {"alerts_per_day", "precision_at_100"}


@pytest.mark.parametrize(
    ("gone", "left_out"),
    [
        (["card"], PER_CARD),
        (["day"], {*PER_CARD, *PER_DAY}),
        (["day", "card"], {*PER_CARD, *PER_DAY}),
    ],
)
def test_rows_without_days_or_cards_have_no_figure_per_day_or_card(gone, left_out):
    scores = rows_of([0.9, 0.2, 0.1], [1, 0, 0])
    full = evaluate(scores, np.full(3, 0.5))
    found = evaluate(replace(scores, **dict.fromkeys(gone)), np.full(3, 0.5))
    assert set(full) - set(found) == left_out
    assert found == {name: full[name] for name in found}


def test_rows_can_be_ranked_by_other_scores_than_they_are_cut_by():
    scores = rows_of([0.9, 0.9, 0.1], [1, 0, 0])
    found = evaluate(scores, np.full(3, 0.5), ranked=replace(scores, score=np.array([3.0, 2, 1])))
    assert (found["average_precision"], found["precision"]) == (1.0, 0.5)


def test_calibration_error_is_the_gap_in_bins_of_equal_mass():
    p = np.array([0.1] * 10 + [0.9] * 10)
    label = np.array([0] * 9 + [1] + [1] * 5 + [0] * 5, dtype=np.int8)
    assert calibration_error(p, label, bins=2) == pytest.approx((0.0 + 0.4) / 2)
    assert calibration_error(np.array([0.25]), np.array([1], dtype=np.int8)) == 0.75


def test_the_names_are_those_of_all_metrics():
    scores = replace(rows_of([0.9, 0.2, 0.1], [1, 0, 0]), amount=np.array([80.0, 20.0, 30.0]))
    assert set(evaluate(scores, np.full(3, 0.5))) == set(NAMES)


def test_cost_is_bahnsens_matrix_and_savings_are_against_the_cheaper_of_none_and_all():
    # Two frauds of 80 and 40, of which the first is caught, and one false alarm of two.
    scores = replace(
        rows_of([0.9, 0.2, 0.6, 0.1], [1, 1, 0, 0]), amount=np.array([80.0, 40.0, 10.0, 10.0])
    )
    found = evaluate(scores, np.full(4, 0.5), Costs())
    assert found["cost"] == 5 + 40 + 5 + 0
    assert found["cost_baseline"] == min(80 + 40, 4 * 5)
    assert found["savings"] == (20 - 50) / 20
    fixed = evaluate(scores, np.full(4, 0.5), Costs(1.0, 2.0, 30.0, 0.5))
    assert fixed["cost"] == 1 + 30 + 2 + 0.5
    assert fixed["cost_baseline"] == min(30 + 30 + 0.5 + 0.5, 1 + 1 + 2 + 2)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(scored_rows(), st.integers(0, 12))
def test_alerting_none_or_all_never_saves(scores, cut):
    assert evaluate(scores, np.full(len(scores.score), 2.0)).get("savings", 0.0) <= 0
    assert evaluate(scores, np.zeros(len(scores.score))).get("savings", 0.0) <= 0
    found = evaluate(scores, np.full(len(scores.score), cut / 12))
    assert found.get("savings", 0.0) <= 1


def test_costs_need_amounts_only_when_a_miss_costs_its_amount():
    scores = rows_of([0.9, 0.2], [1, 0])
    bare = replace(scores, amount=None)
    assert not {"cost", "savings"} & evaluate(bare, np.full(2, 0.5)).keys()
    assert evaluate(bare, np.full(2, 0.5), Costs(false_negative=100.0))["cost"] == 5


def test_recall_is_told_by_segment_of_the_frauds():
    scores = replace(
        rows_of([0.9, 0.8, 0.2, 0.1], [1, 1, 1, 0]), segment=np.array(["2", "1 x", "1 x", "0"])
    )
    found = evaluate(scores, np.full(4, 0.5))
    by_segment = {name: value for name, value in found.items() if "segment" in name}
    assert by_segment == {"recall_segment_2": 1.0, "recall_segment_1_x": 0.5}


def test_precision_at_k_takes_equal_scores_in_the_order_of_the_rows():
    rows = 150
    label = np.zeros(rows, dtype=np.int8)
    label[[0, 149]] = 1
    scores = rows_of([0.5] * rows, label)
    assert evaluate(scores, np.full(rows, 2.0))["precision_at_100"] == 0.01


def test_card_recall_is_the_share_of_compromised_cards_that_were_among_the_best():
    # 120 cards on one day; 4 are compromised, one of them at the very end.
    label = np.zeros(120, dtype=np.int8)
    label[[0, 1, 2, 119]] = 1
    scores = rows_of(np.linspace(1, 0, 120), label)
    assert evaluate(scores, np.full(120, 2.0))["card_recall_at_100"] == 0.75
