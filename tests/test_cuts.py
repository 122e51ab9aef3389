"""Every strategy cuts between two distinct scores, at the best of all of them."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.metrics import fbeta_score

from fraudlab import registry
from fraudlab.config import Choice, Costs
from fraudlab.cuts import curve
from fraudlab.errors import DataError
from fraudlab.metrics import evaluate
from fraudlab.protocols import Cut, Scores
from fraudlab.scoring import row_cuts

STRATEGIES = ("max_fbeta", "min_recall", "min_precision", "max_fpr", "alert_budget")
ALL = [(name, {}) for name in registry.names("threshold_strategy")]
ALL += [("alert_budget", {"alerts_per_day": budget}) for budget in (0.5, 2.0, 6.0)]
ALL += [("alert_budget", {"alerts_per_day": 2.0, "per": "card"}), ("max_fpr", {"fpr": 0.3})]
ALL += [("min_cost", {"false_negative": 9.0}), ("min_recall", {"recall": 0.4})]


def scores_of(score: list[float] | np.ndarray, label: list[int] | np.ndarray) -> Scores:
    rows = len(score)
    return Scores(
        np.asarray(score, dtype=np.float64),
        np.asarray(label, dtype=np.int8),
        np.arange(rows) // 5,
        np.arange(rows) % 4,
        np.arange(rows) % 7 * 2.0,
    )


def choose(name: str, scores: Scores, **params: float | str) -> Cut:
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


@st.composite
def weighted_scores(draw: st.DrawFn) -> Scores:
    """Draw scored rows, some of which count several times or not at all; no card partly."""
    scores = draw(tied_scores())
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    weight = random.integers(0, 4, 4)[scores.card]
    assume(0 < (weight * scores.label).sum() < weight.sum())
    return replace(scores, weight=weight.astype(np.float64))


def repeated(scores: Scores) -> Scores:
    """Return each row as often as it counts, each time with a card of its own."""
    times = scores.weight.astype(int)
    rows = np.repeat(np.arange(len(times)), times)
    number = np.concatenate([np.arange(each) for each in times])
    return Scores(
        scores.score[rows],
        scores.label[rows],
        scores.day[rows],
        scores.card[rows] + 100 * number,
        scores.amount[rows],
    )


def in_order(scores: Scores, order: np.ndarray) -> Scores:
    columns = {each.name: getattr(scores, each.name) for each in fields(scores)}
    return Scores(**{name: of if of is None else of[order] for name, of in columns.items()})


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


@settings(max_examples=120, deadline=None, derandomize=True)
@given(tied_scores(), st.sampled_from(ALL))
def test_what_a_cut_says_it_reaches_is_what_it_reaches(scores, chosen):
    name, params = chosen
    cut = choose(name, scores, **params)
    own = row_cuts(cut.value, cut.alert_cost, scores.amount)
    costs = Costs(false_negative=params.get("false_negative", "amount"))
    found = evaluate(scores, own, costs)
    for metric in ("precision", "recall", "fpr", "alerts_per_day"):
        assert cut.reached[metric] == pytest.approx(found[metric], abs=1e-12)
    assert cut.reached["alerts"] == found["true_positives"] + found["false_positives"]
    if name in {"min_cost", "amount_cost"}:
        assert cut.reached["cost"] == pytest.approx(found["cost"], abs=1e-9)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(weighted_scores(), st.sampled_from(ALL))
def test_a_weight_is_a_number_of_repetitions(scores, chosen):
    name, params = chosen
    assume(len(np.unique(scores.day[scores.weight > 0])) == len(np.unique(scores.day)))
    weighed, again = (choose(name, each, **params) for each in (scores, repeated(scores)))
    assert weighed.value == again.value
    assert weighed.feasible == again.feasible
    assert weighed.reached == pytest.approx(again.reached, abs=1e-9)


@settings(max_examples=120, deadline=None, derandomize=True)
@given(weighted_scores(), st.sampled_from(ALL))
def test_rows_in_order_of_their_scores_are_cut_the_same(scores, chosen):
    name, params = chosen
    ordered = in_order(scores, np.argsort(-scores.score, kind="stable"))
    first, second = (choose(name, each, **params) for each in (scores, ordered))
    assert (first.value, first.feasible) == (second.value, second.feasible)
    assert first.reached == pytest.approx(second.reached, abs=1e-9)


def test_rows_that_do_not_count_are_nowhere():
    weight = np.array([0.0, 1.0, 0.0, 0.0, 2.0])
    scores = replace(scores_of([0.9, 0.8, 0.7, 0.8, 0.5], [1, 0, 1, 0, 1]), weight=weight)
    found = curve(scores)
    assert found.score.tolist() == [0.8, 0.5]
    assert found.alerts.tolist() == [1, 3]
    assert found.hits.tolist() == [0, 2]
    assert (found.frauds, found.genuine) == (2, 1)
    assert found.threshold(0) == 0.65  # between scores that count


def test_a_day_of_which_no_row_was_drawn_was_scored_all_the_same():
    scores = scores_of(np.linspace(1, 0, 10), [1] * 5 + [0] * 5)  # two days of five rows
    drawn = replace(scores, weight=np.repeat([2.0, 0.0], 5))
    assert choose("fixed", drawn, threshold=0.0).reached["alerts_per_day"] == 5


def test_fractions_weigh_too():
    scores = scores_of([0.9, 0.8, 0.7], [1, 0, 1])
    found = choose("fixed", replace(scores, weight=np.array([0.5, 0.25, 0.25])), threshold=0.75)
    assert found.reached["precision"] == pytest.approx(2 / 3)
    assert found.reached["recall"] == pytest.approx(2 / 3)


@pytest.mark.parametrize("label", [0, 1])
@pytest.mark.parametrize(("name", "params"), ALL)
def test_a_draw_of_one_class_still_has_a_cut(name, params, label):
    cut = choose(name, scores_of([0.9, 0.5, 0.5], [label] * 3), **params)
    assert np.isfinite(cut.value)
    assert all(np.isfinite(value) for value in cut.reached.values())


def test_without_frauds_no_recall_is_reached():
    assert not choose("min_recall", scores_of([0.9, 0.5], [0, 0])).feasible


def test_days_far_apart_are_counted():
    scores = replace(scores_of([0.9, 0.5], [1, 0]), day=np.array([-(10**15), 10**15]))
    assert choose("fixed", scores, threshold=0.0).reached["alerts_per_day"] == 1


def test_without_days_nothing_is_said_of_days():
    scores = replace(scores_of([0.9, 0.5], [1, 0]), day=None)
    assert choose("max_fbeta", scores).reached.keys() == {"precision", "recall", "fpr", "alerts"}


@pytest.mark.parametrize(
    ("name", "params", "lacking", "said"),
    [
        ("amount_cost", {}, ["amount"], "data.amount="),
        ("min_cost", {}, ["amount"], "data.amount="),
        ("alert_budget", {}, ["day"], "data.time="),
        ("alert_budget", {"per": "card"}, ["card"], "data.entities="),
        ("alert_budget", {"per": "card"}, ["day", "card"], "data.time=COLUMN data.entities="),
    ],
)
def test_a_strategy_names_the_column_that_it_misses(name, params, lacking, said):
    scores = replace(scores_of([0.9, 0.5], [1, 0]), **dict.fromkeys(lacking))
    strategy = registry.build("threshold_strategy", Choice(name, params))
    assert set(lacking) <= set(strategy.needs)
    with pytest.raises(DataError, match="choose another: ") as refused:
        strategy.choose(scores)
    assert f"threshold_strategy={name} needs " in str(refused.value)
    assert said in str(refused.value)


@pytest.mark.parametrize(("name", "params"), ALL)
def test_what_a_strategy_does_not_need_may_be_missing(name, params):
    strategy = registry.build("threshold_strategy", Choice(name, params))
    needs = getattr(strategy, "needs", ())
    absent = dict.fromkeys({"amount", "day", "card"} - set(needs))
    strategy.choose(replace(scores_of([0.9, 0.5], [1, 0]), **absent))


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
