"""The cut that costs least."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from fraudlab.config import Costs
from fraudlab.cuts import Curve, curve, require
from fraudlab.errors import ConfigError
from fraudlab.preprocess import Floats
from fraudlab.protocols import Cut, Scores
from fraudlab.registry import register

INSTEAD = (
    "a number for all of them (costs.false_negative=100), or max_fbeta, min_recall, min_precision,"
    " max_fpr, fixed"
)


def consistent(
    *,
    true_positive: float,
    false_positive: float,
    false_negative: float | Literal["amount"],
    true_negative: float,
) -> None:
    """Refuse costs that are no numbers, or under which one answer is the best for every row."""
    fault = Costs(true_positive, false_positive, false_negative, true_negative).fault()
    if fault is not None:
        raise _wrong(*fault)
    if not isinstance(false_negative, str) and false_negative <= true_positive:
        raise _wrong(
            "false_negative",
            "must be more than true_positive: otherwise catching a fraud saves nothing and no row"
            f" is worth an alert; got {false_negative!r} and {true_positive!r}",
        )


def _wrong(name: str, rule: str) -> ConfigError:
    key = f"threshold_strategy.params.{name}"
    return ConfigError(f"{key} {rule} (it is costs.{name} unless set there)", key)


@register("threshold_strategy", "min_cost", consistent=consistent)
def min_cost(
    *,
    true_positive: float = 5.0,
    false_positive: float = 5.0,
    false_negative: float | Literal["amount"] = "amount",
    true_negative: float = 0.0,
) -> MinCost:
    """Minimise the cost of all decisions on validation, by one cut for all rows.

    With the same costs for every row and scores that are exact probabilities, the best cut is known
    without any data (Elkan, 2001): p* = (c10 - c00) / (c10 - c00 + c01 - c11), where c10 is the
    cost of a false positive, c00 of a true negative, c01 of a false negative, c11 of a true
    positive. Calibrated scores are only nearly probabilities, and costs that depend on the amount
    have no single p*; so the cut is searched for, over all distinct scores and over alerting
    nothing, on scores that were calibrated without the rows they belong to. Unless set here, the
    costs are those of `costs`, so what is minimised is the metric `cost`.

    Parameters
    ----------
    true_positive, false_positive
        What an alert costs that is a fraud, and one that is not.
    false_negative
        What a missed fraud costs: a number, or amount, the amount of its row.
    true_negative
        What a genuine row costs that is let through.

    References
    ----------
    Elkan: The Foundations of Cost-Sensitive Learning, IJCAI 2001.
    """
    return MinCost(true_positive, false_positive, false_negative, true_negative)


@dataclass(frozen=True)
class MinCost:
    """Searches all distinct scores, and alerting nothing."""

    true_positive: float
    false_positive: float
    false_negative: float | Literal["amount"]
    true_negative: float

    @property
    def needs(self) -> tuple[str, ...]:
        """Amounts, when they are what is lost."""
        return ("amount",) if isinstance(self.false_negative, str) else ()

    def choose(self, scores: Scores) -> Cut:
        """Return the cut; of those that cost the same, the one with fewest alerts."""
        require("min_cost", self.needs, scores, INSTEAD)
        cuts = curve(scores)
        total = self._totals(cuts)
        place = int(np.argmin(total))
        cost = float(total[place])
        return cuts.cut(place - 1, cost=cost) if place else cuts.none(cost=cost)

    def _totals(self, cuts: Curve) -> Floats:
        """Return the cost of alerting nothing, then of each cut."""
        rows = cuts.rows
        fraud = rows.label == 1
        lost = self.false_negative
        missed = rows.amount if isinstance(lost, str) else lost
        assert missed is not None
        passed = np.where(fraud, missed, self.true_negative)
        alerted = np.where(fraud, self.true_positive, self.false_positive)
        nothing = float(cuts.weight @ passed)
        return np.append(nothing, nothing + cuts.sums(alerted - passed))
