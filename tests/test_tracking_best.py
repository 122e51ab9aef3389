"""The parent run of a sweep points at its best child, wherever that was trained."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from fraudlab.config import Tracking
from fraudlab.runs import read_result
from fraudlab.tracking import log_file
from tests.dooms import doom
from tests.mirrors import Driver, parents, runs_of
from tests.sweeps import mlflow_runs

# What MLflow deprecates of its own libraries is not for us to mend.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

VALUES = {"a" * 16: 0.25, "b" * 16: 0.75, "c" * 16: 0.5, "d" * 16: 0.9}
A, B, C, D = VALUES


@pytest.fixture
def driver(home: Path, database: Path, monkeypatch: pytest.MonkeyPatch) -> Driver:
    return Driver(VALUES, doom=doom(monkeypatch))


def tagged_best(home: Path) -> list[str]:
    runs = mlflow_runs(home)
    return [r.data.tags["fraudlab.run"] for r in runs if r.data.tags.get("fraudlab.best") == "true"]


def artifacts(run: Any) -> set[str]:
    return {path.name for path in Path(run.info.artifact_uri.removeprefix("file://")).iterdir()}


def test_parent_and_child_say_who_is_best(home: Path, driver: Driver) -> None:
    sweep = driver.sweep(A, B, C)
    (best,) = runs_of(home, B)
    parent = parents(home)[sweep]
    assert tagged_best(home) == [B]
    assert parent.data.tags["fraudlab.best_run"] == B
    assert parent.data.tags["fraudlab.best_mlflow_run_id"] == best.info.run_id
    assert parent.data.metrics["best_validation_average_precision"] == VALUES[B]
    assert artifacts(parent) == {"leaderboard.json"}


def test_the_best_may_be_one_that_was_trained_before(home: Path, driver: Driver) -> None:
    driver.sweep(A, B)
    sweep = driver.sweep(A, B, C)
    (best,) = runs_of(home, B)
    assert tagged_best(home) == [B]
    assert parents(home)[sweep].data.tags["fraudlab.best_mlflow_run_id"] == best.info.run_id


def test_a_better_one_takes_the_tag_among_its_like(home: Path, driver: Driver) -> None:
    driver.sweep(A, B)
    driver.sweep(C)  # compared with nobody
    assert sorted(tagged_best(home)) == [B, C]
    driver.sweep(B, D)
    assert sorted(tagged_best(home)) == [C, D]


def test_a_best_that_another_store_has_is_named_all_the_same(home: Path, driver: Driver) -> None:
    shutil.copyfile(home / "mlflow.db", home / "elsewhere.db")
    Driver(VALUES, tracking=Tracking(uri=f"sqlite:///{home / 'elsewhere.db'}")).sweep(B)
    sweep = driver.sweep(A, B)
    assert driver.warnings == []
    parent = parents(home)[sweep]
    assert parent.info.status == "FINISHED"
    assert parent.data.tags["fraudlab.best_run"] == B
    assert "fraudlab.best_mlflow_run_id" not in parent.data.tags
    assert tagged_best(home) == []


def test_a_candidate_of_several_seeds_is_told_with_mean_and_deviation(
    home: Path, driver: Driver
) -> None:
    driver.seeds = {A: 1, B: 2, C: 3}
    sweep = driver.sweep(A, B, C)
    parent = parents(home)[sweep]
    assert driver.warnings == []
    assert parent.data.metrics["best_validation_average_precision_mean"] == 0.5
    assert parent.data.metrics["best_validation_average_precision_std"] == 0.25
    place = Path(parent.info.artifact_uri.removeprefix("file://"))
    (told,) = json.loads((place / "seeds.json").read_text())
    assert (told["run"], told["count"], told["mean"], told["std"]) == (C, 3, 0.5, 0.25)
    assert tagged_best(home) == [C]  # the one in the middle stands for all


def test_a_report_goes_to_the_parent_though_a_child_is_older(home: Path, driver: Driver) -> None:
    driver.killed_sweep(4, A)  # its run is open, and older than the parent of the next sweep
    assert len(runs_of(home, A)) == 1
    sweep = driver.sweep(A)
    page = home / "report.html"
    page.write_text("a page")
    result = read_result(A)
    assert result is not None
    log_file(Tracking(), str(result.mlflow_run_id), page, driver.warnings.append, sweep)
    assert driver.warnings == []
    assert "report.html" in artifacts(parents(home)[sweep])
    assert "report.html" not in artifacts(runs_of(home, A)[0])
