"""Where rows came from, so that a fault names the row as a person finds it."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fraudlab.errors import DataError

if TYPE_CHECKING:
    import polars as pl


LONGEST = 80  # characters of a cell that a message shows


def content_of(path: str | Path | None) -> str | None:
    """Return the sha256 of a file's bytes; None when it cannot be read, which reading explains."""
    try:
        with Path(path or "").expanduser().open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:
        return None


@dataclass(frozen=True, slots=True)
class Locator:
    """The name of a table; for CSV also the file, whose lines are counted when a row is named.

    A row of a CSV file is named by its line as an editor counts them (the header is line 1), a row
    of anything else by its number, from 1.
    """

    name: str
    csv_file: Path | None = None
    separator: str = ","

    def __str__(self) -> str:
        return self.name

    def place(self, row: int) -> str:
        """Return what to call the row number `row` (from 0)."""
        if self.csv_file is not None:
            try:
                for number, (line, _) in enumerate(records(self.csv_file, self.separator), -1):
                    if number == row:
                        return f"line {line}"
            except (csv.Error, OSError, UnicodeDecodeError):  # then the row number has to do
                pass
        return f"row {row + 1}"

    def refuse(self, faulty: pl.Series, series: pl.Series, why: str) -> None:
        """Raise DataError for the first row where `faulty` is true; `why` follows its value."""
        rows = faulty.fill_null(value=False).arg_true()
        if len(rows):
            row = int(rows[0])
            value = series[row]
            holds = "is empty" if value is None else f"holds {_shown(value)}"
            raise DataError(f"{self}: {self.place(row)}, column {series.name!r} {holds}, {why}")


def records(file: Path, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Yield every record of a CSV file, the header too, with the line it begins on."""
    with file.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.reader(stream, delimiter=separator, strict=True)
        line = 1
        for cells in reader:
            if cells:
                yield line, cells
            line = reader.line_num + 1


def _shown(value: object) -> str:
    text = repr(value) if isinstance(value, str | int | float | bool) else repr(str(value))
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
