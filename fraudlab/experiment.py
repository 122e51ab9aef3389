"""One candidate from table to bundle: fit, export, hold to parity, calibrate, cut, judge once.

`run_experiment` has no effects: it returns the bundle's bytes and the metrics that a scorer made of
exactly those bytes gives. The order is the product's promise: resampling sees the fitted rows
only, calibration and threshold see validation only, and test is scored once, when all is fixed.
"""

from __future__ import annotations

import datetime as dt
import warnings
from dataclasses import dataclass, replace

import msgspec
import numpy as np

from fraudlab import golden, metrics, registry
from fraudlab.bundle import CARD, GOLDEN, MODEL, REFERENCE, Bundle, pack
from fraudlab.calibrating import Fitted, calibrate_and_cut
from fraudlab.card import write_card
from fraudlab.clock import Clock
from fraudlab.config import Config
from fraudlab.detector import encode
from fraudlab.exporting import Exported, Exporter, digest
from fraudlab.leaks import warn_of_giveaways
from fraudlab.manifest import FORMAT, Manifest, Metrics, ModelSpec, Threshold
from fraudlab.preprocess import Floats
from fraudlab.protocols import Fold, Rows, Scores, Split, Stage
from fraudlab.provenance import Provenance
from fraudlab.scoring import Scorer, row_cuts
from fraudlab.splitting import describe_rows
from fraudlab.table import Table
from fraudlab.threads import one_blas_thread


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
    scores
        By part, the scored rows that its metrics were computed from: "validation" (calibrated out
        of fold) and "test", each with those of all stages or folds one after the other.
    warnings
        What the libraries warned of, each text once.
    """

    bundle: Bundle
    metrics: Metrics
    seconds: dict[str, float]
    parity: float
    scores: dict[str, Scores]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Validated:
    """A validation stage: the calibration and cut it taught, and its metrics."""

    fitted: Fitted
    metrics: dict[str, float]


@dataclass(frozen=True, slots=True)
class Judged:
    """A fold's manifest, its metrics of test included, and the scored rows of test."""

    manifest: Manifest
    scores: Scores


class Experiment:
    """One run: what is fitted, exported and validated, each once."""

    def __init__(self, config: Config, table: Table, provenance: Provenance) -> None:
        self.config = config
        self.table = table
        self.provenance = provenance
        self.clock = Clock()
        self.exporter = Exporter(config, table, self.clock)
        self._validated: dict[tuple[bytes, bytes], Validated] = {}

    def run(self, split: Split) -> RunResult:
        """Return the result of all folds; the first fold's bundle is the one shipped."""
        validated = [self._validate(stage) for stage in split.validation]
        judged = [self._judge(fold) for fold in split.folds]
        bundle = self._pack(split.folds[0], judged[0].manifest)
        self._look_for_leaks(split.folds[0].test.fit)
        return RunResult(
            bundle,
            Metrics(
                metrics.summary([each.metrics for each in validated]),
                metrics.summary([each.manifest.metrics.test for each in judged]),
            ),
            dict(self.clock.seconds),
            self.exporter.worst,
            {
                "validation": Scores.together([each.fitted.out_of_fold for each in validated]),
                "test": Scores.together([each.scores for each in judged]),
            },
        )

    def _validate(self, stage: Stage) -> Validated:
        key = digest(stage.fit), digest(stage.judge)
        if key not in self._validated:
            self._validated[key] = self._calibrate(stage)
        return self._validated[key]

    def _calibrate(self, stage: Stage) -> Validated:
        """Return what a validation stage teaches.

        Everything is measured on the out-of-fold calibrated scores but, where calibration keeps
        the order of the rows, their ranking: out of fold there are five maps, which mix the order
        that the one shipped keeps, so that the model's own scores are ranked instead. A calibration
        that makes ties ships them, and is ranked with them.
        """
        exported = self.exporter.export(stage.fit)
        margins = self.exporter.margins(stage.fit, stage.judge)
        raw = truth_of(self.table, stage.judge, exported.graph.link.score(margins))
        with self.clock.step("calibrate"), one_blas_thread():
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
            ranked = raw if fitted.calibration.keeps_ranking else scores
            found = metrics.evaluate(scores, thresholds, ranked=ranked)
        return Validated(fitted, found)

    def _judge(self, fold: Fold) -> Judged:
        """Return the fold's test, scored by what its bundle holds once everything is fixed."""
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
        complete = msgspec.structs.replace(manifest, metrics=Metrics(validated.metrics, test))
        return Judged(complete, scores)

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
            slice=f"validation, {describe_rows(self.table, fold.cut.judge)}",
            feasible=cut.feasible,
            reached=dict(cut.reached),
            alert_cost=cut.alert_cost,
        )

    def _look_for_leaks(self, train: Rows) -> None:
        detector = self.exporter.export(train).detector
        warn_of_giveaways(detector.train, detector.preprocess.columns, self.table.label[train])

    def _pack(self, fold: Fold, manifest: Manifest) -> Bundle:
        exported, train = self.exporter.export(fold.test.fit), fold.test.fit
        score = self._validate(fold.cut).fitted.out_of_fold.score
        rate = manifest.metrics.validation["alert_rate"]
        scorer = Scorer(manifest, exported.runner)
        with self.clock.step("pack"):
            files = {
                MODEL: exported.graph.onnx,
                GOLDEN: golden.golden_rows(scorer, self.table, train, self.config.seed),
                REFERENCE: golden.reference(manifest.features, self.table, train, score, rate),
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
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = Experiment(config, table, provenance).run(split)
    texts = dict.fromkeys(str(warning.message) for warning in caught)
    return replace(result, warnings=tuple(texts))


def truth_of(table: Table, rows: Rows, scores: Floats) -> Scores:
    """Return `scores` with the truth of `rows`."""
    return Scores(
        score=scores,
        label=table.label[rows],
        day=None if table.day is None else table.day[rows],
        card=None if table.card is None else table.card[rows],
        amount=None if table.amount is None else table.amount[rows],
        row=rows,
    )


def _amounts(scores: Scores) -> Floats:
    return np.zeros(len(scores.score)) if scores.amount is None else scores.amount
