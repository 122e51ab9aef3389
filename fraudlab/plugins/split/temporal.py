"""Calendar windows with a label delay: train | delay | test, validated one step earlier."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from fraudlab.errors import ConfigError, DataError
from fraudlab.protocols import Fold, Rows, Split, Stage
from fraudlab.registry import register
from fraudlab.splitting import rows_where
from fraudlab.table import Table

Days = Annotated[int, Meta(ge=1, le=3650)]
EPOCH = dt.date(1970, 1, 1)


@register("split", "temporal")
def temporal(
    *,
    start: str | None = None,
    train_days: Days = 7,
    delay_days: Annotated[int, Meta(ge=0, le=3650)] = 7,
    test_days: Days = 7,
    known_days: Annotated[int, Meta(ge=0, le=3650)] = 7,
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

    References
    ----------
    Le Borgne et al., Reproducible Machine Learning for Credit Card Fraud Detection, chapter 5;
    Dal Pozzolo et al., TNNLS 2018, doi 10.1109/TNNLS.2017.2736643 (delayed labels).
    """
    return Temporal(_parse(start), train_days, delay_days, test_days, known_days)


def _parse(start: str | None) -> int | None:
    if start is None:
        return None
    try:
        return (dt.date.fromisoformat(start) - EPOCH).days
    except ValueError as error:
        raise ConfigError(
            f"split.params.start must be a day as YYYY-MM-DD, or null, got {start!r}",
            "split.params.start",
        ) from error


@dataclass(frozen=True)
class Temporal:
    """The windows, in days."""

    start: int | None
    train_days: int
    delay_days: int
    test_days: int
    known_days: int

    def split(self, table: Table) -> Split:
        """Return one fold, its validation one step (train + delay days) earlier."""
        start = self._start(_days(table))
        earlier = self.stage(table, start - self.train_days - self.delay_days)
        return Split(folds=(Fold(earlier, self.stage(table, start)),), validation=(earlier,))

    def _start(self, day: NDArray[np.int64]) -> int:
        first, last = int(day.min()), int(day.max())
        length = self.train_days + self.delay_days + self.test_days
        earliest = first + self.train_days + self.delay_days
        latest = last + 1 - length
        start = latest if self.start is None else self.start
        if not earliest <= start <= latest:
            needed = length + self.train_days + self.delay_days
            remedy = "set split.params.start" if last - first + 1 >= needed else "read more days"
            raise DataError(
                f"split=temporal: training from {_show(start)} needs rows from"
                f" {_show(start - self.train_days - self.delay_days)} to"
                f" {_show(start + length - 1)},"
                f" the table has {_show(first)} to {_show(last)} ({last - first + 1} days,"
                f" 2 x (train_days + delay_days) + test_days = {needed} are needed); {remedy}, or"
                " shorten train_days, delay_days or test_days"
            )
        return start

    def stage(self, table: Table, start: int) -> Stage:
        """Return the stage whose training window starts on day `start`."""
        day = _days(table)
        fit = (day >= start) & (day < start + self.train_days)
        return Stage(rows_where(fit), self._scored(table, start + self.train_days))

    def _scored(self, table: Table, delay_from: int) -> Rows:
        """Return the scored rows, without the cards already known to be compromised."""
        day, test_from = _days(table), delay_from + self.delay_days
        window = rows_where((day >= test_from) & (day < test_from + self.test_days))
        if table.card is None:
            return window
        fraud = rows_where(
            (table.label == 1)
            & (day >= delay_from - self.known_days)
            & (day < test_from + self.test_days)
        )
        known: list[Rows] = []
        for scored_day in range(test_from, test_from + self.test_days):
            rows = window[day[window] == scored_day]
            told = fraud[day[fraud] < scored_day - self.delay_days]
            known.append(rows[~np.isin(table.card[rows], table.card[told])])
        return np.concatenate(known)


def _days(table: Table) -> NDArray[np.int64]:
    if table.day is None:
        raise DataError(
            f"split=temporal needs a time column, and {table.report.source} has none:"
            " name it with data.time=COLUMN, or use split=stratified"
        )
    return table.day


def _show(day: int) -> str:
    try:
        return (EPOCH + dt.timedelta(days=day)).isoformat()
    except OverflowError:
        return f"before {dt.date.min}" if day < 0 else f"after {dt.date.max}"
