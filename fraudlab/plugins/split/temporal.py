"""Calendar windows with a label delay: train | delay | test, validated one step earlier."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fraudlab.errors import DataError
from fraudlab.protocols import Fold, Rows, Split, Stage
from fraudlab.registry import register
from fraudlab.splitting import (
    Days,
    DaysOrNone,
    days_of,
    parse_day,
    rows_where,
    show_day,
    unseen_cards,
)
from fraudlab.table import Table


@register("split", "temporal")
def temporal(
    *,
    start: str | None = None,
    train_days: Days = 7,
    delay_days: DaysOrNone = 7,
    test_days: Days = 7,
    known_days: DaysOrNone = 7,
    grouped: bool = False,
) -> Temporal:
    """Train on some days, wait for the labels, test on the next; validate the same way earlier.

    Validation is the whole procedure moved back by train_days + delay_days, so it never sees a
    label that was not known when the test model is trained.

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
        Whether to score only cards that train does not have: how well is a new card judged?

    References
    ----------
    Le Borgne et al., Reproducible Machine Learning for Credit Card Fraud Detection, chapter 5;
    Dal Pozzolo et al., TNNLS 2018, doi 10.1109/TNNLS.2017.2736643 (delayed labels).
    """
    windows = Windows(train_days, delay_days, test_days, known_days, grouped)
    return Temporal("temporal", parse_day("start", start), windows)


@dataclass(frozen=True)
class Temporal:
    """The windows, and the first training day; `name` is the split that asks for them."""

    name: str
    start: int | None
    windows: Windows

    def split(self, table: Table) -> Split:
        """Return one fold, its validation one step (train + delay days) earlier."""
        day = days_of(table, self.name)
        step = self.windows.train_days + self.windows.delay_days
        length = step + self.windows.test_days
        start = int(day.max()) + 1 - length if self.start is None else self.start
        Need(
            first=start - step,
            last=start + length - 1,
            what=f"split={self.name}: training from {show_day(start)}",
            key="start",
            formula="2 x (train_days + delay_days) + test_days",
            shorten="shorten train_days, delay_days or test_days",
        ).check(day)
        earlier = self.windows.stage(table, day, start)
        test = self.windows.stage(table, day, start + step)
        return Split(folds=(Fold(earlier, test),), validation=(earlier,))


@dataclass(frozen=True)
class Need:
    """The days a split asks for, and how to say it when the table has others.

    Attributes
    ----------
    first, last
        The first and last day needed.
    what, key
        What needs them, and the parameter that moves them.
    formula, shorten
        How many they are in terms of the parameters, and which of these may be less.
    """

    first: int
    last: int
    what: str
    key: str
    formula: str
    shorten: str

    def check(self, day: NDArray[np.int64]) -> None:
        """Raise DataError unless rows of these days can be there."""
        first, last = int(day.min()), int(day.max())
        if first <= self.first and self.last <= last:
            return
        count, needed = last - first + 1, self.last - self.first + 1
        remedy = f"set split.params.{self.key}" if count >= needed else "read more days"
        raise DataError(
            f"{self.what} needs rows from {show_day(self.first)} to {show_day(self.last)},"
            f" the table has {show_day(first)} to {show_day(last)} ({count} days,"
            f" {self.formula} = {needed} are needed); {remedy}, or {self.shorten}"
        )


@dataclass(frozen=True)
class Windows:
    """Calendar windows train | delay | scored, in days.

    Cards with a fraud in the `known_days` before the delay are known to be compromised and are not
    scored; nor, on each scored day, are cards whose fraud is older than the delay by then.
    """

    train_days: int
    delay_days: int
    test_days: int
    known_days: int
    grouped: bool = False

    def stage(self, table: Table, day: NDArray[np.int64], scored_from: int) -> Stage:
        """Return the stage that is scored from the day `scored_from`.

        Raises
        ------
        DataError
            If cards are asked for and there are none, or too few that train does not have.
        """
        delay_from = scored_from - self.delay_days
        fit = rows_where((day >= delay_from - self.train_days) & (day < delay_from))
        judge = self._scored(table, day, scored_from)
        return Stage(fit, unseen_cards(table, fit, judge) if self.grouped else judge)

    def _scored(self, table: Table, day: NDArray[np.int64], scored_from: int) -> Rows:
        """Return the scored rows, without the cards already known to be compromised."""
        end = scored_from + self.test_days
        window = rows_where((day >= scored_from) & (day < end))
        if table.card is None:
            return window
        since = scored_from - self.delay_days - self.known_days
        fraud = rows_where((table.label == 1) & (day >= since) & (day < end))
        known: list[Rows] = []
        for scored_day in range(scored_from, end):
            rows = window[day[window] == scored_day]
            told = fraud[day[fraud] < scored_day - self.delay_days]
            known.append(rows[~np.isin(table.card[rows], table.card[told])])
        return np.concatenate(known)
