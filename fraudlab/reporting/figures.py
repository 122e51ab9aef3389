"""The charts of a run's report."""

from __future__ import annotations

import numpy as np
from markupsafe import Markup

from fraudlab.links import expit
from fraudlab.preprocess import Floats
from fraudlab.reporting.curves import GRID, Curves, Line
from fraudlab.reporting.exploring import Explorer
from fraudlab.reporting.reliability import Histogram, Reliability
from fraudlab.reporting.svg import Axis, Plot

_TEST, _VALIDATION, _CHANCE, _SHIPPED = "test", "validation", "chance", "shipped"
_LEAST = 1e-5  # of an axis of probabilities
_EDGE = 1e-6


def precision_recall(curves: dict[str, Curves]) -> Markup:
    """Return precision by recall: test with its band, validation, and what chance would give."""
    x = Axis("recall: share of the frauds caught", 0.0, 1.0, percent=True)
    y = Axis("precision: frauds per alert", 0.0, 1.0, percent=True)
    plot = Plot("pr", "Precision by recall", x, y)
    _lines(plot, {part: of.precision for part, of in curves.items()})
    chance = next(iter(curves.values())).prevalence
    plot.line(np.array([0.0, 1.0]), np.array([chance, chance]), _CHANCE)
    plot.marker()
    return plot.render()


def receiver(curves: dict[str, Curves]) -> Markup:
    """Return recall by the share of false positives."""
    x = Axis("false alarms per genuine row", 0.0, 1.0, percent=True)
    y = Axis("recall: share of the frauds caught", 0.0, 1.0, percent=True)
    plot = Plot("roc", "Recall by the share of false alarms (ROC)", x, y)
    _lines(plot, {part: of.recall for part, of in curves.items()})
    plot.line(np.array([0.0, 1.0]), np.array([0.0, 1.0]), _CHANCE)
    plot.marker()
    return plot.render()


def _lines(plot: Plot, lines: dict[str, Line]) -> None:
    for part, line in lines.items():
        if line.low is not None and line.high is not None:
            plot.band(GRID, line.low, line.high, part)
    for part in reversed(lines):  # test, the first, on top
        plot.line(GRID, lines[part].y, part)


def calibration(found: Reliability) -> Markup:
    """Return the share of frauds by score, both axes logarithmic: frauds are rare."""
    seen = [value for of in found.points for value in (of.mean, of.share, of.low) if value > 0]
    low = 10.0 ** np.floor(np.log10(max(_LEAST, min([0.1, *seen]))))
    plot = Plot(
        "calibration",
        "Share of frauds by score",
        Axis("mean score", low, 1.0, "log", percent=True),
        Axis("share of frauds", low, 1.0, "log", percent=True),
    )
    plot.line(np.array([low, 1.0]), np.array([low, 1.0]), _CHANCE)
    for point in found.points:
        plot.whisker(point.mean, max(low, point.low), point.high, _TEST)
        plot.dot(point.mean, max(low, point.share), _TEST if point.share > 0 else f"{_TEST} none")
    return plot.render()


def histogram(found: Histogram, threshold: float | None) -> Markup:
    """Return how the scores of both classes are spread."""
    edges = expit(found.edges)
    ends = float(edges[0]), float(edges[-1])
    x = Axis("score", max(_EDGE, ends[0]), min(1 - _EDGE, ends[1]), "odds")
    top = max(found.genuine.max(), found.fraud.max()) * 1.05
    plot = Plot("scores", "Scores of genuine rows and of frauds", x, _share_axis(top))
    plot.bars(edges, found.genuine, "genuine")
    plot.bars(edges, found.fraud, "fraud")
    if threshold is not None:
        plot.upright(threshold, _SHIPPED)
    return plot.render()


def _share_axis(top: float) -> Axis:
    return Axis("share of the class", 0.0, top, percent=True)


def cost_curve(explorer: Explorer) -> Markup | None:
    """Return what each cut saves of what the cheaper of alerting none and all would cost."""
    saved = savings(explorer)
    if not saved:
        return None
    values = explorer.values
    kind, label = "odds", "threshold"
    if explorer.knob == "alert_cost":
        kind, label = "log", "cost of an alert that sets each row's threshold"
    low, high = float(values[0]), float(values[-1])
    if kind == "odds":
        low, high = max(_EDGE, low), min(1 - _EDGE, high)
    if low >= high:
        return None
    best = max(0.1, *(float(of.max()) for of in saved.values()))
    worst = min(0.0, *(float(of.min()) for of in saved.values()))
    y = Axis("savings", 1.1 * max(worst, -best), 1.1 * best, percent=True)
    plot = Plot("cost", "Savings by threshold", Axis(label, low, high, kind), y)  # type: ignore[arg-type]
    plot.line(np.array([low, high]), np.zeros(2), _CHANCE)
    for part in (_VALIDATION, _TEST):
        if part in saved:
            plot.line(values, saved[part], part)
    shipped = values[explorer.chosen]
    plot.upright(float(np.clip(shipped, low, high)), _SHIPPED)
    plot.marker()
    return plot.render()


def savings(explorer: Explorer) -> dict[str, Floats]:
    """Return the savings of every cut, by part; empty where costs need amounts or make no sense."""
    found = {}
    for part in explorer.parts:
        cost, baseline = explorer.costs_of(part), explorer.baseline_of(part)
        if cost is not None and baseline is not None and baseline > 0:
            found[part] = (baseline - cost) / baseline
    return found
