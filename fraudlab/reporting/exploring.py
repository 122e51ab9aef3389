"""What each cut would have caught and cost: the numbers behind the slider.

Only counts and sums are kept; what the page makes of them is what `metrics.rates` makes of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fraudlab.config import Costs
from fraudlab.manifest import Threshold
from fraudlab.metrics import DECISIONS, rates
from fraudlab.preprocess import Floats
from fraudlab.protocols import Scores
from fraudlab.scoring import row_cuts

POINTS = 400
Knob = Literal["threshold", "alert_cost"]
Counts = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What the cuts make of one part, by cut.

    `caught` is the amount of the frauds alerted, `at_stake` that of all frauds; None without
    amounts, as `days` is without days.
    """

    rows: int
    frauds: int
    days: int | None
    tp: Counts
    fp: Counts
    caught: Floats | None
    at_stake: float | None


@dataclass(frozen=True, slots=True)
class Explorer:
    """The cuts that can be tried, and what they make of each part.

    Attributes
    ----------
    knob
        What is turned: the threshold of all rows, or the cost of an alert that gives each row its
        own.
    values
        Float64 [K], ascending.
    chosen
        The place of the shipped one among them.
    interval
        How far the chosen threshold could have moved.
    """

    knob: Knob
    values: Floats
    chosen: int
    interval: tuple[float, float] | None
    parts: dict[str, Outcomes]
    costs: Costs

    def value_of(self, part: str, place: int) -> dict[str, float]:
        """Return the metrics of a part under the cut at `place`."""
        found = rates(self._sums(part, place))
        known = set(DECISIONS)
        return {name: float(of) for name, of in found.items() if name in known and np.isfinite(of)}

    def costs_of(self, part: str) -> Floats | None:
        """Return what each cut costs; None where amounts would be needed."""
        own = self.parts[part]
        return self._cost(own, own.tp, own.fp, own.caught)

    def baseline_of(self, part: str) -> float | None:
        """Return what the cheaper of alerting no row and every row costs."""
        own = self.parts[part]
        none = self._cost(own, 0, 0, 0.0)
        every = self._cost(own, own.frauds, own.rows - own.frauds, own.at_stake)
        return None if none is None or every is None else float(min(none, every))

    def _cost(
        self, own: Outcomes, tp: Counts | int, fp: Counts | int, caught: Floats | float | None
    ) -> Floats | None:
        costs = self.costs
        if costs.false_negative != "amount":
            missed: Floats = float(costs.false_negative) * (own.frauds - np.asarray(tp))
        elif caught is None or own.at_stake is None:
            return None
        else:
            missed = np.asarray(own.at_stake - caught)
        alerts = costs.true_positive * np.asarray(tp) + costs.false_positive * np.asarray(fp)
        passed = costs.true_negative * (own.rows - own.frauds - np.asarray(fp))
        result: Floats = alerts + passed + missed
        return result

    def _sums(self, part: str, place: int) -> Mapping[str, float]:
        """Return what `metrics.rates` reads; what no cut changes is left 0."""
        own = self.parts[part]
        tp, fp = int(own.tp[place]), int(own.fp[place])
        sums = {"squared": 0.0, "loss": 0.0, "score": 0.0, "rows": own.rows, "tp": tp, "fp": fp}
        sums |= {"fn": own.frauds - tp, "tn": own.rows - own.frauds - fp}
        if own.days is not None:
            sums["days"] = own.days
        if own.caught is not None and own.at_stake is not None:
            sums |= {"caught": float(own.caught[place]), "at_stake": own.at_stake}
        cost, baseline = self.costs_of(part), self.baseline_of(part)
        if cost is not None and baseline is not None:
            sums |= {"cost": float(cost[place]), "cost_none": baseline, "cost_all": baseline}
        return sums


def explore(parts: Mapping[str, Scores], threshold: Threshold, costs: Costs) -> Explorer | None:
    """Return the cuts worth trying on `parts`, of which there must be one; the shipped among them.

    Few alerts are told apart one by one, many by some percent: the values lie as densely as the
    number of alerts grows.
    """
    if not parts or (threshold.alert_cost is not None and parts_lack_amounts(parts)):
        return None
    knob: Knob = "threshold" if threshold.alert_cost is None else "alert_cost"
    shipped = threshold.value if threshold.alert_cost is None else threshold.alert_cost
    keys = np.concatenate([_keys(scores, knob) for scores in parts.values()])
    values = np.unique(np.append(_between(keys), shipped))
    return Explorer(
        knob=knob,
        values=values,
        chosen=int(np.searchsorted(values, shipped)),
        interval=threshold.interval,
        parts={name: _outcomes(scores, knob, values) for name, scores in parts.items()},
        costs=costs,
    )


def parts_lack_amounts(parts: Mapping[str, Scores]) -> bool:
    """Whether a part has no amounts."""
    return any(scores.amount is None for scores in parts.values())


def _keys(scores: Scores, knob: Knob) -> Floats:
    """Return the value below which each row is an alert, of those that a value decides."""
    if knob == "threshold" or scores.amount is None:
        return scores.score
    keys: Floats = (scores.score * scores.amount)[scores.score < 1]
    return keys[keys > 0]


def _between(keys: Floats) -> Floats:
    """Return at most `POINTS` values between the distinct keys, and one that each lies above."""
    distinct, rows = np.unique(keys, return_counts=True)
    if not len(distinct):
        return np.array([])
    descending, alerts = distinct[::-1], np.cumsum(rows[::-1])
    wanted = np.unique(np.geomspace(1, alerts[-1], POINTS - 2).round())
    places = np.unique(np.searchsorted(alerts, wanted))
    below = np.append(descending[1:], descending[-1])
    middle = (descending + below) / 2
    kept = np.where(middle > below, middle, descending)[places]
    return np.append(kept, np.nextafter(descending[0], np.inf))


def _outcomes(scores: Scores, knob: Knob, values: Floats) -> Outcomes:
    fraud = scores.label == 1
    amount = scores.amount
    at_stake = None if amount is None else np.where(fraud, amount, 0.0)
    tp, fp = np.empty(len(values), dtype=np.int64), np.empty(len(values), dtype=np.int64)
    caught = np.empty(len(values))
    for place, value in enumerate(values):
        if knob == "threshold" or amount is None:
            alert = scores.score >= value
        else:
            alert = scores.score >= row_cuts(0.0, float(value), amount)
        tp[place] = np.count_nonzero(alert & fraud)
        fp[place] = np.count_nonzero(alert) - tp[place]
        caught[place] = 0.0 if at_stake is None else float(at_stake[alert].sum())
    return Outcomes(
        rows=len(fraud),
        frauds=int(fraud.sum()),
        days=None if scores.day is None else len(np.unique(scores.day)),
        tp=tp,
        fp=fp,
        caught=None if at_stake is None else caught,
        at_stake=None if at_stake is None else float(at_stake.sum()),
    )
