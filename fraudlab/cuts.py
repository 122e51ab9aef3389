"""Every possible cut of scored rows, and what each would catch: the choice of a strategy.

A cut lies at a distinct score: rows with that score or more are alerts. Tied rows are alerted
together or not at all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fraudlab.preprocess import Floats
from fraudlab.protocols import Cut, Scores

Counts = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Curve:
    """What each distinct score, highest first, would catch as a cut."""

    score: Floats
    alerts: Counts
    hits: Counts
    frauds: int

    @property
    def precision(self) -> Floats:
        """Hits per alert."""
        result: Floats = self.hits / self.alerts
        return result

    @property
    def recall(self) -> Floats:
        """Hits per fraud."""
        result: Floats = self.hits / max(self.frauds, 1)
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

    def cut(self, place: int, *, feasible: bool = True) -> Cut:
        """Return the cut at `place`, with what it reaches."""
        reached = {
            "precision": float(self.precision[place]),
            "recall": float(self.recall[place]),
            "alerts": float(self.alerts[place]),
        }
        return Cut(self.threshold(place), feasible, reached)


def curve(scores: Scores) -> Curve:
    """Return the curve of scored rows."""
    order = np.argsort(-scores.score, kind="stable")
    score, label = scores.score[order], scores.label[order].astype(np.int64)
    last = np.flatnonzero(np.append(np.diff(score) != 0, True))
    return Curve(
        score=score[last],
        alerts=last + 1,
        hits=np.cumsum(label)[last],
        frauds=int(label.sum()),
    )


def best_place(value: Floats, *, allowed: NDArray[np.bool_] | None = None) -> int:
    """Return where `value` is largest; of equals, the highest score (fewest alerts)."""
    masked = value if allowed is None else np.where(allowed, value, -np.inf)
    return int(np.argmax(masked))
