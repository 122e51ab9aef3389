"""The metrics of one scored part under many weightings of its clusters at once.

A bootstrap draw gives every cluster (card, day or row) a whole number: how often it was drawn. What
depends on the order of the rows is prepared once, so that a draw costs one sparse product and sums
over the frauds, not another sort. Weights of 1 give what `metrics.evaluate` gives.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fraudlab.budgets import BUDGET, Day, card_shares, cards_by_day, row_shares, rows_by_day
from fraudlab.config import Costs
from fraudlab.metrics import rates, tallies
from fraudlab.preprocess import Floats
from fraudlab.protocols import Labels, Scores

if TYPE_CHECKING:
    from scipy import sparse

Weights = NDArray[np.float32]
Clusters = NDArray[np.int64]

_DEPTH = 8 * BUDGET  # how far down a day is looked at before the whole of it is


@dataclass(frozen=True, slots=True)
class Part:
    """Scored rows, the threshold of each, and the same rows with the scores that rank them."""

    scores: Scores
    thresholds: Floats
    ranked: Scores


class Weighed:
    """A part ready to be weighed.

    Parameters
    ----------
    part
        The scored rows.
    cluster
        Each row's cluster, int64 [N] in 0..C-1.
    unit
        What the clusters are: card, day or row.
    count
        C.
    costs
        What each outcome costs.
    """

    def __init__(
        self, part: Part, cluster: Clusters, unit: str, count: int, costs: Costs | None
    ) -> None:
        self._sorted = _sorted_counts(part.ranked.score, part.ranked.label, cluster, count)
        sums = tallies(part.scores, part.thresholds, costs)
        days = sums.pop("days", None)
        self._days = None if days is None else float(days.sum())
        self._names = list(sums)
        self._sums = np.array(
            [np.bincount(cluster, weights=of, minlength=count) for of in sums.values()]
        )
        self._budgets = None if days is None else _budgets(part.ranked, cluster, unit)

    @property
    def width(self) -> int:
        """The numbers that one draw needs at once."""
        return int(max(self._sorted.shape))

    def metrics(self, weights: Weights) -> dict[str, Floats]:
        """Return each metric under each of B weightings, float64 [B]; NaN where undefined.

        Parameters
        ----------
        weights
            Float32 [C, B].
        """
        totals = self._sums @ weights.astype(np.float64)
        sums = dict(zip(self._names, totals, strict=True))
        if self._days is not None:
            sums["days"] = np.full(weights.shape[1], self._days)
        found = self._ranking(weights) | rates(sums)
        return found if self._budgets is None else found | self._budgets.metrics(weights)

    def _ranking(self, weights: Weights) -> dict[str, Floats]:
        counts = np.asarray(self._sorted @ weights, dtype=np.float64)
        between, genuine, fraud = counts[0::3], counts[1::3], counts[2::3]
        hits = np.cumsum(fraud, axis=0)
        above = np.cumsum(between[:-1] + genuine, axis=0)  # genuine rows down to each score
        frauds, others = hits[-1], above[-1] + between[-1]
        alerts = hits + above
        precision = np.divide(hits, alerts, out=np.zeros_like(hits), where=alerts > 0)
        beaten = others - above + genuine / 2
        with np.errstate(invalid="ignore", divide="ignore"):
            return {
                "average_precision": (fraud * precision).sum(axis=0) / frauds,
                "roc_auc": (fraud * beaten).sum(axis=0) / (frauds * others),
            }


def _sorted_counts(
    score: Floats, label: Labels, cluster: Clusters, count: int
) -> sparse.csr_matrix:
    """Return how many rows of each cluster lie between, and at, the scores that frauds have.

    From the highest score down, of F distinct scores with a fraud: 3f is the genuine rows above the
    f-th and below the one before, 3f + 1 the genuine rows and 3f + 2 the frauds at it; the last of
    the 3F + 1 rows is what lies below them all. Shape [3F + 1, C].
    """
    from scipy import sparse

    order = np.argsort(-score, kind="stable")
    ranked, fraud = score[order], label[order] == 1
    group = np.cumsum(np.append(False, np.diff(ranked) != 0))
    holds = np.bincount(group, weights=fraud) > 0
    passed = np.cumsum(holds)
    place = np.where(holds[group], 3 * passed[group] - 2 + fraud, 3 * passed[group])
    shape = (3 * int(passed[-1]) + 1, count)
    ones = np.ones(len(order), dtype=np.float32)
    return sparse.csr_matrix((ones, (place, cluster[order])), shape=shape)


@dataclass(frozen=True, slots=True)
class DrawnDays:
    """Days are drawn: each keeps its shares, and counts as often as it was drawn."""

    days: Clusters
    shares: dict[str, Floats]

    def metrics(self, weights: Weights) -> dict[str, Floats]:
        """Return the means over the days of this part that were drawn; NaN where none was."""
        own = weights[self.days].astype(np.float64)
        drawn = own.sum(axis=0)
        drawn[drawn == 0] = np.nan
        return {name: of @ own / drawn for name, of in self.shares.items()}


@dataclass(frozen=True, slots=True)
class DrawnItems:
    """Cards or rows are drawn: one that counts twice takes two of a day's places."""

    cards: list[Day]
    rows: list[Day]

    def metrics(self, weights: Weights) -> dict[str, Floats]:
        """Return the metrics of the budget."""
        shares = [_taken(*_deep_enough(day, weights))[1] for day in self.rows]
        found: dict[str, Floats] = {f"precision_at_{BUDGET}": np.mean(shares, axis=0)}
        if self.cards:
            precision, recall = _detected(self.cards, weights)
            found[f"card_precision_at_{BUDGET}"] = precision
            found[f"card_recall_at_{BUDGET}"] = recall
        return found


def _budgets(ranked: Scores, cluster: Clusters, unit: str) -> DrawnDays | DrawnItems:
    """Return what the budget metrics need; where rows are drawn no card is whole: none of cards."""
    if unit == "day":
        shares = {f"precision_at_{BUDGET}": row_shares(ranked, BUDGET)}
        if ranked.card is not None:
            shares[f"card_precision_at_{BUDGET}"] = card_shares(ranked, BUDGET)[0]
        assert ranked.day is not None
        days = cluster[np.unique(ranked.day, return_index=True)[1]]
        return DrawnDays(days, {name: np.array(of) for name, of in shares.items()})
    cards: Iterable[Day] = ()
    if unit == "card":
        assert ranked.card is not None
        known, first = np.unique(ranked.card, return_index=True)
        cards = (
            Day(cluster[first[np.searchsorted(known, day.item)]], day.fraud)
            for day in cards_by_day(ranked)
        )
    rows = [Day(cluster[day.item], day.fraud) for day in rows_by_day(ranked)]
    return DrawnItems(list(cards), rows)


def _deep_enough(
    day: Day, weights: Weights, detected: NDArray[np.bool_] | None = None
) -> tuple[Day, Weights]:
    """Return the first of a day's items and their weights: so many that they fill the budget."""
    top = Day(day.item[:_DEPTH], day.fraud[:_DEPTH])
    for looked in (top, day):
        weight = weights[looked.item]
        if detected is not None:
            weight = weight * ~detected[looked.item]
        if len(looked.item) == len(day.item) or weight.sum(axis=0).min() >= BUDGET:
            break
    return looked, weight


def _taken(day: Day, weight: Weights) -> tuple[Weights, Floats]:
    """Return how much of each item takes a place, and the share of frauds among the places."""
    before = np.cumsum(weight, axis=0) - weight
    taken = np.clip(BUDGET - before, 0.0, weight)
    share: Floats = taken[day.fraud].sum(axis=0, dtype=np.float64) / BUDGET
    return taken, share


def _detected(days: list[Day], weights: Weights) -> tuple[Floats, Floats]:
    """Return card precision and card recall, found cards left out on later days."""
    detected = np.zeros(weights.shape, dtype=bool)
    compromised = np.zeros(len(weights), dtype=bool)
    shares = []
    for whole in days:
        compromised[whole.item[whole.fraud]] = True
        day, weight = _deep_enough(whole, weights, detected)
        taken, share = _taken(day, weight)
        shares.append(share)
        detected[day.item[day.fraud]] |= taken[day.fraud] > 0
    found = (weights * detected).sum(axis=0, dtype=np.float64)
    all_of_them = weights[compromised].sum(axis=0, dtype=np.float64)
    recall = np.divide(found, all_of_them, out=np.full_like(found, np.nan), where=all_of_them > 0)
    return np.mean(shares, axis=0), recall
