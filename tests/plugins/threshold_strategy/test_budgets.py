"""Strategies that bound what alerts may come to: work per day, and genuine rows alerted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fraudlab import registry
from fraudlab.config import Choice
from fraudlab.errors import ConfigError
from fraudlab.protocols import Cut, Scores


def choose(name: str, scores: Scores, **params: float | str) -> Cut:
    cut: Cut = registry.build("threshold_strategy", Choice(name, params)).choose(scores)
    return cut


@st.composite
def daily_scores(draw: st.DrawFn) -> Scores:
    """Draw scored rows of three days and a few cards, with ties."""
    rows = draw(st.integers(4, 80))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    score = np.round(random.random(rows), draw(st.integers(1, 4)))
    label = random.integers(0, 2, rows).astype(np.int8)
    day, card = random.integers(0, 3, rows), random.integers(0, 6, rows)
    label[:2], day[:3] = [0, 1], [0, 1, 2]
    return Scores(score, label, day, card)


def per_day(scores: Scores, cut: float, per: str) -> float:
    alert = scores.score >= cut
    if per == "row":
        return alert.sum() / 3
    return len(set(zip(scores.day[alert], scores.card[alert], strict=True))) / 3


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    daily_scores(), st.sampled_from([0.4, 1.0, 2.0, 3.5, 30.0]), st.sampled_from(["row", "card"])
)
def test_the_lowest_cut_within_the_budget_is_taken(scores, budget, per):
    cut = choose("alert_budget", scores, alerts_per_day=budget, per=per)
    within = [at for at in np.unique(scores.score) if per_day(scores, at, per) <= budget]
    assert cut.feasible == bool(within)
    expected = min(within) if within else scores.score.max()
    assert ((scores.score >= cut.value) == (scores.score >= expected)).all()
    name = "alerts_per_day" if per == "row" else "cards_per_day"
    assert cut.reached[name] == pytest.approx(per_day(scores, cut.value, per))


def test_a_tie_beyond_the_budget_is_said_to_be():
    scores = Scores(
        np.array([0.9, 0.9, 0.9, 0.1]),
        np.array([1, 0, 1, 0], dtype=np.int8),
        np.zeros(4, int),
        None,
    )
    cut = choose("alert_budget", scores, alerts_per_day=2)
    assert not cut.feasible
    assert cut.value == 0.5
    assert cut.reached["alerts_per_day"] == 3


def test_a_card_that_was_drawn_twice_is_two_cards():
    score, label = np.array([0.9, 0.8, 0.7, 0.6]), np.array([1, 0, 1, 0], dtype=np.int8)
    scores = Scores(score, label, np.zeros(4, int), np.array([1, 1, 2, 3]))
    assert choose("alert_budget", scores, alerts_per_day=2, per="card").reached["alerts"] == 3
    drawn = replace(scores, weight=np.array([2.0, 2.0, 0.0, 1.0]))
    cut = choose("alert_budget", drawn, alerts_per_day=2, per="card")
    assert cut.reached == pytest.approx(
        {"precision": 0.5, "recall": 1, "fpr": 2 / 3, "alerts": 4}
        | {"alerts_per_day": 4, "cards_per_day": 2}
    )


def test_a_card_whose_highest_row_was_not_drawn_counts_from_its_next():
    score, label = np.array([0.9, 0.8, 0.7]), np.array([1, 0, 1], dtype=np.int8)
    scores = Scores(score, label, np.zeros(3, int), np.array([1, 1, 2]))
    drawn = replace(scores, weight=np.array([0.0, 1.0, 1.0]))
    cut = choose("alert_budget", drawn, alerts_per_day=1, per="card")
    assert (cut.value, cut.reached["cards_per_day"]) == (0.75, 1)


def test_a_few_cards_may_make_many_alerts():
    rows = 4000  # one card makes nearly all of them: the budget of cards lies far down
    card = np.where(np.arange(rows) % 100 == 0, np.arange(rows), -1)
    label = (np.arange(rows) < 5).astype(np.int8)
    scores = Scores(np.linspace(1, 0, rows), label, np.zeros(rows, int), card)
    cut = choose("alert_budget", scores, alerts_per_day=10, per="card")
    assert cut.reached["cards_per_day"] == 10
    assert cut.reached["alerts"] == 900


@settings(max_examples=200, deadline=None, derandomize=True)
@given(daily_scores(), st.sampled_from([0.01, 0.1, 0.3, 0.9]))
def test_max_fpr_catches_most_of_what_its_share_of_false_alarms_allows(scores, cap):
    cut = choose("max_fpr", scores, fpr=cap)
    fraud = scores.label == 1

    def caught(at: float) -> tuple[int, int]:
        alert = scores.score >= at
        return int((alert & fraud).sum()), int(alert.sum())

    def fpr(at: float) -> float:
        return ((scores.score >= at) & ~fraud).sum() / (~fraud).sum()

    allowed = [at for at in np.unique(scores.score) if fpr(at) <= cap]
    assert cut.feasible == bool(allowed)
    if not allowed:
        assert caught(cut.value) == caught(scores.score.max())
        assert cut.reached["fpr"] == pytest.approx(fpr(cut.value))
        return
    assert fpr(cut.value) <= cap
    most = max(caught(at)[0] for at in allowed)
    fewest = min(alerts for hits, alerts in map(caught, allowed) if hits == most)
    assert caught(cut.value) == (most, fewest)


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("alert_budget", {"alerts_per_day": 0}),
        ("alert_budget", {"per": "terminal"}),
        ("max_fpr", {"fpr": 0}),
        ("max_fpr", {"fpr": 1}),
    ],
)
def test_what_cannot_be_asked_is_refused(name, params):
    with pytest.raises(ConfigError, match=next(iter(params))):
        registry.check("threshold_strategy", Choice(name, params))
