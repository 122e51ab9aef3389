"""What a bundle says of itself: the typed content of manifest.json, format 1.

The manifest is a public format. Within a format number fields are added only with a default, and
renamed never. A reader ignores fields it does not know in the structs that describe (those here),
and refuses them in those that compute a score (links, calibrations, scalers and the rest of the
preprocessing): there an unknown number could change the answer. Whatever else would change an
answer takes a new format number, which an older reader refuses.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from fraudlab.links import Calibration, IdentityCalibration, Link
from fraudlab.preprocess import Preprocess

FORMAT = 1

Kind = Literal["number", "category", "text"]
Role = Literal["input", "time", "amount", "id"]
RiskLevel = Literal["low", "medium", "high"]


class Field(msgspec.Struct, frozen=True):
    """One field of a request.

    `kind` number is finite JSON numbers, category is text the model reads, text is text it does
    not. Roles input and amount reach the model; time and id travel along. `min` and `max` are
    declared bounds and refuse a request; `seen` is train's range and only feeds drift.
    """

    name: str
    kind: Kind = "number"
    role: Role = "input"
    min: float | None = None
    max: float | None = None
    nullable: bool = False
    categories: tuple[str, ...] = ()
    seen: tuple[float, float] | None = None

    @property
    def is_input(self) -> bool:
        """Whether the model reads this field."""
        return self.role in {"input", "amount"}


class ModelSpec(msgspec.Struct, frozen=True):
    """The graph: registry name of its plugin, its link, its width and its parity."""

    name: str
    link: Link
    width: int
    tolerance: float


class Threshold(msgspec.Struct, frozen=True):
    """The cut and how it was chosen.

    With `alert_cost` set the cut is per row, min(1, alert_cost / amount), an amount of 0 giving 1
    (Bayes minimum risk, Bahnsen et al., 2014); `value` is then the smallest cut met in validation.
    """

    strategy: str
    value: float
    params: dict[str, Any] = {}
    slice: str = ""
    feasible: bool = True
    reached: dict[str, float] = {}
    interval: tuple[float, float] | None = None
    alert_cost: float | None = None


class RiskLevels(msgspec.Struct, frozen=True):
    """Where each level starts, as a share of the row's threshold; high is exactly the alerts."""

    low: float = 0.0
    medium: float = 0.5
    high: float = 1.0


class FileEntry(msgspec.Struct, frozen=True):
    """Size in bytes and lower-case hex sha256 of one file of the bundle."""

    size: int
    sha256: str


class Metrics(msgspec.Struct, frozen=True):
    """Numbers by metric name, for each part of the split; intervals are [low, high]."""

    validation: dict[str, float] = {}
    test: dict[str, float] = {}


class Intervals(msgspec.Struct, frozen=True):
    """The same shape as `Metrics`, with [low, high] for each number that has one."""

    validation: dict[str, tuple[float, float]] = {}
    test: dict[str, tuple[float, float]] = {}


class Manifest(msgspec.Struct, frozen=True):
    """Everything the service needs beside the graph, and where the bundle came from.

    `metrics` and `intervals` are those of this very bundle; `folds` has the means over the folds of
    its experiment, with `_std` beside, when there were several. `checksum` is the sha256 of
    manifest.json's bytes with zeros in the checksum's place.
    """

    format: int
    id: str
    created: str
    features: tuple[Field, ...]
    preprocess: Preprocess
    model: ModelSpec
    threshold: Threshold
    calibration: Calibration = IdentityCalibration()
    risk_levels: RiskLevels = RiskLevels()
    metrics: Metrics = Metrics()
    intervals: Intervals = Intervals()
    folds: Metrics = Metrics()
    provenance: dict[str, Any] = {}
    files: dict[str, FileEntry] = {}
    checksum: str = ""
