"""Apply a split plugin and hold it to the rules no split may break."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from fraudlab.errors import DataError, FraudlabError
from fraudlab.protocols import Rows, Split, Splitter, Stage
from fraudlab.table import Table


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
