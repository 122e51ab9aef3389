"""The one scorer: a bundle's manifest and graph turned into scores, thresholds and decisions.

Training, batch files and the service all score through `Scorer`, so a number on a leaderboard is
the number the service answers. Only numpy, onnxruntime and msgspec may be imported here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import onnxruntime as ort

from fraudlab.manifest import Field, Manifest, RiskLevel
from fraudlab.preprocess import Codes, Encoder, Floats, Matrix

Value: TypeAlias = float | str | None

CHUNK = 65_536  # rows per graph run: bounds memory; the answer does not depend on it


def row_cuts(value: float, alert_cost: float | None, amounts: Floats) -> Floats:
    """Return each row's cut: `value`, or min(1, alert_cost / amount) where a cost is set."""
    if alert_cost is None:
        return np.full(len(amounts), value)
    positive = amounts > 0
    cuts = np.divide(alert_cost, amounts, out=np.ones(len(amounts)), where=positive)
    result: Floats = np.minimum(cuts, 1.0)
    return result


class GraphRunner:
    """A loaded ONNX graph: one float32 input [N, W], one output [N, 1] margin.

    One thread inside: with more the order of a tree sum depends on the batch, and bits with it.
    """

    def __init__(self, model: bytes) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self._run = session.run
        self._input = session.get_inputs()[0].name
        self._outputs = [session.get_outputs()[0].name]
        self.width = session.get_inputs()[0].shape[1]

    def margins(self, matrix: Matrix) -> Floats:
        """Return the graph's output for each row, as float64 of shape [N]."""
        if len(matrix) <= CHUNK:
            return self._margins(matrix)
        parts = [self._margins(matrix[at : at + CHUNK]) for at in range(0, len(matrix), CHUNK)]
        return np.concatenate(parts)

    def _margins(self, matrix: Matrix) -> Floats:
        out = self._run(self._outputs, {self._input: matrix})[0]
        return np.asarray(out, dtype=np.float64).reshape(-1)


class Scorer:
    """Score rows with a bundle.

    Parameters
    ----------
    manifest
        The bundle's manifest.
    model
        The bytes of model.onnx, or a runner that has already loaded them.
    """

    def __init__(self, manifest: Manifest, model: bytes | GraphRunner) -> None:
        self.manifest = manifest
        self.runner = model if isinstance(model, GraphRunner) else GraphRunner(model)
        self.encoder = Encoder(manifest.preprocess)
        places = {field.name: place for place, field in enumerate(manifest.features)}
        self._numeric = [places[column.name] for column in manifest.preprocess.numeric]
        self._categorical = [places[column.name] for column in manifest.preprocess.categorical]
        self._amount = next(
            (place for place, field in enumerate(manifest.features) if field.role == "amount"), None
        )

    @property
    def fields(self) -> tuple[Field, ...]:
        """The request's fields, in order."""
        return self.manifest.features

    def encode_rows(self, rows: Sequence[Sequence[Value]]) -> Matrix:
        """Return the graph's matrix for rows of values in the order of `fields`."""
        flat = [row[place] for row in rows for place in self._numeric]
        numbers = np.array(flat, dtype=np.float64)  # float64 reads None as NaN
        numbers = numbers.reshape(len(rows), len(self._numeric))
        if not self._categorical:
            return self.encoder.encode(numbers)
        code = self.encoder.code
        codes: Codes = np.array(
            [
                [code(column, row[place]) for column, place in enumerate(self._categorical)]  # type: ignore[arg-type]
                for row in rows
            ],
            dtype=np.int64,
        )
        return self.encoder.encode(numbers, codes)

    def scores(self, matrix: Matrix) -> Floats:
        """Return the calibrated scores in [0, 1], shape [N]."""
        return self.calibrated(self.runner.margins(matrix))

    def calibrated(self, margins: Floats) -> Floats:
        """Return the calibrated scores of rows whose margins the graph gave, shape [N]."""
        return self.manifest.calibration.apply(margins, self.manifest.model.link)

    def score_rows(self, rows: Sequence[Sequence[Value]]) -> Floats:
        """Return the calibrated scores of rows of values in the order of `fields`."""
        return self.scores(self.encode_rows(rows))

    def thresholds(self, amounts: Floats) -> Floats:
        """Return each row's threshold; one cut for all unless the strategy is per row."""
        threshold = self.manifest.threshold
        return row_cuts(threshold.value, threshold.alert_cost, amounts)

    def row_thresholds(self, rows: Sequence[Sequence[Value]]) -> Floats:
        """Return the threshold of each of `rows`."""
        if self.manifest.threshold.alert_cost is None or self._amount is None:
            return np.full(len(rows), self.manifest.threshold.value)
        amounts = np.array([row[self._amount] for row in rows], dtype=np.float64)
        return self.thresholds(np.nan_to_num(amounts, nan=0.0))

    def risk_level(self, score: float, threshold: float) -> RiskLevel:
        """Return high exactly when the row is an alert, medium from half its threshold on."""
        if score >= threshold:
            return "high"
        return "medium" if score >= threshold * self.manifest.risk_levels.medium else "low"
