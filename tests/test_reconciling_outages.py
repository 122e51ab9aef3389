"""What an outage left open in MLflow, the next command of the same store tells to its end."""

from __future__ import annotations

import itertools
import json
import shutil
from pathlib import Path

import pytest

from fraudlab.config import Tracking
from fraudlab.provenance import masked
from fraudlab.runs import read_result, running_mark, sweep_folder
from fraudlab.tracking import MlflowMirror, mirror
from tests.dooms import doom
from tests.mirrors import Driver, assert_whole, left_open, noted, parents, runs_of
from tests.sweeps import mlflow_runs

# What MLflow deprecates of its own libraries is not for us to mend.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

VALUES = {"a" * 16: 0.25, "b" * 16: 0.75, "c" * 16: 0.5}
A, B, C = VALUES
OPENED = 4  # requests until the parent and the first child are open


@pytest.fixture
def driver(home: Path, database: Path, monkeypatch: pytest.MonkeyPatch) -> Driver:
    return Driver(VALUES, doom=doom(monkeypatch))


def test_the_same_command_again_tells_what_could_not_be_told(home: Path, driver: Driver) -> None:
    assert driver.sweep_in_outage(OPENED, A)
    assert [run.info.status for run in mlflow_runs(home)] == ["RUNNING"] * 2
    sweep = driver.sweep(A)  # has nothing to do
    assert driver.warnings == []
    assert_whole(home, (A,), VALUES)
    (first,) = parents(home).values()
    assert first.data.tags["fraudlab.sweep"] != sweep
    assert first.info.status == "FINISHED"
    assert first.data.tags["fraudlab.best_run"] == A
    assert first.data.tags["fraudlab.best_mlflow_run_id"] == runs_of(home, A)[0].info.run_id
    board = Path(first.info.artifact_uri.removeprefix("file://")) / "leaderboard.json"
    assert [row["run"] for row in json.loads(board.read_text())] == [A]


@pytest.mark.slow
def test_an_outage_at_any_request_leaves_nothing_open(home: Path, driver: Driver) -> None:
    for after in itertools.count():
        keys = tuple(f"{1 + after:08x}{key:08x}" for key in range(2))
        driver.values |= {key: 1 / (2 + place) for place, key in enumerate(keys)}
        failed = driver.sweep_in_outage(after, *keys)
        driver.sweep(*keys)
        assert driver.warnings == []
        assert noted(home) == []
        assert all(run.info.status == "FINISHED" for run in mlflow_runs(home))
        for key in keys:
            runs, result = runs_of(home, key), read_result(key)
            assert result is not None
            assert [run.info.run_id for run in runs] == [result.mlflow_run_id] * len(runs)
            found = [run.data.metrics["validation_average_precision"] for run in runs]
            assert found == [driver.values[key]] * len(runs)
        if not failed:
            break
    assert after > 20  # there was an outage at each of them


def test_an_outage_while_it_is_put_right_only_puts_it_off(home: Path, driver: Driver) -> None:
    driver.sweep_in_outage(OPENED, A)
    for after in itertools.count():
        if not driver.sweep_in_outage(after, A):
            break
        assert len(noted(home)) == 1
    assert after > 5
    assert_whole(home, (A,), VALUES)


def test_a_killed_sweep_is_closed_in_its_own_store(home: Path, driver: Driver) -> None:
    shutil.copyfile(home / "mlflow.db", home / "elsewhere.db")
    other = Driver(VALUES, tracking=Tracking(uri=f"sqlite:///{home / 'elsewhere.db'}"))
    experiment = Driver(VALUES, tracking=Tracking(experiment="another"))
    driver.sweep(B)
    old, _ = left_open(driver, A)
    for elsewhere in (other, experiment):
        elsewhere.sweep(C, never=True)
        elsewhere.mirror().settle()
    assert [run.info.status for run in runs_of(home, A)] == ["RUNNING"]
    driver.sweep(B)  # has nothing to do
    assert [run.info.status for run in runs_of(home, A)] == ["KILLED"]
    assert parents(home)[old.sweep].info.status == "KILLED"
    assert driver.warnings + other.warnings + experiment.warnings == []
    assert noted(home) == []
    assert not running_mark(sweep_folder(old.sweep)).exists()


def test_a_sweep_that_cannot_connect_leaves_nothing_to_see_to(home: Path, driver: Driver) -> None:
    nowhere = Driver(VALUES, tracking=Tracking(uri=f"sqlite:///{home / 'missing' / 'mlflow.db'}"))
    nowhere.sweep(A)
    assert len(nowhere.warnings) == 1
    nowhere.sweep(A)
    assert len(nowhere.warnings) == 1  # it was not asked again


@pytest.mark.parametrize("content", ["", "[1]", '{"uri": 1}'])
def test_a_note_that_cannot_be_read_stops_nothing(content: str, home: Path, driver: Driver) -> None:
    old, _ = left_open(driver, A)
    (home / "outputs" / "sweeps" / old.sweep / "mirror.json").write_text(content)
    driver.sweep(B)
    assert driver.warnings == []
    assert all(run.info.status != "RUNNING" for run in mlflow_runs(home))


def test_a_parent_without_its_plan_is_closed_as_killed(home: Path, driver: Driver) -> None:
    driver.sweep_in_outage(OPENED, A)
    (sweep,) = noted(home)
    (sweep_folder(sweep) / "plan.json").write_text("of another version")
    driver.mirror().settle()
    assert parents(home)[sweep].info.status == "KILLED"
    assert noted(home) == []


def test_what_is_noted_of_a_store_holds_no_password(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = "http://me:hidden@example.test/runs?token=hidden"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    told = mirror(Tracking("server", masked(address)), lambda _: None)
    assert isinstance(told, MlflowMirror)
    assert told._uri == address
    assert "hidden" not in told._store().uri
    assert "example.test/runs" in told._store().uri


def test_a_home_is_the_same_under_another_name_of_machine_and_folder(
    home: Path,
    driver: Driver,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    _, ids = left_open(driver, A)
    link = tmp_path_factory.mktemp("mounted") / "here"
    link.symlink_to(home)
    monkeypatch.setenv("FRAUDLAB_HOME", str(link))
    monkeypatch.setattr("platform.node", lambda: "another")
    driver.sweep(A)
    assert_whole(home, (A,), VALUES)
    assert runs_of(home, A)[0].info.run_id == ids[A]


def test_a_home_that_moved_closes_what_it_left(
    home: Path, driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    left_open(driver, A)
    moved = home.with_name(f"{home.name}-moved")
    home.rename(moved)
    monkeypatch.setenv("FRAUDLAB_HOME", str(moved))
    driver.mirror().settle()
    assert driver.warnings == []
    assert [run.info.status for run in mlflow_runs(moved)] == ["KILLED"] * 2
    assert noted(moved) == []
