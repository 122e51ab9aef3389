"""From a request's values to the float32 matrix the graph reads, as numbers in the manifest.

The fitted state of imputing, one-hot encoding and scaling is plain data, and `Encoder` is the only
code that applies it: in training, in batch files and in the service. It works in float64 and casts
to float32 once, at the end, so a model is fitted on exactly the matrix its graph will see.
"""

from __future__ import annotations

from functools import cached_property
from typing import TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Codes: TypeAlias = NDArray[np.int64]
Matrix: TypeAlias = NDArray[np.float32]

FLOAT32_MAX = float(np.finfo(np.float32).max)
_MOST, _LEAST = np.array(FLOAT32_MAX), np.array(-FLOAT32_MAX)  # made once: a row costs as little
_EPSILON = float(np.finfo(np.float64).eps)


class Numeric(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A numeric input: train's `median` stands for a missing value.

    With `indicator` a column of its own says which values were missing. Inputs that were never
    missing in train have none: no model could have learned what it means.
    """

    name: str
    median: float = 0.0
    indicator: bool = False


class Categorical(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A categorical input; its one-hot columns are `levels`, then `other`, then missing."""

    name: str
    levels: tuple[str, ...]

    @property
    def other(self) -> int:
        """The code of any level not in `levels`."""
        return len(self.levels)

    @property
    def missing(self) -> int:
        """The code of a missing value."""
        return len(self.levels) + 1


class IdentityScaler(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="identity"):
    """Leave the numeric columns as they are."""

    def transform(self, numbers: Floats) -> Floats:
        """Return `numbers` unchanged."""
        return numbers


class AffineScaler(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, dict=True, tag="affine"
):
    """Subtract `center` and divide by `scale`, column by column (standard, robust, minmax)."""

    center: tuple[float, ...]
    scale: tuple[float, ...]

    def transform(self, numbers: Floats) -> Floats:
        """Return (numbers - center) / scale."""
        center, scale = self._arrays
        shifted: Floats = numbers - center
        shifted /= scale
        return shifted

    @cached_property  # made anew they would cost a single request as much as all the arithmetic
    def _arrays(self) -> tuple[Floats, Floats]:
        return np.asarray(self.center), np.asarray(self.scale)


class QuantileScaler(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="quantile"):
    """Map each column to its rank in train, by linear interpolation between quantiles.

    Ties are handled as scikit-learn's QuantileTransformer does: the mean of the interpolation
    from the left and from the right.
    """

    quantiles: tuple[tuple[float, ...], ...]
    references: tuple[float, ...]

    def transform(self, numbers: Floats) -> Floats:
        """Return ranks in [0, 1]."""
        references = np.asarray(self.references)
        ranks = np.empty_like(numbers)
        for column, knots in enumerate(self.quantiles):
            values, grid = numbers[:, column], np.asarray(knots)
            up = np.interp(values, grid, references)
            down = np.interp(-values, -grid[::-1], -references[::-1])
            rank = 0.5 * (up - down)
            rank[values >= grid[-1]] = references[-1]
            rank[values <= grid[0]] = references[0]
            ranks[:, column] = rank
        return ranks


class PowerScaler(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="yeo_johnson"):
    """The Yeo-Johnson transform (Biometrika 87, 2000), then standardisation."""

    lambdas: tuple[float, ...]
    center: tuple[float, ...]
    scale: tuple[float, ...]

    def transform(self, numbers: Floats) -> Floats:
        """Return the transformed columns."""
        bent = np.empty_like(numbers)
        for column, power in enumerate(self.lambdas):
            bent[:, column] = _yeo_johnson(numbers[:, column], power)
        bent -= np.asarray(self.center)
        bent /= np.asarray(self.scale)
        return bent


def _yeo_johnson(values: Floats, power: float) -> Floats:
    bent = np.empty_like(values)
    positive = values >= 0
    up = np.log1p(values[positive])
    bent[positive] = up if abs(power) < _EPSILON else np.expm1(power * up) / power
    down, rest = np.log1p(-values[~positive]), 2.0 - power
    bent[~positive] = -down if abs(rest) < _EPSILON else -np.expm1(rest * down) / rest
    return bent


Scaler: TypeAlias = IdentityScaler | AffineScaler | QuantileScaler | PowerScaler


class Preprocess(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything between the inputs and the matrix, in the matrix's column order.

    The matrix holds the scaled numeric columns, then the missing-value indicators, then the one-hot
    columns of each categorical input.
    """

    numeric: tuple[Numeric, ...]
    categorical: tuple[Categorical, ...] = ()
    scaler: Scaler = IdentityScaler()

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the matrix's columns."""
        names = [column.name for column in self.numeric]
        names += [f"{column.name}=missing" for column in self.numeric if column.indicator]
        for column in self.categorical:
            names += [f"{column.name}={level}" for level in (*column.levels, "other", "missing")]
        return tuple(names)


class Encoder:
    """Apply a `Preprocess`: numbers and category codes in, the graph's matrix out."""

    def __init__(self, spec: Preprocess) -> None:
        self.spec = spec
        self._medians = np.array([column.median for column in spec.numeric])
        self._indicators = np.flatnonzero([column.indicator for column in spec.numeric])
        self._sizes = tuple(column.missing + 1 for column in spec.categorical)
        self._codes = tuple(
            {level: code for code, level in enumerate(column.levels)} for column in spec.categorical
        )
        self.width = len(spec.columns)

    def code(self, column: int, value: str | None) -> int:
        """Return the one-hot position of `value` in the categorical input number `column`."""
        spec = self.spec.categorical[column]
        return spec.missing if value is None else self._codes[column].get(value, spec.other)

    def encode(self, numbers: Floats, codes: Codes | None = None) -> Matrix:
        """Return the matrix of `numbers` ([N, numeric], NaN = missing) and `codes`.

        The graph never sees NaN or infinity: what is missing becomes train's median, and values
        beyond float32 end at its largest finite value.
        """
        missing = np.isnan(numbers)
        if np.count_nonzero(missing):
            numbers = np.where(missing, self._medians, numbers)
        with np.errstate(over="ignore"):
            scaled = self.spec.scaler.transform(numbers)
        matrix = np.empty((len(numbers), self.width), dtype=np.float32)
        count = scaled.shape[1]
        np.maximum(np.minimum(scaled, _MOST), _LEAST, out=matrix[:, :count], casting="same_kind")
        if len(self._indicators):
            flags = missing[:, self._indicators]
            matrix[:, count : count + flags.shape[1]] = flags
            count += flags.shape[1]
        if self._sizes:
            assert codes is not None, "a categorical input needs its codes"
            matrix[:, count:] = 0.0
            rows = np.arange(len(numbers))
            for column, size in enumerate(self._sizes):
                matrix[rows, count + codes[:, column]] = 1.0
                count += size
        return matrix
