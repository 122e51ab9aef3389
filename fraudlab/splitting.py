"""Apply a split plugin and hold it to the rules no split may break."""

from __future__ import annotations

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
        If a part is empty or holds one class only.
    FraudlabError
        If a row, or an exact duplicate of it, is both fitted and judged: a fault of the plugin.
    """
    split = splitter.split(table)
    for name, stage in stages(split):
        _check_parts(table, name, stage)
        _check_apart(table, name, stage)
    return split


def stages(split: Split) -> Iterator[tuple[str, Stage]]:
    """Yield every stage with a name a user understands."""
    for number, fold in enumerate(split.folds):
        yield f"fold {number}, validation", fold.cut
        yield f"fold {number}, test", fold.test
    for number, stage in enumerate(split.validation):
        yield f"validation {number}", stage


def _check_parts(table: Table, name: str, stage: Stage) -> None:
    for part, rows in (("fitted", stage.fit), ("scored", stage.judge)):
        frauds = int(table.label[rows].sum())
        if frauds in {0, len(rows)}:
            raise DataError(
                f"split ({name}): the {len(rows)} {part} rows hold {frauds} frauds; both classes"
                " are needed: choose other windows or shares in split.params"
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
