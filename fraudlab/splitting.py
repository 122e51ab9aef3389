"""Apply a split plugin and hold it to the rules no split may break; what the plugins share.

A day is a calendar day counted from 1970-01-01.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Annotated, TypeAlias

import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from fraudlab.errors import ConfigError, DataError, FraudlabError
from fraudlab.protocols import Rows, Split, Splitter, Stage
from fraudlab.table import Table

Days: TypeAlias = Annotated[int, Meta(ge=1, le=3650)]
DaysOrNone: TypeAlias = Annotated[int, Meta(ge=0, le=3650)]
EPOCH = dt.date(1970, 1, 1)


def split_table(table: Table, splitter: Splitter) -> Split:
    """Return the split of `table`.

    Raises
    ------
    DataError
        If a part is empty or holds one class only; the message names the part.
    FraudlabError
        If a row, or an exact duplicate of it, is both fitted and judged: a fault of the plugin.
    """
    split = splitter.split(table)
    for name, stage in _stages(split):
        _check_classes(table, f"train rows of {name}", stage.fit)
        _check_classes(table, f"{name} rows", stage.judge)
        _check_apart(table, name, stage)
    return split


def _stages(split: Split) -> Iterator[tuple[str, Stage]]:
    """Yield every stage under the name of its scored part."""
    for number, fold in enumerate(split.folds):
        where = f" (fold {number})" if len(split.folds) > 1 else ""
        yield f"validation{where}", fold.cut
        yield f"test{where}", fold.test
    for number, stage in enumerate(split.validation):
        yield f"validation {number}", stage


def _check_classes(table: Table, part: str, rows: Rows) -> None:
    frauds = int(table.label[rows].sum())
    if frauds in {0, len(rows)}:
        found = f"{frauds} of {len(rows)} rows are frauds" if len(rows) else "there are none"
        raise DataError(
            f"split: the {part} hold one class only ({found}) and both are needed: choose other"
            " windows or shares in split.params, mix the classes evenly (split=stratified without"
            " data.time), or bring more rows"
        )


def _check_apart(table: Table, name: str, stage: Stage) -> None:
    both = np.intersect1d(stage.fit, stage.judge)
    if len(both):
        raise FraudlabError(f"split ({name}): {len(both)} rows are both fitted and scored")
    twins = table.duplicate[stage.fit]
    shared = np.intersect1d(twins[twins >= 0], table.duplicate[stage.judge])
    if len(shared):
        raise FraudlabError(f"split ({name}): {len(shared)} duplicates are both fitted and scored")


def duplicates_together(side: NDArray[np.int64], duplicate: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return `side` (0 = earliest) with exact duplicates moved to the earliest side of theirs."""
    marked = duplicate >= 0
    if not marked.any():
        return side
    earliest = np.full(int(duplicate.max()) + 1, side.max())
    np.minimum.at(earliest, duplicate[marked], side[marked])
    together = side.copy()
    together[marked] = earliest[duplicate[marked]]
    return together


def rows_where(mask: NDArray[np.bool_]) -> Rows:
    """Return the row numbers of a mask."""
    return np.flatnonzero(mask)


def describe_rows(table: Table, rows: Rows) -> str:
    """Return how many rows and frauds there are, and from when to when."""
    text = f"{len(rows)} rows, {int(table.label[rows].sum())} frauds"
    if table.time is None:
        return text
    first, last = (dt.datetime.fromtimestamp(int(at), dt.UTC) for at in _ends(table, rows))
    return f"{text}, {first:%Y-%m-%d} to {last:%Y-%m-%d}"


def _ends(table: Table, rows: Rows) -> tuple[int, int]:
    assert table.time is not None
    return int(table.time[rows].min()), int(table.time[rows].max())


def days_of(table: Table, split: str) -> NDArray[np.int64]:
    """Return the day of each row.

    Raises
    ------
    DataError
        If the table has no time; `split` names who asks for it.
    """
    if table.day is None:
        raise DataError(
            f"split={split} needs a time column, and {table.report.source} has none:"
            " name it with data.time=COLUMN, or use split=stratified"
        )
    return table.day


def parse_day(name: str, text: str | None) -> int | None:
    """Return the day that the parameter `name` gives as YYYY-MM-DD; None for None."""
    if text is None:
        return None
    try:
        return (dt.date.fromisoformat(text) - EPOCH).days
    except ValueError as error:
        raise ConfigError(
            f"split.params.{name} must be a day as YYYY-MM-DD, or null, got {text!r}",
            f"split.params.{name}",
        ) from error


def show_day(day: int) -> str:
    """Return a day as YYYY-MM-DD, or on which side of the calendar it lies."""
    try:
        return (EPOCH + dt.timedelta(days=day)).isoformat()
    except OverflowError:
        return f"before {dt.date.min}" if day < 0 else f"after {dt.date.max}"


def cards_of(table: Table) -> NDArray[np.int64]:
    """Return the card of each row, for splits that keep cards apart.

    Raises
    ------
    DataError
        If the table has no entities.
    """
    if table.card is None:
        raise DataError(
            f"split.params.grouped=true keeps cards apart, and {table.report.source} has none: name"
            " the column with data.entities=[COLUMN], or set split.params.grouped=false"
        )
    return table.card


def unseen_cards(table: Table, seen: Rows, rows: Rows, part: str = "scored") -> Rows:
    """Return those of `rows` whose card has none in `seen`; `part` is what they are called.

    Raises
    ------
    DataError
        If the table has no cards, or what is left holds one class only.
    """
    card = cards_of(table)
    kept = rows[~np.isin(card[rows], card[seen])]
    before, after = (int(table.label[some].sum()) for some in (rows, kept))
    if after in {0, len(kept)} and before not in {0, len(rows)}:
        raise DataError(
            f"split.params.grouped=true leaves {len(kept)} of {len(rows)} {part} rows ({after} of"
            f" {before} frauds), as the cards of the others are both fitted and scored, and rows of"
            " both classes are needed: fit on fewer days or rows, or set split.params.grouped=false"
        )
    return kept


def time_for_delay(table: Table, delay_days: int) -> NDArray[np.int64] | None:
    """Return the time of each row, None without one.

    Raises
    ------
    DataError
        If there is none and a delay is asked for.
    """
    if table.time is None and delay_days:
        raise DataError(
            f"split.params.delay_days={delay_days} needs a time column, and {table.report.source}"
            " has none: name it with data.time=COLUMN, or set split.params.delay_days=null"
        )
    return table.time


def in_time_order(time: NDArray[np.int64], ranked: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the part of each row when those of the ordered rows are `ranked`.

    Rows of one instant belong where the first of them does.
    """
    first = np.searchsorted(np.sort(time), time)
    return ranked[first]
