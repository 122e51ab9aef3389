"""Every candidate runs in a process of its own: what becomes of it happens to nobody else."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from fraudlab import threads
from fraudlab.launching.local import SERVER
from fraudlab.launching.sharing import slots_and_threads
from tests.conftest import ROOT, Run, Start
from tests.launched import alive, begun, by_model, train, wait_for_nobody
from tests.outside import write_misbehaving
from tests.sweeps import results, visible_bundles, wait_until

SLOW = ("model=rf", "model.params.n_estimators=1200,1201", "slots=2", "-m")


@pytest.fixture
def outside(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Install a package of models that behave badly; return the variables it is found by."""
    folder = write_misbehaving(tmp_path_factory.mktemp("outside"))
    return {"PYTHONPATH": f"{folder}:{ROOT}"}


def test_whatever_becomes_of_a_candidate_costs_that_candidate_only(
    home: Path, run: Run, small_table: list[str], outside: dict[str, str]
) -> None:
    limits = ("launcher.timeout=20s", "launcher.memory=700MB")
    models = "model=crashing,logreg,dying,hungry,tree"
    done = train(home, *small_table, models, "slots=2", *limits, **outside)
    assert done.code == 1, done.err
    rows = by_model(run)
    statuses = {name: row["status"] for name, row in rows.items()}
    assert statuses == {
        "logreg": "done",
        "tree": "done",
        "crashing": "failed",
        "dying": "killed",
        "hungry": "failed",
    }
    assert "SIGSEGV" in rows["crashing"]["error"]
    assert "misbehaving.py" in rows["crashing"]["error"]
    assert "SIGKILL" in rows["dying"]["error"]
    assert "about to die" in rows["dying"]["error"]
    assert rows["hungry"]["error"].startswith("MemoryError")
    assert "launcher.memory" in rows["hungry"]["error"]
    for name in ("crashing", "dying", "hungry"):
        assert "about to" in (home / rows[name]["log"]).read_text()
        assert name in done.out
    assert len(visible_bundles(home)) == 2
    again = train(home, *small_table, models, "slots=2", *limits, **outside)
    assert "2 of 5 finished before" in again.err
    assert "trained again, as it failed before: crashing, hungry" in again.err


def test_a_candidate_that_takes_too_long_is_ended(
    home: Path, run: Run, small_table: list[str], outside: dict[str, str]
) -> None:
    done = train(home, *small_table, "model=sleepy,logreg", "launcher.timeout=6", **outside)
    assert done.code == 1
    rows = by_model(run)
    assert (rows["sleepy"]["status"], rows["logreg"]["status"]) == ("timeout", "done")
    assert "launcher.timeout (6 s); its last line: about to sleep" in rows["sleepy"]["error"]


def test_fail_fast_ends_what_runs_beside_the_failure(
    home: Path, run: Run, small_table: list[str], outside: dict[str, str]
) -> None:
    models = "model=sleepy,crashing,logreg"
    done = train(home, *small_table, models, "slots=2", "fail_fast=true", **outside)
    assert done.code == 1
    rows = by_model(run)
    statuses = [rows[name]["status"] for name in ("sleepy", "crashing", "logreg")]
    assert statuses == ["killed", "failed", "pending"]
    assert "fail_fast" in rows["sleepy"]["error"]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL, signal.SIGTERM])
def test_no_process_outlives_its_driver(
    how: signal.Signals, home: Path, start: Start, small_table: list[str]
) -> None:
    process = start(*small_table, *SLOW)
    wait_until(lambda: begun(home) == 2, process)
    assert len(alive(home)) >= 4  # the driver, the server and two workers
    process.send_signal(how)
    process.communicate(timeout=60)
    wait_for_nobody(home)
    assert not results(home)


def test_a_budget_of_threads_is_shared_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FRAUDLAB_THREADS")
    monkeypatch.setattr(threads, "processors", lambda: 8)
    assert slots_and_threads(None, 20) == (8, 1)
    assert slots_and_threads(2, 20) == (2, 4)
    assert slots_and_threads(None, 1) == (1, 8)
    assert slots_and_threads(3, 20) == (3, 2)
    monkeypatch.setenv("FRAUDLAB_THREADS", "4")
    assert slots_and_threads(None, 20) == (2, 4)
    assert slots_and_threads(3, 20) == (3, 4)


def test_the_fork_server_has_imported_the_libraries_and_started_no_thread(
    home: Path, start: Start, small_table: list[str]
) -> None:
    process = start(*small_table, *SLOW)
    wait_until(lambda: begun(home) == 2, process)
    workers = {int(mark.read_text()) for mark in home.glob("outputs/runs/*/running")}
    (server,) = {parent_of(worker) for worker in workers}
    assert parent_of(server) == process.pid
    place = Path(f"/proc/{server}")
    assert len(list((place / "task").iterdir())) == 1
    known = (place / "environ").read_bytes().decode().split("\0")
    assert {f"{name}={value}" for name, value in SERVER.items()} <= set(known)
    loaded = (place / "maps").read_text()
    for library in ("numpy", "sklearn", "pandas", "xgboost", "lightgbm", "onnx"):
        assert f"/site-packages/{library}/" in loaded
    assert "polars" not in loaded


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
