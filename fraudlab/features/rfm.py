"""The Handbook's fifteen features: time of day, the card's habits, the terminal's risk."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fraudlab.features.windows import UNITS, Floats, Past, ratio, units
from fraudlab.table import SECONDS_PER_DAY, codes, seconds

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

WEEKEND, NIGHT = "TX_DURING_WEEKEND", "TX_DURING_NIGHT"
LAST_NIGHT_HOUR = 6
SATURDAY = 5
THURSDAY = 3  # 1970-01-01
HOUR = 3600


def rfm(
    frame: pl.DataFrame,
    *,
    time: str,
    amount: str,
    card: str,
    terminal: str,
    label: str,
    windows_days: Sequence[int] = (1, 7, 30),
    delay_days: int = 7,
) -> pl.DataFrame:
    """Return the features of a frame's rows, in its order, all float64.

    Parameters
    ----------
    frame
        Transactions in any order; rows of one second count in the frame's order.
    time, amount, card, terminal, label
        Names of its columns; the label is 0/1. A missing amount stays missing in its own column and
        adds nothing to a sum.
    windows_days
        Lengths of the windows.
    delay_days
        How old a label must be to be known: the terminal's windows end so many days earlier.

    Returns
    -------
    DataFrame
        The amount, TX_DURING_WEEKEND, TX_DURING_NIGHT, then per window {card}_NB_TX_{n}DAY_WINDOW
        and {card}_AVG_AMOUNT_{n}DAY_WINDOW (the row itself included), then per window
        {terminal}_NB_TX_{n}DAY_WINDOW and {terminal}_RISK_{n}DAY_WINDOW (share of frauds).

    References
    ----------
    Le Borgne et al., Reproducible Machine Learning for Credit Card Fraud Detection, chapter 3.
    """
    import polars as pl

    moment = seconds(frame[time])
    paid = frame[amount].cast(pl.Float64).fill_null(float("nan")).to_numpy()
    columns: dict[str, Floats] = {
        amount: paid,
        WEEKEND: _weekend(moment),
        NIGHT: _night(moment),
    }
    reach = (max(windows_days) + delay_days) * SECONDS_PER_DAY
    past = Past.of(codes(frame[card]), moment, reach)
    spent = units(np.nan_to_num(paid, nan=0.0))
    for days in windows_days:
        begin, end = past.upto_row(days * SECONDS_PER_DAY)
        count = end - begin
        average = ratio(past.sums(spent, begin, end), count) / UNITS
        columns[f"{card}_NB_TX_{days}DAY_WINDOW"] = past.restored(count.astype(np.float64))
        columns[f"{card}_AVG_AMOUNT_{days}DAY_WINDOW"] = past.restored(average)
    past = Past.of(codes(frame[terminal]), moment, reach)
    fraud = frame[label].to_numpy().astype(np.int64)
    for days in windows_days:
        begin, end = past.earlier(days * SECONDS_PER_DAY, delay_days * SECONDS_PER_DAY)
        count = end - begin
        risk = ratio(past.sums(fraud, begin, end), count)
        columns[f"{terminal}_NB_TX_{days}DAY_WINDOW"] = past.restored(count.astype(np.float64))
        columns[f"{terminal}_RISK_{days}DAY_WINDOW"] = past.restored(risk)
    return pl.DataFrame(columns)


def _weekend(moment: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Floats:
    weekday = (moment // SECONDS_PER_DAY + THURSDAY) % 7
    return (weekday >= SATURDAY).astype(np.float64)


def _night(moment: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Floats:
    hour = moment % SECONDS_PER_DAY // HOUR
    return (hour <= LAST_NIGHT_HOUR).astype(np.float64)
