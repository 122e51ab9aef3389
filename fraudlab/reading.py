"""CSV and Parquet files to polars frames, with every fault of a file named by row and column."""

from __future__ import annotations

import csv
import difflib
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fraudlab.errors import DataError

if TYPE_CHECKING:
    import polars as pl

CSV_ENDINGS = (".csv", ".tsv")
PARQUET_ENDINGS = (".parquet", ".pq")
SEPARATORS = ",;\t|"
NUMBER_LIKE = 0.5  # a text column with this share of numbers is a number column with faults
TIME_FORMATS_HELP = "write 2018-07-25 13:05:59, or whole seconds"
_DECIMAL_COMMA = re.compile(r"^-?\d+,\d+$")


def read_file(path: str | Path | None, option: str) -> pl.DataFrame:
    """Return the frame in a CSV or Parquet file.

    Raises
    ------
    DataError
        If there is no such file, its ending or content is not CSV or Parquet, it is empty or cut
        short, or a column's name stands twice.
    """
    if not path:
        raise DataError(f"data={option} needs a file: add data.path=FILE.csv (or .parquet)")
    file = Path(path).expanduser()
    if not file.is_file():
        raise DataError(f"data.path: there is no file {str(path)!r}{_neighbour(file)}")
    ending = file.suffix.lower()
    if ending not in (*CSV_ENDINGS, *PARQUET_ENDINGS):
        allowed = ", ".join((*CSV_ENDINGS, *PARQUET_ENDINGS))
        raise DataError(f"data.path: {file.name!r} ends in {ending!r}; allowed are {allowed}")
    if file.stat().st_size == 0:
        raise DataError(f"{file.name} is empty (0 bytes)")
    return _read_parquet(file) if ending in PARQUET_ENDINGS else _read_csv(file)


def _neighbour(file: Path) -> str:
    if not file.parent.is_dir():
        return f"; the folder {str(file.parent)!r} does not exist either"
    names = sorted(entry.name for entry in file.parent.iterdir() if entry.is_file())
    close = difflib.get_close_matches(file.name, names, n=1)
    return f"; did you mean {str(file.parent / close[0])!r}?" if close else ""


def _read_parquet(file: Path) -> pl.DataFrame:
    import polars as pl

    try:
        return pl.read_parquet(file)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(
            f"{file.name} cannot be read as Parquet ({_first_line(error)}); it may be cut short:"
            " write or copy it again"
        ) from error


def _read_csv(file: Path) -> pl.DataFrame:
    import polars as pl

    separator, names = _header(file)
    options: dict[str, Any] = {
        "separator": separator,
        "infer_schema_length": None,
        "null_values": ["", "NA", "NaN", "nan", "null", "NULL", "None"],
        "try_parse_dates": True,
    }
    try:
        frame = pl.read_csv(file, **options)
        if separator == ";" and _has_decimal_commas(frame):
            frame = pl.read_csv(file, decimal_comma=True, **options)
    except pl.exceptions.NoDataError as error:
        raise DataError(f"{file.name} is empty: not even a header line") from error
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(
            f"{file.name} cannot be read as CSV (separator {separator!r}): {_first_line(error)}"
        ) from error
    _check_last_line(file, separator, len(names))
    return frame


def _header(file: Path) -> tuple[str, list[str]]:
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            line = stream.readline()
    except UnicodeDecodeError as error:
        raise DataError(
            f"{file.name} is not UTF-8 text ({error.reason}): save it as UTF-8"
        ) from error
    separator = max(SEPARATORS, key=line.count)
    names = next(csv.reader([line.rstrip("\r\n")], delimiter=separator), [])
    refuse_duplicates(names, file.name)
    return separator, names


def refuse_duplicates(names: Sequence[str], source: str) -> None:
    """Raise DataError when a column's name stands twice."""
    seen: set[str] = set()
    for place, name in enumerate(names):
        if name in seen:
            raise DataError(
                f"{source}: two columns are named {name!r} (column {names.index(name) + 1} and"
                f" {place + 1}); rename or delete one"
            )
        seen.add(name)


def _check_last_line(file: Path, separator: str, expected: int) -> None:
    """Refuse a file whose last line has too few cells: a copy or export that was cut off."""
    size = file.stat().st_size
    with file.open("rb") as stream:
        stream.seek(max(0, size - (1 << 16)))
        tail = stream.read().decode("utf-8", errors="replace").rstrip("\r\n")
    last = tail.splitlines()[-1] if tail else ""
    if '"' in last:  # a quoted cell may hold line breaks: the parser has judged it already
        return
    found = last.count(separator) + 1
    if found < expected:
        raise DataError(
            f"{file.name} is cut short: its last line has {found} of {expected} cells"
            f" ({last[:80]!r}); write or copy it again"
        )


def _has_decimal_commas(frame: pl.DataFrame) -> bool:
    for series in frame:
        if not series.dtype.is_numeric() and not series.dtype.is_temporal():
            cells = series.cast(str).drop_nulls().head(100).to_list()
            if cells and all(_DECIMAL_COMMA.match(cell) for cell in cells):
                return True
    return False


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0][:300]


def require_columns(
    frame: pl.DataFrame, wanted: Sequence[str], source: str, *, exactly: bool = False
) -> None:
    """Raise DataError when a wanted column is missing, or, with `exactly`, one is extra."""
    for name in wanted:
        if name not in frame.columns:
            close = difflib.get_close_matches(name, frame.columns, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            raise DataError(
                f"{source} has no column {name!r}{hint}; its columns are {', '.join(frame.columns)}"
            )
    extra = [name for name in frame.columns if name not in wanted]
    if exactly and extra:
        raise DataError(
            f"{source} has a column that does not belong to it: {extra[0]!r};"
            f" expected are exactly {', '.join(wanted)}"
        )


def numbers(frame: pl.DataFrame, names: Sequence[str], source: str) -> pl.DataFrame:
    """Return the frame with `names` as float64, refusing the first cell that is no number."""
    import polars as pl

    for name in names:
        series = frame[name]
        if series.dtype.is_numeric() or series.dtype == pl.Null:
            converted = series.cast(pl.Float64)
        elif series.dtype == pl.Boolean:
            converted = series.cast(pl.Int8).cast(pl.Float64)
        else:
            converted = _parse(series, source)
        frame = frame.with_columns(converted)
    return frame


def _parse(series: pl.Series, source: str) -> pl.Series:
    import polars as pl

    text = series.cast(pl.String).str.strip_chars()
    converted = text.cast(pl.Float64, strict=False)
    faulty = converted.is_null() & series.is_not_null()
    if faulty.any():
        row = int(faulty.arg_max() or 0)
        raise DataError(
            f"{source}: row {row + 1}, column {series.name!r} holds {series[row]!r}, which is not a"
            f" number; correct the cell, or name the column in data.categorical"
        )
    return converted


def refuse_almost_numbers(frame: pl.DataFrame, names: Sequence[str], source: str) -> None:
    """Raise DataError for a text column that is mostly numbers: one bad cell made it text."""
    import polars as pl

    for name in names:
        if frame[name].dtype == pl.String:
            present = frame[name].drop_nulls()
            good = present.str.strip_chars().cast(pl.Float64, strict=False).is_not_null().sum()
            if len(present) and good / len(present) > NUMBER_LIKE:
                _parse(frame[name], source)


def binary_label(frame: pl.DataFrame, label: str, positive: Any, source: str) -> pl.DataFrame:
    """Return the frame with its label as 0/1 (1 = `positive` when that is given)."""
    import polars as pl

    series = frame[label]
    if series.null_count():
        row = int(series.is_null().arg_max() or 0)
        raise DataError(
            f"{source}: row {row + 1}, label column {label!r} is empty; every row needs a label"
        )
    if positive is not None:
        return frame.with_columns(_equals(series, positive, source).cast(pl.Int8).alias(label))
    if series.dtype == pl.Boolean:
        return frame.with_columns(series.cast(pl.Int8))
    known = series.cast(pl.String).is_in(["0", "1", "0.0", "1.0"])
    if not known.all():
        row = int((~known).arg_max() or 0)
        raise DataError(
            f"{source}: row {row + 1}, label column {label!r} holds {series[row]!r}; labels must be"
            " 0 or 1 (name the fraud value with data.positive=VALUE if it is another)"
        )
    return frame.with_columns(series.cast(pl.String).cast(pl.Float64).cast(pl.Int8).alias(label))


def _equals(series: pl.Series, positive: Any, source: str) -> pl.Series:
    same: pl.Series
    if series.dtype.is_numeric() and not isinstance(positive, str):
        same = series == positive
    else:
        same = series.cast(str) == str(positive)
    if not same.any():
        values = ", ".join(repr(value) for value in series.unique().sort().head(8).to_list())
        raise DataError(
            f"{source}: no row of column {series.name!r} equals data.positive={positive!r};"
            f" its values are {values}"
        )
    return same


def cached_frame(path: Path, make: Callable[[], pl.DataFrame]) -> pl.DataFrame:
    """Return the frame kept in the Parquet file `path`, making (and keeping) it when needed."""
    import polars as pl

    if path.is_file():
        try:
            return pl.read_parquet(path)
        except (pl.exceptions.PolarsError, OSError):
            path.unlink(missing_ok=True)  # cut short by a full disk: make it again
    frame = make()
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        frame.write_parquet(temporary)
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)  # a cache that cannot be written costs time, not results
    return frame
