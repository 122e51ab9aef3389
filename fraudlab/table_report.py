"""The checks every table passes, and the report that is saved with every run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from fraudlab.errors import DataError

if TYPE_CHECKING:
    import polars as pl

    from fraudlab.table import Columns

POOL = 64


class ColumnReport(msgspec.Struct, frozen=True):
    """One column: its type, how much is missing, its range or number of levels."""

    name: str
    kind: str
    missing: int
    distinct: int
    min: float | str | None = None
    max: float | str | None = None
    mean: float | None = None


class TableReport(msgspec.Struct, frozen=True):
    """What a table held when it was read."""

    source: str
    rows: int
    frauds: int
    fraud_rate: float
    duplicate_rows: int
    fingerprint: str
    columns: tuple[ColumnReport, ...]


def check_table(frame: pl.DataFrame, columns: Columns, source: str) -> TableReport:
    """Return the report of a raw frame whose label is already 0/1.

    Raises
    ------
    DataError
        If the table is empty, has one class only, a missing or unparsable time, or an infinite
        number; the message names row (counted from 1, without header) and column.
    """
    from fraudlab.table import duplicate_groups, fingerprint

    if frame.height == 0:
        raise DataError(f"{source} has no rows; a table needs rows of both classes")
    frauds = int(frame[columns.label].sum())
    if frauds in {0, frame.height}:
        only = 0 if frauds == 0 else 1
        raise DataError(
            f"{source}: every row of the label column {columns.label!r} is {only};"
            " a detector needs both classes (0 = genuine, 1 = fraud)"
        )
    _check_numbers(frame, source)
    _check_complete(frame, [columns.time], source)
    groups = duplicate_groups(frame, columns)
    repeated = groups[groups >= 0]
    surplus = len(repeated) - (int(repeated.max()) + 1 if len(repeated) else 0)
    return TableReport(
        source=source,
        rows=frame.height,
        frauds=frauds,
        fraud_rate=frauds / frame.height,
        duplicate_rows=surplus,
        fingerprint=fingerprint(frame),
        columns=tuple(_describe(series) for series in frame),
    )


def _check_numbers(frame: pl.DataFrame, source: str) -> None:
    for series in frame:
        if not series.dtype.is_float():
            continue
        infinite = series.is_infinite().fill_null(value=False)
        if infinite.any():
            row = int(infinite.arg_max() or 0)
            raise DataError(
                f"{source}: row {row + 1}, column {series.name!r} is {series[row]!r};"
                " numbers must be finite (leave the cell empty if the value is unknown)"
            )


def _check_complete(frame: pl.DataFrame, names: list[str | None], source: str) -> None:
    for name in names:
        if name is not None and frame[name].null_count():
            row = int(frame[name].is_null().arg_max() or 0)
            raise DataError(
                f"{source}: row {row + 1}, column {name!r} is empty; every row needs a time"
                " (drop the rows without, or run with data.time=null)"
            )


def _describe(series: pl.Series) -> ColumnReport:
    numeric = series.dtype.is_numeric()
    low: Any = series.min()
    high: Any = series.max()
    if not numeric:
        low, high = (None if value is None else str(value)[:POOL] for value in (low, high))
    mean: Any = series.mean() if numeric else None
    return ColumnReport(
        name=series.name,
        kind=str(series.dtype).lower(),
        missing=series.null_count(),
        distinct=series.n_unique(),
        min=low,
        max=high,
        mean=mean,
    )
