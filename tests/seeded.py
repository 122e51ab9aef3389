"""Sweeps over seeds whose results are made up: what the tests of seeds stand on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from fraudlab.evidence import BOOTSTRAP
from fraudlab.manifest import Intervals, Metrics
from fraudlab.runs import (
    Planned,
    RunRecord,
    SweepRecord,
    run_folder,
    write_run,
    write_sweep,
)
from tests.candidates import make_config

GOOD = {"roc_auc": 0.9, "alert_rate": 0.1, "precision": 0.5, "recall": 0.5}


def planned(model: str, seed: int, selection: Any = "average_precision", **changes: Any) -> Planned:
    config = msgspec.structs.replace(make_config(selection=selection), seed=seed)
    options = {"data": "table", "split": "temporal", "model": model}
    found = Planned(f"{model}{seed}", config, options, {"seed": seed}, "rows")
    return msgspec.structs.replace(found, **changes)


def sweep_of(candidates: Sequence[Planned]) -> SweepRecord:
    record = SweepRecord("s", "now", tuple(candidates))
    write_sweep(record)
    return record


def finish(run: str, value: float | None, **metrics: float) -> None:
    """Write the result of a run: its average precision, on test 0.1 less, and other metrics."""
    known = {} if value is None else {"average_precision": value}
    test = {name: of - 0.1 for name, of in known.items()}
    intervals = Intervals({name: (of - 0.2, of + 0.2) for name, of in known.items()}, {})
    found = Metrics(GOOD | known | metrics, GOOD | test)
    write_run(RunRecord(run, "done", "s", {}, found, intervals, size=100, finished="now"))


def finish_all(values: Mapping[str, Mapping[int, float]], **settings: Any) -> SweepRecord:
    """Write results of models by seed, and return their sweep."""
    for model, seeds in values.items():
        for seed, value in seeds.items():
            finish(f"{model}{seed}", value)
    return sweep_of([planned(m, seed, **settings) for m, seeds in values.items() for seed in seeds])


def write_draws(run: str, values: Any, drawn: str = "same") -> None:
    path = run_folder(run) / BOOTSTRAP
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, drawn=np.array(drawn), average_precision=np.asarray(values, dtype=float))
