"""MLflow takes seconds to make a new file's tables; a kill meanwhile costs nothing afterwards."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Run, Start
from tests.sweeps import mlflow_runs, opened, wait_until

# What MLflow deprecates of its own libraries is not for us to mend.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning")]


def is_half_made(path: Path) -> bool:
    """Say that MLflow is past the table `spans`, where it cannot go on, and before its end."""
    with contextlib.suppress(sqlite3.OperationalError), read_only(path) as connection:
        made = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'spans'").fetchone()
        return made is not None and not connection.execute("SELECT 1 FROM experiments").fetchone()
    return False


def read_only(path: Path) -> contextlib.closing[sqlite3.Connection]:
    return contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True))


@pytest.fixture
def half_made(home: Path) -> Path:
    """Return the home's mlflow.db as MLflow leaves it when it is killed in its first seconds."""
    path = home / "mlflow.db"
    program = "import sys, mlflow; mlflow.MlflowClient(sys.argv[1]).search_experiments()"
    command = [sys.executable, "-c", program, f"sqlite:///{path}"]
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, stdout=quiet, stderr=quiet, text=True) as process:
        try:
            wait_until(lambda: is_half_made(path), process)
        finally:
            process.kill()
    assert is_half_made(path)
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        # Now and then it dies between two steps and could go on: make it one that never can.
        connection.execute("UPDATE alembic_version SET version_num = '89d4b8295536'")
    return path


def assert_mirrored(home: Path) -> None:
    assert [each.info.status for each in mlflow_runs(home)] == ["FINISHED"] * 2
    assert not (home / "mlflow.db.new").exists()


def test_the_run_after_a_kill_while_tables_were_made_is_mirrored(
    home: Path, run: Run, start: Start, tracked: list[str]
) -> None:
    process = start(*tracked, "model=logreg")
    wait_until(lambda: any(map(is_half_made, home.rglob("mlflow.db"))), process)
    process.kill()
    process.communicate(timeout=60)
    done = run("train", *tracked, "model=logreg")
    assert done.code == 0
    assert "warning" not in done.err
    assert_mirrored(home)


def test_a_half_made_database_is_set_aside_with_one_warning(
    home: Path, run: Run, tracked: list[str], half_made: Path
) -> None:
    done = run("train", *tracked, "model=logreg")
    assert done.code == 0
    assert done.err.count("warning") == 1
    assert "was left half-made and holds no runs" in done.err
    assert is_half_made(home / "mlflow.db.half-made")
    assert_mirrored(home)


@pytest.mark.parametrize("table", ["runs", "registered_models"])
def test_a_half_made_database_that_holds_something_stays_where_it_is(
    table: str, home: Path, run: Run, tracked: list[str], half_made: Path
) -> None:
    column = {"runs": "run_uuid", "registered_models": "name"}[table]
    with contextlib.closing(sqlite3.connect(half_made)) as connection, connection:
        connection.execute(f"INSERT INTO {table} ({column}) VALUES ('kept')")
    done = run("train", *tracked, "model=logreg")
    assert done.code == 0
    assert done.err.count("warning") == 1
    assert "failed at connecting" in done.err
    assert not list(home.glob("mlflow.db.*"))
    with read_only(half_made) as connection:
        assert connection.execute(f"SELECT {column} FROM {table}").fetchall() == [("kept",)]


def test_a_database_elsewhere_is_made_beside_its_own_name(
    home: Path, run: Run, tracked: list[str]
) -> None:
    folder = home / "elsewhere"
    folder.mkdir()
    (folder / "link.db").symlink_to(folder / "real.db")
    shutil.copytree(folder, folder / "real.db.new", symlinks=True)  # a leftover
    done = run("train", *tracked, f"tracking.uri=sqlite:///{folder / 'link.db'}", "model=logreg")
    assert done.code == 0
    assert "warning" not in done.err
    assert opened(folder / "real.db") == 2
    assert {path.name for path in folder.iterdir()} == {"link.db", "real.db"}
