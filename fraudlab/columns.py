"""Columns to what they mean: numbers, labels and times, every fault named by row and column."""

from __future__ import annotations

import datetime as dt
import difflib
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from fraudlab.errors import DataError
from fraudlab.locating import Locator

if TYPE_CHECKING:
    import polars as pl

NUMBER_LIKE = 0.5  # a text column with this share of numbers is a number column with faults
NOT_A_NUMBER = (
    "which is not a number (write 1234.5); correct the cell, name the column in data.categorical,"
    " or leave it out with data.drop"
)
NOT_A_TIME = (
    "which is not a time; write 2018-07-25 13:05:59 (with or without zone), or whole seconds"
)
NOT_A_LABEL = (
    "labels must be 0 or 1 (name the fraud value with data.positive=VALUE if it is another)"
)
_WITH_THOUSANDS = r"^\s*[+-]?\d{1,3}([.,]\d{3})+([.,]\d+)?\s*$"


def require_columns(
    frame: pl.DataFrame, wanted: Sequence[str], locator: Locator, *, exactly: bool = False
) -> None:
    """Raise DataError when a wanted column is missing, or, with `exactly`, one is extra."""
    for name in wanted:
        if name not in frame.columns:
            close = difflib.get_close_matches(name, frame.columns, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            known = ", ".join(map(repr, frame.columns))
            raise DataError(f"{locator} has no column {name!r}{hint}; its columns are {known}")
    extra = [name for name in frame.columns if name not in wanted]
    if exactly and extra:
        raise DataError(
            f"{locator} has a column that does not belong to it: {extra[0]!r};"
            f" expected are exactly {', '.join(wanted)}"
        )


def plain(frame: pl.DataFrame, locator: Locator) -> pl.DataFrame:
    """Return the frame with numbers, text, booleans and times only; NaN becomes missing."""
    import polars as pl

    for series in frame:
        kind = series.dtype
        if kind.is_float():
            frame = frame.with_columns(series.cast(pl.Float64).fill_nan(None))
        elif kind.is_decimal():
            frame = frame.with_columns(series.cast(pl.Float64))
        elif isinstance(kind, pl.Categorical | pl.Enum):
            frame = frame.with_columns(series.cast(pl.String))
        elif not (
            kind.is_integer() or kind in (pl.String, pl.Boolean, pl.Null, pl.Date, pl.Datetime)
        ):
            raise DataError(
                f"{locator}: column {series.name!r} holds {str(kind).lower()}, which is not a"
                " number, text, boolean or time; convert it or leave it out (data.drop)"
            )
    return frame


def numbers(frame: pl.DataFrame, names: Sequence[str], locator: Locator) -> pl.DataFrame:
    """Return the frame with `names` as float64, refusing the first cell that is not a number."""
    import polars as pl

    for name in names:
        series = frame[name]
        if series.dtype.is_numeric() or series.dtype in (pl.Boolean, pl.Null):
            converted = series.cast(pl.Float64)
        else:
            converted = _parsed(series)
            locator.refuse(converted.is_null() & series.is_not_null(), series, NOT_A_NUMBER)
        frame = frame.with_columns(converted)
    return frame


def _parsed(series: pl.Series) -> pl.Series:
    import polars as pl

    return series.cast(pl.String).str.strip_chars().cast(pl.Float64, strict=False)


def refuse_almost_numbers(frame: pl.DataFrame, names: Sequence[str], locator: Locator) -> None:
    """Raise DataError for a text column that is mostly numbers: one bad cell made it text."""
    import polars as pl

    for name in names:
        series = frame[name]
        if series.dtype == pl.String:
            good = _parsed(series).is_not_null()
            alike = good | series.str.contains(_WITH_THOUSANDS).fill_null(value=False)
            if alike.sum() > NUMBER_LIKE * series.count():
                locator.refuse(~good & series.is_not_null(), series, NOT_A_NUMBER)


def binary_label(frame: pl.DataFrame, label: str, positive: Any, locator: Locator) -> pl.DataFrame:
    """Return the frame with its label as 0/1 (1 = `positive` when that is given)."""
    import polars as pl

    series = frame[label]
    locator.refuse(series.is_null(), series, "every row needs a label")
    if positive is not None:
        return frame.with_columns(_equals(series, positive, locator).cast(pl.Int8).alias(label))
    if series.dtype == pl.Boolean:
        return frame.with_columns(series.cast(pl.Int8))
    as_text = series.cast(pl.String, strict=False)
    locator.refuse(~as_text.is_in(["0", "1", "0.0", "1.0"]), series, NOT_A_LABEL)
    return frame.with_columns(as_text.cast(pl.Float64).cast(pl.Int8).alias(label))


def _equals(series: pl.Series, positive: Any, locator: Locator) -> pl.Series:
    """Return where the label is the fraud value, however YAML or the file spelt it."""
    import polars as pl

    same = pl.Series([False])
    if series.dtype.is_numeric() and not isinstance(positive, bool):
        with suppress(ValueError):
            same = series == float(positive)
    else:
        wanted = f"{positive:g}" if isinstance(positive, float) else str(positive)
        if series.dtype == pl.Boolean:
            wanted = {"1": "true", "0": "false"}.get(wanted, wanted).lower()
        same = series.cast(pl.String) == wanted
    if not same.any():
        values = ", ".join(repr(value) for value in series.unique().sort().head(8).to_list())
        raise DataError(
            f"{locator}: no row of column {series.name!r} equals data.positive={positive!r};"
            f" its values are {values}"
        )
    return same


def times(frame: pl.DataFrame, name: str, locator: Locator) -> pl.DataFrame:
    """Return the frame with the time column as datetimes (UTC where it has a zone) or numbers."""
    import polars as pl

    series = frame[name]
    if series.dtype == pl.String:
        return frame.with_columns(_moments(series, locator))
    if not (series.dtype.is_numeric() or series.dtype in (pl.Date, pl.Datetime)):
        locator.refuse(series.is_not_null(), series, NOT_A_TIME)
    return frame


def _moments(series: pl.Series, locator: Locator) -> pl.Series:
    import polars as pl
    import pyarrow as pa

    cells = series.to_arrow().cast(pa.string())
    for zone in (None, "UTC"):
        with suppress(pa.ArrowInvalid):
            moments = pl.from_arrow(cells.cast(pa.timestamp("us", zone)))
            assert isinstance(moments, pl.Series)
            return moments.alias(series.name)
    zoned = [None if cell is None else _is_zoned(cell) for cell in series]
    usual = next((each for each in zoned if each is not None), None)
    unreadable = pl.Series(
        [cell is not None and each is None for cell, each in zip(series, zoned, strict=True)]
    )
    locator.refuse(unreadable, series, NOT_A_TIME)
    other = pl.Series([each not in {None, usual} for each in zoned])
    locator.refuse(
        other, series, "but rows before it differ in having a zone; write them all the same way"
    )
    raise DataError(f"{locator}: the times in column {series.name!r} cannot be read; {NOT_A_TIME}")


def _is_zoned(cell: str) -> bool | None:
    """Return whether a time has a zone, None when it is not a time."""
    try:
        return dt.datetime.fromisoformat(cell.strip()).tzinfo is not None
    except ValueError:
        return None
