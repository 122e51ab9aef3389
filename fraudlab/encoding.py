"""What is learned of a table's columns from the rows fitted on, and the matrix made of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from msgspec.structs import replace

from fraudlab import registry
from fraudlab.config import Config
from fraudlab.errors import DataError
from fraudlab.manifest import Field
from fraudlab.preprocess import (
    FLOAT32_MAX,
    Categorical,
    Codes,
    Encoder,
    Floats,
    IdentityScaler,
    Matrix,
    Numeric,
    Preprocess,
)
from fraudlab.protocols import Rows
from fraudlab.table import Table

if TYPE_CHECKING:
    import pandas as pd

MIN_LEVEL_ROWS = 20
MAX_LEVELS = 64


def learn_fields(table: Table, rows: Rows) -> tuple[Field, ...]:
    """Return the request's fields with what `rows` tell of them."""
    return tuple(_learn_field(field, table, rows) for field in table.fields)


def _learn_field(field: Field, table: Table, rows: Rows) -> Field:
    """Return `field` with what train tells of it: its categories or range, and if it is missing."""
    if field.kind == "number":
        values = read_column(table, field.name, rows)
        missing = np.isnan(values)
        seen = _range(field, values[~missing])
        return replace(field, nullable=field.nullable or bool(missing.any()), seen=seen)
    texts = table.frame[field.name].iloc[rows]
    nullable = field.nullable or bool(texts.isna().any())
    categories = _levels(texts) if field.kind == "category" else ()
    return replace(field, nullable=nullable, categories=categories)


def _range(field: Field, present: Floats) -> tuple[float, float] | None:
    if not len(present):
        return None
    seen = float(present.min()), float(present.max())
    low = -FLOAT32_MAX if field.min is None else field.min
    high = FLOAT32_MAX if field.max is None else field.max
    if seen[0] < low or seen[1] > high:
        raise DataError(
            f"column {field.name!r} ranges from {seen[0]} to {seen[1]} in train, outside its bounds"
            f" [{low:g}, {high:g}]; correct the data or data.bounds"
        )
    return seen


def fit_preprocess(
    config: Config, table: Table, rows: Rows, fields: tuple[Field, ...]
) -> Preprocess:
    """Return imputation, encoding and scaling as learned from `rows`, whose `fields` are known."""
    numeric, categorical = [], []
    for field in fields:
        if not field.is_input:
            continue
        if field.kind == "number":
            numeric.append(_numeric(field, read_column(table, field.name, rows)))
        else:
            categorical.append(Categorical(field.name, field.categories))
    bare = Preprocess(tuple(numeric), tuple(categorical), IdentityScaler())
    if not numeric:
        return bare
    numbers = read_numbers(table, rows, bare)
    medians = np.array([column.median for column in numeric])
    filled = np.where(np.isnan(numbers), medians, numbers)
    return Preprocess(
        bare.numeric, bare.categorical, registry.build("scaler", config.scaler).fit(filled)
    )


def _numeric(field: Field, values: Floats) -> Numeric:
    missing = np.isnan(values)
    median = 0.0 if missing.all() else float(np.median(values[~missing]))
    return Numeric(field.name, median, indicator=bool(missing.any()))


def _levels(texts: pd.Series[str]) -> tuple[str, ...]:
    """Return the levels frequent enough to have a column, most frequent first, then by name."""
    counts = texts.value_counts()
    often = [(-count, str(level)) for level, count in counts.items() if count >= MIN_LEVEL_ROWS]
    return tuple(level for _, level in sorted(often)[:MAX_LEVELS])


def read_numbers(table: Table, rows: Rows, preprocess: Preprocess) -> Floats:
    """Return the numeric inputs of `rows`, float64 [N, numeric], NaN where missing."""
    names = [column.name for column in preprocess.numeric]
    if not names:
        return np.empty((len(rows), 0))
    return np.column_stack([read_column(table, name, rows) for name in names])


def read_column(table: Table, name: str, rows: Rows) -> Floats:
    """Return a column of numbers of `rows`, NaN where missing."""
    values: Floats = table.frame[name].to_numpy(dtype=np.float64)[rows]
    return values


def encode(table: Table, rows: Rows, preprocess: Preprocess) -> Matrix:
    """Return the graph's matrix of `rows`, through the scorer's own encoder."""
    encoder = Encoder(preprocess)
    numbers = read_numbers(table, rows, preprocess)
    return encoder.encode(numbers, read_codes(table, rows, encoder))


def read_codes(table: Table, rows: Rows, encoder: Encoder) -> Codes | None:
    """Return the one-hot positions of the categorical inputs of `rows`; None without any."""
    import pandas as pd

    columns = []
    for place, column in enumerate(encoder.spec.categorical):
        number, levels = pd.factorize(table.frame[column.name].iloc[rows])  # -1 where missing
        known = [encoder.code(place, level) for level in levels]
        columns.append(np.array([*known, column.missing])[number])
    return np.column_stack(columns) if columns else None
