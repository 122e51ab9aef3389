"""Runs that a killed sweep left open in MLflow are told to their end, gone on with, or closed."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from fraudlab.config import Tracking
from fraudlab.locking import claimed
from fraudlab.runs import (
    RunRecord,
    SweepRecord,
    new_sweep_id,
    now,
    run_folder,
    running_mark,
    sweep_folder,
    write_run,
)
from tests.dooms import doom
from tests.mirrors import (
    Driver,
    assert_whole,
    left_open,
    parents,
    planned,
    runs_of,
    write_files,
)
from tests.sweeps import mlflow_runs

# What MLflow deprecates of its own libraries is not for us to mend.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

VALUES = {"a" * 16: 0.25, "b" * 16: 0.75, "c" * 16: 0.5}
A, B, C = VALUES


@pytest.fixture
def driver(home: Path, database: Path, monkeypatch: pytest.MonkeyPatch) -> Driver:
    return Driver(VALUES, doom=doom(monkeypatch))


def statuses(home: Path, key: str) -> list[str]:
    return [run.info.status for run in runs_of(home, key)]


def test_a_run_left_open_goes_on_under_the_next_sweep(home: Path, driver: Driver) -> None:
    old, ids = left_open(driver, A, B)
    sweep = driver.sweep(A, B)
    assert driver.warnings == []
    assert_whole(home, (A, B), VALUES)
    for key, run_id in ids.items():
        (run,) = runs_of(home, key)
        assert run.info.run_id == run_id
        assert run.data.tags["fraudlab.sweep"] == sweep
        assert run.data.tags["mlflow.parentRunId"] == parents(home)[sweep].info.run_id
    assert parents(home)[old.sweep].info.status == "KILLED"
    assert parents(home)[sweep].info.status == "FINISHED"


def test_a_result_that_was_not_told_any_more_is_told_in_full(home: Path, driver: Driver) -> None:
    old, ids = left_open(driver, A)
    write_files(driver.result(A, ids[A], old.sweep))
    driver.sweep(B)
    assert_whole(home, (A, B), VALUES)
    (run,) = runs_of(home, A)
    assert run.data.tags["fraudlab.sweep"] == old.sweep
    assert run.info.end_time >= run.info.start_time
    assert parents(home)[old.sweep].info.status == "KILLED"  # though nothing of it is missing


def test_a_failure_that_was_not_told_any_more_ends_as_failed(home: Path, driver: Driver) -> None:
    old, ids = left_open(driver, A)
    failed = RunRecord(A, "failed", old.sweep, error="no", log="log.txt", mlflow_run_id=ids[A])
    write_files(failed)
    (run_folder(A) / "log.txt").write_text("Traceback")
    driver.sweep(A)
    first, second = runs_of(home, A)
    assert (first.info.status, first.data.tags["fraudlab.error"]) == ("FAILED", "no")
    assert (Path(first.info.artifact_uri.removeprefix("file://")) / "log.txt").is_file()
    assert second.info.status == "FINISHED"


def test_without_its_plan_a_result_is_told_as_far_as_it_is_known(
    home: Path, driver: Driver
) -> None:
    old, ids = left_open(driver, A)
    write_files(driver.result(A, ids[A], old.sweep))
    (sweep_folder(old.sweep) / "plan.json").write_text("of another version")
    driver.sweep(B)
    (run,) = runs_of(home, A)
    assert driver.warnings == []
    assert run.info.status == "FINISHED"
    assert run.data.metrics["validation_average_precision"] == VALUES[A]
    assert run.data.params == {}


def test_what_nobody_goes_on_with_is_closed_and_may_still_be_gone_on_with(
    home: Path, driver: Driver
) -> None:
    left_open(driver, A)
    driver.sweep(B)
    assert statuses(home, A) == ["KILLED"]
    driver.sweep(A, B)
    assert_whole(home, (A, B), VALUES)
    assert driver.warnings == []


def test_a_sweep_with_nothing_to_do_closes_what_was_left_open(home: Path, driver: Driver) -> None:
    driver.sweep(B)
    old, _ = left_open(driver, A)
    driver.sweep(B)
    assert statuses(home, A) == ["KILLED"]
    assert parents(home)[old.sweep].info.status == "KILLED"
    assert len(parents(home)) == 2


def test_a_job_that_outlives_its_driver_is_told_when_it_ends(home: Path, driver: Driver) -> None:
    driver.sweep(B)
    old, ids = left_open(driver, A)
    with claimed(running_mark(run_folder(A))):
        driver.sweep(B)
        assert statuses(home, A) == ["RUNNING"]
        write_files(driver.result(A, ids[A], old.sweep))
    driver.sweep(B)
    assert_whole(home, (A, B), VALUES)


def test_without_killed_sweeps_nothing_is_asked_of_mlflow(home: Path, driver: Driver) -> None:
    left_open(driver, A)
    driver.mirror().settle()  # whatever was left is closed, and its sweep is forgotten
    (home / "mlflow.db").write_text("no database")
    driver.mirror().settle()
    assert driver.warnings == []
    left_open(driver, A)
    assert len(driver.warnings) == 1


def test_live_sweeps_and_other_homes_are_left_alone(
    home: Path, driver: Driver, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: Any
) -> None:
    alive, ids = left_open(driver, A)
    with claimed(running_mark(sweep_folder(alive.sweep))):
        driver.sweep(B)
        assert statuses(home, A) == ["RUNNING"]
    monkeypatch.setenv("FRAUDLAB_HOME", str(tmp_path_factory.mktemp("other")))
    Driver(VALUES, tracking=Tracking(uri=f"sqlite:///{home / 'mlflow.db'}")).sweep(A)
    assert statuses(home, A) == ["RUNNING", "FINISHED"]
    monkeypatch.setenv("FRAUDLAB_HOME", str(home))
    driver.sweep(A)
    assert statuses(home, A) == ["FINISHED", "FINISHED"]
    assert runs_of(home, A)[0].info.run_id == ids[A]


def test_a_deliberate_retraining_is_a_run_of_its_own(home: Path, driver: Driver) -> None:
    driver.sweep(A)
    driver.sweep(A, never=True)
    assert statuses(home, A) == ["FINISHED", "FINISHED"]
    left_open(driver, A, never=True)  # the third is killed
    driver.sweep(A, B)
    assert statuses(home, A) == ["FINISHED", "FINISHED", "KILLED"]
    driver.sweep(A, never=True)  # and gone on with
    assert statuses(home, A) == ["FINISHED", "FINISHED", "FINISHED"]
    assert driver.warnings == []


def test_of_two_sweeps_at_once_one_goes_on(home: Path, driver: Driver) -> None:
    _, ids = left_open(driver, A)
    both = [SweepRecord(new_sweep_id(), now(), (planned(A),)) for _ in range(2)]
    first, second = driver.mirror(), driver.mirror()
    with ExitStack() as alive:
        for told, record in zip((first, second), both, strict=True):
            alive.enter_context(claimed(running_mark(sweep_folder(record.sweep))))
            told.start_sweep(record)
        assert first.start_run(planned(A)) == ids[A]
        assert second.start_run(planned(A)) != ids[A]


def test_a_result_that_arrives_late_keeps_its_run(home: Path, driver: Driver) -> None:
    old, ids = left_open(driver, A)
    again = SweepRecord(new_sweep_id(), now(), (planned(A),))
    told = driver.mirror()
    told.start_sweep(again)
    write_files(driver.result(A, ids[A], old.sweep))  # of a worker that outlived its driver
    assert told.start_run(again.candidates[0]) != ids[A]
    told.end_sweep([])
    assert statuses(home, A) == ["FINISHED", "KILLED"]


def test_an_interrupted_run_is_gone_on_with(home: Path, driver: Driver) -> None:
    record, ids = left_open(driver, A)
    stopped = RunRecord(A, "killed", error="interrupted", mlflow_run_id=ids[A])
    told = driver.mirror()
    told.start_sweep(record)
    told.end_run(record.candidates[0], stopped, run_folder(A))
    assert statuses(home, A) == ["KILLED"]
    driver.sweep(A)
    assert_whole(home, (A,), VALUES)
    assert "fraudlab.error" not in runs_of(home, A)[0].data.tags


def test_a_run_with_other_parameters_is_not_gone_on_with(home: Path, driver: Driver) -> None:
    record, ids = left_open(driver, A)
    told = driver.mirror()
    told.start_sweep(record)
    stopped = RunRecord(A, "killed", mlflow_run_id=ids[A])
    told.end_run(record.candidates[0], stopped, run_folder(A))
    driver.sweep(A, selection="savings")  # no other result, but other parameters
    assert driver.warnings == []
    assert statuses(home, A) == ["KILLED", "FINISHED"]


def test_a_verdict_of_killed_stays(home: Path, driver: Driver) -> None:
    old, ids = left_open(driver, A)
    write_run(RunRecord(A, "killed", old.sweep, mlflow_run_id=ids[A], finished=now()))
    driver.sweep(A)
    driver.sweep(A, never=True)
    assert statuses(home, A) == ["KILLED", "FINISHED", "FINISHED"]


def test_a_child_that_its_own_sweep_forgot_is_closed_with_it(home: Path, driver: Driver) -> None:
    record, ids = left_open(driver, A, B)
    write_files(driver.result(B, ids[B], record.sweep))
    with claimed(running_mark(sweep_folder(record.sweep))):
        told = driver.mirror()
        told.start_sweep(record)
        told.end_sweep([])
    assert statuses(home, A) == ["KILLED"]
    assert statuses(home, B) == ["FINISHED"]


def test_metrics_told_twice_are_the_same_points(home: Path, driver: Driver) -> None:
    from mlflow import MlflowClient

    record, ids = left_open(driver, A)
    write_files(driver.result(A, ids[A], record.sweep))
    driver.mirror().settle()
    client = MlflowClient(f"sqlite:///{home / 'mlflow.db'}")
    client.update_run(ids[A], status="RUNNING")
    driver.sweep(B)
    assert len(client.get_metric_history(ids[A], "validation_average_precision")) == 1
    assert all(run.info.status != "RUNNING" for run in mlflow_runs(home))
