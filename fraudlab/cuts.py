"""Every possible cut of scored rows, and what each would catch: the choice of a strategy.

A cut lies at a distinct score: rows with that score or more are alerts. Tied rows are alerted
together or not at all. Rows count as often as their weight says, and not at all with weight 0, so
a bootstrap chooses anew by weighing the same rows; it keeps them in descending order of score,
which is then not established again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fraudlab.errors import DataError
from fraudlab.preprocess import Floats
from fraudlab.protocols import Cut, Scores

SPAN = 100_000  # days from the first to the last; beyond it they are counted by sorting
_COLUMNS = {
    "amount": ("amounts", "data.amount=COLUMN"),
    "day": ("days", "data.time=COLUMN"),
    "card": ("cards", "data.entities=COLUMN"),
}


@dataclass(frozen=True, slots=True)
class Curve:
    """What each distinct score, highest first, would catch as a cut.

    Attributes
    ----------
    rows, weight
        The scored rows, highest score first, and how often each counts.
    ends
        For each cut, the place in `rows` of its last row.
    score, alerts, hits
        For each cut, its distinct score, its rows, and the frauds among them, by weight.
    frauds, genuine
        How many there are, by weight.
    days
        How many calendar days were scored; None without days. A bootstrap that leaves out all rows
        of a day has still scored it.
    """

    rows: Scores
    weight: Floats
    ends: NDArray[np.intp]
    score: Floats
    alerts: Floats
    hits: Floats
    frauds: float
    genuine: float
    days: int | None

    @property
    def precision(self) -> Floats:
        """Hits per alert."""
        result: Floats = self.hits / self.alerts
        return result

    @property
    def recall(self) -> Floats:
        """Hits per fraud."""
        return _shares(self.hits, self.frauds)

    @property
    def fpr(self) -> Floats:
        """False alarms per genuine row."""
        return _shares(self.alerts - self.hits, self.genuine)

    def sums(self, value: Floats) -> Floats:
        """Return, for each cut, the weighted sum over its alerts of `value`, one per row."""
        result: Floats = np.cumsum(self.weight * value)[self.ends]
        return result

    def threshold(self, place: int) -> float:
        """Return the midpoint between the distinct score at `place` and the next lower one.

        Below the lowest score there is nothing to keep apart: the score itself is the cut.
        """
        chosen = float(self.score[place])
        if place + 1 == len(self.score):
            return chosen
        middle = (chosen + float(self.score[place + 1])) / 2
        return middle if middle > self.score[place + 1] else chosen

    def cut(self, place: int, *, feasible: bool = True, **more: float) -> Cut:
        """Return the cut at `place`, with what it reaches, and `more` that it reaches."""
        reached = self._reached(float(self.alerts[place]), float(self.hits[place]))
        return Cut(self.threshold(place), feasible, reached | more)

    def none(self, **more: float) -> Cut:
        """Return the cut just above the highest score, which alerts no row.

        Above a score of 1 that is the next number after 1: a score never reaches it.
        """
        above = float(np.nextafter(self.score[0], 2.0))
        return Cut(above, reached=self._reached(0.0, 0.0) | more)

    def reached_by(self, thresholds: Floats | float) -> dict[str, float]:
        """Return what a given cut reaches, or one for each of `rows`."""
        alert = self.rows.score >= thresholds
        weight = self.weight[alert]
        hits = weight @ (self.rows.label[alert] == 1)
        return self._reached(float(weight.sum()), float(hits))

    def _reached(self, alerts: float, hits: float) -> dict[str, float]:
        false = alerts - hits
        reached = {
            "precision": hits / alerts if alerts else 0.0,
            "recall": hits / self.frauds if self.frauds else 0.0,
            "fpr": false / self.genuine if self.genuine else 0.0,
            "alerts": alerts,
        }
        return reached if self.days is None else reached | {"alerts_per_day": alerts / self.days}


def curve(scores: Scores) -> Curve:
    """Return the curve of scored rows; at least one of them has to count."""
    rows = _descending(scores)
    weight = _weights(rows)
    ends, alerts, hits = _sums(rows, weight)
    return Curve(
        rows=rows,
        weight=weight,
        ends=ends,
        score=rows.score[ends],
        alerts=alerts,
        hits=hits,
        frauds=float(hits[-1]),
        genuine=float(alerts[-1] - hits[-1]),
        days=None if rows.day is None else _number_of(rows.day),
    )


def _sums(rows: Scores, weight: Floats) -> tuple[NDArray[np.intp], Floats, Floats]:
    """Return the last row of each score that any row counts of, and the alerts and hits there."""
    changes = rows.score[1:] != rows.score[:-1]
    if changes.all():  # all rows have scores of their own: those that do not count need no sums
        ends = np.flatnonzero(weight > 0)
        own = weight[ends]
        return ends, np.cumsum(own), np.cumsum(own * rows.label[ends])
    ends = np.flatnonzero(np.append(changes, True))
    alerts = np.cumsum(weight)[ends]
    counts = np.diff(alerts, prepend=0.0) > 0
    if not counts.all():  # scores of which no row counts
        ends, alerts = ends[counts], alerts[counts]
    return ends, alerts, np.cumsum(weight * rows.label)[ends]


def _descending(scores: Scores) -> Scores:
    """Return what a cut depends on, highest score first; of equals the first stays first."""
    rows = replace(scores, row=None, segment=None, fold=None)
    if (rows.score[:-1] >= rows.score[1:]).all():
        return rows
    return rows.rows(np.argsort(-rows.score, kind="stable"))


def _weights(rows: Scores) -> Floats:
    if rows.weight is None:
        return np.ones(len(rows.score))
    # a bootstrap draws in less, too coarse for ratios
    return rows.weight.astype(np.float64, copy=False)


def _shares(part: Floats, whole: float) -> Floats:
    result: Floats = part / whole if whole else np.zeros(len(part))
    return result


def _number_of(day: NDArray[np.int64]) -> int:
    """Return how many days there are; counting is many times as fast as sorting."""
    first = day.min()
    if day.max() - first > SPAN:
        return len(np.unique(day))
    return int(np.count_nonzero(np.bincount(day - first)))


def best_place(value: Floats, *, allowed: NDArray[np.bool_] | None = None) -> int:
    """Return where `value` is largest; of equals, the highest score (fewest alerts)."""
    masked = value if allowed is None else np.where(allowed, value, -np.inf)
    return int(np.argmax(masked))


def require(strategy: str, needs: Sequence[str], rows: Scores, instead: str) -> None:
    """Refuse rows that lack what a strategy cannot do without.

    Parameters
    ----------
    strategy
        Its name.
    needs
        Names of what scored rows may have: amount, day, card.
    rows
        The scored rows.
    instead
        What to choose without.

    Raises
    ------
    DataError
        If one is None; the message says how to name the column.
    """
    missing = [name for name in needs if getattr(rows, name) is None]
    if missing:
        what = " and ".join(_COLUMNS[name][0] for name in missing)
        how = " ".join(_COLUMNS[name][1] for name in missing)
        raise DataError(
            f"threshold_strategy={strategy} needs {what}, and the table has none: name the column"
            f" ({how}), or choose another: {instead}"
        )
