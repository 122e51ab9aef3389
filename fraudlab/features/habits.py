"""What is unusual for a card, and how long a terminal has been defrauded: beside the windows.

A window says how much; these say since when. An amount is measured against what its card usually
pays, and a terminal by its latest streak of frauds, both as far as they were known at the time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fraudlab.features.windows import UNITS, Floats, Integers, Past, ratio, units
from fraudlab.table import SECONDS_PER_DAY, codes, seconds

if TYPE_CHECKING:
    import polars as pl

NEVER = 1000.0  # days, or transactions, since what has not happened; what is longer ago counts so

Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Habit:
    """What habits are measured by; the defaults suit payments of a household card.

    Attributes
    ----------
    habit_days
        How far back a card's usual amount is averaged.
    unusual_ratio
        Times the usual amount from which an amount is suspect.
    plain_ratio
        Times the usual amount up to which a fraud is plain: the amount does not explain it, so the
        terminal may.
    watch_days
        How far back suspect amounts, and a card's known frauds, are counted.
    """

    habit_days: int = 90
    unusual_ratio: float = 2.5
    plain_ratio: float = 2.2
    watch_days: int = 14


def habits(
    frame: pl.DataFrame,
    *,
    time: str,
    amount: str,
    card: str,
    terminal: str,
    label: str,
    delay_days: int = 7,
    habit: Habit = Habit(),
) -> pl.DataFrame:
    """Return a card's habits, then a terminal's streak of frauds, for every row of a frame.

    Known is a label at least `delay_days` old; earlier is a row before this one in the order of
    (time, position). Days are calendar days, and they and counts "since" end at NEVER, which also
    says that there was none.

    Parameters
    ----------
    frame
        Transactions in any order; rows of one second count in the frame's order.
    time, amount, card, terminal, label
        Names of its columns; the label is 0/1. A row without an amount has no part in a mean.
    delay_days
        How old a label must be to be known.
    habit
        What habits are measured by.

    Returns
    -------
    DataFrame
        In the frame's order, all float64. Of the card's earlier rows:

        {card}_HABIT_NB_TX: those of the last habit_days with an amount and not known as frauds;
        {card}_HABIT_AMOUNT: their mean amount, 0 when there are none;
        {card}_HABIT_RATIO: the row's amount / that mean; 1 where there is no mean above 0;
        {card}_SUSPECT_NB_TX: those of the last watch_days whose own ratio was above unusual_ratio,
        and that are not known as genuine;
        {card}_SUSPECT_DAYS: days since the first of these;
        {card}_FRAUD_NB_TX: known frauds in the watch_days that end delay_days ago;
        {card}_FRAUD_DAYS: days since the last known fraud.

        Of the terminal's known rows, whose plain frauds are those with a ratio up to plain_ratio,
        and whose streak is all from the latest plain fraud back to the genuine row before it:

        {terminal}_KNOWN_NB_TX: how many there are, up to NEVER;
        {terminal}_GENUINE_DAYS: days since the last genuine row;
        {terminal}_FRAUD_DAYS: days since the last plain fraud;
        {terminal}_STREAK_NB_TX: plain frauds of the streak, 0 without one;
        {terminal}_STREAK_DAYS: days since its first plain fraud;
        {terminal}_STREAK_DAYS_AT_MOST: days since the genuine row before it;
        {terminal}_AFTER_STREAK_NB_TX: rows after it.
    """
    import polars as pl

    moment, fraud = seconds(frame[time]), frame[label].to_numpy() == 1
    paid = frame[amount].cast(pl.Float64).fill_null(float("nan")).to_numpy()
    stream = Stream(moment, fraud, delay_days * SECONDS_PER_DAY)
    of_card = of_cards(stream, codes(frame[card]), paid, habit)
    explained = of_card["HABIT_RATIO"] > habit.plain_ratio
    of_terminal = of_terminals(stream, codes(frame[terminal]), fraud & ~explained)
    named = {f"{card}_{name}": values for name, values in of_card.items()}
    named |= {f"{terminal}_{name}": values for name, values in of_terminal.items()}
    return pl.DataFrame(named)


@dataclass(frozen=True, slots=True)
class Stream:
    """Time in seconds (int64 [N]), label (bool [N]), and how many seconds a label takes."""

    moment: Integers
    fraud: Flags
    delay: int

    @property
    def ever(self) -> int:
        """A length of window that reaches back to the first row."""
        return int(np.ptp(self.moment)) + 1 if len(self.moment) else 1

    def past(self, entity: Integers, reach: int) -> Past:
        """Return the past of `entity` for windows of up to `reach` seconds before the delay."""
        return Past.of(entity, self.moment, reach + self.delay)


def of_cards(stream: Stream, card: Integers, paid: Floats, habit: Habit) -> dict[str, Floats]:
    """Return what `habits` says of cards (int64 codes [N]) that `paid` (float64 [N], NaN missing).

    Each is float64 [N], in the table's order.
    """
    watch = habit.watch_days * SECONDS_PER_DAY
    past = stream.past(card, max(stream.ever, watch, habit.habit_days * SECONDS_PER_DAY))
    features = _usual(stream, past, paid, habit.habit_days * SECONDS_PER_DAY)
    day = stream.moment[past.order] // SECONDS_PER_DAY
    fraud = stream.fraud[past.order]
    suspect = (features["HABIT_RATIO"] > habit.unusual_ratio)[past.order]
    begin, end = past.upto_row(watch)
    known = np.maximum(past.earlier(watch, stream.delay)[1], begin)
    cleared = suspect & ~fraud
    found = _count(suspect, begin, end - 1) - _count(cleared, begin, known)
    told = _first(suspect & fraud, begin, known)
    first = np.where(told >= 0, told, _first(suspect, known, end - 1))
    begin, known = past.earlier(watch, stream.delay)
    features["SUSPECT_NB_TX"] = past.restored(found.astype(np.float64))
    features["SUSPECT_DAYS"] = past.restored(_days_since(day, first))
    features["FRAUD_NB_TX"] = past.restored(_count(fraud, begin, known).astype(np.float64))
    begin, known = past.earlier(stream.ever, stream.delay)
    features["FRAUD_DAYS"] = past.restored(_days_since(day, _last(fraud, begin, known)))
    return features


def _usual(stream: Stream, past: Past, paid: Floats, length: int) -> dict[str, Floats]:
    begin, end = past.upto_row(length)
    known = np.maximum(past.earlier(length, stream.delay)[1], begin)
    there = ~np.isnan(paid)
    one, spent = there.astype(np.int64), units(np.nan_to_num(paid, nan=0.0))
    count = past.sums(one, begin, end - 1) - past.sums(one * stream.fraud, begin, known)
    total = past.sums(spent, begin, end - 1) - past.sums(spent * stream.fraud, begin, known)
    mean, now = ratio(total, count), spent[past.order].astype(np.float64)
    times = np.ones(len(now))
    np.divide(now, mean, out=times, where=there[past.order] & (mean > 0))
    return {
        "HABIT_NB_TX": past.restored(count.astype(np.float64)),
        "HABIT_AMOUNT": past.restored(mean / UNITS),
        "HABIT_RATIO": past.restored(times),
    }


def of_terminals(stream: Stream, terminal: Integers, plain: Flags) -> dict[str, Floats]:
    """Return what `habits` says of terminals (int64 codes [N]); `plain` (bool [N]) are its frauds.

    Each is float64 [N], in the table's order.
    """
    past = stream.past(terminal, stream.ever)
    day = stream.moment[past.order] // SECONDS_PER_DAY
    fraud, genuine = plain[past.order], ~stream.fraud[past.order]
    begin, known = past.earlier(stream.ever, stream.delay)
    last = _last(fraud, begin, known)
    found = last >= 0
    stop = np.where(found, last + 1, begin)  # the streak is [start, stop)
    before = _last(genuine, begin, stop)
    start = np.where(before >= 0, before + 1, begin)
    after = np.where(found, np.minimum(known - stop, NEVER), NEVER)
    features = {
        "KNOWN_NB_TX": np.minimum(known - begin, NEVER),
        "GENUINE_DAYS": _days_since(day, _last(genuine, begin, known)),
        "FRAUD_DAYS": _days_since(day, last),
        "STREAK_NB_TX": _count(fraud, start, stop).astype(np.float64),
        "STREAK_DAYS": _days_since(day, _first(fraud, start, stop)),
        "STREAK_DAYS_AT_MOST": _days_since(day, np.where(found, before, -1)),
        "AFTER_STREAK_NB_TX": after,
    }
    return {name: past.restored(values) for name, values in features.items()}


def _count(flag: Flags, begin: Integers, end: Integers) -> Integers:
    """Return how many of the sorted rows begin..end-1 are flagged."""
    total = _totals(flag)
    counted: Integers = total[end] - total[begin]
    return counted


def _first(flag: Flags, begin: Integers, end: Integers) -> Integers:
    """Return the first flagged one of the sorted rows begin..end-1, -1 without one."""
    total = _totals(flag)
    place = np.searchsorted(total, total[begin], side="right") - 1
    return np.where(place < end, place, -1)


def _last(flag: Flags, begin: Integers, end: Integers) -> Integers:
    """Return the last flagged one of the sorted rows begin..end-1, -1 without one."""
    latest = np.maximum.accumulate(np.where(flag, np.arange(len(flag)), -1))
    place = np.concatenate([[-1], latest])[end]
    return np.where(place >= begin, place, -1)


def _totals(flag: Flags) -> Integers:
    return np.concatenate([[0], np.cumsum(flag, dtype=np.int64)])


def _days_since(day: Integers, place: Integers) -> Floats:
    """Return days from the sorted rows at `place` to each row, NEVER where `place` is -1."""
    since = np.minimum(day - day[place], NEVER) if len(day) else np.empty(0)
    return np.where(place >= 0, since, NEVER)
