"""The table: what every later step may know of the data, and nothing else.

`Raw` is what a data plugin read (a polars frame and the meaning of its columns); a features plugin
turns it into a `Table`: the pandas frame of request fields, with label, time, amount, card beside.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from numpy.typing import NDArray

from fraudlab.manifest import Field

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

SECONDS_PER_DAY = 86_400
Bounds = tuple[float | None, float | None]


@dataclass(frozen=True, slots=True)
class Columns:
    """What the columns of a raw frame mean; everything not named here is an input.

    `entities` are the things a transaction belongs to, the first is the card. `segment` (a fraud
    scenario, a country) only slices reports. `bounds` are declared [min, max] of inputs.
    """

    label: str
    id: str | None = None
    time: str | None = None
    amount: str | None = None
    entities: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()
    segment: str | None = None
    bounds: Mapping[str, Bounds] = field(default_factory=dict)

    @property
    def not_inputs(self) -> set[str]:
        """Names of the columns that no model reads."""
        named = {self.label, self.id, self.time, self.segment, *self.entities}
        return {name for name in named if name is not None}


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


@dataclass(frozen=True, slots=True)
class Raw:
    """Raw rows: the label is 0/1, numbers are finite or missing, the report is made."""

    frame: pl.DataFrame
    columns: Columns
    report: TableReport


@dataclass(frozen=True, slots=True)
class Table:
    """Rows ready to be split, all arrays of one length and in the frame's order.

    Attributes
    ----------
    frame
        One column per request field, in the request's order; numbers float64, text as objects.
    fields
        The request's fields as far as the whole table tells (no train statistics).
    label
        int8, 1 = fraud.
    ids
        The transaction ids, or row numbers.
    time
        int64 seconds since 1970 (or since the table's own zero), None without a time.
    amount
        float64, None without amounts.
    card
        int64 codes of the first entity; None without entities.
    duplicate
        int64; rows that are equal in all columns but the id share a number, others have -1.
    segment
        Text or numbers to slice reports by, None without.
    report
        What was found when the table was checked.
    """

    frame: pd.DataFrame
    fields: tuple[Field, ...]
    label: NDArray[np.int8]
    ids: NDArray[np.int64] | NDArray[np.object_]
    time: NDArray[np.int64] | None
    amount: NDArray[np.float64] | None
    card: NDArray[np.int64] | None
    duplicate: NDArray[np.int64]
    segment: NDArray[np.object_] | None
    report: TableReport

    def __len__(self) -> int:
        return len(self.label)

    @property
    def fingerprint(self) -> str:
        """The sha256 of the raw data the table was made from."""
        return self.report.fingerprint

    @property
    def day(self) -> NDArray[np.int64] | None:
        """The calendar day of each row, counted from 1970-01-01; None without a time."""
        return None if self.time is None else self.time // SECONDS_PER_DAY


def assemble(raw: Raw, inputs: pl.DataFrame, fields: tuple[Field, ...]) -> Table:
    """Return the table of `raw` with `inputs` as its request fields."""
    frame, columns = raw.frame, raw.columns
    ids = frame[columns.id] if columns.id else None
    return Table(
        frame=_to_pandas(inputs),
        fields=fields,
        label=frame[columns.label].to_numpy().astype(np.int8),
        ids=np.arange(frame.height) if ids is None else ids.to_numpy(),
        time=None if columns.time is None else seconds(frame[columns.time]),
        amount=_amounts(frame, columns),
        card=cards(frame[columns.entities[0]]) if columns.entities else None,
        duplicate=duplicate_groups(frame, columns),
        segment=None if columns.segment is None else frame[columns.segment].to_numpy(),
        report=raw.report,
    )


def _to_pandas(inputs: pl.DataFrame) -> pd.DataFrame:
    import pandas as pd

    columns = {}
    for series in inputs:
        if series.dtype.is_numeric() or series.dtype.to_python() is bool:
            numbers = series.cast(float).fill_null(float("nan")).to_numpy()
            columns[series.name] = pd.Series(numbers)
        else:  # objects, so that pandas leaves a missing text None
            columns[series.name] = pd.Series(series.cast(str).to_list(), dtype=object)
    return pd.DataFrame(columns)


def _amounts(frame: pl.DataFrame, columns: Columns) -> NDArray[np.float64] | None:
    if columns.amount is None:
        return None
    return frame[columns.amount].cast(float).fill_null(0.0).to_numpy().astype(np.float64)


def seconds(series: pl.Series) -> NDArray[np.int64]:
    """Return a time column as whole seconds: datetimes since 1970, numbers as they are."""
    if series.dtype.is_temporal():
        import polars as pl

        return series.cast(pl.Datetime("us")).dt.epoch("s").to_numpy().astype(np.int64)
    whole: NDArray[np.int64] = np.floor(series.cast(float).to_numpy()).astype(np.int64)
    return whole


def codes(series: pl.Series) -> NDArray[np.int64]:
    """Return whole numbers as they are, anything else as dense codes in sorted order."""
    if series.dtype.is_integer() and not series.null_count():
        return series.to_numpy().astype(np.int64)
    return series.cast(str).fill_null("").rank("dense").to_numpy().astype(np.int64)


def cards(series: pl.Series) -> NDArray[np.int64]:
    """Return the codes of a column of cards; a missing one is nobody else's, a code of its own."""
    found = codes(series).copy()
    missing = np.flatnonzero(series.is_null().to_numpy())
    found[missing] = min(0, int(found.min(initial=0))) - 1 - np.arange(len(missing))
    return found


def duplicate_groups(frame: pl.DataFrame, columns: Columns) -> NDArray[np.int64]:
    """Return a shared number for rows equal in all columns but the id, -1 for single rows."""
    import polars as pl

    names = [name for name in frame.columns if name != columns.id]
    hashes = frame.select(names).hash_rows(seed=0)
    twice = hashes.is_duplicated()
    groups = np.full(frame.height, -1, dtype=np.int64)
    if twice.any():
        marked = twice.to_numpy()
        ranks = hashes.filter(twice).rank("dense").cast(pl.Int64)
        groups[marked] = ranks.to_numpy() - 1
    return groups


def fingerprint(frame: pl.DataFrame) -> str:
    """Return the sha256 over names, types and contents of the columns, in order."""
    digest = hashlib.sha256()
    for series in frame:
        digest.update(f"{series.name}\0{series.dtype}\0{len(series)}\0".encode())
        if series.null_count():
            digest.update(series.is_null().to_numpy().tobytes())
        if series.dtype.is_numeric() or series.dtype.is_temporal():
            plain = series.to_physical().fill_null(strategy="zero")
            digest.update(np.ascontiguousarray(plain.to_numpy()).tobytes())
        else:
            text = series.cast(str).fill_null("")
            digest.update(np.ascontiguousarray(text.str.len_bytes().to_numpy()).tobytes())
            digest.update("".join(text).encode())
    return digest.hexdigest()
