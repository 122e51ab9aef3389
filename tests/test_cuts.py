"""Every strategy cuts between two distinct scores, at the best of all of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.metrics import fbeta_score

from fraudlab import registry
from fraudlab.config import Choice
from fraudlab.cuts import curve
from fraudlab.protocols import Cut, Scores

STRATEGIES = ("max_fbeta", "min_recall", "min_precision")


def scores_of(score: list[float] | np.ndarray, label: list[int] | np.ndarray) -> Scores:
    rows = len(score)
    return Scores(
        np.asarray(score, dtype=np.float64),
        np.asarray(label, dtype=np.int8),
        np.zeros(rows, dtype=np.int64),
        np.arange(rows),
    )


def choose(name: str, scores: Scores, **params: float) -> Cut:
    cut: Cut = registry.build("threshold_strategy", Choice(name, params)).choose(scores)
    return cut


@st.composite
def tied_scores(draw: st.DrawFn) -> Scores:
    """Draw scored rows with many ties."""
    rows = draw(st.integers(2, 40))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    score = np.round(random.random(rows), draw(st.integers(1, 3)))
    label = random.integers(0, 2, rows)
    assume(0 < label.sum() < rows)
    return scores_of(score, label)


def reached(scores: Scores, cut: float) -> tuple[float, float, int]:
    alert = scores.score >= cut
    hits = int(scores.label[alert].sum())
    alerts = int(alert.sum())
    return hits / max(alerts, 1), hits / int(scores.label.sum()), alerts


@settings(max_examples=80, deadline=None, derandomize=True)
@given(tied_scores(), st.sampled_from(STRATEGIES))
def test_a_cut_is_halfway_between_a_distinct_score_and_the_next_lower_one(scores, name):
    value = choose(name, scores).value
    distinct = np.unique(scores.score)
    above = distinct[distinct >= value][0]
    below = distinct[distinct < value]
    assert value == ((above + below[-1]) / 2 if len(below) else above)


@settings(max_examples=80, deadline=None, derandomize=True)
@given(tied_scores(), st.sampled_from([0.5, 1.0, 2.0]))
def test_max_fbeta_is_the_best_of_all_cuts(scores, beta):
    cut = choose("max_fbeta", scores, beta=beta)
    every = [
        fbeta_score(scores.label, scores.score >= at, beta=beta, zero_division=0)
        for at in np.unique(scores.score)
    ]
    own = fbeta_score(scores.label, scores.score >= cut.value, beta=beta, zero_division=0)
    assert own == pytest.approx(max(every), abs=1e-12)


@settings(max_examples=80, deadline=None, derandomize=True)
@given(tied_scores(), st.sampled_from([0.2, 0.5, 0.9, 1.0]))
def test_min_recall_reaches_its_target_with_the_best_precision(scores, target):
    cut = choose("min_recall", scores, recall=target)
    precision, recall, _ = reached(scores, cut.value)
    assert cut.feasible
    assert recall >= target
    allowed = [reached(scores, at) for at in np.unique(scores.score)]
    assert precision == max(p for p, r, _ in allowed if r >= target)


@settings(max_examples=80, deadline=None, derandomize=True)
@given(tied_scores(), st.sampled_from([0.2, 0.5, 0.9, 1.0]))
def test_min_precision_reaches_its_target_or_says_that_it_cannot(scores, target):
    cut = choose("min_precision", scores, precision=target)
    precision, recall, _ = reached(scores, cut.value)
    every = [reached(scores, at) for at in np.unique(scores.score)]
    possible = [r for p, r, _ in every if p >= target]
    assert cut.feasible == bool(possible)
    if possible:
        assert precision >= target
        assert recall == max(possible)
    else:
        assert precision == max(p for p, _, _ in every)


@settings(max_examples=80, deadline=None, derandomize=True)
@given(tied_scores(), st.sampled_from([*STRATEGIES, "fixed"]))
def test_what_a_cut_says_it_reaches_is_what_it_reaches(scores, name):
    cut = choose(name, scores)
    precision, recall, alerts = reached(scores, cut.value)
    assert cut.reached == pytest.approx(
        {"precision": precision, "recall": recall, "alerts": alerts}, abs=1e-12
    )


def test_of_equally_good_cuts_the_one_with_fewest_alerts_is_taken():
    scores = scores_of([0.9, 0.8, 0.7, 0.6], [1, 0, 0, 1])  # F1 is 2/3 for 1 and for all 4
    assert choose("max_fbeta", scores).reached["alerts"] == 1


def test_neighbouring_floats_are_still_kept_apart():
    low = 0.5
    high = float(np.nextafter(low, 1))
    cut = choose("max_fbeta", scores_of([high, low, low], [1, 0, 0]))
    assert low < cut.value <= high


def test_a_constant_score_is_alerted_as_a_whole():
    cut = choose("max_fbeta", scores_of([0.3] * 5, [1, 0, 0, 0, 0]))
    assert cut.value == 0.3
    assert cut.reached["alerts"] == 5


def test_the_curve_counts_tied_rows_together():
    found = curve(scores_of([0.2, 0.9, 0.9, 0.2], [1, 1, 0, 0]))
    assert found.alerts.tolist() == [2, 4]
    assert found.hits.tolist() == [1, 2]
