"""The checks every table passes, and what they find for the report that is saved with every run."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from fraudlab.errors import DataError
from fraudlab.preprocess import FLOAT32_MAX
from fraudlab.table import (
    Bounds,
    ColumnReport,
    Columns,
    TableReport,
    duplicate_groups,
    fingerprint,
)

if TYPE_CHECKING:
    import polars as pl

    from fraudlab.locating import Locator

LONGEST = 64  # characters of a text that a report keeps
EXACT = 2**53  # whole numbers below are float64 without loss
SECONDS = (-62_135_596_800, 253_402_300_799)  # the years 1 to 9999
BEYOND = "numbers must be finite and within float32; leave the cell empty if it is unknown"
INEXACT = (
    "whole numbers from 2^53 on cannot be kept exactly; an identifier belongs into data.id,"
    " data.entities or data.categorical (as text), or out (data.drop)"
)
NEEDED = "drop the rows without, or do not name the column"
NO_SECONDS = "not a second of the years 1 to 9999; divide milliseconds by 1000"


def check_table(frame: pl.DataFrame, columns: Columns, locator: Locator) -> TableReport:
    """Return the report of a frame in the file's order, whose label is already 0/1.

    Raises
    ------
    DataError
        If the table is empty or has one class only, a column is empty, a number is out of bounds
        or cannot be kept exactly, or a time or entity is missing; the message names row and column.
    """
    if frame.height == 0:
        raise DataError(f"{locator} has no rows; a table needs rows of both classes")
    frauds = int(frame[columns.label].sum())
    if frauds in {0, frame.height}:
        raise DataError(
            f"{locator}: every row of the label column {columns.label!r} is {min(frauds, 1)};"
            " a detector needs both classes (0 = genuine, 1 = fraud)"
        )
    for series in frame:
        _check_column(series, columns, locator)
    for name, bounds in columns.bounds.items():
        _check_bounds(frame[name], bounds, locator)
    groups = duplicate_groups(frame, columns)
    repeated = groups[groups >= 0]
    surplus = len(repeated) - (int(repeated.max()) + 1 if len(repeated) else 0)
    return TableReport(
        source=str(locator),
        rows=frame.height,
        frauds=frauds,
        fraud_rate=frauds / frame.height,
        duplicate_rows=surplus,
        fingerprint=fingerprint(frame),
        columns=tuple(_describe(series) for series in frame),
    )


def _check_column(series: pl.Series, columns: Columns, locator: Locator) -> None:
    name, kind = series.name, series.dtype
    if series.null_count() == len(series):
        raise DataError(f"{locator}: column {name!r} is empty in every row; leave it out")
    if kind.is_float():
        locator.refuse(~series.is_between(-FLOAT32_MAX, FLOAT32_MAX), series, BEYOND)
    is_input = name not in columns.not_inputs
    identifies = name in {columns.id, *columns.entities}
    if (kind.is_integer() and is_input) or (kind.is_float() and identifies):
        exact = series.cast(float).is_between(-EXACT, EXACT, closed="none")
        locator.refuse(~exact, series, INEXACT)
    if name == columns.time:
        locator.refuse(series.is_null(), series, "every row needs a time; " + NEEDED)
        if kind.is_numeric():
            locator.refuse(~series.cast(float).is_between(*SECONDS), series, NO_SECONDS)
    if name in columns.entities:
        locator.refuse(series.is_null(), series, "every row needs its entities; " + NEEDED)


def _check_bounds(series: pl.Series, bounds: Bounds, locator: Locator) -> None:
    low, high = (-math.inf if bounds[0] is None else bounds[0], bounds[1])
    high = math.inf if high is None else high
    if not series.dtype.is_numeric():
        raise DataError(
            f"{locator}: data.bounds names column {series.name!r}, which holds"
            f" {str(series.dtype).lower()}; only numbers have bounds"
        )
    why = f"outside its declared bounds [{low:g}, {high:g}] (data.bounds); correct the cell"
    locator.refuse(~series.cast(float).is_between(low, high), series, why)


def _describe(series: pl.Series) -> ColumnReport:
    numeric = series.dtype.is_numeric()
    low: Any = series.min()
    high: Any = series.max()
    if not numeric:
        low, high = (None if value is None else str(value)[:LONGEST] for value in (low, high))
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
