"""The page of a report is added to MLflow, which may fail at it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Run
from tests.sweeps import board, mlflow_runs

# What MLflow deprecates of its own libraries is not for us to mend.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def artifacts(home: Path, name: str) -> dict[str, bool]:
    """Return, for the runs of MLflow by the run they mirror, whether each has the file."""
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{home / 'mlflow.db'}")
    return {
        each.data.tags.get("fraudlab.run", "parent"): any(
            file.path == name for file in client.list_artifacts(each.info.run_id)
        )
        for each in mlflow_runs(home)
    }


def test_mlflow_has_the_page_too(home: Path, run: Run, tracked: list[str], database: Path) -> None:
    assert run("train", *tracked, "model=tree,logreg", "-m").code == 0
    assert not any(artifacts(home, "report.html").values())
    best = board(run)[0]["run"]
    assert run("report", f"run={best}").code == 0
    found = artifacts(home, "report.html")
    assert [name for name, there in found.items() if there] == [best]
    assert run("report").code == 0
    assert artifacts(home, "report.html")["parent"]


def test_an_mlflow_that_does_not_answer_is_a_warning(
    home: Path, run: Run, tracked: list[str], database: Path
) -> None:
    assert run("train", *tracked, "model=tree").code == 0
    database.write_bytes(b"no database")
    done = run("report")
    assert done.code == 0
    assert "warning: MLflow at" in done.err
    assert "adding report.html" in done.err
    assert list(home.glob("outputs/sweeps/*/report.html"))
