"""Time the steps of an experiment, and two of them against the plain way in the same run.

    python scripts/bench.py                       # make bench
    python scripts/bench.py --customers 500 --days 60

The stream is simulated at full size by default. The windowed features are compared with pandas'
groupby().rolling(), which is timed on some of the customers and put in proportion to all rows.
Everything is written to a temporary folder and removed.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from typing import TypeVar

import numpy as np
import pandas as pd
import polars as pl

from fraudlab import registry
from fraudlab.composition import Composer
from fraudlab.config import Config
from fraudlab.experiment import run_experiment
from fraudlab.features.rfm import rfm
from fraudlab.provenance import provenance
from fraudlab.tables import Tables

Result = TypeVar("Result")
SUBSET = 200  # customers that the slow way is timed on
WINDOWS, DELAY = (1, 7, 30), 7
TIME, AMOUNT, CARD = "TX_DATETIME", "TX_AMOUNT", "CUSTOMER_ID"
TERMINAL, LABEL = "TERMINAL_ID", "TX_FRAUD"


def timed(work: Callable[[], Result]) -> tuple[Result, float]:
    started = time.perf_counter()
    result = work()
    return result, time.perf_counter() - started


def tell(step: str, seconds: float, rest: str = "") -> None:
    print(f"{step:34}{seconds:9.3f} s   {rest}".rstrip())


def pandas_windows(frame: pd.DataFrame) -> pd.DataFrame:
    """Return rfm's windowed columns the way pandas does them: rolling, per card and terminal."""
    frame = frame.assign(one=1.0).set_index(TIME)
    columns = {}
    for days in WINDOWS:
        own = frame.groupby(CARD)[AMOUNT].rolling(f"{days}D")
        columns[f"NB_{days}"], columns[f"AVG_{days}"] = own.count(), own.mean()
    there = frame.groupby(TERMINAL)[["one", LABEL]]
    delay = there.rolling(f"{DELAY}D").sum()
    for days in WINDOWS:
        known = there.rolling(f"{DELAY + days}D").sum() - delay
        columns[f"RISK_{days}"] = (known[LABEL] / known["one"]).fillna(0.0)
    return pd.DataFrame({name: column.to_numpy() for name, column in columns.items()})


def compose(*overrides: str) -> Config:
    plan = Composer(None).plan(["tracking=disabled", *overrides], multirun=False)
    return plan.candidates[0].config


def bench_reading(overrides: list[str]) -> pl.DataFrame:
    """Time the simulator, and the cached stream it leaves behind."""
    source = registry.build("data", compose("data=simulated", *overrides).data)
    raw, first = timed(source.read)
    _, again = timed(source.read)
    tell("simulator", first, f"{len(raw.frame):,} rows, {int(raw.frame[LABEL].sum()):,} frauds")
    tell("  read again, from the cache", again, f"{first / again:.0f} times faster")
    return raw.frame


def bench_features(raw: pl.DataFrame) -> None:
    """Time rfm on all rows, and pandas on some."""
    names = {"time": TIME, "amount": AMOUNT, "card": CARD, "terminal": TERMINAL, "label": LABEL}
    features, fast = timed(lambda: rfm(raw, **names))
    few = np.unique(raw[CARD].to_numpy())[:SUBSET].tolist()
    part = raw.filter(pl.col(CARD).is_in(few)).sort(TIME).to_pandas()
    _, slow = timed(lambda: pandas_windows(part))
    scaled = slow * len(raw) / len(part)
    tell("rfm features, all rows", fast, f"{features.width} columns")
    tell("  pandas rolling, in proportion", scaled, f"{scaled / fast:.0f} times slower")
    print(f"  (measured on {len(part):,} rows: {slow:.2f} s)")


def bench_training(models: list[str]) -> None:
    """Time the steps of a training on the small stream."""
    tables = Tables(lambda _: None)
    for model in models:
        config = compose("data=simulated_small", f"model={model}")
        table, split = tables.table(config), tables.split(config)
        origin = provenance(config, table.fingerprint, None)
        started = time.perf_counter()
        result = run_experiment(config, table, split, origin)
        steps = ", ".join(f"{name} {spent:.2f}" for name, spent in result.seconds.items())
        tell(f"training {model}, small stream", time.perf_counter() - started, steps)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--customers", type=int, default=5000, help="customers simulated (5000)")
    parser.add_argument("--days", type=int, default=183, help="days simulated (183)")
    parser.add_argument("--models", nargs="*", default=["logreg", "xgb", "lgbm"], metavar="MODEL")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        os.environ["FRAUDLAB_HOME"] = folder
        raw = bench_reading([f"data.customers={options.customers}", f"data.days={options.days}"])
        bench_features(raw)
        bench_training(options.models)


if __name__ == "__main__":
    main()
