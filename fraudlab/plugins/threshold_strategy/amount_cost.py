"""A cut for each amount: alert where the loss to expect exceeds the work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from fraudlab.cuts import curve, require
from fraudlab.protocols import Cut, Scores
from fraudlab.registry import register
from fraudlab.scoring import row_cuts

INSTEAD = (
    "min_cost with a number for costs.false_negative, or max_fbeta, min_recall, min_precision,"
    " max_fpr, fixed"
)


@register("threshold_strategy", "amount_cost")
def amount_cost(*, alert_cost: Annotated[float, Meta(gt=0, le=1e12)] = 5.0) -> AmountCost:
    """Alert a row when its score times its amount is at least the cost of an alert.

    Each row has a cut of its own, min(1, alert_cost / amount); an amount of 0 is alerted at a score
    of 1 only. That is Bayes minimum risk when an alert costs its handling, a missed fraud its
    amount, and scores are probabilities: use it with a calibration other than identity wherever
    train was resampled or weighted.

    Parameters
    ----------
    alert_cost
        What handling one alert costs, fraud or not, in the currency of the amounts.

    References
    ----------
    Bahnsen, Stojanovic, Aouada, Ottersten: Cost Sensitive Credit Card Fraud Detection Using Bayes
    Minimum Risk, ICMLA 2013.
    """
    return AmountCost(alert_cost)


@dataclass(frozen=True)
class AmountCost:
    """Learns nothing from the rows but what it reaches."""

    alert_cost: float
    needs = ("amount",)

    def choose(self, scores: Scores) -> Cut:
        """Return the cost as the cut, with the smallest row cut met as its value."""
        require("amount_cost", self.needs, scores, INSTEAD)
        cuts = curve(scores)
        rows = cuts.rows
        assert rows.amount is not None
        own = row_cuts(self.alert_cost, self.alert_cost, rows.amount)
        reached = cuts.reached_by(own)
        missed = (rows.score < own) & (rows.label == 1)
        cost = reached["alerts"] * self.alert_cost + float(cuts.weight @ (missed * rows.amount))
        lowest = float(own[cuts.weight > 0].min())
        return Cut(lowest, reached=reached | {"cost": cost}, alert_cost=self.alert_cost)
