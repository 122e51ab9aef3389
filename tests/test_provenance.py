"""A result says which code it came from, and what could not change it is not in its key."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fraudlab.provenance import masked
from tests.conftest import ROOT, Run
from tests.sweeps import board

ASK = "from fraudlab.provenance import git_state; print(*git_state())"


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    done = subprocess.run(
        ["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def commit(folder: Path) -> str:
    git(folder, "init", "--quiet")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message=all")
    return git(folder, "rev-parse", "HEAD")


def git_state(package: Path, cwd: Path) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-B", "-c", ASK],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(package)},
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.split()


@pytest.fixture
def checkout(home: Path) -> Path:
    """Return a folder with fraudlab's package in it."""
    folder = home / "checkout"
    skip = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "fraudlab", folder / "fraudlab", ignore=skip)
    return folder


@pytest.fixture
def experiments(home: Path) -> Path:
    """Return another folder, where a user works."""
    folder = home / "experiments"
    folder.mkdir()
    (folder / "mine.yaml").write_text("seed: 1")
    return folder


def test_the_commit_is_that_of_the_code(checkout: Path, experiments: Path) -> None:
    code = commit(checkout)
    commit(experiments)
    assert git_state(checkout, experiments) == [code, "False"]


def test_installed_code_leaves_the_commit_to_the_experiment(
    checkout: Path, experiments: Path
) -> None:
    assert git_state(checkout, experiments) == ["None", "None"]
    own = commit(experiments)
    assert git_state(checkout, experiments) == [own, "False"]


@pytest.mark.parametrize("name", ["metrics.py", "plugins/model/of_mine.py"])
def test_code_beyond_the_commit_is_dirty(checkout: Path, experiments: Path, name: str) -> None:
    code = commit(checkout)
    with (checkout / "fraudlab" / name).open("a") as file:
        file.write("# more\n")
    assert git_state(checkout, experiments) == [code, "True"]


def test_what_cannot_change_a_result_is_not_in_its_key(run: Run, small_table: list[str]) -> None:
    run("train", *small_table, "model=logreg")
    (first,) = board(run)
    run("train", *small_table, "model=logreg", "keep=2", "fail_fast=true", "selection=recall_first")
    (same,) = board(run)
    run("train", *small_table, "model=logreg", "seed=7")
    (other,) = board(run)
    assert same["run"] == first["run"]
    assert other["run"] != first["run"]


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("http://me:secret@host:5000/x", "http://***@host:5000/x"),
        ("postgresql://me@host/db", "postgresql://***@host/db"),
        ("postgresql://me:se/cr@t@host/db", "postgresql://***@host/db"),
        ("postgresql://host/db?user=me&password=x", "postgresql://host/db?user=me&password=***"),
        ("sqlite:////home/me@work/mlflow.db", "sqlite:////home/me@work/mlflow.db"),
        (None, None),
        (3, 3),
    ],
)
def test_an_address_is_written_without_who_asks(address: object, expected: object) -> None:
    assert masked(address) == expected
