"""What amount_cost saves on the Handbook's first week, as computed outside of fraudlab."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.conftest import Run
from tests.sweeps import board

# sampler: (savings, alerts); logistic regression, scores as they are, 5 for each alert
COMPUTED = {"identity": (0.6771, 787), "class_weight": (-4.4012, 35_796)}


@pytest.mark.slow
def test_the_cost_rule_saves_what_it_should(home: Path, run: Run, simulated_cache: Path) -> None:
    shutil.copytree(simulated_cache, home / ".cache")
    choices = ("model=logreg", "calibration=identity", "threshold_strategy=amount_cost")
    aside = ("tracking=disabled", "bootstrap.resamples=0", "selection=savings")
    samplers = f"sampler={','.join(COMPUTED)}"
    done = run("train", "data=simulated", samplers, *choices, *aside, "-m")
    assert done.code == 0, done.err
    rows = board(run)
    assert [row["choices"]["sampler"] for row in rows] == list(COMPUTED)
    for row in rows:
        test = row["metrics"]["test"]
        savings, alerts = COMPUTED[row["choices"]["sampler"]]
        assert test["cost_baseline"] == pytest.approx(33_301.42, abs=0.005)
        assert test["savings"] == pytest.approx(savings, abs=abs(savings) * 3e-3)
        found = test["true_positives"] + test["false_positives"]
        assert found == pytest.approx(alerts, rel=1e-2)
