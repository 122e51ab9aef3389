"""Anybody's CSV or Parquet file: any column names, numbers and text, missing values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fraudlab.errors import DataError
from fraudlab.reading import (
    TIME_FORMATS_HELP,
    binary_label,
    numbers,
    read_file,
    refuse_almost_numbers,
    require_columns,
)
from fraudlab.registry import register
from fraudlab.table import Columns, Raw
from fraudlab.table_report import check_table

if TYPE_CHECKING:
    import polars as pl


@register("data", "table")
def table(
    *,
    path: str | None = None,
    label: str | None = None,
    positive: str | float | bool | None = None,
    id: str | None = None,  # noqa: A002 (the column's meaning, as the other options name theirs)
    time: str | None = None,
    amount: str | None = None,
    entities: list[str] | str = [],  # noqa: B006 (copied by the registry)
    categorical: list[str] | str = [],  # noqa: B006
    segment: str | None = None,
    drop: list[str] | str = [],  # noqa: B006
    bounds: dict[str, tuple[float | None, float | None]] = {},  # noqa: B006
    train_from: str | None = None,
) -> TableFile:
    """Read a table of labelled transactions.

    Parameters
    ----------
    path
        CSV (comma, semicolon, tab or bar; a byte order mark is fine) or Parquet.
    label
        The label column: 0 = genuine, 1 = fraud.
    positive
        The fraud value, when the label is not 0/1.
    id
        A column that only numbers the rows.
    time
        Datetimes or seconds; orders the split. It is a field of the request, not an input.
    amount
        What is at stake in a row; an input with a lower bound of 0.
    entities
        Columns that say whose row it is, the card first; fields of the request, not inputs.
    categorical
        Columns of numbers to be read as categories; text columns are categorical anyway.
    segment
        A column that only slices reports.
    drop
        Columns to leave out.
    bounds
        Declared [min, max] of inputs: a request outside is refused.
    train_from
        First day of the training window that `split=temporal` takes from here.
    """
    return TableFile(
        path, label, positive, id, time, amount, _names(entities), _names(categorical), segment,
        _names(drop), bounds,
    )  # fmt: skip


def _names(names: list[str] | str) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)


@dataclass(frozen=True)
class TableFile:
    """The source: a file and the meaning of its columns."""

    path: str | None
    label: str | None
    positive: str | float | bool | None
    id: str | None
    time: str | None
    amount: str | None
    entities: tuple[str, ...]
    categorical: tuple[str, ...]
    segment: str | None
    drop: tuple[str, ...]
    bounds: dict[str, tuple[float | None, float | None]]

    def read(self) -> Raw:
        """Return the rows, in time order where there is a time."""
        frame = read_file(self.path, "table")
        source = str(self.path)
        columns = self._columns(frame, source)
        frame = frame.drop(self.drop)
        frame = binary_label(frame, columns.label, self.positive, source)
        frame = self._typed(frame, columns, source)
        if columns.time is not None and not frame[columns.time].null_count():
            frame = frame.sort(columns.time, maintain_order=True)
        return Raw(frame, columns, check_table(frame, columns, source))

    def _columns(self, frame: pl.DataFrame, source: str) -> Columns:
        if not self.label:
            raise DataError(
                f"data=table needs the label column: add data.label=NAME; the columns of {source}"
                f" are {', '.join(frame.columns)}"
            )
        single = [self.label, self.id, self.time, self.amount, self.segment]
        named = [name for name in single if name is not None]
        named += [*self.entities, *self.categorical, *self.drop, *self.bounds]
        require_columns(frame, named, source)
        if self.label in self.drop:
            raise DataError(f"data.drop names the label column {self.label!r}")
        bounds = dict(self.bounds)
        if self.amount is not None:
            bounds.setdefault(self.amount, (0.0, None))
        return Columns(
            label=self.label,
            id=self.id,
            time=self.time,
            amount=self.amount,
            entities=self.entities,
            categorical=self.categorical,
            segment=self.segment,
            bounds=bounds,
        )

    def _typed(self, frame: pl.DataFrame, columns: Columns, source: str) -> pl.DataFrame:
        import polars as pl

        inputs = [
            name
            for name in frame.columns
            if name not in columns.not_inputs and name not in self.categorical
        ]
        refuse_almost_numbers(frame, inputs, source)
        if columns.amount is not None:
            frame = numbers(frame, [columns.amount], source)
        frame = frame.with_columns(pl.col(name).cast(pl.String) for name in self.categorical)
        if columns.time is not None and frame[columns.time].dtype == pl.String:
            row = next(i for i, cell in enumerate(frame[columns.time]) if cell is not None)
            raise DataError(
                f"{source}: row {row + 1}, time column {columns.time!r} holds"
                f" {frame[columns.time][row]!r}, which is no time; {TIME_FORMATS_HELP}"
            )
        return frame
