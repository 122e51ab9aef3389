"""What the tests of sweeps look at: leaderboard, results, bundles and MLflow runs of a home."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.conftest import Run


def board(run: Run, *arguments: str) -> list[dict[str, Any]]:
    done = run("leaderboard", "format=json", *arguments)
    assert done.code == 0, done.err
    return json.loads(done.out)


def results(home: Path) -> dict[str, bytes]:
    return {p.parent.name: p.read_bytes() for p in home.glob("outputs/runs/*/result.json")}


def visible_bundles(home: Path) -> list[Path]:
    return [p for p in (home / "bundles").iterdir() if p.is_dir() and not p.is_symlink()]


def wait_until(ready: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + 90
    while not ready():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.02)


def mlflow_runs(home: Path, path: Path | None = None) -> list[Any]:
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{path or home / 'mlflow.db'}")
    known = client.get_experiment_by_name("fraudlab")
    return list(client.search_runs([known.experiment_id], order_by=["start_time"]))


def opened(database: Path) -> int:
    with contextlib.closing(sqlite3.connect(database, timeout=20)) as connection:
        return int(connection.execute("SELECT count(*) FROM runs").fetchone()[0])
