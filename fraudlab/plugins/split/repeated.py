"""Calendar windows with a label delay, fitted several times on a share of the training rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from msgspec import Meta

from fraudlab.estimators import Seed, Share
from fraudlab.plugins.split.temporal import Temporal, Windows
from fraudlab.protocols import Fold, Rows, Split, Stage
from fraudlab.registry import register
from fraudlab.splitting import Days, DaysOrNone, parse_day
from fraudlab.table import Table

SEEDS = 2**32


@register("split", "repeated")
def repeated(
    *,
    start: str | None = None,
    train_days: Days = 7,
    delay_days: DaysOrNone = 7,
    test_days: Days = 7,
    known_days: DaysOrNone = 7,
    grouped: bool = False,
    repeats: Annotated[int, Meta(ge=1, le=1000)] = 4,
    fraction: Share = 0.7,
    random_state: Seed = 42,
) -> Repeated:
    """Repeat split=temporal, each time fitting a random share of the training rows.

    The spread over the repeats tells how much a result owes to the rows it happened to be trained
    on. What is scored is the same every time. The first repeat is the one that is shipped.

    Parameters
    ----------
    start
        First day of the training window (YYYY-MM-DD); null takes the latest windows that fit.
    train_days, delay_days, test_days
        Lengths of the windows. The delay is how long labels take to arrive.
    known_days
        Cards with a fraud in this many days before the delay are known to be compromised and are
        not scored; nor, on each scored day, are cards whose fraud has become known by then.
    grouped
        Whether to score only cards that the training window does not have.
    repeats
        How often.
    fraction
        Share of the training rows of each repeat, taken from frauds and from genuine rows apart.
    random_state
        Seed of the first repeat; each further one takes the next.

    References
    ----------
    Le Borgne et al., Reproducible Machine Learning for Credit Card Fraud Detection, chapter 5.
    """
    windows = Windows(train_days, delay_days, test_days, known_days, grouped)
    once = Temporal("repeated", parse_day("start", start), windows)
    return Repeated(once, repeats, fraction, random_state)


@dataclass(frozen=True)
class Repeated:
    """The split that is repeated, and how train is sampled."""

    once: Temporal
    repeats: int
    fraction: float
    random_state: int

    def split(self, table: Table) -> Split:
        """Return a fold and a validation stage per repeat."""
        (whole,) = self.once.split(table).folds
        folds = [
            Fold(self._sampled(table, whole.cut, number), self._sampled(table, whole.test, number))
            for number in range(self.repeats)
        ]
        return Split(folds=tuple(folds), validation=tuple(fold.cut for fold in folds))

    def _sampled(self, table: Table, stage: Stage, number: int) -> Stage:
        seed = (self.random_state + number) % SEEDS
        label = table.label[stage.fit]
        drawn = [self._drawn(stage.fit[label == value], seed) for value in (0, 1)]
        return Stage(np.sort(np.concatenate(drawn)), stage.judge)

    def _drawn(self, rows: Rows, seed: int) -> Rows:
        """Return the rows that pandas' `sample(frac=fraction, random_state=seed)` would take."""
        size = round(self.fraction * len(rows))
        return rows[np.random.RandomState(seed).choice(len(rows), size=size, replace=False)]
