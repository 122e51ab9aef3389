"""Runs that differ in nothing but the seed are one candidate, judged by its means."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import stats

from fraudlab.comparing import Spread, compare, spread_between
from fraudlab.manifest import Metrics
from fraudlab.ranking import best_of, leaderboard
from fraudlab.runs import RunRecord, write_run
from fraudlab.seeding import (
    by_candidate,
    candidates_of,
    names_of,
    pooled,
    seed_summaries,
    typical,
)
from tests.seeded import finish, finish_all, planned, sweep_of, write_draws

exact = settings(
    derandomize=True, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
few = settings(exact, max_examples=25)
share = st.floats(0.05, 0.95)
shares = st.lists(share, min_size=2, max_size=8)
constrained = ("average_precision", {"constraints": ["precision>=0.4", "recall>=0.4"]})


# --- the numbers ----------------------------------------------------------------------------------


@exact
@given(shares)
def test_mean_deviation_and_interval_are_those_of_students_t(values: list[float]) -> None:
    seeds = pooled("a", 9, [Metrics({"recall": each}, {"recall": -each}) for each in values])
    mean, std = np.mean(values), np.std(values, ddof=1)
    assert (seeds.count, seeds.asked) == (len(values), 9)
    assert seeds.metrics.validation["recall"] == pytest.approx(mean)
    assert seeds.std.validation["recall"] == pytest.approx(std, abs=1e-15)
    assert seeds.std.test["recall"] == pytest.approx(std, abs=1e-15)
    if std > 1e-12:
        error = std / math.sqrt(len(values))
        expected = stats.t.interval(0.95, len(values) - 1, loc=mean, scale=error)
        assert seeds.intervals.validation["recall"] == pytest.approx(expected)
        low, high = seeds.intervals.test["recall"]
        assert (-high, -low) == pytest.approx(expected)


@exact
@given(st.floats(-1e9, 1e9), st.integers(2, 12))
def test_a_candidate_that_no_seed_changes_has_its_value_and_no_width(value: float, n: int) -> None:
    seeds = pooled("a", n, [Metrics({"cost": value}, {})] * n)
    assert seeds.metrics.validation["cost"] == value
    assert seeds.std.validation["cost"] == 0
    assert seeds.intervals.validation["cost"] == (value, value)


@exact
@given(st.permutations([0.1, 0.2, 0.3, 0.7, 1e-9, 123.456]))
def test_the_order_of_the_seeds_changes_no_bit(values: list[float]) -> None:
    found = pooled("a", 6, [Metrics({"cost": each}, {}) for each in values])
    assert found == pooled("a", 6, [Metrics({"cost": each}, {}) for each in sorted(values)])


def test_one_finished_seed_has_no_deviation_and_no_interval() -> None:
    seeds = pooled("a", 3, [Metrics({"recall": 0.5}, {"recall": 0.4})])
    assert (seeds.count, seeds.metrics) == (1, Metrics({"recall": 0.5}, {"recall": 0.4}))
    assert seeds.std == Metrics()
    assert seeds.intervals.validation == seeds.intervals.test == {}


def test_what_a_seed_lacks_is_left_out() -> None:
    parts = [{"recall": 0.5, "savings": 0.1}, {"recall": 0.6}, {"recall": 0.7, "savings": 0.2}]
    assert set(pooled("a", 3, [Metrics(part, {}) for part in parts]).metrics.validation) == {
        "recall"
    }


@exact
@given(st.lists(share, min_size=1, max_size=9))
def test_the_run_nearest_the_median_stands_for_all_and_never_the_luckier_of_two(
    values: list[float],
) -> None:
    by_seed = dict(enumerate(values))
    chosen = by_seed[typical(by_seed, by_seed)]
    assert chosen == sorted(values)[(len(values) - 1) // 2]
    assert typical(by_seed, by_seed) == typical(dict(reversed(by_seed.items())), by_seed)


@exact
@given(st.lists(share, min_size=2, max_size=9), st.data())
def test_of_those_able_to_it_is_the_nearest(values: list[float], data: st.DataObject) -> None:
    by_seed = dict(enumerate(values))
    able = data.draw(st.sets(st.sampled_from(sorted(by_seed)), min_size=1))
    middle = sorted(values)[(len(values) - 1) // 2]
    found = typical(by_seed, able)
    assert found in able
    nearest = min(abs(by_seed[seed] - middle) for seed in able)
    assert abs(by_seed[found] - middle) == pytest.approx(nearest, rel=1e-8)


@exact
@given(st.lists(st.tuples(share, share), min_size=2, max_size=8))
def test_same_seeds_are_compared_in_pairs(pairs: list[tuple[float, float]]) -> None:
    one, other = ({seed: pair[n] for seed, pair in enumerate(pairs)} for n in (0, 1))
    apart = [a - b for a, b in pairs]
    found = spread_between(one, other)
    error = np.std(apart, ddof=1) / math.sqrt(len(apart))
    assert found.error == pytest.approx(error, abs=1e-15)
    half = stats.t.ppf(0.975, len(apart) - 1) * error
    assert found.half == pytest.approx(half, abs=1e-12)


@exact
@given(shares, shares)
def test_other_seeds_are_compared_by_welch(ours: list[float], theirs: list[float]) -> None:
    one, other = dict(enumerate(ours)), {100 + seed: of for seed, of in enumerate(theirs)}
    found = spread_between(one, other)
    if min(np.ptp(ours), np.ptp(theirs)) > 1e-6:
        told = stats.ttest_ind(ours, theirs, equal_var=False).confidence_interval(0.95)
        assert found.half == pytest.approx((told.high - told.low) / 2, rel=1e-6)


def test_a_single_seed_adds_nothing_to_a_difference() -> None:
    assert spread_between({1: 0.5}, {1: 0.4}) == spread_between({1: 0.5}, {2: 0.4}) == (0.0, 0.0)
    assert spread_between({1: 0.5}, {1: 0.4, 2: 0.5}).half > 0


# --- what is one candidate ------------------------------------------------------------------------


@exact
@given(
    st.lists(
        st.tuples(
            st.sampled_from("ab"),
            st.sampled_from([1, 1.5, [1, 2]]),
            st.sampled_from(["rows", "other"]),
            st.integers(0, 3),
        ),
        min_size=1,
        max_size=12,
        unique_by=str,
    )
)
def test_nothing_but_the_seed_is_ignored(asked: list[tuple]) -> None:
    known = [
        planned(
            model,
            seed,
            overrides={"model.params.depth": depth, "seed": seed},
            data_fingerprint=rows,
            run=str((model, depth, rows, seed)),
        )
        for model, depth, rows, seed in asked
    ]
    groups = by_candidate(known)
    assert sorted(each.run for group in groups for each in group) == sorted(p.run for p in known)
    place = {each.run: n for n, group in enumerate(groups) for each in group}
    for one, other in itertools.combinations(asked, 2):
        together = place[str(one)] == place[str(other)]
        assert together is (str(one[:3]) == str(other[:3]))
    for group in groups:
        assert [each.config.seed for each in group] == sorted(p.config.seed for p in group)


# --- the leaderboard ------------------------------------------------------------------------------


@few
@given(st.lists(st.tuples(share, share, share), min_size=1, max_size=4), st.data())
def test_the_order_of_the_seeds_does_not_matter(
    values: list[tuple[float, ...]], data: st.DataObject
) -> None:
    by_model = {f"m{n}": dict(enumerate(of)) for n, of in enumerate(values)}
    rows = leaderboard(finish_all(by_model))
    order = data.draw(st.permutations(range(3)))
    pairs = list(itertools.product(by_model, order))
    if data.draw(st.booleans()):
        pairs.sort(key=lambda pair: order.index(pair[1]))  # the seed varies slowest
    assert leaderboard(sweep_of([planned(*pair) for pair in pairs])) == rows
    means = [np.mean(list(by_model[row.options["model"]].values())) for row in candidates_of(rows)]
    assert means == pytest.approx(sorted(means, reverse=True))
    for model, runs in itertools.groupby(rows, key=lambda row: row.options["model"]):
        first, *others = (row.metrics.validation["average_precision"] for row in runs)
        assert first == np.median(list(by_model[model].values()))
        assert others == sorted(others, reverse=True)


@few
@given(st.lists(share, min_size=1, max_size=6))
def test_one_seed_is_ranked_as_ever(values: list[float]) -> None:
    rows = leaderboard(finish_all({f"m{n}": {42: value} for n, value in enumerate(values)}))
    assert [row.metrics.validation["average_precision"] for row in rows] == sorted(
        values, reverse=True
    )
    assert {row.seeds for row in rows} == {None}
    assert candidates_of(rows) == rows
    assert seed_summaries(rows) == []
    assert all(row.means is row.metrics for row in rows)


def test_the_best_mean_wins_and_its_median_ships() -> None:
    rows = leaderboard(
        finish_all({"lucky": {1: 0.95, 2: 0.5, 3: 0.4}, "steady": {1: 0.7, 2: 0.72, 3: 0.71}})
    )
    assert [row.run for row in rows] == [
        "steady3", "steady2", "steady1", "lucky2", "lucky1", "lucky3"
    ]  # fmt: skip
    best = best_of(rows)
    assert best is not None
    assert best.run == "steady3"
    assert best.means.test["average_precision"] == pytest.approx(0.61)
    assert {row.seeds.run for row in rows if row.seeds} == {"steady3", "lucky2"}


def test_a_failed_seed_is_counted_and_the_others_stand() -> None:
    record = finish_all({"a": {1: 0.6, 2: 0.8}, "b": {1: 0.5, 2: 0.5, 3: 0.5}})
    write_run(RunRecord("a3", "failed", error="it broke"))
    rows = leaderboard(sweep_of([*record.candidates, planned("a", 3), planned("b", 4)]))
    assert [(row.run, row.status) for row in rows] == [
        ("a1", "done"), ("a2", "done"), ("b1", "done"), ("b2", "done"), ("b3", "done"),
        ("a3", "failed"), ("b4", "pending"),
    ]  # fmt: skip
    assert rows[0].seeds is not None
    assert (rows[0].seeds.count, rows[0].seeds.asked) == (2, 3)
    assert rows[5].seeds is rows[6].seeds is None
    assert names_of(rows) == ["model"]


def test_a_candidate_of_one_seed_among_those_of_several_keeps_its_metrics() -> None:
    rows = leaderboard(finish_all({"a": {1: 0.6, 2: 0.8}, "b": {1: 0.75}}))
    assert [row.run for row in rows] == ["b1", "a1", "a2"]
    assert rows[0].seeds is None
    assert [each["candidate"] for each in seed_summaries(rows)] == [{"model": "a"}]


def test_means_that_miss_a_constraint_bar_every_seed() -> None:
    record = finish_all({"a": {1: 0.9, 2: 0.9, 3: 0.9}, "b": {1: 0.5}}, selection=constrained)
    finish("a3", 0.9, precision=0.1)
    rows = leaderboard(record)
    assert rows[0].run == "b1"
    assert {row.unmet for row in rows[1:]} == {("precision 0.3667, not >= 0.4",)}


def test_a_run_that_misses_a_constraint_does_not_ship_while_another_meets_it() -> None:
    record = finish_all({"a": {1: 0.7, 2: 0.8, 3: 0.9}, "b": {1: 0.6}}, selection=constrained)
    finish("a2", 0.8, precision=0.39)
    rows = leaderboard(record)
    assert [(row.run, bool(row.unmet)) for row in rows] == [
        ("a1", False), ("a3", False), ("a2", True), ("b1", False)
    ]  # fmt: skip


def test_means_that_meet_what_no_run_meets_do_not_win() -> None:
    record = finish_all({"a": {1: 0.9, 2: 0.9}, "b": {1: 0.5}}, selection=constrained)
    finish("a1", 0.9, precision=0.3, recall=0.9)
    finish("a2", 0.9, precision=0.9, recall=0.3)
    rows = leaderboard(record)
    assert [row.run for row in rows] == ["b1", "a1", "a2"]
    assert all(row.unmet for row in rows[1:])


def test_a_metric_that_one_seed_lacks_keeps_its_candidate_from_winning() -> None:
    record = finish_all({"a": {1: 0.9, 2: 0.9, 3: 0.8}, "b": {1: 0.5}})
    finish("a2", None)
    rows = leaderboard(record)
    assert rows[0].run == "b1"
    assert rows[1].unmet == ("average_precision not measured",)
    assert [each["candidate"]["model"] for each in seed_summaries(rows)] == []


# --- compared with the best -----------------------------------------------------------------------

draws = np.random.default_rng(0).normal(0.8, 0.05, 500)
noise = np.random.default_rng(1).normal(0, 0.01, (6, 500))


def with_draws(**models: dict[int, float]) -> list:
    record = finish_all(models)
    for place, each in enumerate(record.candidates):
        value = models[each.options["model"]][each.config.seed]
        write_draws(each.run, draws - 0.8 + value + noise[place])
    return leaderboard(record)


def test_the_means_are_compared_draw_by_draw() -> None:
    rows = with_draws(a={1: 0.8, 2: 0.8}, b={1: 0.7, 2: 0.7})
    apart = 0.1 + noise[:2].mean(axis=0) - noise[2:4].mean(axis=0)
    first, second, *others = rows
    assert first.comparison is second.comparison is None
    for row in others:
        assert row.comparison is not None
        assert row.comparison.difference == pytest.approx(0.1)
        assert row.comparison.interval == pytest.approx(np.quantile(apart, [0.025, 0.975]))
        assert row.comparison.distinguishable is True
    assert [row.run for row in rows if row.simplest] == ["a1"]


def test_what_the_seeds_alone_may_explain_is_not_told_apart() -> None:
    rows = with_draws(a={1: 0.8, 2: 0.8, 3: 0.8}, b={1: 0.6, 2: 0.85, 3: 0.7})
    found = rows[-1].comparison
    assert found is not None
    assert found.interval is not None
    assert found.distinguishable is False
    apart = [0.2, -0.05, 0.1]
    half = stats.t.ppf(0.975, 2) * np.std(apart, ddof=1) / math.sqrt(3)
    own = 0.1 / 12  # the draws add hardly anything
    assert found.interval == pytest.approx((np.mean(apart) - half, np.mean(apart) + half), abs=own)
    assert found.within_one_se is False
    assert with_draws(a={1: 0.8}, b={1: 0.7})[-1].comparison.distinguishable is True


def test_the_standard_error_counts_the_seeds_too() -> None:
    rows = with_draws(a={1: 0.8, 2: 0.8, 3: 0.8}, b={1: 0.6, 2: 0.95, 3: 0.7})
    found = rows[-1].comparison  # the draws alone have an error of a tenth of the difference
    assert found is not None
    assert found.difference == pytest.approx(0.05)
    assert found.within_one_se is True


@exact
@given(st.lists(share, min_size=2, max_size=30), share, st.floats(0, 0.5), st.floats(0, 0.5))
def test_seeds_only_ever_widen_an_interval(
    values: list[float], difference: float, error: float, half: float
) -> None:
    best, other = ("same", np.array(values)), ("same", np.zeros(len(values)))
    alone = compare(best, other, "recall", difference)
    found = compare(best, other, "recall", difference, Spread(error, half))
    assert alone.interval is not None
    assert found.interval is not None
    if half == 0:
        assert found.interval == alone.interval
        return
    assert found.interval[0] <= min(alone.interval[0], difference - half + 1e-12)
    assert found.interval[1] >= max(alone.interval[1], difference + half - 1e-12)
    whole = np.hypot(difference - alone.interval[0], half)
    if alone.interval[0] <= difference:
        assert difference - found.interval[0] == pytest.approx(whole)


def test_draws_that_are_not_the_same_for_all_seeds_are_not_compared() -> None:
    rows = with_draws(a={1: 0.8, 2: 0.8}, b={1: 0.7, 2: 0.7}, c={1: 0.6, 2: 0.6})
    write_draws("b2", draws, drawn="other rows")
    rows = leaderboard(
        finish_all({m: {1: v, 2: v} for m, v in zip("abc", (0.8, 0.7, 0.6), strict=True)})
    )
    told = {row.run: row.comparison and row.comparison.distinguishable for row in rows}
    assert told == {"a1": None, "a2": None, "b1": None, "b2": None, "c1": True, "c2": True}
    assert rows[2].comparison is not None
    assert rows[2].comparison.interval is None


# --- for the mirror -------------------------------------------------------------------------------


def test_summaries_are_plain_and_best_first() -> None:
    rows = leaderboard(finish_all({"a": {1: 0.5, 2: 0.6, 3: 0.7}, "b": {1: 0.8, 2: 0.9}}))
    first, second = seed_summaries(rows)
    assert first["candidate"] == {"model": "b"}
    assert first["run"] == "b1"
    assert second == {
        "candidate": {"model": "a"},
        "run": "a2",
        "count": 3,
        "asked": 3,
        "metric": "average_precision",
        "mean": pytest.approx(0.6),
        "std": pytest.approx(0.1),
        "interval": pytest.approx(list(stats.t.interval(0.95, 2, 0.6, 0.1 / math.sqrt(3)))),
    }


def test_a_sweep_without_results_has_no_summaries() -> None:
    assert seed_summaries([]) == []
    assert seed_summaries(leaderboard(sweep_of([planned("a", 1), planned("a", 2)]))) == []
