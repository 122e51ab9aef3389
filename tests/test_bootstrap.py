"""Intervals: the weighted metrics are those of repeated rows, draws are paired and reproducible."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fraudlab import bootstrap, registry
from fraudlab.bootstrap import clusters, cut_interval, draws, interval, replicate
from fraudlab.config import Bootstrap, Choice, Costs
from fraudlab.metrics import evaluate
from fraudlab.protocols import Scores
from fraudlab.weighing import Part, Weighed

EXACT = ("average_precision", "roc_auc", "precision", "recall", "f1", "f2", "fpr", "mcc", "savings")
EXACT += ("brier", "log_loss", "mean_score", "prevalence", "cost", "value_detection_rate")
EXACT += ("true_positives", "alert_rate", "recall_segment_a", "balanced_accuracy")
BUDGET = ("card_precision_at_100", "card_recall_at_100", "precision_at_100")


def scored(rows: int, seed: int, levels: int = 40, cards: int = 30, days: int = 3) -> Scores:
    """Return scored rows of both classes, many of them tied."""
    draw = np.random.default_rng(seed)
    label = (draw.random(rows) < 0.3).astype(np.int8)
    label[:2] = 0, 1
    signal = 0.5 * label + draw.random(rows)
    return Scores(
        score=np.round(signal / 1.5 * levels) / levels,
        label=label,
        day=np.sort(draw.integers(0, days, rows)),
        card=draw.integers(0, cards, rows),
        amount=np.round(draw.gamma(1.0, 50.0, rows), 2),
        row=np.arange(rows),
        segment=np.where(label == 1, "a", "b"),
    )


def part_of(scores: Scores, cut: float = 0.5) -> Part:
    return Part(scores, np.full(len(scores.score), cut), scores)


def weighed(scores: Scores, unit: str) -> tuple[Weighed, np.ndarray, int]:
    _, cluster = clusters(scores, unit)
    count = int(cluster.max()) + 1
    return Weighed(part_of(scores), cluster, unit, count, Costs()), cluster, count


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(5, 200), st.integers(0, 10_000), st.integers(1, 30))
def test_weights_of_one_give_the_metrics_themselves(rows, seed, levels):
    scores = scored(rows, seed, levels)
    expected = evaluate(scores, np.full(rows, 0.5))
    for unit in ("card", "day", "row"):
        ready, _, count = weighed(scores, unit)
        found = ready.metrics(np.ones((count, 1), dtype=np.float32))
        for name in {*expected} & {*found}:
            assert found[name][0] == pytest.approx(expected[name], rel=1e-9, abs=1e-12), name
        assert {*EXACT, "alerts_per_day"} <= {*found}


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(5, 120), st.integers(0, 10_000), st.sampled_from(["card", "row"]))
def test_whole_weights_are_the_metrics_of_rows_repeated_so_often(rows, seed, unit):
    scores = scored(rows, seed)
    ready, cluster, count = weighed(scores, unit)
    weights = np.random.default_rng(seed).integers(0, 4, (count, 1)).astype(np.float32)
    often = weights[cluster, 0].astype(int)
    repeated = scores.rows(np.repeat(np.arange(rows), often))
    if len(set(repeated.label.tolist())) < 2:
        return
    expected = evaluate(repeated, np.full(len(repeated.score), 0.5))
    found = ready.metrics(weights)
    for name in {*EXACT} & {*expected}:
        assert found[name][0] == pytest.approx(expected[name], rel=1e-6, abs=1e-9), name


@pytest.mark.parametrize("seed", range(5))
def test_a_card_drawn_twice_takes_two_of_a_days_places(seed):
    scores = scored(6000, seed, levels=4000, cards=1500, days=4)
    ready, cluster, count = weighed(scores, "card")
    weights = np.random.default_rng(seed).integers(0, 3, (count, 1)).astype(np.float32)
    often = weights[cluster, 0].astype(int)
    copy = np.concatenate([np.arange(times) for times in often])
    repeated = scores.rows(np.repeat(np.arange(6000), often))
    repeated = replace(repeated, card=repeated.card * 4 + copy)
    expected = evaluate(repeated, np.full(len(repeated.score), 0.5))
    found = ready.metrics(weights)
    for name in BUDGET:  # of a card drawn twice, one place may be beyond the budget
        assert found[name][0] == pytest.approx(expected[name], abs=0.011), name


def test_days_drawn_keep_what_each_of_them_is_worth():
    scores = scored(3000, 1, cards=800, days=5)
    ready, _, _ = weighed(scores, "day")
    weights = np.array([[2.0], [0.0], [1.0], [1.0], [1.0]], dtype=np.float32)
    shares = []
    for day in range(5):
        own = scores.rows(np.flatnonzero(scores.day == day))
        shares.append(evaluate(own, np.ones(len(own.score)))["precision_at_100"])
    expected = (2 * shares[0] + shares[2] + shares[3] + shares[4]) / 5
    assert ready.metrics(weights)["precision_at_100"][0] == pytest.approx(expected)


def test_days_of_several_folds_are_drawn_together_and_averaged_apart():
    parts = [part_of(scored(600, seed, days=7)) for seed in (1, 2)]
    later = replace(parts[1].scores, day=parts[1].scores.day + 7)
    found = replicate([parts[0], part_of(later)], None, Bootstrap("day", 200))
    name = "precision_at_100"
    both = [evaluate(each, np.ones(len(each.score)))[name] for each in (parts[0].scores, later)]
    low, high = found.intervals()[name]
    assert low <= np.mean(both) <= high


def test_few_clusters_are_no_ground_for_intervals():
    scores = scored(300, 1, days=3)
    with pytest.warns(UserWarning, match="3 days to draw from"):
        assert replicate([part_of(scores)], None, Bootstrap("day", 50)) is None


def test_a_draw_without_a_fraud_of_a_segment_says_nothing_of_it():
    scores = scored(200, 1)
    segment = np.where(np.arange(200) == int(np.argmax(scores.score * scores.label)), "rare", "b")
    scores = replace(scores, segment=segment)
    low, high = replicate([part_of(scores)], None, Bootstrap()).intervals()["recall_segment_rare"]
    assert (low, high) == (1.0, 1.0)


def test_a_card_with_most_of_a_days_highest_rows_does_not_hide_the_rest():
    rows = 1000
    label = np.repeat([0, 1], [900, 100]).astype(np.int8)
    card = np.append(np.zeros(900, dtype=int), np.arange(1, 101))
    scores = Scores(np.linspace(1, 0, rows), label, np.zeros(rows, dtype=int), card)
    found = replicate([part_of(scores)], None, Bootstrap()).values["precision_at_100"]
    assert 0.2 < (found > 0.5).mean() < 0.6  # the draws that leave that card out


def test_draws_take_as_many_as_there_are_and_do_not_depend_on_the_pieces(monkeypatch):
    whole = next(draws(50, 30))
    assert whole.shape == (50, 30)
    assert (whole.sum(axis=0) == 50).all()
    monkeypatch.setattr(bootstrap, "_CELLS", 250)
    pieces = list(draws(50, 30))
    assert len(pieces) == 6
    assert np.array_equal(np.concatenate(pieces, axis=1), whole)


def test_candidates_on_the_same_rows_meet_the_same_draws():
    scores = scored(400, 3)
    better = replace(scores, score=np.clip(scores.score + 0.05 * scores.label, 0, 1))
    settings_ = Bootstrap("card", 300)
    first, second = (replicate([part_of(each)], None, settings_) for each in (scores, better))
    assert first.drawn == second.drawn
    apart = second.values["average_precision"] - first.values["average_precision"]
    single = first.values["average_precision"]
    assert apart.std() < single.std() / 2
    other = replicate([part_of(scored(400, 4))], None, settings_)
    assert other.drawn != first.drawn
    assert replicate([part_of(scores)], None, Bootstrap("row", 300)).drawn != first.drawn
    assert replicate([part_of(scores)], None, Bootstrap("card", 0)) is None


def test_folds_are_averaged_draw_by_draw_and_a_card_counts_alike_in_all():
    parts = [part_of(scored(300, seed)) for seed in (5, 6)]
    both = replicate(parts, None, Bootstrap("card", 50)).values["recall"]
    weights = next(draws(30, 50))  # both have the cards 0..29
    by_part = []
    for part in parts:
        _, cluster = clusters(part.scores, "card")
        ready = Weighed(part, cluster, "card", 30, None)
        by_part.append(ready.metrics(weights)["recall"])
    assert np.allclose(both, np.mean(by_part, axis=0))


def test_without_cards_or_days_rows_are_drawn():
    scores = replace(scored(50, 1), card=None, day=None)
    for wanted in ("card", "day", "row"):
        unit, cluster = clusters(scores, wanted)
        assert unit == "row"
        assert Counter(cluster.tolist()).most_common(1)[0][1] == 1


def test_frauds_of_one_card_are_one_event():
    # 200 frauds of 4 cards: by card the recall is far less sure than by row.
    draw = np.random.default_rng(0)
    label = np.repeat([1, 0], [200, 800]).astype(np.int8)
    card = np.concatenate([np.repeat(np.arange(4), 50), 4 + np.arange(800)])
    score = np.where((card % 2 == 0) & (label == 1), 0.9, 0.1 * draw.random(1000))
    scores = Scores(score, label, None, card, row=np.arange(1000))
    width = {}
    for unit in ("card", "row"):
        low, high = replicate([part_of(scores)], None, Bootstrap(unit, 400)).intervals()["recall"]
        assert low <= 0.5 <= high
        width[unit] = high - low
    assert width["card"] > 3 * width["row"]


def test_an_interval_covers_the_truth_about_as_often_as_it_says():
    draw = np.random.default_rng(7)
    covered = 0
    for _ in range(120):
        alert = draw.random(400) < 0.3  # recall of 0.3 among 400 frauds, and some genuine rows
        score = np.concatenate([np.where(alert, 0.9, 0.1), np.full(50, 0.1)])
        label = np.repeat([1, 0], [400, 50]).astype(np.int8)
        scores = Scores(score, label, None, None, row=np.arange(450))
        low, high = replicate([part_of(scores)], None, Bootstrap("row", 200)).intervals()["recall"]
        covered += low <= 0.3 <= high
    assert 0.88 <= covered / 120 <= 1.0


def test_draws_without_a_number_are_left_out_and_none_is_none():
    assert interval(np.array([np.nan, 1.0, 1.0])) == (1.0, 1.0)
    assert interval(np.array([np.nan])) is None


def test_a_cuts_interval_is_where_the_strategy_puts_it_on_other_draws():
    scores = scored(600, 2, levels=300)
    strategy = registry.build("threshold_strategy", Choice("max_fbeta"))
    cut = strategy.choose(scores)
    low, high = cut_interval(cut, strategy, scores, Bootstrap())
    assert low < high
    assert low <= cut.value <= high
    assert cut_interval(cut, strategy, scores, Bootstrap(resamples=0)) is None
    fixed = registry.build("threshold_strategy", Choice("fixed", {"threshold": 0.3}))
    assert cut_interval(fixed.choose(scores), fixed, scores, Bootstrap()) == (0.3, 0.3)
    per_row = registry.build("threshold_strategy", Choice("amount_cost"))
    chosen = per_row.choose(scores)
    assert cut_interval(chosen, per_row, scores, Bootstrap()) == (chosen.value, chosen.value)
