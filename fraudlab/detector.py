"""Fitting a detector: everything learned from the rows it is fitted on, and from no others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fraudlab import registry
from fraudlab.config import Config
from fraudlab.errors import DataError
from fraudlab.manifest import Field
from fraudlab.preprocess import (
    Categorical,
    Codes,
    Encoder,
    Floats,
    IdentityScaler,
    Matrix,
    Numeric,
    Preprocess,
)
from fraudlab.protocols import Model, Rows
from fraudlab.table import Table

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
        What undoes the sampler's change of the class balance; None without a closed form.
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
        If the sampler cannot work with these rows.
    """
    preprocess = fit_preprocess(config, table, rows)
    train = encode(table, rows, preprocess)
    sampler = registry.build("sampler", config.sampler)
    resampled = sampler.resample(train, table.label[rows])
    model: Model = registry.build("model", config.model)
    model.fit(resampled.X, resampled.y, resampled.sample_weight)
    return Detector(
        fields=_seen(table, rows, preprocess),
        preprocess=preprocess,
        model=model,
        prior_ratio=resampled.prior_ratio,
        train=train,
    )


def fit_preprocess(config: Config, table: Table, rows: Rows) -> Preprocess:
    """Return imputation, encoding and scaling as learned from `rows`."""
    numeric, categorical = [], []
    for field in table.fields:
        if not field.is_input:
            continue
        values = table.frame[field.name].to_numpy()[rows]
        if field.kind == "number":
            numeric.append(Numeric(field.name, _median(values) if field.nullable else None))
        else:
            categorical.append(Categorical(field.name, _levels(values)))
    bare = Preprocess(tuple(numeric), tuple(categorical), IdentityScaler())
    if not numeric:
        return bare
    numbers = imputed(read_numbers(table, rows, bare), bare)
    scaler = registry.build("scaler", config.scaler).fit(numbers)
    return Preprocess(bare.numeric, bare.categorical, scaler)


def _median(values: Floats) -> float:
    present = values[~np.isnan(values)]
    return float(np.median(present)) if len(present) else 0.0


def _levels(values: NDArray[np.object_]) -> tuple[str, ...]:
    """Return the levels frequent enough to have a column, most frequent first."""
    present = values[[value is not None for value in values]].astype(str)
    names, counts = np.unique(present, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    return tuple(str(names[at]) for at in order if counts[at] >= MIN_LEVEL_ROWS)[:MAX_LEVELS]


def read_numbers(table: Table, rows: Rows, preprocess: Preprocess) -> Floats:
    """Return the numeric inputs of `rows`, float64 [N, numeric], NaN where missing."""
    names = [column.name for column in preprocess.numeric]
    if not names:
        return np.empty((len(rows), 0))
    columns = [table.frame[name].to_numpy(dtype=np.float64)[rows] for name in names]
    return np.column_stack(columns)


def imputed(numbers: Floats, preprocess: Preprocess) -> Floats:
    """Return `numbers` with the medians in place of what is missing."""
    medians = [np.nan if column.median is None else column.median for column in preprocess.numeric]
    return np.where(np.isnan(numbers), np.asarray(medians), numbers)


def encode(table: Table, rows: Rows, preprocess: Preprocess) -> Matrix:
    """Return the graph's matrix of `rows`, through the scorer's own encoder."""
    encoder = Encoder(preprocess)
    numbers = read_numbers(table, rows, preprocess)
    return encoder.encode(numbers, _codes(table, rows, encoder))


def _codes(table: Table, rows: Rows, encoder: Encoder) -> Codes | None:
    columns = []
    for place, column in enumerate(encoder.spec.categorical):
        values = table.frame[column.name].to_numpy()[rows]
        levels, inverse = _factorize(values)
        known = np.array([encoder.code(place, level) for level in levels], dtype=np.int64)
        columns.append(known[inverse])
    return np.column_stack(columns) if columns else None


def _factorize(values: NDArray[np.object_]) -> tuple[list[str | None], NDArray[np.intp]]:
    import pandas as pd

    inverse, levels = pd.factorize(values, use_na_sentinel=False)
    return [None if level is None or level != level else str(level) for level in levels], inverse  # noqa: PLR0124


def _seen(table: Table, rows: Rows, preprocess: Preprocess) -> tuple[Field, ...]:
    levels = {column.name: column.levels for column in preprocess.categorical}
    return tuple(
        _with_range(table, rows, field, levels.get(field.name, ())) for field in table.fields
    )


def _with_range(table: Table, rows: Rows, field: Field, levels: tuple[str, ...]) -> Field:
    import msgspec

    if field.kind != "number":
        return msgspec.structs.replace(field, categories=levels)
    values = table.frame[field.name].to_numpy(dtype=np.float64)[rows]
    present = values[~np.isnan(values)]
    if not len(present):
        return field
    low, high = float(present.min()), float(present.max())
    declared_low = field.min if field.min is not None else -np.inf
    declared_high = field.max if field.max is not None else np.inf
    if low < declared_low or high > declared_high:
        raise DataError(
            f"column {field.name!r} ranges from {low} to {high} in train, outside its declared"
            f" bounds [{field.min}, {field.max}]; correct the data or data.bounds"
        )
    return msgspec.structs.replace(field, seen=(low, high))
