"""One candidate from table to bundle: fit, export, hold to parity, calibrate, cut, judge once.

`run_experiment` has no effects: it returns the bundle's bytes and the metrics that a scorer made of
exactly those bytes gives. The order is the product's promise: resampling sees the fitted rows
only, calibration and threshold see validation only, and test is scored once, when all is fixed.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from fraudlab import registry
from fraudlab.bootstrap import cut_interval
from fraudlab.bundle import Bundle
from fraudlab.calibrating import Fitted, calibrate_and_cut
from fraudlab.clock import Clock
from fraudlab.config import Config
from fraudlab.exporting import Exporter
from fraudlab.folding import Folds, digest
from fraudlab.manifest import Manifest
from fraudlab.outcomes import (
    Measured,
    Outcome,
    RunResult,
    measure,
    outcome,
    train_metrics,
    truth_of,
    warn_unless_probabilities,
)
from fraudlab.packing import completed, new_manifest, pack_bundle
from fraudlab.preprocess import Floats
from fraudlab.protocols import Fold, Rows, Scores, Split, Stage
from fraudlab.provenance import Provenance, code_of_results
from fraudlab.scoring import Scorer, row_cuts
from fraudlab.table import Table
from fraudlab.threads import one_blas_thread
from fraudlab.weighing import Part

Telling: TypeAlias = Callable[[dict[str, float]], None]


@dataclass(frozen=True, slots=True)
class Validated:
    """A validation stage: the calibration and cut it taught, and how it scored."""

    fitted: Fitted
    measured: Measured


@dataclass(frozen=True, slots=True)
class Judged:
    """A fold's manifest, and how its test was scored."""

    manifest: Manifest
    measured: Measured


def _tell_nobody(metrics: dict[str, float]) -> None:
    """Let the metrics of a validation stage pass."""


class Experiment:
    """One run: what is fitted, exported and validated, each once."""

    def __init__(self, config: Config, folds: Folds, provenance: Provenance, tell: Telling) -> None:
        self.tell = tell
        self.config = config
        self.table = folds.table
        self.provenance = provenance
        self.clock = Clock()
        self.folds = folds
        self.exporter = Exporter(config, folds, self.clock)
        self._validated: dict[tuple[bytes, bytes], Validated] = {}
        self._trained: dict[bytes, dict[str, float]] = {}
        self._whole_days = True

    def run(self, split: Split) -> RunResult:
        """Return the result of all folds; the first fold's bundle is the one shipped."""
        self._whole_days = split.whole_days
        validated = []
        for stage in split.validation:
            validated.append(self._validate(stage))
            self.tell(validated[-1].measured.metrics)
        judged = [self._judge(fold) for fold in split.folds]
        with self.clock.step("bootstrap"):
            outcomes = {
                "validation": outcome(self.config, [each.measured for each in validated]),
                "test": outcome(self.config, [each.measured for each in judged]),
            }
        bundle = self._pack(split, judged[0], outcomes)
        self.folds.look_for_giveaways(split.folds[0].test.fit)
        warn_unless_probabilities(outcomes["validation"].metrics)
        return RunResult(bundle, outcomes, dict(self.clock.seconds), self.exporter.worst)

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
        raw = self._truth(stage.judge, exported.graph.link.score(margins))
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
            part = Part(scores, thresholds, ranked)
            return Validated(fitted, measure(self.config, part, self._on_train(stage.fit)))

    def _truth(self, rows: Rows, scores: Floats) -> Scores:
        return truth_of(self.table, rows, scores, whole_days=self._whole_days)

    def _on_train(self, fit: Rows) -> dict[str, float]:
        """Return how the fitted rows are ranked by the model that has seen them."""
        key = digest(fit)
        if key not in self._trained:
            exported = self.exporter.export(fit)
            margins = exported.runner.margins(exported.detector.train)
            own = self._truth(fit, exported.graph.link.score(margins))
            self._trained[key] = train_metrics(own)
        return self._trained[key]

    def _judge(self, fold: Fold) -> Judged:
        """Return the fold's test, scored by what its bundle holds once everything is fixed."""
        validated = self._validate(fold.cut)
        exported = self.exporter.export(fold.test.fit)
        self.exporter.margins(fold.test.fit, fold.cut.judge)  # raises unless exact there
        margins = self.exporter.margins(fold.test.fit, fold.test.judge)
        manifest = new_manifest(
            self.config, self.table, self.provenance, exported, validated.fitted, fold
        )
        scorer = Scorer(manifest, exported.runner)
        with self.clock.step("score"):
            scores = self._truth(fold.test.judge, scorer.calibrated(margins))
            part = Part(scores, scorer.thresholds(_amounts(scores)), scores)
            return Judged(manifest, measure(self.config, part, self._on_train(fold.test.fit)))

    def _pack(self, split: Split, judged: Judged, outcomes: dict[str, Outcome]) -> Bundle:
        """Return the shipped fold's bundle, with its own results and apart those of all folds."""
        config, train = self.config, split.folds[0].test.fit
        validated = self._validate(split.folds[0].cut)
        with self.clock.step("bootstrap"):
            own = outcomes
            if len(split.folds) > 1:
                own = {
                    "validation": outcome(config, [validated.measured]),
                    "test": outcome(config, [judged.measured]),
                }
            strategy = registry.build("threshold_strategy", config.threshold_strategy)
            fitted, scores = validated.fitted, validated.fitted.out_of_fold
            cut = cut_interval(fitted.cut, strategy, scores, config.bootstrap)
        with self.clock.step("pack"):
            manifest = completed(judged.manifest, own, outcomes, cut)
            exported = self.exporter.export(train)
            rows = self.folds.drawn(train, config.seed)
            return pack_bundle(manifest, exported, self.table, train, scores.score, rows)


def run_experiment(
    config: Config,
    table: Table,
    split: Split,
    provenance: Provenance,
    *,
    share: bool = False,
    tell: Telling = _tell_nobody,
) -> RunResult:
    """Return the result of training the candidate `config` on `split` of `table`.

    Parameters
    ----------
    config, table, split
        What is trained, on what.
    provenance
        What the bundle says of its origin.
    share
        Whether scaled and resampled rows are kept in files, for the candidates that have the same.
    tell
        Is told the metrics of each validation stage as soon as they are known.

    Raises
    ------
    DataError
        If a part of the split is not enough for the sampler or model.
    ParityError
        If the exported graph does not score as the fitted model does; nothing is shipped then.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        folds = Folds(config, table, code_of_results() if share else None)
        result = Experiment(config, folds, provenance, tell).run(split)
    texts = dict.fromkeys(str(warning.message) for warning in caught)
    return replace(result, warnings=tuple(texts))


def _amounts(scores: Scores) -> Floats:
    return np.zeros(len(scores.score)) if scores.amount is None else scores.amount
