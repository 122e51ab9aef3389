"""Time the bare estimators of a sweep: fit and predict_proba, and nothing around them.

    FRAUDLAB_THREADS=1 OMP_NUM_THREADS=1 python scripts/bare_fits.py data=simulated model=xgb,lgbm

Every candidate is fitted twice, as in a run: one step earlier for validation, then for test, each
time on the scaled and resampled matrix that a run would use, and predicts the rows that are judged.
Prints JSON: the seconds of the estimators, by model, and those of scaling and resampling.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from collections import Counter
from typing import Any

import numpy as np

from fraudlab import registry
from fraudlab.composition import Composer
from fraudlab.config import Config
from fraudlab.estimators import IterativeEstimator
from fraudlab.folding import Folds
from fraudlab.protocols import Stage
from fraudlab.table import Table
from fraudlab.tables import Tables

WARM_ROWS = 500


def bare(config: Config) -> tuple[Any, type[np.floating[Any]]]:
    """Return the library's own estimator of a config, and the type of number it is fitted on."""
    model = registry.build("model", config.model)
    return model.estimator, np.float64 if isinstance(model, IterativeEstimator) else np.float32


def warm(config: Config) -> None:
    """Fit once on nothing of interest: what a library does at its first fit is not the fit's."""
    draw = np.random.default_rng(0)
    estimator, dtype = bare(config)
    X = draw.normal(size=(WARM_ROWS, 4)).astype(dtype)
    estimator.fit(X, (X[:, 0] > 0).astype(np.int8)).predict_proba(X)


def time_stage(config: Config, table: Table, stage: Stage) -> tuple[float, float]:
    """Return the seconds of the estimator, and those of what is done to its rows before."""
    started = time.perf_counter()
    folds = Folds(config, table)
    resampled, judged = folds.resampled(stage.fit), folds.judged(stage.fit, stage.judge)
    prepared = time.perf_counter() - started
    estimator, dtype = bare(config)
    X, judged = resampled.X.astype(dtype), judged.astype(dtype)
    started = time.perf_counter()
    estimator.fit(X, resampled.y, sample_weight=resampled.sample_weight)
    estimator.predict_proba(judged)
    return time.perf_counter() - started, prepared


def main() -> None:
    configs = [each.config for each in Composer().plan(sys.argv[1:], multirun=True).candidates]
    warnings.simplefilter("ignore")  # of convergence: a run would say it
    tables = Tables(lambda _: None)
    for config in {config.model.name: config for config in configs}.values():
        warm(config)
    fits: Counter[str] = Counter()
    preparing = 0.0
    for config in configs:
        fold = tables.split(config).folds[0]
        for stage in (fold.cut, fold.test):
            fit, prepared = time_stage(config, tables.table(config), stage)
            fits[config.model.name] += fit
            preparing += prepared
    print(json.dumps({"fits": dict(fits), "preparing": preparing}))


if __name__ == "__main__":
    main()
