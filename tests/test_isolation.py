"""Every candidate runs in a process of its own: what becomes of it happens to nobody else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fraudlab import threads
from fraudlab.launching.local import SERVER
from tests.conftest import ROOT, Done, Run, Start, run_process
from tests.outside import write_misbehaving
from tests.sweeps import board, results, visible_bundles, wait_until

SLOW = ("model=rf", "model.params.n_estimators=1200,1201", "slots=2", "-m")


@pytest.fixture
def outside(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_misbehaving(tmp_path_factory.mktemp("outside")))


def by_model(run: Run) -> dict[str, dict[str, Any]]:
    return {row["choices"]["model"]: row for row in board(run)}


def train(home: Path, outside: str, *arguments: str) -> Done:
    path = f"{outside}:{ROOT}"
    return run_process("fraudlab.train", *arguments, "-m", cwd=home, PYTHONPATH=path)


def test_whatever_becomes_of_a_candidate_costs_that_candidate_only(
    home: Path, run: Run, small_table: list[str], outside: str
) -> None:
    limits = ("launcher.timeout=20s", "launcher.memory=700MB")
    models = "model=crashing,logreg,dying,hungry,tree"
    done = train(home, outside, *small_table, models, "slots=2", *limits)
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
    again = train(home, outside, *small_table, models, "slots=2", *limits)
    assert "2 of 5 finished before" in again.err
    assert "trained again, as it failed before: crashing, hungry" in again.err


def test_a_candidate_that_takes_too_long_is_ended(
    home: Path, run: Run, small_table: list[str], outside: str
) -> None:
    done = train(home, outside, *small_table, "model=sleepy,logreg", "launcher.timeout=6")
    assert done.code == 1
    rows = by_model(run)
    assert (rows["sleepy"]["status"], rows["logreg"]["status"]) == ("timeout", "done")
    assert "launcher.timeout (6 s); its last line: about to sleep" in rows["sleepy"]["error"]


def test_fail_fast_ends_what_runs_beside_the_failure(
    home: Path, run: Run, small_table: list[str], outside: str
) -> None:
    models = "model=sleepy,crashing,logreg"
    done = train(home, outside, *small_table, models, "slots=2", "fail_fast=true")
    assert done.code == 1
    rows = by_model(run)
    statuses = [rows[name]["status"] for name in ("sleepy", "crashing", "logreg")]
    assert statuses == ["killed", "failed", "pending"]
    assert "fail_fast" in rows["sleepy"]["error"]


def running(home: Path) -> list[int]:
    """Return the processes that have this home in their environment, or work on its runs."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                known = (entry / "environ").read_bytes()
            except OSError:
                continue
            if f"FRAUDLAB_HOME={home}".encode() in known.split(b"\0"):
                found.append(int(entry.name))
    return found


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL, signal.SIGTERM])
def test_no_process_outlives_its_driver(
    how: signal.Signals, home: Path, start: Start, small_table: list[str]
) -> None:
    process = start(*small_table, *SLOW)
    wait_until(lambda: len([p for p in marks_of(home) if p.stat().st_size]) == 2, process)
    assert len(running(home)) >= 3
    process.send_signal(how)
    process.communicate(timeout=60)
    for _ in range(200):
        if not running(home):
            break
        signal.sigtimedwait([], 0.05)
    assert running(home) == []
    assert not results(home)


def marks_of(home: Path) -> list[Path]:
    return list(home.glob("outputs/runs/*/running"))


def test_a_budget_of_threads_is_shared_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FRAUDLAB_THREADS")
    monkeypatch.setattr(threads, "processors", lambda: 8)
    assert threads.slots_and_threads(None, 20) == (8, 1)
    assert threads.slots_and_threads(2, 20) == (2, 4)
    assert threads.slots_and_threads(None, 1) == (1, 8)
    assert threads.slots_and_threads(3, 20) == (3, 2)
    monkeypatch.setenv("FRAUDLAB_THREADS", "4")
    assert threads.slots_and_threads(None, 20) == (2, 4)
    assert threads.slots_and_threads(3, 20) == (3, 4)


def test_the_fork_server_has_imported_the_libraries_and_started_no_thread(home: Path) -> None:
    program = (
        "import os, sys, fraudlab.launching.preloaded;"
        "print(len(os.listdir('/proc/self/task')), 'sklearn' in sys.modules)"
    )
    told = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(ROOT), **SERVER},
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.split() == ["1", "True"]
