"""The benches of sweeps: what they print, that they compare like with like, and what they catch."""

from __future__ import annotations

import contextlib
import importlib
import os
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT, Done, run_process

LINE = re.compile(
    r"(?P<name>.{46}) *(?P<value>-?\d\S*( [sx])?)"
    r"(   (?P<target>.*?)( +(?P<met>ok|MISSED))?)?"
)


@pytest.fixture
def aftermath(scripts: None):
    return importlib.import_module("aftermath")


def bench(name: str, *words: str, folder: Path) -> Done:
    """Run a bench whose temporary folders are made in `folder`."""
    with subprocess.Popen(
        [sys.executable, ROOT / "scripts" / f"{name}.py", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            out, err = process.communicate()
        finally:
            with contextlib.suppress(ProcessLookupError):  # only what a stopped test leaves
                os.killpg(process.pid, signal.SIGKILL)
    return Done(process.returncode, out, err)


def figures(printed: str) -> dict[str, re.Match[str]]:
    found = (LINE.fullmatch(line) for line in printed.splitlines())
    return {match["name"].strip(): match for match in found if match}


def left(folder: Path) -> list[str]:
    """Return what a bench has left where its temporary folders were, but onnxruntime's own file."""
    return [path.name for path in folder.iterdir() if path.name != ".ses"]


@pytest.mark.slow
@pytest.mark.timeout(900)  # ten commands, one after the other
def test_the_plain_script_scores_as_the_sweep_does_and_all_is_told(tmp_path: Path) -> None:
    lists = ("--model=logreg,xgb,lgbm", "--sampler=smote", "--scaler=robust")
    done = bench("bench_sweep", "--small", *lists, folder=tmp_path)
    assert done.code == 0, done.err
    told = figures(done.out)
    assert list(told) == [
        "fit and predict of all, one thread (F)",
        "with scaling and resampling",
        "sweep, 2 slots",
        "candidates done",
        "over F/2",
        "the same command again",
        "candidates not reused",
        "MLflow runs opened",
        "plain Hydra multirun, 2 threads per fit",
        "times as long as the sweep",
        "average precision, furthest from ours",
    ]
    assert float(told["average precision, furthest from ours"]["value"]) <= 1e-6
    assert told["candidates done"]["value"] == told["candidates done"]["target"] == "3"
    without_a_clock = ("candidates done", "candidates not reused", "MLflow runs opened")
    assert {told[name]["met"] for name in without_a_clock} == {"ok"}
    bare, prepared, over = (
        float(told[name]["value"].removesuffix(" s"))
        for name in (
            "fit and predict of all, one thread (F)",
            "with scaling and resampling",
            "over F/2",
        )
    )
    assert 0 < bare < prepared
    assert told["sweep, 2 slots"]["target"].endswith("(1.15 F/2 + 13.5 s)")
    assert float(told["sweep, 2 slots"]["value"].removesuffix(" s")) == pytest.approx(
        over + bare / 2, abs=0.01
    )
    assert left(tmp_path) == []


def test_how_long_words_take_is_told(tmp_path: Path) -> None:
    done = bench("bench_survival", "--small", "--only", "words", folder=tmp_path)
    assert done.code == 0, done.err
    assert list(figures(done.out)) == ["--help", "a typo"]  # and no line of a wrong exit code
    assert left(tmp_path) == []


@pytest.mark.parametrize("name", ["bench_sweep", "bench_survival"])
def test_a_bench_says_how_long_it_takes_and_refuses_no_slots(name: str, tmp_path: Path) -> None:
    assert re.search(r"about \d+ minutes", bench(name, "--help", folder=tmp_path).out)
    wrong = bench(name, "--slots", "0", folder=tmp_path)
    assert (wrong.code, "--slots" in wrong.err) == (2, True)


@pytest.mark.slow
def test_two_of_the_candidates_misbehave_and_the_others_are_calm(scripts: None, home: Path) -> None:
    module = importlib.import_module("misbehaving")
    models = module.install(home / "site", 4)
    assert models == ["calm_1", "calm_2", "crashing", "hungry", "calm_3", "calm_4"]
    words = ("data=toy", "tracking=disabled", "split.params.n_splits=2", "bootstrap.resamples=0")
    path = {"PYTHONPATH": f"{ROOT}:{home / 'site'}"}
    calm = run_process("fraudlab.train", *words, "model=calm_1,calm_4", "-m", cwd=home, **path)
    assert calm.code == 0, calm.err
    crashed = run_process(
        "fraudlab.train", *words, "model=crashing", "launcher=inline", cwd=home, **path
    )
    assert crashed.code == -11


# What a killed sweep leaves behind


def row(run: str, **values: Any) -> dict[str, Any]:
    metrics = {"validation": {"average_precision": 0.5}}
    return {"run": run, "status": "done", "metrics": metrics, "bundle": None, **values}


def test_leaderboards_differ_in_what_matters_only(aftermath) -> None:
    rows = [row("a", seconds={"fit": 1.0}, reused=True), row("b")]
    assert aftermath.differences(rows, [row("a", seconds={}, reused=False), row("b")]) == []
    (told,) = aftermath.differences(rows, [row("a"), row("b", status="killed")])
    assert told == "b status: 'done' and 'killed'"
    (told,) = aftermath.differences(rows, [row("a"), row("b", metrics={})])
    assert "b metrics" in told
    assert aftermath.differences(rows, rows[::-1])
    assert aftermath.differences(rows, rows[:1])
    assert aftermath.differences(rows, [])


@pytest.fixture
def mlflow(home: Path, database: Path) -> Iterator[sqlite3.Connection]:
    with contextlib.closing(sqlite3.connect(database)) as connection:
        yield connection


def enter(mlflow: sqlite3.Connection, uuid: str, run: str, status: str, stage: str) -> None:
    mlflow.execute(
        "INSERT INTO runs (run_uuid, name, status, lifecycle_stage) VALUES (?, ?, ?, ?)",
        (uuid, uuid, status, stage),
    )
    mlflow.execute("INSERT INTO tags VALUES ('fraudlab.run', ?, ?)", (run, uuid))
    mlflow.commit()


def test_runs_that_still_run_or_stand_twice_are_found(
    aftermath, home: Path, mlflow: sqlite3.Connection
) -> None:
    enter(mlflow, "one", "a", "FINISHED", "active")
    enter(mlflow, "two", "b", "FINISHED", "active")
    enter(mlflow, "gone", "b", "RUNNING", "deleted")
    assert aftermath.mlflow_faults(home) == []
    enter(mlflow, "three", "c", "RUNNING", "active")
    enter(mlflow, "four", "a", "KILLED", "active")
    assert aftermath.mlflow_faults(home) == ["run 'three' is RUNNING", "candidate a has 2 runs"]
    assert aftermath.mlflow_faults(home / "elsewhere") == ["there is no mlflow.db"]


def test_processes_of_a_home_are_found_until_they_have_ended(aftermath, tmp_path: Path) -> None:
    one, other = tmp_path / "home-2", tmp_path / "home"  # whose name begins alike
    with subprocess.Popen(["sleep", "60"], env={**os.environ, "FRAUDLAB_HOME": str(one)}) as sleep:
        try:
            assert aftermath.left_processes(one, grace=0) == [f"process {sleep.pid}"]
            assert aftermath.left_processes(other, grace=0) == []
        finally:
            sleep.kill()
            sleep.wait()
    assert aftermath.left_processes(one, grace=0) == []


def test_hidden_files_and_bundles_of_nobody_are_found(aftermath, home: Path) -> None:
    for name in ("kept", "lost"):
        (home / "bundles" / name).mkdir(parents=True)
    (home / "bundles" / "champion").symlink_to("kept")
    assert aftermath.left_files(home) == []
    (home / "bundles" / ".half.1.tmp").mkdir()
    (home / "outputs").mkdir()
    (home / "outputs" / ".result.json.tmp").touch()
    assert aftermath.left_files(home) == ["bundles/.half.1.tmp", "outputs/.result.json.tmp"]
    rows = [row("a", bundle="bundles/kept"), row("b")]
    assert aftermath.orphans(home, rows) == ["lost"]
