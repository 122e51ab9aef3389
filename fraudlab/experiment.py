"""One candidate from table to bundle: fit, export, hold to parity, calibrate, cut, judge once.

`run_experiment` has no effects: it returns the bundle's bytes and the metrics that a scorer made of
exactly those bytes gives. The order is the product's promise: resampling sees the fitted rows
only, calibration and threshold see validation only, and test is scored once, when all is fixed.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import msgspec
import numpy as np

from fraudlab import golden, metrics, registry
from fraudlab.bundle import CARD, GOLDEN, MODEL, REFERENCE, Bundle, pack
from fraudlab.calibrating import Fitted, calibrate_and_cut
from fraudlab.card import write_card
from fraudlab.config import Config
from fraudlab.detector import Detector, encode, fit_detector
from fraudlab.manifest import FORMAT, Manifest, Metrics, ModelSpec, Threshold
from fraudlab.parity import check_parity, hostile_rows
from fraudlab.preprocess import Floats
from fraudlab.protocols import Fold, Graph, Rows, Scores, Split, Stage
from fraudlab.provenance import Provenance
from fraudlab.scoring import GraphRunner, Scorer, row_cuts
from fraudlab.table import Table


@dataclass(frozen=True, slots=True)
class RunResult:
    """A trained candidate: its bundle, ready to be written, and what was measured on the way.

    Attributes
    ----------
    bundle
        The shipped bundle; its manifest holds the metrics of its own test.
    metrics
        The candidate's metrics: means over the folds, with `_std` beside where there are several.
    seconds
        Wall time by step.
    parity
        The largest difference between fitted model and graph that the gate met.
    """

    bundle: Bundle
    metrics: Metrics
    seconds: dict[str, float]
    parity: float


@dataclass(slots=True)
class Clock:
    """Adds up wall seconds by step."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Count the time spent inside under `name`."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start


@dataclass(frozen=True, slots=True)
class Exported:
    """A fitted detector and the graph that scores in its place."""

    detector: Detector
    graph: Graph
    runner: GraphRunner


class Experiment:
    """The state of one run: what is fitted, so that equal stages are fitted once."""

    def __init__(self, config: Config, table: Table, provenance: Provenance) -> None:
        self.config = config
        self.table = table
        self.provenance = provenance
        self.clock = Clock()
        self.parity = 0.0
        self._fitted: dict[int, Exported] = {}
        self._gated: set[tuple[int, int]] = set()

    def run(self, split: Split) -> RunResult:
        """Return the result of all folds; the first fold's bundle is the one shipped."""
        validation = [self._validate(stage) for stage in split.validation]
        judged = [self._ship(fold) for fold in split.folds]
        bundle, _ = judged[0]
        summary = Metrics(_summary(validation), _summary([test for _, test in judged]))
        return RunResult(bundle, summary, dict(self.clock.seconds), self.parity)

    def _export(self, stage: Stage) -> Exported:
        key = id(stage.fit)
        if key not in self._fitted:
            with self.clock.step("fit"):
                detector = fit_detector(self.config, self.table, stage.fit)
            with self.clock.step("export"):
                graph = detector.model.to_onnx()
                self._fitted[key] = Exported(detector, graph, GraphRunner(graph.onnx))
        self._gate(self._fitted[key], stage)
        return self._fitted[key]

    def _gate(self, exported: Exported, stage: Stage) -> None:
        done = (id(stage.fit), id(stage.judge))
        if done in self._gated:
            return
        with self.clock.step("parity"):
            detector, graph = exported.detector, exported.graph
            judged = encode(self.table, stage.judge, detector.preprocess)
            hostile = hostile_rows(detector.train, graph, seed=self.config.seed)
            worst = check_parity(detector.model, graph, exported.runner, [judged, hostile])
            self.parity = max(self.parity, worst)
        self._gated.add(done)

    def _margins(self, exported: Exported, rows: Rows) -> Floats:
        with self.clock.step("score"):
            matrix = encode(self.table, rows, exported.detector.preprocess)
            return exported.runner.margins(matrix)

    def _calibrated(self, stage: Stage) -> tuple[Exported, Fitted]:
        exported = self._export(stage)
        margins = self._margins(exported, stage.judge)
        with self.clock.step("calibrate"):
            fitted = calibrate_and_cut(
                margins,
                exported.graph.link,
                truth_of(self.table, stage.judge, exported.graph.link.score(margins)),
                registry.build("calibration", self.config.calibration),
                registry.build("threshold_strategy", self.config.threshold_strategy),
                exported.detector.prior_ratio,
            )
        return exported, fitted

    def _validate(self, stage: Stage) -> dict[str, float]:
        """Return the metrics of a validation stage.

        Ranking is measured on the model's own scores (calibration keeps their order; out of fold
        it is five maps, not one), everything else on the out-of-fold calibrated ones.
        """
        exported, fitted = self._calibrated(stage)
        scores = fitted.out_of_fold
        found = metrics.evaluate(scores, _thresholds(fitted, scores))
        raw = exported.graph.link.score(self._margins(exported, stage.judge))
        return found | metrics.ranking(truth_of(self.table, stage.judge, raw))

    def _ship(self, fold: Fold) -> tuple[Bundle, dict[str, float]]:
        """Return the fold's bundle and the metrics of its test, scored by that bundle."""
        cut_exported, fitted = self._calibrated(fold.cut)
        exported = self._export(fold.test)
        manifest = self._manifest(fold, exported, fitted)
        scorer = Scorer(manifest, exported.runner)
        with self.clock.step("score"):
            matrix = encode(self.table, fold.test.judge, manifest.preprocess)
            scores = truth_of(self.table, fold.test.judge, scorer.scores(matrix))
        test = metrics.evaluate(scores, scorer.thresholds(_amounts(scores)))
        own = metrics.evaluate(fitted.out_of_fold, _thresholds(fitted, fitted.out_of_fold))
        raw = cut_exported.graph.link.score(self._margins(cut_exported, fold.cut.judge))
        own |= metrics.ranking(truth_of(self.table, fold.cut.judge, raw))
        manifest = msgspec.structs.replace(manifest, metrics=Metrics(own, test))
        with self.clock.step("pack"):
            return self._pack(fold, manifest, exported, fitted), test

    def _manifest(self, fold: Fold, exported: Exported, fitted: Fitted) -> Manifest:
        now = dt.datetime.now(dt.UTC)
        name = self.config.model.name
        return Manifest(
            format=FORMAT,
            id=f"{now:%Y%m%dT%H%M%SZ}-{name}-{self.provenance.key[:8]}",
            created=now.isoformat(timespec="seconds"),
            features=exported.detector.fields,
            preprocess=exported.detector.preprocess,
            model=ModelSpec(
                name, exported.graph.link, exported.runner.width, exported.graph.tolerance
            ),
            calibration=fitted.calibration,
            threshold=self._threshold(fold, fitted),
            provenance=self.provenance.as_dict(),
        )

    def _threshold(self, fold: Fold, fitted: Fitted) -> Threshold:
        choice, cut = self.config.threshold_strategy, fitted.cut
        return Threshold(
            strategy=choice.name,
            value=cut.value,
            params=registry.check("threshold_strategy", choice),
            slice=f"validation, {describe(self.table, fold.cut.judge)}",
            feasible=cut.feasible,
            reached=dict(cut.reached),
            alert_cost=cut.alert_cost,
        )

    def _pack(self, fold: Fold, manifest: Manifest, exported: Exported, fitted: Fitted) -> Bundle:
        scorer = Scorer(manifest, exported.runner)
        validation = fitted.out_of_fold
        rate = manifest.metrics.validation["alert_rate"]
        files = {
            MODEL: exported.graph.onnx,
            GOLDEN: golden.golden_rows(scorer, self.table, fold.test.fit, self.config.seed),
            REFERENCE: golden.reference(
                manifest.features, self.table, fold.test.fit, validation.score, rate
            ),
            CARD: write_card(manifest, self.table.report).encode(),
        }
        return pack(manifest, files)


def run_experiment(config: Config, table: Table, split: Split, provenance: Provenance) -> RunResult:
    """Return the result of training the candidate `config` on `split` of `table`.

    Raises
    ------
    DataError
        If a part of the split is not enough for the sampler or model.
    ParityError
        If the exported graph does not score as the fitted model does; nothing is shipped then.
    """
    return Experiment(config, table, provenance).run(split)


def truth_of(table: Table, rows: Rows, scores: Floats) -> Scores:
    """Return `scores` with the truth of `rows`; without entities every row is its own card."""
    return Scores(
        score=scores,
        label=table.label[rows],
        day=table.day[rows],
        card=rows.astype(np.int64) if table.card is None else table.card[rows],
        amount=None if table.amount is None else table.amount[rows],
    )


def describe(table: Table, rows: Rows) -> str:
    """Return how many rows and frauds there are, and from when to when."""
    text = f"{len(rows)} rows, {int(table.label[rows].sum())} frauds"
    if table.time is None:
        return text
    first, last = (dt.datetime.fromtimestamp(int(at), dt.UTC) for at in _ends(table, rows))
    return f"{text}, {first:%Y-%m-%d} to {last:%Y-%m-%d}"


def _ends(table: Table, rows: Rows) -> tuple[int, int]:
    assert table.time is not None
    return int(table.time[rows].min()), int(table.time[rows].max())


def _thresholds(fitted: Fitted, scores: Scores) -> Floats:
    return row_cuts(fitted.cut.value, fitted.cut.alert_cost, _amounts(scores))


def _amounts(scores: Scores) -> Floats:
    return np.zeros(len(scores.score)) if scores.amount is None else scores.amount


def _summary(folds: list[dict[str, float]]) -> dict[str, float]:
    """Return the means over the folds; of several, their population standard deviations too."""
    if len(folds) == 1:
        return folds[0]
    shared = [name for name in folds[0] if all(name in fold for fold in folds)]
    values = {name: np.array([fold[name] for fold in folds]) for name in shared}
    means = {name: float(of.mean()) for name, of in values.items()}
    return means | {f"{name}_std": float(of.std()) for name, of in values.items()}
