"""Costs on one week of the simulated stream: resampled scores ruin a cost rule, the prior mends it.

The figures were made once by an independent implementation of the same formulas (scikit-learn 1.7,
handling an alert costs 5). Under-sampling draws other rows there, hence the wider tolerance.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.conftest import Run
from tests.sweeps import board

COMMON = ("experiment=handbook_p1", "model=logreg", "tracking=disabled")
BASELINE = 33_301.42  # what all frauds of the week are worth: cheaper than alerting every row
# sampler, calibration, strategy: (savings, alerts, brier, mean score), tolerance of the first two
FIGURES = {
    ("identity", "identity", "fixed"): (0.5062, 199, 0.003406, 0.00715, 0.005, 3),
    ("identity", "identity", "amount_cost"): (0.6771, 787, 0.003406, 0.00715, 0.005, 8),
    ("random_under", "identity", "amount_cost"): (-4.4923, 36418, 0.071276, 0.23190, 0.15, 1200),
    ("random_under", "prior", "amount_cost"): (0.6954, 565, 0.004453, 0.00809, 0.02, 60),
}


@pytest.mark.slow
def test_savings_are_those_of_an_independent_implementation(
    home: Path, run: Run, published_cache: Path
) -> None:
    shutil.copytree(published_cache, home / ".cache")
    done = run("train", *COMMON, "threshold_strategy=fixed,amount_cost", "-m")
    assert done.code == 0, done.err
    rows = board(run)
    words = ("sampler=random_under", "threshold_strategy=amount_cost", "calibration=identity,prior")
    done = run("train", *COMMON, *words, "-m")
    assert done.code == 0, done.err
    rows += board(run)
    found = {
        tuple(
            row["choices"][group] for group in ("sampler", "calibration", "threshold_strategy")
        ): row
        for row in rows
    }
    assert set(found) == set(FIGURES)
    for key, (savings, alerts, brier, mean, near, close) in FIGURES.items():
        test = found[key]["metrics"]["test"]
        assert test["savings"] == pytest.approx(savings, abs=near), key
        assert test["alerts_per_day"] * 7 == pytest.approx(alerts, abs=close), key
        assert test["brier"] == pytest.approx(brier, rel=0.03), key
        assert test["mean_score"] == pytest.approx(mean, rel=0.03), key
        assert test["cost_baseline"] == pytest.approx(BASELINE, abs=0.01)
    warned = {key: " ".join(row["warnings"]) for key, row in found.items()}
    assert "not probabilities" in warned["random_under", "identity", "amount_cost"]
    assert "not probabilities" not in warned["random_under", "prior", "amount_cost"]
