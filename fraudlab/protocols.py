"""The contracts of the plugin groups, all on one page.

A plugin is a function that takes keyword parameters and returns an object obeying the protocol of
its group. X is a float32 matrix [N, W], y an int8 vector [N] of labels (1 = fraud), rows are
integer row numbers in ascending order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fraudlab.links import Calibration, Link
from fraudlab.preprocess import Floats, Matrix, Scaler

if TYPE_CHECKING:
    from fraudlab.table import Raw, Table

Labels: TypeAlias = NDArray[np.int8]
Rows: TypeAlias = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Graph:
    """A fitted model as an ONNX graph, and what is needed to hold it to its word.

    Attributes
    ----------
    onnx
        The serialised graph: input [N, W] float32, output [N, 1] margin.
    link
        How the margin becomes the model's probability.
    tolerance
        The largest difference from the fitted model's own score the parity gate lets pass.
    thresholds
        Per column, the split thresholds in the graph (float64): where hostile rows are placed.
    """

    onnx: bytes
    link: Link
    tolerance: float
    thresholds: Mapping[int, Floats] = field(default_factory=dict)


class Model(Protocol):
    """Group `model`: a classifier that can be fitted once and exported exactly.

    One that weighs frauds by a parameter of its own also has a number `prior_ratio`, as `Resampled`
    does: what the odds of its score are multiplied by to undo that weight.
    """

    def fit(self, X: Matrix, y: Labels, sample_weight: Floats | None) -> None:
        """Fit on train; `sample_weight` is given when class weights were chosen."""

    def score(self, X: Matrix) -> Floats:
        """Return the fitted library's own probability of fraud, float64 [N]."""

    def to_onnx(self) -> Graph:
        """Return the fitted model as a graph."""


@dataclass(frozen=True, slots=True)
class Resampled:
    """What a sampler makes of train; `prior_ratio` undoes its change of the class balance.

    Multiplying the odds of a score by `prior_ratio` gives the odds under the original balance;
    None when no closed form exists.
    """

    X: Matrix
    y: Labels
    sample_weight: Floats | None = None
    prior_ratio: float | None = 1.0


class Sampler(Protocol):
    """Group `sampler`: changes what the model is fitted on. It is only ever shown train."""

    def resample(self, X: Matrix, y: Labels) -> Resampled:
        """Return the rows (and weights) to fit on."""


class ScalerFitter(Protocol):
    """Group `scaler`: learns from train how the numeric columns are scaled."""

    def fit(self, numbers: Floats) -> Scaler:
        """Return the fitted scaler as data; `numbers` is float64 [N, numeric columns]."""


class Calibrator(Protocol):
    """Group `calibration`: learns the map from the model's score to a probability."""

    def fit(
        self, linear: Floats, score: Floats, y: Labels, prior_ratio: float | None
    ) -> Calibration:
        """Return the fitted map; see `fraudlab.links` for `linear` and `score`."""


@dataclass(frozen=True, slots=True)
class Scores:
    """Scored rows with their truth: what thresholds and metrics are computed from.

    `day` numbers the calendar days, `card` the entities, `amount` is in the currency of the table,
    `segment` names what reports are sliced by; each is None where the table has none. `row` says
    which rows of the table these are, `fold` which scored part of several they belong to (None for
    one part), `weight` how often each counts (a bootstrap's draws; None for once each).
    """

    score: Floats
    label: Labels
    day: NDArray[np.int64] | None
    card: NDArray[np.int64] | None
    amount: Floats | None = None
    row: Rows | None = None
    segment: NDArray[np.str_] | None = None
    fold: NDArray[np.int64] | None = None
    weight: Floats | None = None

    def rows(self, places: NDArray[np.intp]) -> Scores:
        """Return the rows at `places`, in that order."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        known: dict[str, Any] = {name: of for name, of in values.items() if of is not None}
        return replace(self, **{name: of[places] for name, of in known.items()})

    @classmethod
    def together(cls, parts: Sequence[Scores]) -> Scores:
        """Return the rows of all parts, one after the other, each part a fold."""
        columns: dict[str, Any] = {}
        for name in (each.name for each in fields(cls)):
            values = [getattr(part, name) for part in parts]
            columns[name] = None if values[0] is None else np.concatenate(values)
        lengths = [len(part.score) for part in parts]
        columns["fold"] = np.repeat(np.arange(len(parts)), lengths)
        return cls(**columns)


@dataclass(frozen=True, slots=True)
class Cut:
    """A chosen threshold: is it what was asked for, and what it reaches."""

    value: float
    feasible: bool = True
    reached: Mapping[str, float] = field(default_factory=dict)
    alert_cost: float | None = None


class ThresholdStrategy(Protocol):
    """Group `threshold_strategy`: chooses the cut on validation.

    One that cannot do without amounts, days or cards names them in `needs`, as `Scores` does.
    """

    def choose(self, scores: Scores) -> Cut:
        """Return the cut for out-of-fold calibrated validation scores."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Fit on `fit`, score `judge`; no row is in both."""

    fit: Rows
    judge: Rows


@dataclass(frozen=True, slots=True)
class Fold:
    """One shippable model: calibrated and cut on `cut`, judged on `test`.

    When both stages fit the same rows the model is fitted once.
    """

    cut: Stage
    test: Stage


@dataclass(frozen=True, slots=True)
class Split:
    """The folds of an experiment, the shipped one first, and the stages of its validation.

    `whole_days` is false when a scored part holds a share of each day's rows only, so that nothing
    can be said per day.
    """

    folds: tuple[Fold, ...]
    validation: tuple[Stage, ...]
    whole_days: bool = True


class Splitter(Protocol):
    """Group `split`: decides which rows train, validate and test."""

    def split(self, table: Table) -> Split:
        """Return the split of `table`."""


class Source(Protocol):
    """Group `data`: reads raw rows and says what the columns mean.

    One that can tell, without reading, whether the rows are still the same also has a method
    `state() -> str | None` (a file's digest, say; None for unknown): then they are read once.
    """

    def read(self) -> Raw:
        """Return the raw rows."""


class Features(Protocol):
    """Group `features`: raw rows to a table with its inputs."""

    def build(self, raw: Raw) -> Table:
        """Return the table that is split, fitted and scored."""


class Selection(Protocol):
    """Group `selection`: ranks candidates by their validation metrics.

    `metric` names the one that ranks, `constraints` are what a candidate must meet to win.
    """

    metric: str
    constraints: tuple[str, ...]

    def rank_key(self, metrics: Mapping[str, float]) -> Sequence[float]:
        """Return the sort key of one candidate; the largest wins, one with `unmet` reasons last."""

    def unmet(self, metrics: Mapping[str, float]) -> tuple[str, ...]:
        """Return why a candidate may not win, in words; none when it may."""
