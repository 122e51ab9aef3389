"""Folds that take turns to be scored, each by a model fitted on all the others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from fraudlab.errors import ConfigError, DataError
from fraudlab.estimators import Seed
from fraudlab.protocols import Fold, Rows, Split, Stage
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


def _consistent(*, shuffle: bool, delay_days: int | None, **_: object) -> None:
    if shuffle and delay_days:
        raise ConfigError(
            f"split.params.delay_days={delay_days} keeps blocks of time apart, and shuffled folds"
            " are no blocks: set split.params.shuffle=false too, or delay_days=null",
            "split.params.delay_days",
        )


@register("split", "kfold", consistent=_consistent)
def kfold(
    *,
    n_splits: Annotated[int, Meta(ge=2, le=1000)] = 5,
    shuffle: bool = True,
    grouped: bool = False,
    delay_days: DaysOrNone | None = None,
    random_state: Seed = 42,
) -> KFold:
    """Score every fold by the model fitted on the others; for small tables and comparisons.

    Each fold's calibration and threshold come from the next fold, scored by the model fitted
    without that one, so that no threshold is chosen on the rows it is judged by, and there are as
    many fits as folds. Validation and test are therefore the same rows, each scored out of its
    fold: test is no verdict on data that ranking has not seen. For that, and for anything that
    drifts, take prequential or temporal.

    Exact duplicates stay in one fold, the first of theirs. Without shuffling and with a time column
    the folds are blocks of time, in order; else each fold has its share of frauds, and nothing is
    said per day, for no fold has a whole one.

    Parameters
    ----------
    n_splits
        How many folds.
    shuffle
        Whether rows are dealt at random; false keeps blocks of time, or the order of the table.
    grouped
        Whether no card is both fitted and scored: cards are dealt whole, or from blocks of time
        the fitted rows of scored cards are left out.
    delay_days
        Rows so close to the scored block, before or after, are not fitted (purging). Needs blocks
        of time; null fits them all.
    random_state
        Seed of the shuffle.

    References
    ----------
    Lopez de Prado, Advances in Financial Machine Learning, 2018, chapter 7 (purging).
    """
    return KFold(n_splits, shuffle, grouped, delay_days or 0, random_state)


@dataclass(frozen=True)
class KFold:
    """How rows are dealt, and what is kept apart."""

    n_splits: int
    shuffle: bool
    grouped: bool
    delay_days: int
    random_state: int

    def split(self, table: Table) -> Split:
        """Return a fold per part; each is cut on the stage of the next one."""
        time = time_for_delay(table, self.delay_days)
        if self.shuffle or time is None:
            part = self._dealt(table)
            stages = [Stage(rows_where(part != k), rows_where(part == k)) for k in self._numbers]
        else:
            ranked = np.arange(len(time)) * self.n_splits // len(time)
            part = in_time_order(time, ranked)
            stages = [self._block(table, time, part, number) for number in self._numbers]
        following = [*stages[1:], stages[0]]
        folds = [Fold(cut, test) for cut, test in zip(following, stages, strict=True)]
        whole = not self.shuffle and time is not None
        return Split(folds=tuple(folds), validation=tuple(stages), whole_days=whole)

    @property
    def _numbers(self) -> range:
        return range(self.n_splits)

    def _dealt(self, table: Table) -> NDArray[np.int64]:
        """Return the fold of each row, by scikit-learn."""
        from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

        kind = StratifiedGroupKFold if self.grouped else StratifiedKFold
        seed = self.random_state if self.shuffle else None
        groups = cards_of(table) if self.grouped else None
        self._check_enough(table.label, groups)
        dealer = kind(self.n_splits, shuffle=self.shuffle, random_state=seed)
        part = np.empty(len(table), dtype=np.int64)
        rows = np.zeros((len(table), 1))
        for number, (_, own) in enumerate(dealer.split(rows, table.label, groups)):
            part[own] = number
        return duplicates_together(part, table.duplicate)

    def _check_enough(self, label: NDArray[np.int8], groups: NDArray[np.int64] | None) -> None:
        what = "rows" if groups is None else "cards with such rows"
        of = np.arange(len(label)) if groups is None else groups
        frauds, genuine = (len(np.unique(of[label == value])) for value in (1, 0))
        if min(frauds, genuine) < self.n_splits:
            raise DataError(
                f"split.params.n_splits={self.n_splits} folds need as many {what} of each class,"
                f" and there are {frauds} (fraud) and {genuine} (genuine): lower"
                " split.params.n_splits, or bring more rows"
            )

    def _block(
        self, table: Table, time: NDArray[np.int64], part: NDArray[np.int64], number: int
    ) -> Stage:
        """Return the stage that scores a block of time."""
        judge, fit = rows_where(part == number), rows_where(part != number)
        if len(judge):
            fit = self._purged(time, fit, judge)
        return Stage(unseen_cards(table, judge, fit, "train") if self.grouped else fit, judge)

    def _purged(self, time: NDArray[np.int64], fit: Rows, judge: Rows) -> Rows:
        """Return the fitted rows at least the delay away from the scored block."""
        delay = self.delay_days * SECONDS_PER_DAY
        before = time[fit] + delay <= time[judge].min()
        after = time[fit] >= time[judge].max() + delay
        kept: Rows = fit[before | after]
        return kept
