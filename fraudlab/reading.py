"""CSV and Parquet files to polars frames; a file that is not what it says is refused in words."""

from __future__ import annotations

import csv
import difflib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fraudlab.errors import DataError
from fraudlab.locating import Locator, records

if TYPE_CHECKING:
    import polars as pl

CSV_ENDINGS = (".csv", ".tsv")
PARQUET_ENDINGS = (".parquet", ".pq")
ENDINGS = ", ".join((*CSV_ENDINGS, *PARQUET_ENDINGS))
PARQUET_MARK = b"PAR1"  # the first and the last bytes of every Parquet file
PACKED = {b"\x1f\x8b": "gzip", b"PK\x03\x04": "zip", b"\x28\xb5\x2f\xfd": "zstd", b"BZh": "bzip2"}
SEPARATORS = ",;\t|"
EMPTY_CELLS = ["", "NA", "NaN", "nan", "null", "NULL", "None"]
BLOCK = 1 << 24  # bytes read at a time, and the longest record
_QUOTED = re.compile(r'"[^"]*"')
_DECIMAL_COMMA = r"^\s*[+-]?\d*,?\d+([eE][+-]?\d+)?\s*$"


def read_file(
    path: str | Path | None, option: str, text: Sequence[str] = ()
) -> tuple[pl.DataFrame, Locator]:
    """Return the frame in a CSV or Parquet file, and how to name its rows.

    Parameters
    ----------
    path
        The file; relative to the current folder.
    option
        The data option that reads it.
    text
        Columns of a CSV file whose cells are kept as they are written.

    Raises
    ------
    DataError
        If there is no such file, its ending or content is not CSV or Parquet, it is empty, ragged
        or cut short, or two columns have the same name.
    """
    if not path:
        raise DataError(f"data={option} needs a file: add data.path=FILE.csv (or .parquet)")
    file = Path(path).expanduser()
    try:
        parquet = _is_parquet(file)
        frame, locator = _read_parquet(file) if parquet else _read_csv(file, text)
    except OSError as error:
        raise DataError(
            f"data.path: {str(path)!r} cannot be read ({error.strerror or error}); check the path"
            " and its permissions"
        ) from error
    return frame, locator


def _is_parquet(file: Path) -> bool:
    """Tell by ending and content, which must agree."""
    if file.is_dir():
        raise DataError(f"data.path: {str(file)!r} is a folder; name the file in it")
    if not file.is_file():
        raise DataError(f"data.path: there is no file {str(file)!r}{_neighbour(file)}")
    ending = file.suffix.lower()
    with file.open("rb") as stream:
        start = stream.read(4)
    for mark, packer in PACKED.items():
        if start.startswith(mark):
            raise DataError(
                f"{file} is compressed ({packer}); decompress it first: a table is {ENDINGS}"
            )
    if ending not in (*CSV_ENDINGS, *PARQUET_ENDINGS):
        raise DataError(f"data.path: {file.name!r} ends in {ending!r}; allowed are {ENDINGS}")
    if not start:
        raise DataError(f"{file} is empty (0 bytes); a table needs a header and rows")
    if start == PARQUET_MARK and ending in CSV_ENDINGS:
        raise DataError(f"{file} is a Parquet file by its content; rename it to end in .parquet")
    if start != PARQUET_MARK and ending in PARQUET_ENDINGS:
        raise DataError(
            f"{file} is not a Parquet file by its content; if it is CSV, rename it to end in .csv"
        )
    return ending in PARQUET_ENDINGS


def _neighbour(file: Path) -> str:
    if not file.parent.is_dir():
        return f"; the folder {str(file.parent)!r} does not exist either"
    names = sorted(entry.name for entry in file.parent.iterdir() if entry.is_file())
    close = difflib.get_close_matches(file.name, names, n=1)
    return f"; did you mean {str(file.parent / close[0])!r}?" if close else ""


def _read_parquet(file: Path) -> tuple[pl.DataFrame, Locator]:
    import polars as pl
    import pyarrow as pa
    from pyarrow import parquet

    try:
        names = parquet.read_schema(file).names
        check_names(names, str(file))
        return pl.read_parquet(file), Locator(str(file))
    except (pl.exceptions.PolarsError, pa.ArrowException, OSError) as error:
        raise DataError(
            f"{file} cannot be read as Parquet ({_first_line(error)}); it may be cut short or"
            " damaged: write or copy it again"
        ) from error


def _read_csv(file: Path, text: Sequence[str]) -> tuple[pl.DataFrame, Locator]:
    import polars as pl
    import pyarrow as pa
    from pyarrow import csv as arrow

    separator, names = _header(file)
    try:
        read = arrow.read_csv(
            file,
            read_options=arrow.ReadOptions(block_size=BLOCK),
            parse_options=arrow.ParseOptions(delimiter=separator, newlines_in_values=True),
            convert_options=arrow.ConvertOptions(
                null_values=EMPTY_CELLS,
                strings_can_be_null=True,
                column_types=dict.fromkeys(text, pa.string()),
            ),
        )
    except pa.ArrowException as error:
        raise _explained(file, separator, names, error) from error
    _check_quotes(file, separator)
    frame = pl.from_arrow(read)
    assert isinstance(frame, pl.DataFrame)
    if pl.Binary in frame.dtypes:
        raise _not_utf8(file)
    return _decimal_commas(frame, text, separator), Locator(str(file), file, separator)


def _header(file: Path) -> tuple[str, list[str]]:
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            line = _QUOTED.sub("", stream.readline())
        separator = max(SEPARATORS, key=line.count)
        _, names = next(records(file, separator), (1, []))
    except UnicodeDecodeError as error:
        raise _not_utf8(file) from error
    except csv.Error as error:
        raise DataError(f"{file}: the header cannot be read ({error}); is a quote open?") from error
    if not names:
        raise DataError(f"{file} is empty: not even a header line")
    check_names(names, str(file))
    return separator, names


def check_names(names: Sequence[str], source: str) -> None:
    """Raise DataError when a column has no name, or one stands twice."""
    for place, name in enumerate(names, 1):
        if not name.strip():
            raise DataError(
                f"{source}: column {place} has no name (an index that was saved too?); name it"
                " or leave it out"
            )
        if names.index(name) + 1 < place:
            raise DataError(
                f"{source}: two columns are named {name!r} (column {names.index(name) + 1} and"
                f" {place}); rename or delete one"
            )


def _explained(file: Path, separator: str, names: Sequence[str], error: BaseException) -> DataError:
    """Return what is wrong with a CSV file that could not be parsed."""
    bad, rows = None, 0
    try:
        for line, cells in records(file, separator):
            rows += 1
            if bad is None and len(cells) != len(names):
                bad = (rows, line, len(cells))
    except csv.Error as fault:
        return DataError(f"{file} is cut short or damaged: {fault} (a quote is not closed)")
    except UnicodeDecodeError:
        return _not_utf8(file)
    if rows == 1:
        return DataError(f"{file} has a header and no rows; a table needs rows of both classes")
    if bad is None:
        return DataError(f"{file} cannot be read as CSV (separator {separator!r}): {error}")
    number, line, found = bad
    cut = "; the file is cut short" if number == rows and found < len(names) else ""
    return DataError(
        f"{file}: line {line} has {found} cells, the header has {len(names)} (separator"
        f" {separator!r}){cut}: correct the line, or write the file again"
    )


def _check_quotes(file: Path, separator: str) -> None:
    """Refuse a file that ends inside a quoted cell: only an odd number of quotes can."""
    count = 0
    with file.open("rb") as stream:
        while block := stream.read(BLOCK):
            count += block.count(b'"')
    if count % 2:
        try:
            for _ in records(file, separator):
                pass
        except csv.Error as error:
            raise DataError(
                f"{file} is cut short or damaged: {error} (a quote is not closed)"
            ) from error


def _not_utf8(file: Path) -> DataError:
    """Return the error that names the first line that is not UTF-8."""
    with file.open("rb") as stream:
        for line, content in enumerate(stream, 1):
            try:
                content.decode()
            except UnicodeDecodeError as error:
                return DataError(
                    f"{file}: line {line} is not UTF-8 text ({error.reason}): save it as UTF-8"
                )
    return DataError(f"{file} is not UTF-8 text: save it as UTF-8")


def _decimal_commas(frame: pl.DataFrame, text: Sequence[str], separator: str) -> pl.DataFrame:
    """Return the frame with columns of 12,5 as numbers, where the comma separates no cells."""
    import polars as pl

    if separator == ",":
        return frame
    for series in frame.select(pl.col(pl.String).exclude(*text) if text else pl.col(pl.String)):
        if series.str.contains(_DECIMAL_COMMA).all() and series.null_count() < len(series):
            frame = frame.with_columns(series.str.strip_chars().str.replace(",", ".").cast(float))
    return frame


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0][:300]
