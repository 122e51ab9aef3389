"""Anybody's CSV or Parquet file: any column names, numbers and text, missing values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fraudlab.columns import (
    binary_label,
    numbers,
    plain,
    refuse_almost_numbers,
    require_columns,
    times,
)
from fraudlab.errors import ConfigError, DataError
from fraudlab.locating import Locator, content_of
from fraudlab.reading import read_file
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
    bounds: dict[str, tuple[float | None, float | None]] | None = None,
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
        First day of the training window: conf/split/temporal.yaml takes it from here, reading
        the table does not.
    """
    source = TableFile(
        path, label, positive, id, time, amount, _names(entities), _names(categorical), segment,
        _names(drop), bounds or {},
    )  # fmt: skip
    meanings = source.meanings()
    for name, (low, high) in source.bounds.items():
        if low is not None and high is not None and low > high:
            raise ConfigError(f"data.bounds of {name!r}: {low} is above {high}", "data.bounds")
        if meanings.get(name, "amount") != "amount":
            raise ConfigError(
                f"data.bounds names {name!r}, which data.{meanings[name]} names too; only numbers"
                " that a model reads have bounds",
                "data.bounds",
            )
    return source


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

    def state(self) -> str | None:
        """Return the digest of the file."""
        return content_of(self.path)

    def read(self) -> Raw:
        """Return the rows, in time order where there is a time."""
        frame, locator = read_file(self.path, "table", text=self.categorical)
        columns = self._columns(frame, locator)
        frame = plain(frame.drop(self.drop), locator)
        frame = binary_label(frame, columns.label, self.positive, locator)
        frame = self._typed(frame, columns, locator)
        report = check_table(frame, columns, locator)
        if columns.time is not None:
            frame = frame.sort(columns.time, maintain_order=True)
        return Raw(frame, columns, report)

    def _columns(self, frame: pl.DataFrame, locator: Locator) -> Columns:
        if not self.label:
            raise DataError(
                f"data=table needs the label column: add data.label=NAME; the columns of {locator}"
                f" are {', '.join(map(repr, frame.columns))}"
            )
        require_columns(frame, [*self.meanings(), *self.bounds], locator)
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

    def meanings(self) -> dict[str, str]:
        """Return the option that names each column; a column has one meaning.

        Raises
        ------
        ConfigError
            If a column is named twice.
        """
        single = ("label", "id", "time", "amount", "segment")
        named = [(option, getattr(self, option)) for option in single]
        for option in ("entities", "categorical", "drop"):
            named += [(option, name) for name in getattr(self, option)]
        found: dict[str, str] = {}
        for option, name in named:
            if name in found:
                raise ConfigError(
                    f"data.{option} names the column {name!r}, and so does data.{found[name]}; a"
                    " column has one meaning",
                    f"data.{option}",
                )
            if name is not None:
                found[name] = option
        return found

    def _typed(self, frame: pl.DataFrame, columns: Columns, locator: Locator) -> pl.DataFrame:
        import polars as pl

        if columns.amount is not None:
            frame = numbers(frame, [columns.amount], locator)
        if columns.time is not None:
            frame = times(frame, columns.time, locator)
        named = {*columns.not_inputs, *self.categorical}
        inputs = [name for name in frame.columns if name not in named]
        refuse_almost_numbers(frame, inputs, locator)
        return frame.with_columns(pl.col(name).cast(pl.String) for name in self.categorical)
