"""One candidate from table to bundle: fit, export, hold to parity, calibrate, cut, judge once.

`run_experiment` has no effects: it returns the bundle's bytes and the metrics that a scorer made of
exactly those bytes gives. The order is the product's promise: resampling sees the fitted rows
only, calibration and threshold see validation only, and test is scored once, when all is fixed.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import msgspec
import numpy as np

from fraudlab import golden, metrics, registry
from fraudlab.bundle import CARD, GOLDEN, MODEL, REFERENCE, Bundle, pack
from fraudlab.calibrating import Fitted, calibrate_and_cut
from fraudlab.card import write_card
from fraudlab.clock import Clock
from fraudlab.config import Config
from fraudlab.detector import encode
from fraudlab.exporting import Exported, Exporter
from fraudlab.manifest import FORMAT, Manifest, Metrics, ModelSpec, Threshold
from fraudlab.preprocess import Floats
from fraudlab.protocols import Fold, Rows, Scores, Split, Stage
from fraudlab.provenance import Provenance
from fraudlab.scoring import Scorer, row_cuts
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


@dataclass(frozen=True, slots=True)
class Validated:
    """A validation stage: the calibration and cut it taught, and its metrics."""

    fitted: Fitted
    metrics: dict[str, float]


class Experiment:
    """One run: what is fitted, exported and validated, each once."""

    def __init__(self, config: Config, table: Table, provenance: Provenance) -> None:
        self.config = config
        self.table = table
        self.provenance = provenance
        self.clock = Clock()
        self.exporter = Exporter(config, table, self.clock)
        self._validated: dict[tuple[int, int], Validated] = {}

    def run(self, split: Split) -> RunResult:
        """Return the result of all folds; the first fold's bundle is the one shipped."""
        validation = [self._validate(stage).metrics for stage in split.validation]
        bundles = [self._ship(fold) for fold in split.folds]
        test = [bundle.manifest.metrics.test for bundle in bundles]
        summary = Metrics(_summary(validation), _summary(test))
        return RunResult(bundles[0], summary, dict(self.clock.seconds), self.exporter.worst)

    def _validate(self, stage: Stage) -> Validated:
        key = id(stage.fit), id(stage.judge)
        if key not in self._validated:
            self._validated[key] = self._calibrate(stage)
        return self._validated[key]

    def _calibrate(self, stage: Stage) -> Validated:
        """Return what a validation stage teaches.

        Ranking is measured on the model's own scores (calibration keeps their order; out of fold
        it is five maps, not one), everything else on the out-of-fold calibrated ones.
        """
        exported = self.exporter.export(stage.fit)
        margins = self.exporter.margins(stage.fit, stage.judge)
        raw = truth_of(self.table, stage.judge, exported.graph.link.score(margins))
        with self.clock.step("calibrate"):
            fitted = calibrate_and_cut(
                margins,
                exported.graph.link,
                raw,
                registry.build("calibration", self.config.calibration),
                registry.build("threshold_strategy", self.config.threshold_strategy),
                exported.detector.prior_ratio,
            )
        with self.clock.step("score"):
            scores, cut = fitted.out_of_fold, fitted.cut
            thresholds = row_cuts(cut.value, cut.alert_cost, _amounts(scores))
            found = metrics.evaluate(scores, thresholds) | metrics.ranking(raw)
        return Validated(fitted, found)

    def _ship(self, fold: Fold) -> Bundle:
        """Return the fold's bundle, its test scored by that bundle once everything is fixed."""
        validated = self._validate(fold.cut)
        exported = self.exporter.export(fold.test.fit)
        for rows in (fold.cut.judge, fold.test.judge):
            self.exporter.margins(fold.test.fit, rows)  # raises unless exact there
        manifest = self._manifest(fold, exported, validated.fitted)
        scorer = Scorer(manifest, exported.runner)
        with self.clock.step("score"):
            matrix = encode(self.table, fold.test.judge, manifest.preprocess)
            scores = truth_of(self.table, fold.test.judge, scorer.scores(matrix))
            test = metrics.evaluate(scores, scorer.thresholds(_amounts(scores)))
        judged = msgspec.structs.replace(manifest, metrics=Metrics(validated.metrics, test))
        with self.clock.step("pack"):
            return self._pack(fold, judged, exported, validated.fitted)

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
