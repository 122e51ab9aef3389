"""An outage of MLflow costs a warning, never a result, and is never waited for."""

from __future__ import annotations

import contextlib
import os
import socket
import sqlite3
import threading
from pathlib import Path

import pytest

from tests.conftest import Done, Run, Start, run_process
from tests.sweeps import board, mlflow_runs, opened, results, visible_bundles, wait_until

# What MLflow deprecates of its own libraries is not for us to mend.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def assert_trained_with_one_warning(done: Done, home: Path) -> None:
    assert done.code == 0, done.err
    warnings = [line for line in done.err.splitlines() if "MLflow" in line]
    assert len(warnings) == 1, done.err
    assert "warning: MLflow at" in warnings[0]
    assert "everything else goes on" in warnings[0]
    assert "Retrying" not in done.err
    assert len(results(home)) == 2
    assert len(visible_bundles(home)) == 2


def two(tracked: list[str]) -> tuple[str, ...]:
    return ("fraudlab.train", *tracked, "model=logreg,tree", "-m")


def test_a_server_that_drops_connections_is_tried_twice_and_given_up(
    home: Path, tracked: list[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        attempts: list[object] = []

        def drop_all() -> None:
            with contextlib.suppress(OSError):  # the server was closed
                while True:
                    connection, address = server.accept()
                    attempts.append(address)
                    connection.close()

        thread = threading.Thread(target=drop_all)
        thread.start()
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
        done = run_process(*two(tracked), "tracking=server", cwd=home, MLFLOW_TRACKING_URI=address)
        server.shutdown(socket.SHUT_RDWR)
        thread.join()
    assert_trained_with_one_warning(done, home)
    assert len(attempts) == 2


def test_a_server_that_refuses_costs_one_warning(home: Path, tracked: list[str]) -> None:
    with socket.socket() as taken:  # bound and never listening: connections are refused
        taken.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{taken.getsockname()[1]}"
        done = run_process(*two(tracked), "tracking=server", cwd=home, MLFLOW_TRACKING_URI=address)
    assert_trained_with_one_warning(done, home)


def test_a_server_without_an_address_is_asked_wrongly(run: Run, tracked: list[str]) -> None:
    done = run("train", *tracked, "model=logreg", "tracking=server")
    assert done.code == 2
    assert "MLFLOW_TRACKING_URI" in done.err


def test_a_locked_database_costs_one_warning(
    home: Path, tracked: list[str], database: Path
) -> None:
    with contextlib.closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        done = run_process(*two(tracked), cwd=home)
    assert_trained_with_one_warning(done, home)
    assert "failed at connecting: database is locked;" in done.err  # asked before MLflow is


def test_a_damaged_database_costs_one_warning(home: Path, tracked: list[str]) -> None:
    (home / "mlflow.db").write_bytes(b"this was a database once" * 100)
    done = run_process(*two(tracked), cwd=home)
    assert_trained_with_one_warning(done, home)
    assert "failed at connecting: file is not a database;" in done.err


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write to anything")
def test_a_read_only_database_costs_one_warning(
    home: Path, tracked: list[str], database: Path
) -> None:
    database.chmod(0o444)
    done = run_process(*two(tracked), cwd=home)
    assert_trained_with_one_warning(done, home)


def test_a_database_that_goes_away_in_the_middle_costs_one_warning(
    home: Path, start: Start, tracked: list[str], database: Path
) -> None:
    with contextlib.closing(sqlite3.connect(database, isolation_level=None)) as other:
        process = start(*tracked, "model=rf", "model.params.n_estimators=400,50", "slots=1", "-m")
        wait_until(lambda: opened(database) == 2, process)
        other.execute("BEGIN EXCLUSIVE")
        out, err = process.communicate(timeout=90)
    told, alias, _ = err.partition("failed at moving the alias")  # the promotion's own warning
    assert alias
    assert_trained_with_one_warning(Done(process.returncode, out, told.rpartition("\n")[0]), home)


@pytest.mark.slow
def test_four_first_sweeps_at_once_do_not_fight_over_a_new_database(
    home: Path, start: Start, tracked: list[str]
) -> None:
    all_at_once = [start(*tracked, "model=tree", f"seed={seed}") for seed in range(4)]
    for process in all_at_once:
        _, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
        assert "warning" not in err
        assert "mlflow.store" not in err  # nothing of MLflow's own talk
        assert "alembic" not in err
    assert [each.info.status for each in mlflow_runs(home)] == ["FINISHED"] * 8


def test_a_promotion_without_mlflow_switches_the_link_all_the_same(
    home: Path, run: Run, tracked: list[str], database: Path
) -> None:
    run("train", *tracked, "model=logreg,tree", "-m")
    database.write_bytes(b"this was a database once" * 100)
    second = board(run)[1]
    done = run("promote", f"run={second['run']}")
    assert done.code == 0
    assert done.err.count("warning") == 1
    assert (home / "bundles" / "champion").resolve() == home / second["bundle"]
