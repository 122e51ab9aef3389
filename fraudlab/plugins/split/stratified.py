"""Shares of the table for train, validation and test, for tables without a calendar."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from fraudlab.errors import ConfigError
from fraudlab.estimators import Seed
from fraudlab.protocols import Fold, Split, Stage
from fraudlab.registry import register
from fraudlab.splitting import (
    DaysOrNone,
    cards_of,
    duplicates_together,
    in_time_order,
    rows_where,
    time_for_delay,
    unseen_cards,
)
from fraudlab.table import SECONDS_PER_DAY, Table

Share = Annotated[float, Meta(gt=0, lt=1)]
LEFT_OUT = -1


@register("split", "stratified")
def stratified(
    *,
    train: Share = 0.6,
    validation: Share = 0.2,
    grouped: bool = False,
    delay_days: DaysOrNone | None = None,
    random_state: Seed = 42,
) -> Stratified:
    """Cut the table into train, validation and test; one fit.

    With a time column the cut is in time order (rows of one instant stay together); without one,
    each class is shuffled and cut in the same shares.

    Parameters
    ----------
    train, validation
        Shares of the rows; the rest is test.
    grouped
        Whether no card is both fitted and scored: cards are dealt whole, or in time order the
        scored rows of cards that train has are left out.
    delay_days
        Rows of train so close before validation, and of validation before test, are left out:
        their labels would not be known yet; null leaves out none. Needs a time column.
    random_state
        Seed of the shuffle.
    """
    if train + validation >= 1:
        raise ConfigError(
            "split.params.train + validation must leave rows for test (below 1 in sum), got"
            f" {train!r} + {validation!r}",
            "split.params.train",
        )
    return Stratified(train, validation, grouped, delay_days or 0, random_state)


@dataclass(frozen=True)
class Stratified:
    """The shares of the three parts, and what is kept apart."""

    train: float
    validation: float
    grouped: bool
    delay_days: int
    random_state: int

    def split(self, table: Table) -> Split:
        """Return one fold whose validation and test share one fit."""
        time = time_for_delay(table, self.delay_days)
        side = self._dealt(table) if time is None else self._in_order(time)
        side = duplicates_together(side, table.duplicate)
        if time is not None:
            side = self._delayed(time, side)
        fit, judge, test = (rows_where(side == number) for number in range(3))
        if self.grouped:
            judge, test = (unseen_cards(table, fit, rows) for rows in (judge, test))
        cut = Stage(fit, judge)
        return Split(folds=(Fold(cut, Stage(fit, test)),), validation=(cut,))

    def _dealt(self, table: Table) -> NDArray[np.int64]:
        return self._dealt_cards(table) if self.grouped else self._shuffled(table.label)

    def _sides(self, count: int) -> NDArray[np.int64]:
        ends = np.round(np.array([self.train, self.train + self.validation]) * count)
        return np.searchsorted(ends, np.arange(count), side="right").astype(np.int64)

    def _in_order(self, time: NDArray[np.int64]) -> NDArray[np.int64]:
        return in_time_order(time, self._sides(len(time)))

    def _delayed(self, time: NDArray[np.int64], side: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return `side` without the rows whose labels are not known when the next part begins."""
        delay = self.delay_days * SECONDS_PER_DAY
        kept = side.copy()
        for number in (0, 1):
            later = time[side > number]
            if len(later):
                kept[(side == number) & (time + delay > later.min())] = LEFT_OUT
        return kept

    def _shuffled(self, label: NDArray[np.int8]) -> NDArray[np.int64]:
        random = np.random.default_rng(self.random_state)
        side = np.empty(len(label), dtype=np.int64)
        for value in (0, 1):
            rows = np.flatnonzero(label == value)
            side[random.permutation(rows)] = self._sides(len(rows))
        return side

    def _dealt_cards(self, table: Table) -> NDArray[np.int64]:
        """Return the side of each row when cards stay whole.

        Cards with frauds are shuffled and cut by their frauds, the others by their rows; a card
        belongs where its middle falls.
        """
        random = np.random.default_rng(self.random_state)
        _, card = np.unique(cards_of(table), return_inverse=True)
        frauds, rows = np.bincount(card, weights=table.label), np.bincount(card)
        ends = [self.train, self.train + self.validation]
        side = np.empty(len(rows), dtype=np.int64)
        for cards, weight in ((frauds > 0, frauds), (frauds == 0, rows)):
            order = random.permutation(np.flatnonzero(cards))
            weights = weight[order]
            middle = np.cumsum(weights) - weights / 2
            side[order] = np.searchsorted(ends, middle / weights.sum(), side="right")
        return side[card]
