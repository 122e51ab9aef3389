"""What a report computes: curves, calibration, cuts, importance, drift, and its sentences."""

from __future__ import annotations

import doctest
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_curve

from fraudlab import cuts
from fraudlab.comparing import Comparison
from fraudlab.config import Costs
from fraudlab.manifest import Intervals, Metrics, Threshold
from fraudlab.metrics import evaluate
from fraudlab.protocols import Scores
from fraudlab.ranking import Row
from fraudlab.reporting import figures, svg, words
from fraudlab.reporting.advice import advise
from fraudlab.reporting.curves import GRID, draw_curves
from fraudlab.reporting.drawing import Ranked
from fraudlab.reporting.drift import (
    FLOOR,
    Moved,
    critical_value,
    drift_of_scores,
    measure_drift,
    psi,
)
from fraudlab.reporting.exploring import POINTS, explore
from fraudlab.reporting.findings import Findings
from fraudlab.reporting.gathering import RunFacts, SweepFacts
from fraudlab.reporting.importance import average_precisions, measure_importance
from fraudlab.reporting.page import render_sweep
from fraudlab.reporting.rebuilding import Material
from fraudlab.reporting.reliability import judge_reliability, spread_scores, wilson
from fraudlab.reporting.standing import judge_sweep
from fraudlab.reporting.verdict import judge
from fraudlab.runs import Planned, RunRecord, SweepRecord
from fraudlab.scoring import row_cuts
from tests.candidates import make_config, split_of, train, transaction_table

EVERY = settings(max_examples=60, deadline=None, derandomize=True)


@st.composite
def scored(draw: st.DrawFn) -> Scores:
    """Draw scored rows of both classes, with ties, scores of 0 and 1, and amounts of 0."""
    rows = draw(st.integers(2, 40))
    some = np.random.default_rng(draw(st.integers(0, 10_000)))
    label = some.random(rows) < 0.4
    label[:2] = [True, False]
    return Scores(
        score=some.choice([0.0, 0.1, 0.25, 0.5, 0.9, 1.0, *some.random(4)], rows),
        label=label.astype(np.int8),
        day=some.integers(0, 5, rows),
        card=some.integers(0, 6, rows),
        amount=some.choice([0.0, 3.0, 5.0, 20.0, 99.5], rows),
    )


def many(rows: int = 4000, seed: int = 0, slope: float = 1.0) -> Scores:
    """Return rows whose true log-odds are `slope` times those of their scores."""
    some = np.random.default_rng(seed)
    odds = some.normal(-3, 1.5, rows)
    label = (some.random(rows) < 1 / (1 + np.exp(-slope * odds))).astype(np.int8)
    return Scores(1 / (1 + np.exp(-odds)), label, None, some.integers(0, rows // 4, rows))


@EVERY
@given(scored())
def test_curves_are_those_of_the_cuts(scores: Scores) -> None:
    found = draw_curves(scores, None)
    over = cuts.curve(scores)
    for recall, precision in zip(GRID[1:], found.precision.y[1:], strict=True):
        place = int(np.argmax(over.recall >= recall - 1e-12))
        assert precision == pytest.approx(over.precision[place])
    false, true, _ = roc_curve(scores.label, scores.score, drop_intermediate=False)
    inside = (GRID > 0) & ~np.isin(GRID, false)
    assert found.recall.y[inside] == pytest.approx(np.interp(GRID, false, true)[inside])


def test_bands_hold_the_curve_and_narrow_with_more_rows() -> None:
    widths = []
    for rows in (1000, 16_000):
        found = draw_curves(many(rows), "card")
        for line in (found.precision, found.recall):
            assert line.low is not None
            assert line.high is not None
            assert (line.low[10:190] <= line.y[10:190] + 1e-9).all()
            assert (line.high[10:190] >= line.y[10:190] - 1e-9).all()
        widths.append(float(np.mean(found.recall.high - found.recall.low)))  # type: ignore[operator]
    assert widths[1] < widths[0] / 2


def test_several_folds_are_drawn_as_their_mean() -> None:
    one, two = many(500, 1), many(700, 2)
    both = draw_curves(Scores.together([one, two]), None)
    apart = [draw_curves(each, None) for each in (one, two)]
    for name in ("precision", "recall"):
        mean = np.mean([getattr(each, name).y for each in apart], axis=0)
        assert getattr(both, name).y == pytest.approx(mean)


@EVERY
@given(scored(), st.booleans())
def test_the_explorer_says_what_the_metrics_say_at_every_cut(
    scores: Scores, by_amount: bool
) -> None:
    threshold = Threshold("fixed", 0.3, alert_cost=5.0 if by_amount else None)
    found = explore({"test": scores}, threshold, Costs())
    assert found is not None
    assert found.values[found.chosen] == (5.0 if by_amount else 0.3)
    assert (np.diff(found.values) > 0).all()
    assert scores.amount is not None
    for place, value in enumerate(found.values):
        limits = row_cuts(value, value if by_amount else None, scores.amount)
        truth = evaluate(scores, limits, Costs())
        for name, number in found.value_of("test", place).items():
            assert number == pytest.approx(truth[name], abs=1e-12), name


@EVERY
@given(scored())
def test_every_distinct_outcome_of_few_rows_can_be_reached(scores: Scores) -> None:
    found = explore({"test": scores}, Threshold("fixed", 0.5), Costs())
    assert found is not None
    reached = set((found.parts["test"].tp + found.parts["test"].fp).tolist())
    over = cuts.curve(scores)
    assert {int(alerts) for alerts in over.alerts} | {0} <= reached


def test_many_rows_are_thinned_and_few_alerts_kept_apart() -> None:
    found = explore({"test": many(50_000)}, Threshold("fixed", 0.5), Costs(false_negative=80.0))
    assert found is not None
    assert len(found.values) <= POINTS + 1
    alerts = np.unique(found.parts["test"].tp + found.parts["test"].fp)
    assert list(alerts[:20]) == list(range(20))
    steps = alerts[21:] / alerts[20:-1]
    assert steps.max() < 1.06
    assert found.baseline_of("test") is not None


def test_without_amounts_there_is_no_cost_by_amount() -> None:
    bare = replace(many(), amount=None)
    found = explore({"test": bare}, Threshold("fixed", 0.5), Costs())
    assert found is not None
    assert found.costs_of("test") is None
    assert found.baseline_of("test") is None
    assert "cost" not in found.value_of("test", 0)
    assert explore({"test": bare}, Threshold("x", 0.5, alert_cost=5.0), Costs()) is None
    assert explore({}, Threshold("fixed", 0.5), Costs()) is None


def test_scores_that_are_probabilities_are_found_to_be() -> None:
    found = judge_reliability(many(20_000), "card")
    assert found.ratio is not None
    assert found.ratio[0] < 1 < found.ratio[1]
    assert found.slope == pytest.approx(1.0, abs=0.1)
    assert sum(point.rows for point in found.points) == 20_000
    worth = [point.mean * point.rows for point in found.points]
    assert max(worth) < 1.5 * min(worth)
    inside = [point.low <= point.mean <= point.high for point in found.points]
    assert sum(inside) >= len(inside) - 2


def test_extreme_scores_have_a_slope_below_1() -> None:
    assert judge_reliability(many(20_000, slope=0.5), "card").slope == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("score", [0.0, 0.3, 1.0])
def test_one_score_for_all_is_no_reason_to_fail(score: float) -> None:
    same = replace(many(300), score=np.full(300, score))
    found = judge_reliability(same, "card")
    assert found.slope is None
    assert len(found.points) == 1
    assert "nan" not in figures.calibration(found)
    assert "nan" not in figures.histogram(spread_scores(same), score)
    explorer = explore({"test": same}, Threshold("fixed", score), Costs(false_negative=9.0))
    assert explorer is not None
    assert "nan" not in (figures.cost_curve(explorer) or "")
    assert spread_scores(same).genuine.sum() == pytest.approx(1.0)


def test_wilson_is_that_of_the_literature() -> None:
    low, high = wilson(10, 100)
    assert (low, high) == (pytest.approx(0.05523, abs=1e-5), pytest.approx(0.17437, abs=1e-5))
    assert wilson(0, 20)[0] == 0
    assert wilson(20, 20)[1] == pytest.approx(1.0)


@EVERY
@given(scored(), st.integers(0, 99))
def test_average_precision_is_scikit_learns_under_any_weights(scores: Scores, seed: int) -> None:
    assert scores.card is not None
    some = np.random.default_rng(seed)
    often = some.integers(1, 4, len(scores.score)).astype(float)
    weights = some.integers(1, 3, (6, 2)).astype(np.float32)
    ranked = Ranked(scores.score, scores.label, scores.card, 6, often)
    for column, found in enumerate(average_precisions(ranked, weights)):
        weight = often * weights[scores.card, column]
        assert found == pytest.approx(
            average_precision_score(scores.label, scores.score, sample_weight=weight)
        )


def test_the_column_that_tells_fraud_is_the_heaviest() -> None:
    table = transaction_table()
    config = make_config(model="logreg")
    split = split_of(config, table)
    result = train(config, table, split)
    material = Material(table, split.folds[0].test.fit, split.folds[0].test.judge)
    scores = result.outcomes["test"].scores
    found = measure_importance(result.bundle.scorer(), material, scores, "card", lambda _: None)
    assert found.columns[0].column == "risk"
    assert {each.column for each in found.columns} == {
        "risk", "signal", "count", "constant", "shop", "amount",
    }  # fmt: skip
    assert found.average_precision == pytest.approx(result.metrics.test["average_precision"])
    assert found.every
    constant = next(each for each in found.columns if each.column == "constant")
    assert constant.drop == 0.0
    assert constant.interval == (0.0, 0.0)
    heaviest = found.columns[0].interval
    assert heaviest is not None
    assert 0 < heaviest[0] < found.columns[0].drop < heaviest[1]


def test_psi_is_the_sum_of_the_formula_with_its_floor() -> None:
    before, after = np.array([50, 50, 0]), np.array([25, 25, 50])
    parts = [(0.25 - 0.5) * np.log(0.25 / 0.5)] * 2 + [(0.5 - FLOOR) * np.log(0.5 / FLOOR)]
    assert psi(before, after) == pytest.approx(sum(parts))
    assert psi(before, before * 3) == 0.0


def test_what_has_not_moved_rarely_exceeds_the_critical_value() -> None:
    some = np.random.default_rng(0)
    above = sum(
        drift_of_scores(some.random(2000), some.random(500)).verdict != "no more than chance"
        for _ in range(400)
    )
    assert 4 <= above <= 36  # one in twenty
    assert critical_value(10, 2000, 500) == pytest.approx(16.919 / 400, rel=1e-3)
    assert critical_value(10, 2000, 500, columns=10) > critical_value(10, 2000, 500)
    assert critical_value(1, 2000, 500) == 0.0


def test_the_words_of_drift_know_chance_and_size() -> None:
    assert Moved("a", 0.05, 0.06).verdict == "no more than chance"
    assert Moved("a", 0.3, 0.4).verdict == "no more than chance"
    assert Moved("a", 0.05, 0.01).verdict == "small"
    assert Moved("a", 0.15, 0.01).verdict == "watch"
    assert Moved("a", 0.25, 0.01).verdict == "act"


def test_every_kind_of_column_has_its_drift() -> None:
    table = transaction_table()
    rows = np.arange(len(table))
    still = measure_drift(Material(table, rows, rows))
    assert {each.psi for each in still} == {0.0}
    order = np.argsort(table.frame["risk"].to_numpy())
    moved = measure_drift(Material(table, order[:750], order[750:]))
    assert moved[0].column == "risk"
    assert moved[0].verdict == "act"
    shops = table.frame["shop"].to_numpy() == "travel"
    moved = measure_drift(Material(table, np.flatnonzero(shops), np.flatnonzero(~shops)))
    assert moved[0].column == "shop"
    absent = table.frame["signal"].isna().to_numpy()
    moved = measure_drift(Material(table, np.flatnonzero(absent), np.flatnonzero(~absent)))
    assert moved[0].column == "signal"


def found_of(
    test: dict[str, float],
    *,
    validation: dict[str, float] | None = None,
    intervals: dict[str, tuple[float, float]] | None = None,
    threshold: Threshold | None = None,
    moved: Any = (),
    **scores: Any,
) -> Findings:
    own = {"average_precision": 0.6, "prevalence": 0.01, "roc_auc": 0.9, "tp": 1.0}
    metrics = Metrics(validation={**own, "alert_rate": 0.1, **(validation or {})}, test=own | test)
    ends = Intervals(
        validation={"average_precision": (0.5, 0.7)},
        test={"average_precision": (0.5, 0.7)} | (intervals or {}),
    )
    record = RunRecord("abc", "done", metrics=metrics, intervals=ends)
    config = make_config(**scores.pop("choices", {}))
    manifest = SimpleNamespace(threshold=threshold or Threshold("max_fbeta", 0.4))
    facts = RunFacts(record, manifest, config, {}, {}, None)  # type: ignore[arg-type]
    reliability = judge_reliability(scores.pop("of", many(20_000)), "card")
    return Findings(facts, {}, reliability, None, None, "-", moved, None)


def told(found: Findings) -> str:
    return " ".join(each.text for each in judge(found)).replace("\u00a0", " ")


def tones(found: Findings, part: str) -> str:
    said = [(each.tone, each.text.replace("\u00a0", " ")) for each in judge(found)]
    (one,) = [tone for tone, text in said if part in text]
    return one


AT_CUT = {"precision": 0.8, "recall": 0.5, "alert_rate": 0.01, "alerts_per_day": 12.0}


def test_a_good_run_is_recommended() -> None:
    found = found_of(AT_CUT)
    assert tones(found, "On test it ranks") == "good"
    assert tones(found, "test agrees") == "good"
    assert "it alerts 12 rows a day: 80.0 % of the alerts are frauds" in told(found)
    assert "can be read as probabilities" in told(found)
    assert advise(found)[-1] == "python -m fraudlab.promote run=abc"
    assert "Nothing here speaks against" in " ".join(advise(found))


def test_what_cannot_be_told_from_chance_is_bad() -> None:
    ends = {"average_precision": (0.005, 0.02)}
    found = found_of({"average_precision": 0.012}, intervals=ends)
    assert tones(found, "cannot be told from guessing") == "bad"
    assert tones(found, "falls short of that") == "bad"
    assert "Mend what is marked" in " ".join(advise(found))


def test_a_target_that_was_not_reached_is_said() -> None:
    asked = Threshold(
        "min_precision", 0.9, {"precision": 0.99}, feasible=False, reached={"precision": 0.7}
    )
    found = found_of(AT_CUT, threshold=asked)
    assert "What was asked (precision=0.99) could not be reached" in told(found)
    assert tones(found, "could not be reached") == "bad"
    assert "Ask less of" in " ".join(advise(found))


def test_money_lost_is_bad_and_money_saved_is_good() -> None:
    lost = found_of({"cost": 300.0, "cost_baseline": 200.0, "savings": -0.5})
    assert tones(lost, "It costs more than no detector") == "bad"
    assert "threshold_strategy=min_cost" in " ".join(advise(lost))
    saved = {"cost": 100.0, "cost_baseline": 200.0, "savings": 0.5}
    assert tones(found_of(saved, intervals={"savings": (0.3, 0.6)}), "It saves 50.0 %") == "good"
    assert tones(found_of(saved, intervals={"savings": (-0.3, 0.6)}), "also be nothing") == "note"


def test_scores_that_are_no_probabilities_are_bad() -> None:
    wrong = many(20_000)
    raised = replace(wrong, score=wrong.score**0.2)
    assert tones(found_of({}, of=raised), "They are no probabilities") == "bad"
    high = replace(wrong, score=np.minimum(1.0, wrong.score * 1.3))
    found = found_of({}, of=high, choices={"calibration": "identity"})
    assert tones(found, "they run high") == "note"
    assert "Calibrate: calibration=sigmoid" in " ".join(advise(found))


def test_what_was_learned_by_heart_few_frauds_and_drift_are_noted() -> None:
    found = found_of(
        {"train_average_precision": 0.99}, of=many(300), moved=(Moved("age", 0.3, 0.01),)
    )
    text = told(found)
    assert "a simpler model may do as well" in text
    assert "frauds only: every number here is rough" in text
    assert "Between train and test age moved enough" in text
    assert "Find out why age moved" in " ".join(advise(found))


def test_one_that_may_not_win_says_why() -> None:
    found = found_of({}, validation={"roc_auc": 0.4})
    assert tones(found, "It may not win a sweep") == "bad"


def sweep_of(count: int, **changes: Any) -> SweepFacts:
    config = make_config()
    planned = [
        Planned(f"run{n}", config, {"model": f"m{n}"}, {}, "f") for n in range(max(1, count))
    ]
    rows = []
    for n in range(count):
        row = Row(
            f"run{n}", "done", False, config.choices, {"model": f"m{n}"}, {}, {},
            Metrics({"average_precision": 0.9 - n / 1000}, {"average_precision": 0.8}),
            Intervals({"average_precision": (0.7, 0.95)}, {}), None, 42, size=100 + n,
            comparison=None if n == 0 else Comparison(
                "average_precision", n / 1000, (-0.1 + n / 100, 0.1 + n / 100), n > 10, n < 3
            ),
        )  # fmt: skip
        rows.append(msgspec.structs.replace(row, **changes.get(f"row{n}", {})))
    return SweepFacts(SweepRecord("s", "now", tuple(planned)), rows, ["model"])


def sweep_told(facts: SweepFacts) -> str:
    return " ".join(each.text for each in judge_sweep(facts)).replace("\u00a0", " ")


def test_a_sweep_says_who_won_and_from_whom_it_cannot_be_told() -> None:
    text = sweep_told(sweep_of(20))
    assert "m0 won of 20 candidates: average_precision 0.900" in text
    assert "It cannot be told from m1, m2, m3 and 7 more" in text
    assert "It is better than 9 others beyond what chance explains." in text


def test_a_sweep_names_the_simplest_the_reused_the_failed_and_the_waiting() -> None:
    facts = sweep_of(
        6,
        row1={"simplest": True, "size": 7, "reused": True},
        row2={"unmet": ("no detector: it alerts every row",), "comparison": None},
        row3={"status": "failed", "error": "it broke"},
        row4={"status": "pending"},
        row5={"status": "not_applicable", "error": "no such pair"},
    )
    text = sweep_told(facts)
    assert "The simplest within one standard error of it is m1: a graph of 7 bytes" in text
    assert "1 of 3 results were reused" in text
    assert "1 candidate may not win" in text
    assert "1 candidate failed" in text
    assert "this verdict is provisional" in text
    assert "1 pair of choices did not apply" in text
    page = render_sweep(facts, None)
    assert "it broke" in page
    assert "no such pair" in page
    assert "may not win: no detector: it alerts every row" in page


def test_reasons_and_warnings_are_text_and_never_markup() -> None:
    hostile = "<img src=x>"
    facts = sweep_of(
        2,
        row0={"warnings": (hostile,), "options": {"model": hostile}},
        row1={"status": "failed", "error": hostile, "log": hostile},
    )
    page = render_sweep(facts, None)
    assert "<img" not in page
    assert page.count("&lt;img src=x&gt;") >= 4


def test_a_sweep_without_bootstrap_is_not_compared() -> None:
    facts = sweep_of(2, row1={"comparison": Comparison("average_precision", 0.1)})
    assert "1 other was not compared with it" in sweep_told(facts)
    assert "? not compared with the best" in render_sweep(facts, None)


def test_a_sweep_in_which_none_may_win() -> None:
    facts = sweep_of(1, row0={"unmet": ("no detector",)})
    assert sweep_told(facts).startswith("No candidate may win: no detector.")
    assert "- may not win" in render_sweep(facts, None)


def test_two_hundred_candidates_fit_on_a_page() -> None:
    page = render_sweep(sweep_of(200), None)
    assert page.count('class="strip"') == 40
    assert "159 more are in the leaderboard" in page
    assert page.count("<code>run") == 200
    assert len(page) < 200_000


def test_the_words_are_as_their_examples_say() -> None:
    assert doctest.testmod(words).failed == 0


@pytest.mark.parametrize(
    ("axis", "marks"),
    [
        (svg.Axis("", 0.0, 1.0), ["0", "0.2", "0.4", "0.6", "0.8", "1"]),
        (svg.Axis("", -0.55, 0.83, percent=True), ["-50\u00a0%", "0\u00a0%", "50\u00a0%"]),
        (svg.Axis("", 1e-3, 1.0, "log"), ["0.001", "0.01", "0.1", "1"]),
        (svg.Axis("", 0.004, 0.95, "odds"), ["0.01", "0.1", "0.5", "0.9"]),
    ],
)
def test_axes_are_marked_at_round_numbers(axis: svg.Axis, marks: list[str]) -> None:
    assert [text for _, text in axis.ticks()] == marks


def test_texts_of_a_chart_are_escaped() -> None:
    axis = svg.Axis("<b>", 0.0, 1.0)
    drawn = svg.Plot("a", '"><script>', axis, axis).render()
    assert "<b>" not in drawn
    assert "<script>" not in drawn


def test_the_area_under_the_drawn_curve_is_the_average_precision() -> None:
    scores = many(3000)
    found = draw_curves(scores, None)
    area = float(np.trapezoid(found.precision.y, GRID))
    exact = average_precision_score(scores.label, scores.score)
    assert area == pytest.approx(exact, abs=0.01)


def test_days_are_counted_as_in_the_metrics() -> None:
    scores = replace(many(400), day=np.arange(400) // 40 + 17_000, amount=np.ones(400))
    found = explore({"test": scores}, Threshold("fixed", 0.1), Costs())
    assert found is not None
    truth = evaluate(scores, np.full(400, 0.1), Costs())
    assert found.value_of("test", found.chosen)["alerts_per_day"] == truth["alerts_per_day"]
