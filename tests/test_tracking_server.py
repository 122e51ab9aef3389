"""tracking=server: an MLflow server on PostgreSQL, and PostgreSQL itself, mirror as a file does."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Run, Start
from tests.postgres import Postgres, mlflow_server, postgres  # noqa: F401 (fixtures)
from tests.sweeps import board, results, wait_until

# What MLflow deprecates of its own libraries is not for us to mend.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

SWEEP = ("model=rf", "model.params.n_estimators=2,900,3", "-m")


def runs_at(address: str, home: Path) -> list[Any]:
    """Return the runs of a home, which may not be alone on its server."""
    from mlflow import MlflowClient

    client = MlflowClient(address)
    known = client.get_experiment_by_name("fraudlab")
    found = client.search_runs([known.experiment_id]) if known else []
    ours = (home / "outputs" / "home.id").read_text().strip()
    return [run for run in found if run.data.tags["fraudlab.home"] == ours]


def by_kind(runs: list[Any]) -> tuple[list[Any], list[Any]]:
    children = [run for run in runs if "mlflow.parentRunId" in run.data.tags]
    return [run for run in runs if run not in children], children


def judged(rows: list[dict[str, Any]]) -> list[Any]:
    return [(row["run"], row["status"], row["metrics"], row["intervals"]) for row in rows]


def is_in_the_middle(home: Path) -> bool:
    marks = {p.parent.name for p in home.glob("outputs/runs/*/running") if p.stat().st_size}
    return bool(results(home)) and bool(marks - set(results(home)))


def test_a_killed_sweep_ends_with_one_whole_run_per_candidate(
    home: Path,
    run: Run,
    start: Start,
    tracked: list[str],
    mlflow_server: str,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    from mlflow import MlflowClient

    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_server)
    process = start(*tracked, *SWEEP, "tracking=server")
    wait_until(lambda: is_in_the_middle(home), process)
    process.kill()
    process.communicate(timeout=60)
    left = runs_at(mlflow_server, home)
    assert [each.info.status for each in left].count("RUNNING") >= 2  # parent and child
    done = run("train", *tracked, *SWEEP, "tracking=server")
    assert (done.code, done.err.count("warning")) == (0, 0), done.err
    rows = board(run)
    parents, children = by_kind(runs_at(mlflow_server, home))
    assert sorted(each.info.status for each in parents) == ["FINISHED", "KILLED"]
    (parent,) = [each for each in parents if each.info.status == "FINISHED"]
    assert [each.info.status for each in children] == ["FINISHED"] * 3
    assert sorted(each.data.tags["fraudlab.run"] for each in children) == sorted(results(home))
    assert {each.data.tags["mlflow.parentRunId"] for each in children} <= {
        each.info.run_id for each in parents
    }
    assert parent.data.tags["fraudlab.best_run"] == rows[0]["run"]
    (best,) = [each for each in children if each.data.tags.get("fraudlab.best") == "true"]
    assert parent.data.tags["fraudlab.best_mlflow_run_id"] == best.info.run_id
    for each in children:
        (row,) = [row for row in rows if row["run"] == each.data.tags["fraudlab.run"]]
        for name, value in row["metrics"]["validation"].items():
            assert each.data.metrics[f"validation_{name}"] == pytest.approx(value, rel=1e-15)
        files = MlflowClient(mlflow_server).list_artifacts(each.info.run_id)
        assert {file.path for file in files} >= {"config.yaml", "manifest.json"}
    monkeypatch.setenv("FRAUDLAB_HOME", str(tmp_path_factory.mktemp("undisturbed")))
    assert run("train", *tracked, *SWEEP, "tracking=disabled").code == 0
    assert judged(board(run)) == judged(rows)


def test_the_first_sweeps_of_a_database_make_its_tables_once_and_tell_no_password(
    home: Path,
    start: Start,
    tracked: list[str],
    postgres: Postgres,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    address = postgres.create("direct")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    models = ("logreg", "tree")
    written = ""
    both = [start(*tracked, f"model={model}", "tracking=server") for model in models]
    for process in both:
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
        assert "warning" not in err
        written += out + err
    runs = runs_at(address, home)
    assert [each.info.status for each in runs] == ["FINISHED"] * 4
    assert all(each.info.artifact_uri.startswith(home.as_uri()) for each in runs)
    written += "".join(path.read_text("latin1") for path in home.rglob("*") if path.is_file())
    assert "//***@127.0.0.1" in written
    assert postgres.password not in written


def test_a_wrong_password_is_tried_once_and_not_told(
    home: Path,
    run: Run,
    tracked: list[str],
    postgres: Postgres,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from mlflow import MlflowClient

    monkeypatch.setattr(MlflowClient, "__init__", None)  # it would try again for minutes
    monkeypatch.setenv("MLFLOW_TRACKING_URI", postgres.address(password="a-wrong-one"))
    done = run("train", *tracked, "model=logreg", "tracking=server")
    assert done.code == 0
    assert len(results(home)) == 1
    assert done.err.count("failed at connecting") == 1
    assert "password authentication failed" in done.err
    assert "a-wrong-one" not in done.out + done.err


def test_a_missing_driver_is_named_with_what_installs_it(
    run: Run, tracked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "postgresql://me:secret@127.0.0.1:1/runs")
    done = run("train", *tracked, "model=logreg", "tracking=server")
    assert done.code == 0
    assert "failed at connecting" in done.err
    assert "(pip install 'fraudlab[postgres]')" in done.err
    assert "secret" not in done.out + done.err
