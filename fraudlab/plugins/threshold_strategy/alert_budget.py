"""The cut that makes as much work as there are hands for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from msgspec import Meta

from fraudlab.cuts import Curve, curve, require
from fraudlab.preprocess import Floats
from fraudlab.protocols import Cut, Scores
from fraudlab.registry import register

INSTEAD = "max_fpr (a share of the genuine rows), max_fbeta, min_recall, min_precision, fixed"


@register("threshold_strategy", "alert_budget")
def alert_budget(
    *,
    alerts_per_day: Annotated[float, Meta(gt=0, le=1e12)] = 100.0,
    per: Literal["row", "card"] = "row",
) -> AlertBudget:
    """Alert as much as can be looked at: the lowest cut within a daily budget on validation.

    The budget holds for the mean over the calendar days that were scored; single days differ. In
    service nobody knows the hundred highest of a day before it is over, so the budget becomes a
    cut; watch alerts per day, and choose again when they move. A budget that all rows fit into
    alerts every row.

    Parameters
    ----------
    alerts_per_day
        The budget. When the rows with the highest score exceed it already the result says so
        (`feasible: false`) and they are the alerts.
    per
        What is looked at: row, each alert by itself, or card, all alerts of a card on one day at
        once.
    """
    return AlertBudget(alerts_per_day, per)


@dataclass(frozen=True)
class AlertBudget:
    """Searches all distinct scores."""

    alerts_per_day: float
    per: Literal["row", "card"]

    @property
    def needs(self) -> tuple[str, ...]:
        """Days, and cards where they are what is counted."""
        return ("day", "card") if self.per == "card" else ("day",)

    def choose(self, scores: Scores) -> Cut:
        """Return the lowest cut within the budget."""
        require("alert_budget", self.needs, scores, INSTEAD)
        cuts = curve(scores)
        assert cuts.days is not None
        if self.per == "row":
            used = cuts.alerts / cuts.days
        else:
            used = _cards_per_day(cuts, self.alerts_per_day)
        within = int(np.searchsorted(used, self.alerts_per_day, side="right"))
        place = max(within - 1, 0)
        more = {"cards_per_day": float(used[place])} if self.per == "card" else {}
        return cuts.cut(place, feasible=within > 0, **more)


def _cards_per_day(cuts: Curve, budget: float) -> Floats:
    """Return how many cards a day each cut alerts, as far as one cut beyond the budget.

    A card counts once a day, as often as the highest of its rows that counts: a card that was drawn
    twice is two cards. The highest rows are looked at first and more of them only while the budget
    is not used up.
    """
    assert cuts.days is not None
    last = len(cuts.ends) - 1
    place = min(int(np.searchsorted(cuts.alerts, 2 * budget * cuts.days)), last)
    while True:
        ends = cuts.ends[: place + 1]
        used: Floats = np.cumsum(_first_of_cards(cuts, int(ends[-1]) + 1))[ends] / cuts.days
        if used[-1] > budget or place == last:
            return used
        place = min(2 * place + 1, last)


def _first_of_cards(cuts: Curve, looked: int) -> Floats:
    """Return the weight of each row that is the first of its card on its day, 0 of the others."""
    rows, weight = cuts.rows, cuts.weight[:looked]
    assert rows.day is not None
    assert rows.card is not None
    counted = np.flatnonzero(weight > 0)
    day, card = rows.day[counted], rows.card[counted]
    order = np.lexsort((card, day))  # stable: of one card's rows the highest stands first
    again = (np.diff(day[order]) == 0) & (np.diff(card[order]) == 0)
    first = counted[order[np.append(True, ~again)]]
    found = np.zeros(looked)
    found[first] = weight[first]
    return found
