"""Whatever launches a candidate, its result is the same, and a bad end costs nobody else."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import INTERRUPTED, ROOT, Run
from tests.launched import begun, by_model, train, trained, wait_for_nobody
from tests.outside import write_misbehaving
from tests.sweeps import board, results, visible_bundles, wait_until

SLOW = ("model=rf", "model.params.n_estimators=1200,1201", "slots=2", "-m")
RAY = pytest.param(
    "ray",
    marks=pytest.mark.skipif(not importlib.util.find_spec("ray"), reason="ray is not installed"),
)
SUBMITIT = pytest.param(
    "submitit",
    marks=pytest.mark.skipif(
        not importlib.util.find_spec("submitit"), reason="submitit is not installed"
    ),
)


@pytest.fixture
def outside(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Install a package of models that behave badly; return the variables it is found by."""
    folder = write_misbehaving(tmp_path_factory.mktemp("outside"))
    return {"PYTHONPATH": f"{folder}:{ROOT}"}


@pytest.fixture
def other_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("other")


@pytest.fixture
def background(home: Path) -> Iterator[Any]:
    """Return a function that starts a sweep as a shell would: in a group of its own."""
    started: list[subprocess.Popen[str]] = []

    def begin(*arguments: str) -> subprocess.Popen[str]:
        with (home / "out.txt").open("w") as out, (home / "err.txt").open("w") as err:
            process = subprocess.Popen(
                [sys.executable, "-m", "fraudlab.train", *arguments],
                cwd=home,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdout=out,
                stderr=err,
                text=True,
                start_new_session=True,
            )
        started.append(process)
        return process

    yield begin
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def test_inline_trains_what_local_trains(
    home: Path, run: Run, small_table: list[str], other_home: Path
) -> None:
    command = (*small_table, "model=logreg,tree", "-m")
    assert run("train", *command, "launcher=inline").code == 0
    assert train(other_home, *command).code == 0
    assert trained(home) == trained(other_home)
    assert len(trained(home)) == 2


@pytest.mark.slow
@pytest.mark.parametrize("launcher", [RAY, SUBMITIT])
def test_results_are_those_of_local_and_a_bad_end_costs_nobody_else(
    launcher: str,
    home: Path,
    run: Run,
    small_table: list[str],
    other_home: Path,
    outside: dict[str, str],
) -> None:
    models = "model=crashing,logreg,sleepy,hungry,dying"
    limits = ("slots=2", "launcher.timeout=10", "launcher.memory=900MB")
    done = train(home, *small_table, models, f"launcher={launcher}", *limits, **outside)
    assert done.code == 1, done.err
    rows = by_model(run)
    statuses = {name: row["status"] for name, row in rows.items()}
    assert statuses == {
        "logreg": "done",
        "crashing": "failed",
        "dying": "killed",
        "hungry": "failed",
        "sleepy": "timeout",
    }
    assert "crash" in rows["crashing"]["error"]
    assert "about to die" in rows["dying"]["error"]
    assert rows["hungry"]["error"].startswith("MemoryError")
    assert "launcher.timeout (10 s); its last line: about to sleep" in rows["sleepy"]["error"]
    for name in ("crashing", "dying", "hungry", "sleepy"):
        assert "about to" in (home / rows[name]["log"]).read_text()
    lines = [line for line in done.err.splitlines() if line.strip()]
    assert all(line[:5].replace(":", "").isdigit() for line in lines), done.err  # ours alone
    assert "raylet" not in done.out
    assert not list(home.glob("outputs/submitit/*"))
    wait_for_nobody(home)
    assert train(other_home, *small_table, "model=logreg", **outside).code == 0
    assert trained(home) == trained(other_home)
    again = train(home, *small_table, "model=logreg", **outside)
    assert again.code == 0, again.err
    assert "1 of 1 finished before and not changed" in again.err


@pytest.mark.slow
@pytest.mark.parametrize("launcher", [RAY, SUBMITIT])
def test_an_interrupt_ends_all_of_it(
    launcher: str, home: Path, run: Run, small_table: list[str], background: Any
) -> None:
    process = background(*small_table, *SLOW, f"launcher={launcher}")
    wait_until(lambda: begun(home) == 2, process)
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(timeout=60) in INTERRUPTED
    wait_for_nobody(home)
    assert [row["status"] for row in board(run)] == ["killed", "killed"]
    err = (home / "err.txt").read_text()
    assert "goes on where this one stopped" in err
    assert "Traceback" not in err
    assert not results(home)
    assert not list(home.glob("outputs/submitit/*"))


@pytest.mark.slow
@pytest.mark.parametrize("launcher", [SUBMITIT])
def test_a_job_outlives_its_driver_and_the_next_sweep_waits_for_it(
    launcher: str, home: Path, run: Run, small_table: list[str], background: Any
) -> None:
    slow = ("model=rf", "model.params.n_estimators=500,501", "slots=2", "-m")
    process = background(*small_table, *slow, f"launcher={launcher}")
    wait_until(lambda: begun(home) == 2, process)
    process.kill()
    process.wait()
    assert [row["status"] for row in board(run)] == ["running", "running"]
    done = train(home, *small_table, *slow[:-1])
    assert done.code == 0, done.err
    assert "another sweep is training" in done.err
    assert [row["status"] for row in board(run)] == ["done", "done"]
    assert len(visible_bundles(home)) == 2  # no candidate was trained twice
    left = home / "outputs" / "submitit"
    for folder in left.iterdir():
        os.utime(folder, (0, 0))  # long ago
    wait_for_nobody(home)
    again = train(home, *small_table, "model=tree", f"launcher={launcher}")
    assert again.code == 0, again.err
    assert list(left.iterdir()) == []
