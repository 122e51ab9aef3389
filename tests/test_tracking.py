"""MLflow mirrors every result: a parent run per sweep, a child per candidate."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from fraudlab.config import Choice
from fraudlab.launching.jobs import Job
from fraudlab.manifest import Metrics
from fraudlab.mirrored import metrics_of, params_of
from fraudlab.runs import RunRecord, read_sweep
from tests.conftest import ROOT, Run, Start
from tests.mirrors import Driver, Training, runs_of
from tests.sweeps import board, mlflow_runs, opened, results, wait_until

# What MLflow deprecates of its own libraries is not for us to mend.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def parent_and_children(home: Path) -> tuple[Any, list[Any]]:
    runs = mlflow_runs(home)
    (parent,) = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    children = [run for run in runs if "mlflow.parentRunId" in run.data.tags]
    assert {run.data.tags["mlflow.parentRunId"] for run in children} <= {parent.info.run_id}
    return parent, children


def artifact(run: Any, name: str) -> str:
    return (Path(run.info.artifact_uri.removeprefix("file://")) / name).read_text()


def test_a_sweep_is_a_parent_run_with_a_child_per_candidate(
    home: Path, run: Run, tracked: list[str], database: Path
) -> None:
    assert run("train", *tracked, "model=logreg,tree", "-m").code == 0
    parent, children = parent_and_children(home)
    best = board(run)[0]
    assert parent.info.status == "FINISHED"
    assert parent.data.tags["fraudlab.best_run"] == best["run"]
    assert json.loads(artifact(parent, "leaderboard.json"))[0]["run"] == best["run"]
    assert {child.data.tags["fraudlab.run"] for child in children} == set(results(home))
    for child in children:
        row = next(row for row in board(run) if row["run"] == child.data.tags["fraudlab.run"])
        assert child.info.status == "FINISHED"
        for part in ("validation", "test"):
            for name, value in row["metrics"][part].items():
                assert child.data.metrics[f"{part}_{name}"] == value


def test_a_child_carries_config_report_commit_and_data(
    home: Path, run: Run, tracked: list[str], database: Path
) -> None:
    run("train", *tracked, "model=logreg", "model.params.C=0.5")
    _, (child,) = parent_and_children(home)
    config = yaml.safe_load(artifact(child, "config.yaml"))
    assert config["model"]["params"]["C"] == 0.5
    assert not artifact(child, "config.yaml").startswith("{")
    report = json.loads(artifact(child, "table_report.json"))
    assert report["rows"] == 600
    assert report["fingerprint"] == child.data.tags["fraudlab.data_fingerprint"]
    assert child.data.params["model"] == "logreg"
    assert child.data.params["model.C"] == "0.5"
    assert child.data.params["seed"] == "42"
    manifest = json.loads(artifact(child, "manifest.json"))
    assert manifest["provenance"]["mlflow_run_id"] == child.info.run_id
    assert child.data.tags.get("mlflow.source.git.commit") == manifest["provenance"]["commit"]
    assert child.data.tags["fraudlab.bundle"] == board(run)[0]["bundle"]


def test_a_child_is_whole_before_the_sweep_is_over(home: Path, database: Path) -> None:
    first, second = "a" * 16, "b" * 16
    driver = Driver({first: 0.5, second: 0.25})
    told = driver.told(first, second)
    seen: list[list[str]] = []

    def train(job: Job) -> RunRecord:
        seen.append([child.info.status for child in runs_of(home, first)])
        return driver.result(job.run, job.mlflow_run_id, job.sweep)

    told.training = Training(train, slots=1)
    told.run(driver.mirror())
    assert driver.warnings == []
    assert seen == [["RUNNING"], ["FINISHED"]]


def test_a_failed_candidate_ends_as_failed(
    home: Path, run: Run, tracked: list[str], database: Path
) -> None:
    command = ("train", *tracked, "model=logreg", "sampler=smote")
    assert run(*command, "sampler.params.k_neighbors=500,5", "-m").code == 1
    parent, children = parent_and_children(home)
    assert sorted(child.info.status for child in children) == ["FAILED", "FINISHED"]
    assert parent.info.status == "FAILED"
    (failed,) = [child for child in children if child.info.status == "FAILED"]
    assert "SMOTE" in failed.data.tags["fraudlab.error"]
    assert "Traceback" in artifact(failed, "log.txt")


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_no_run_of_a_stopped_sweep_stays_open(
    how: signal.Signals, home: Path, run: Run, start: Start, tracked: list[str], database: Path
) -> None:
    slow = ("model=rf", "model.params.n_estimators=20000")
    process = start(*tracked, *slow)
    wait_until(lambda: any(home.glob("outputs/runs/*/running")) and opened(database) == 2, process)
    time.sleep(1)  # past the imports: Python ignores an interrupt that falls into a finaliser
    process.send_signal(how)
    process.communicate(timeout=60)
    if how == signal.SIGKILL:  # whoever comes next closes what it left
        assert {each.info.status for each in mlflow_runs(home)} == {"RUNNING"}
        run("train", *tracked, "model=logreg")
    stopped = [r for r in mlflow_runs(home) if "logreg" not in str(r.data.params)]
    assert [each.info.status for each in stopped] == ["KILLED", "KILLED"]


def test_mlflow_is_not_imported_without_tracking(home: Path, small_table: list[str]) -> None:
    program = (
        "import sys; from fraudlab.train import main; main(sys.argv[1:]);"
        "sys.exit(9 if 'mlflow' in sys.modules else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *small_table, "model=logreg"],
        cwd=home,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr


def test_numbers_that_are_none_are_left_out() -> None:
    metrics = Metrics({"recall": 0.5, "precision": float("nan")}, {"savings": float("-inf")})
    record = RunRecord("abc", "done", metrics=metrics, seconds={"fit": 1.0})
    assert metrics_of(record) == {"validation_recall": 0.5, "seconds_fit": 1.0}


def test_many_parameters_and_long_values_all_arrive(
    home: Path, run: Run, tracked: list[str], database: Path
) -> None:
    from fraudlab.config import Tracking
    from fraudlab.tracking import mirror

    run("train", *tracked, "model=logreg", "tracking=disabled")
    sweep = read_sweep("latest")
    (planned,) = sweep.candidates
    params = {f"param_{number}": "x" * 9000 for number in range(250)}
    config = msgspec.structs.replace(planned.config, model=Choice("logreg", params))
    planned = msgspec.structs.replace(planned, config=config)
    warnings: list[str] = []
    told = mirror(Tracking(), warnings.append)
    told.start_sweep(sweep)
    record = RunRecord(planned.run, "done", mlflow_run_id=told.start_run(planned))
    told.end_run(planned, record, home / "outputs" / "runs" / planned.run)
    assert warnings == []
    _, (child,) = parent_and_children(home)
    assert child.data.params == params_of(planned)
    assert len(child.data.params) > 250


def test_the_alias_moves_in_the_store_of_the_runs_own_config(
    home: Path, run: Run, tracked: list[str], database: Path
) -> None:
    other = home / "elsewhere.db"
    database.rename(other)
    elsewhere = f"tracking.uri=sqlite:///{other}"
    assert run("train", *tracked, elsewhere, "model=logreg,tree", "-m").code == 0
    best, second = board(run)
    assert aliases(home, other) == {best["run"]: ["fraudlab.alias.champion"]}
    assert run("promote", f"run={second['run']}").code == 0
    assert run("promote", f"run={second['run']}", "alias=challenger").code == 0
    assert aliases(home, other) == {
        second["run"]: ["fraudlab.alias.challenger", "fraudlab.alias.champion"]
    }
    assert not (home / "mlflow.db").exists()


def aliases(home: Path, path: Path) -> dict[str, list[str]]:
    found = {}
    for each in mlflow_runs(home, path):
        tags = sorted(tag for tag in each.data.tags if tag.startswith("fraudlab.alias"))
        if tags:
            found[each.data.tags["fraudlab.run"]] = tags
    return found
