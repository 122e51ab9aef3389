"""Small tables, candidates to train on them, and trained candidates, all in memory."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from fraudlab import registry
from fraudlab.config import Choice, Config, parse
from fraudlab.detector import Detector, fit_detector
from fraudlab.experiment import run_experiment
from fraudlab.folding import Folds
from fraudlab.outcomes import RunResult
from fraudlab.protocols import Rows, Split
from fraudlab.provenance import provenance
from fraudlab.splitting import split_table
from fraudlab.table import Table
from fraudlab.threads import VARIABLE

CHOICES = {
    "data": "table",
    "features": "identity",
    "split": "stratified",
    "scaler": "standard",
    "sampler": "identity",
    "model": "tree",
    "calibration": "sigmoid",
    "threshold_strategy": "max_fbeta",
    "selection": "average_precision",
}


def make_config(**choices: Any) -> Config:
    """Return a candidate; each choice is a name, or a pair of a name and its parameters."""
    plain: dict[str, Any] = {}
    for group, choice in (CHOICES | choices).items():
        name, params = (choice, {}) if isinstance(choice, str) else choice
        plain[group] = {"name": name, **params} if group == "data" else {"name": name}
        if group != "data":
            plain[group]["params"] = params
    return parse(plain)


def make_table(columns: dict[str, Any], **meaning: Any) -> Table:
    """Return the table of `columns`; `fraud` is the label."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.parquet"
        pl.DataFrame(columns, strict=False).write_parquet(path)
        params = {"path": str(path), "label": "fraud", **meaning}
        raw = registry.build("data", Choice("table", params)).read()
    table: Table = registry.build("features", Choice("identity")).build(raw)
    return table


def transactions(rows: int = 1500, seed: int = 0) -> dict[str, Any]:
    """Return columns of every kind: numbers, counts, missing values, text, amounts and cards."""
    draw = np.random.default_rng(seed)
    risk = draw.normal(size=rows)
    fraud = (draw.random(rows) < 1 / (1 + np.exp(3.0 - 2.0 * risk))).astype(np.int8)
    signal = risk + draw.normal(size=rows)
    shop = draw.choice(["grocery", "travel", "jewels", "rare"], rows, p=[0.5, 0.3, 0.195, 0.005])
    absent = draw.random((rows, 2)) < 0.1
    return {
        "card": draw.integers(0, rows // 5, rows),
        "risk": risk,
        "signal": [
            None if gone else float(x) for gone, x in zip(absent[:, 0], signal, strict=True)
        ],
        "count": draw.integers(0, 9, rows),
        "constant": np.ones(rows),
        "shop": [None if gone else str(x) for gone, x in zip(absent[:, 1], shop, strict=True)],
        "amount": np.round(draw.gamma(1.0, 90.0, rows) * (1 + fraud), 2),
        "fraud": fraud,
    }


def transaction_table(rows: int = 1500, seed: int = 0) -> Table:
    """Return the table of `transactions`."""
    return make_table(transactions(rows, seed), amount="amount", entities=["card"])


def split_of(config: Config, table: Table) -> Split:
    """Return the split the candidate asks for."""
    return split_table(table, registry.build("split", config.split))


def train(config: Config, table: Table, split: Split | None = None) -> RunResult:
    """Return the trained candidate."""
    origin = provenance(config, table.fingerprint, None)
    with one_thread():
        return run_experiment(config, table, split or split_of(config, table), origin)


def fit(config: Config, table: Table, rows: Rows | None = None) -> Detector:
    """Return the candidate fitted on some rows, or on every one."""
    with one_thread():
        folds, rows = Folds(config, table), np.arange(len(table)) if rows is None else rows
        return fit_detector(config, folds.encoded(rows), folds.resampled(rows))


@contextmanager
def one_thread() -> Iterator[None]:
    """Fit with one thread inside: on small tables more only wait for each other."""
    with pytest.MonkeyPatch.context() as patch:
        if VARIABLE not in os.environ:
            patch.setenv(VARIABLE, "1")
        yield
