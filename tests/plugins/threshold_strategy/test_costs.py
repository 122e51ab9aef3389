"""Strategies that weigh money: the least cost for all rows, and a cut for each amount."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fraudlab import registry
from fraudlab.composition import Composer
from fraudlab.config import Choice, Costs
from fraudlab.errors import ConfigError
from fraudlab.metrics import evaluate
from fraudlab.protocols import Cut, Scores
from fraudlab.scoring import row_cuts


def choose(name: str, scores: Scores, **params: float | str) -> Cut:
    cut: Cut = registry.build("threshold_strategy", Choice(name, params)).choose(scores)
    return cut


def scores_of(score: list[float], label: list[int], amount: list[float]) -> Scores:
    columns = np.array(score, dtype=np.float64), np.array(label, dtype=np.int8)
    return Scores(*columns, None, None, np.array(amount, dtype=np.float64))


@st.composite
def paid_scores(draw: st.DrawFn) -> Scores:
    rows = draw(st.integers(2, 40))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    score = np.round(random.random(rows), draw(st.integers(1, 3)))
    return scores_of(score, random.integers(0, 2, rows), random.integers(0, 60, rows) * 1.0)


def cost_of(scores: Scores, threshold: float, costs: Costs) -> float:
    alert, fraud = scores.score >= threshold, scores.label == 1
    missed = scores.amount if costs.false_negative == "amount" else costs.false_negative
    as_alert = np.where(fraud, costs.true_positive, costs.false_positive)
    as_none = np.where(fraud, missed, costs.true_negative)
    return float(np.where(alert, as_alert, as_none).sum())


MATRICES = [
    Costs(),
    Costs(true_positive=0, false_positive=1, false_negative=10),
    Costs(true_positive=-20.0, false_positive=5, false_negative="amount", true_negative=-0.5),
]


@settings(max_examples=120, deadline=None, derandomize=True)
@given(paid_scores(), st.sampled_from(MATRICES))
def test_no_cut_costs_less_than_that_of_min_cost_nor_does_alerting_none(scores, costs):
    params = {name: getattr(costs, name) for name in Costs.__struct_fields__}
    cut = choose("min_cost", scores, **params)
    every = [cost_of(scores, at, costs) for at in [*np.unique(scores.score), 2.0]]
    assert cost_of(scores, cut.value, costs) == pytest.approx(min(every), abs=1e-9)
    assert cut.reached["cost"] == pytest.approx(min(every), abs=1e-9)


def test_where_no_fraud_is_worth_an_alert_none_is_made():
    cut = choose("min_cost", scores_of([1.0, 1.0, 0.2], [1, 0, 0], [3.0, 80.0, 80.0]))
    assert cut.feasible
    assert cut.value > 1.0
    assert cut.reached == {"precision": 0, "recall": 0, "fpr": 0, "alerts": 0, "cost": 3.0}


def test_of_equal_costs_the_fewest_alerts_are_made():
    same = scores_of([0.9, 0.5, 0.1], [1, 1, 0], [5.0, 5.0, 9.0])  # catching saves what it costs
    assert choose("min_cost", same).reached["alerts"] == 0


def test_on_exact_probabilities_the_cut_is_the_closed_form():
    random = np.random.default_rng(0)
    score = np.round(random.random(40_000), 2)
    label = (random.random(40_000) < score).astype(int)
    costs = {"true_positive": 1.0, "false_positive": 2.0, "false_negative": 7.0}
    cut = choose("min_cost", scores_of(score, label, score), **costs, true_negative=0.5)
    assert cut.value == pytest.approx((2 - 0.5) / (2 - 0.5 + 7 - 1), abs=0.03)


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"false_positive": 0.0}, "false_positive must be more than true_negative"),
        ({"true_negative": 5.0}, "false_positive must be more than true_negative"),
        ({"false_negative": 5.0}, "false_negative must be more than true_positive"),
        ({"true_positive": float("nan")}, "true_positive must be a finite number"),
        ({"false_negative": "sum"}, "'sum'"),
    ],
)
def test_costs_under_which_there_is_nothing_to_choose_are_refused(params, said):
    with pytest.raises(ConfigError, match=r"threshold_strategy\.params") as refused:
        registry.check("threshold_strategy", Choice("min_cost", params))
    assert said in str(refused.value)


def test_the_costs_of_the_top_level_are_those_of_the_strategies():
    words = ["costs.false_positive=7", "costs.false_negative=90", "threshold_strategy=min_cost"]
    (planned,) = Composer().plan(words).candidates
    taken = registry.check("threshold_strategy", planned.config.threshold_strategy)
    assert taken == {
        "true_positive": 5.0,
        "false_positive": 7.0,
        "false_negative": 90.0,
        "true_negative": 0.0,
    }
    words = ["costs.true_positive=7", words[0], "threshold_strategy=amount_cost"]
    (planned,) = Composer().plan(words).candidates
    taken = registry.check("threshold_strategy", planned.config.threshold_strategy)
    assert taken == {"alert_cost": 7.0}


@settings(max_examples=120, deadline=None, derandomize=True)
@given(paid_scores())
def test_amount_cost_alerts_exactly_where_score_times_amount_reaches_the_cost(scores):
    cut = choose("amount_cost", scores, alert_cost=8.0)
    own = row_cuts(cut.value, cut.alert_cost, scores.amount)
    worth = scores.score * scores.amount >= 8.0
    near = np.isclose(scores.score * scores.amount, 8.0)
    certain = scores.score >= 1.0
    assert ((scores.score >= own) == (worth | certain))[~near].all()
    assert cut.value == own.min()
    assert cut.alert_cost == 8.0


def test_what_amount_cost_costs_is_the_metric_cost():
    scores = scores_of([0.9, 0.5, 0.02, 0.01], [1, 0, 1, 0], [100.0, 30.0, 200.0, 0.0])
    cut = choose("amount_cost", scores)
    found = evaluate(scores, row_cuts(cut.value, cut.alert_cost, scores.amount))
    assert cut.reached["cost"] == found["cost"] == 5 + 5 + 200
    assert cut.value == 5 / 200


def test_rows_that_do_not_count_do_not_lower_the_value_of_amount_cost():
    scores = scores_of([0.9, 0.5], [1, 0], [10.0, 1000.0])
    drawn = replace(scores, weight=np.array([2.0, 0.0]))
    assert choose("amount_cost", drawn).value == 0.5


def test_without_a_positive_amount_only_certainty_is_alerted():
    cut = choose("amount_cost", scores_of([0.9, 1.0], [1, 1], [0.0, 0.0]))
    assert cut.value == 1.0
    assert cut.reached["alerts"] == 1


@pytest.mark.parametrize("cost", [0.0, -1.0, float("nan"), float("inf")])
def test_an_alert_has_to_cost_something(cost):
    with pytest.raises(ConfigError, match="alert_cost"):
        registry.check("threshold_strategy", Choice("amount_cost", {"alert_cost": cost}))
