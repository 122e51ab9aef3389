"""Fit each training part once, export it, and hold every margin taken from it to parity."""

from __future__ import annotations

from dataclasses import dataclass

from fraudlab.clock import Clock
from fraudlab.config import Config
from fraudlab.detector import Detector, fit_detector
from fraudlab.folding import Folds, digest
from fraudlab.parity import check_parity, hostile_rows
from fraudlab.preprocess import Floats, Matrix
from fraudlab.protocols import Graph, Rows
from fraudlab.scoring import GraphRunner


@dataclass(frozen=True, slots=True)
class Exported:
    """A fitted detector and the graph that scores in its place."""

    detector: Detector
    graph: Graph
    runner: GraphRunner


class Exporter:
    """What one run has fitted and compared so far; nothing is done twice.

    Attributes
    ----------
    worst
        The largest difference between fitted model and graph met so far.
    """

    def __init__(self, config: Config, folds: Folds, clock: Clock) -> None:
        self.worst = 0.0
        self._config = config
        self._folds = folds
        self._clock = clock
        self._exported: dict[bytes, Exported] = {}
        self._margins: dict[tuple[bytes, bytes], Floats] = {}

    def export(self, fit: Rows) -> Exported:
        """Return the detector fitted on the rows `fit`, exact on 10,000 hostile rows.

        Raises
        ------
        ParityError
            If the graph does not score as the fitted model does.
        """
        key = digest(fit)
        if key not in self._exported:
            with self._clock.step("prepare"):
                encoded, resampled = self._folds.encoded(fit), self._folds.resampled(fit)
            with self._clock.step("fit"):
                detector = fit_detector(self._config, encoded, resampled)
            with self._clock.step("export"):
                graph = detector.model.to_onnx()
                exported = Exported(detector, graph, GraphRunner(graph.onnx))
            with self._clock.step("parity"):
                seed = self._config.seed
                self._gated(
                    exported, hostile_rows(detector, graph, self._folds.table, fit, seed=seed)
                )
            self._exported[key] = exported
        return self._exported[key]

    def margins(self, fit: Rows, rows: Rows) -> Floats:
        """Return the margins of `rows` by the graph of `fit`, equal to the fitted model's.

        Raises
        ------
        ParityError
            If they are not.
        """
        key = digest(fit), digest(rows)
        if key not in self._margins:
            exported = self.export(fit)
            with self._clock.step("parity"):
                self._margins[key] = self._gated(exported, self._folds.judged(fit, rows))
        return self._margins[key]

    def _gated(self, exported: Exported, matrix: Matrix) -> Floats:
        margins = exported.runner.margins(matrix)
        apart = check_parity(exported.detector.model, exported.graph, matrix, margins)
        self.worst = max(self.worst, apart)
        return margins
