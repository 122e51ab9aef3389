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
from fraudlab.splitting import duplicates_together, rows_where
from fraudlab.table import Table

Share = Annotated[float, Meta(gt=0, lt=1)]


@register("split", "stratified")
def stratified(
    *, train: Share = 0.6, validation: Share = 0.2, random_state: Seed = 42
) -> Stratified:
    """Cut the table into train, validation and test; one fit.

    With a time column the cut is in time order (rows of one instant stay together); without one,
    each class is shuffled and cut in the same shares.

    Parameters
    ----------
    train, validation
        Shares of the rows; the rest is test.
    random_state
        Seed of the shuffle.
    """
    if train + validation >= 1:
        raise ConfigError(
            "split.params.train + validation must leave rows for test (below 1 in sum), got"
            f" {train!r} + {validation!r}",
            "split.params.train",
        )
    return Stratified(train, validation, random_state)


@dataclass(frozen=True)
class Stratified:
    """The shares of the three parts."""

    train: float
    validation: float
    random_state: int

    def split(self, table: Table) -> Split:
        """Return one fold whose validation and test share one fit."""
        side = self._shuffled(table.label) if table.time is None else self._in_order(table.time)
        side = duplicates_together(side, table.duplicate)
        fit, judge, test = (rows_where(side == number) for number in range(3))
        cut = Stage(fit, judge)
        return Split(folds=(Fold(cut, Stage(fit, test)),), validation=(cut,))

    def _sides(self, count: int) -> NDArray[np.int64]:
        ends = np.round(np.array([self.train, self.train + self.validation]) * count)
        return np.searchsorted(ends, np.arange(count), side="right").astype(np.int64)

    def _in_order(self, time: NDArray[np.int64]) -> NDArray[np.int64]:
        order = np.argsort(time, kind="stable")
        ranked = self._sides(len(time))
        first = np.searchsorted(time[order], time)  # an instant belongs where its first row does
        return ranked[first]

    def _shuffled(self, label: NDArray[np.int8]) -> NDArray[np.int64]:
        random = np.random.default_rng(self.random_state)
        side = np.empty(len(label), dtype=np.int64)
        for value in (0, 1):
            rows = np.flatnonzero(label == value)
            side[random.permutation(rows)] = self._sides(len(rows))
        return side
