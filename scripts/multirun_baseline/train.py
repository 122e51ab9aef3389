"""Train one fraud model on the simulated cards: a plain Hydra script, to measure sweeps against.

    python scripts/multirun_baseline/train.py raw=raw.parquet model=logreg,xgb,lgbm -m

Every job reads the raw rows, builds the features with fraudlab's own function, cuts the windows,
scales, resamples and fits twice: once for validation, one step (train and delay days) earlier, and
once for test. It prints the average precision of both, and that is all it does.
"""

from __future__ import annotations

import datetime as dt

import hydra
import numpy as np
import polars as pl
from hydra.utils import instantiate
from numpy.typing import NDArray
from omegaconf import DictConfig
from sklearn.metrics import average_precision_score
from sklearn.utils.class_weight import compute_sample_weight

from fraudlab.features.rfm import rfm

TIME, CARD, LABEL = "TX_DATETIME", "CUSTOMER_ID", "TX_FRAUD"
EPOCH = dt.date(1970, 1, 1)
Rows = NDArray[np.intp]


def read(cfg: DictConfig) -> tuple[pl.DataFrame, NDArray[np.float64], NDArray[np.int8]]:
    """Return the day and card of each row, its features and its label."""
    raw = pl.read_parquet(cfg.raw)
    names = {"time": TIME, "amount": "TX_AMOUNT", "card": CARD, "terminal": "TERMINAL_ID"}
    features = rfm(raw, **names, label=LABEL, delay_days=cfg.delay_days)
    keys = raw.select(day=pl.col(TIME).dt.epoch("d"), card=pl.col(CARD), fraud=pl.col(LABEL) == 1)
    return keys, features.to_numpy(), raw[LABEL].to_numpy().astype(np.int8)


def scored_rows(keys: pl.DataFrame, cfg: DictConfig, first: int) -> Rows:
    """Return the rows of the test window, without cards whose fraud is known on that day."""
    day, card, fraud = (keys[name].to_numpy() for name in keys.columns)
    known_from = first - cfg.delay_days - cfg.train_days
    kept = []
    for today in range(first, first + cfg.test_days):
        known = card[fraud & (day >= known_from) & (day < today - cfg.delay_days)]
        kept.append(np.flatnonzero((day == today) & ~np.isin(card, known)))
    return np.concatenate(kept)


def judge(
    cfg: DictConfig, X: NDArray[np.float64], y: NDArray[np.int8], fit: Rows, scored: Rows
) -> float:
    """Return the average precision on the rows `scored` of a model fitted on the rows `fit`."""
    scaler = instantiate(cfg.scalers[cfg.scaler]).fit(X[fit])
    train, label, weight = scaler.transform(X[fit]).astype(np.float32), y[fit], None
    if cfg.sampler == "class_weight":
        weight = compute_sample_weight("balanced", label)
    elif cfg.sampler != "identity":
        train, label = instantiate(cfg.samplers[cfg.sampler]).fit_resample(train, label)
    model = instantiate(cfg.models[cfg.model])
    model.fit(train.astype(np.float64), label, sample_weight=weight)
    rows = scaler.transform(X[scored]).astype(np.float32)  # as fraudlab rounds them: same scores
    score = model.predict_proba(rows.astype(np.float64))[:, 1]
    return float(average_precision_score(y[scored], score))


@hydra.main(version_base=None, config_path=".", config_name="config")
def main(cfg: DictConfig) -> None:
    keys, X, y = read(cfg)
    day = keys["day"].to_numpy()
    start, step = (dt.date.fromisoformat(cfg.start) - EPOCH).days, cfg.train_days + cfg.delay_days
    found = []
    for first in (start - step, start):
        fit = np.flatnonzero((day >= first) & (day < first + cfg.train_days))
        found.append(judge(cfg, X, y, fit, scored_rows(keys, cfg, first + step)))
    print("average precision", cfg.model, cfg.sampler, cfg.scaler, *found, flush=True)


if __name__ == "__main__":
    main()
