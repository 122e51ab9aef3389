"""Fitting a detector: everything learned from the rows it is fitted on, and from no others."""

from __future__ import annotations

from dataclasses import dataclass
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
from fraudlab.protocols import Model, Resampled, Rows
from fraudlab.table import Table

if TYPE_CHECKING:
    import pandas as pd

MIN_LEVEL_ROWS = 20
MAX_LEVELS = 64


@dataclass(frozen=True, slots=True)
class Detector:
    """A fitted candidate, before calibration and threshold.

    Attributes
    ----------
    fields
        The request's fields, with what train told about them (`seen`, `categories`).
    preprocess
        The fitted steps between request and matrix.
    model
        The fitted model.
    prior_ratio
        What undoes the class balance that sampler and model made of train's; None without a closed
        form.
    train
        The matrix of the fitted rows, before resampling.
    """

    fields: tuple[Field, ...]
    preprocess: Preprocess
    model: Model
    prior_ratio: float | None
    train: Matrix


def fit_detector(config: Config, table: Table, rows: Rows) -> Detector:
    """Return the detector of `config` fitted on `rows` of `table`.

    Raises
    ------
    DataError
        If a column leaves its declared bounds, or the sampler cannot work with these rows.
    """
    fields = learn_fields(table, rows)
    preprocess = fit_preprocess(config, table, rows, fields)
    train = encode(table, rows, preprocess)
    sampler = registry.build("sampler", config.sampler)
    resampled = sampler.resample(train, table.label[rows])
    model: Model = registry.build("model", config.model)
    model.fit(resampled.X, resampled.y, resampled.sample_weight)
    return Detector(
        fields=fields,
        preprocess=preprocess,
        model=model,
        prior_ratio=_prior_ratio(resampled, model),
        train=train,
    )


def _prior_ratio(resampled: Resampled, model: Model) -> float | None:
    """Return the sampler's ratio times the model's own, which most models do not have."""
    own: float = getattr(model, "prior_ratio", 1.0)
    return None if resampled.prior_ratio is None else resampled.prior_ratio * own


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
