"""Stopped, doubled and cut short: a search loses no answer and leaves no trial at work."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import INTERRUPTED, ROOT, Run
from tests.searches import journals, notes, proposals, states, study_of, write_space
from tests.sweeps import board, results, wait_until

FOREST = """\
fixed: {model: rf}
space:
  model.params.n_estimators: {low: 150, high: 400}
  model.params.min_samples_leaf: {low: 1, high: 40}
"""
Begin = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def begin(home: Path) -> Iterator[Begin]:
    started: list[subprocess.Popen[str]] = []

    def start(*words: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "fraudlab.tune", *words],
            cwd=home,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def forest(home: Path, small_table: list[str]) -> list[str]:
    return [*write_space(home, FOREST), *small_table, "bootstrap.resamples=0", "slots=1"]


def one_is_done_and_one_at_work(home: Path) -> Callable[[], bool]:
    def ready() -> bool:
        marks = {p.parent.name for p in home.glob("outputs/runs/*/running") if p.stat().st_size}
        return len(results(home)) >= 1 and bool(marks - set(results(home)))

    return ready


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_stopped_search_goes_on_where_it_stopped(
    how: signal.Signals, home: Path, run: Run, begin: Begin, forest: list[str]
) -> None:
    process = begin(*forest, "trials=4")
    wait_until(one_is_done_and_one_at_work(home), process)
    process.send_signal(how)
    out, err = process.communicate(timeout=60)
    kept = results(home)
    if how == signal.SIGINT:
        assert process.returncode in INTERRUPTED
        assert "Leaderboard" in out
        assert "goes on where this one stopped" in err
        assert "Traceback" not in err
        assert "RUNNING" not in states(home)
    else:
        assert "RUNNING" in states(home)
    asked = [words for words in proposals(home) if words is not None]
    done = run("tune", *forest, "trials=4")
    assert done.code == 0, done.err
    assert "RUNNING" not in states(home)
    assert states(home).count("COMPLETE") == 4
    assert kept.items() <= results(home).items()
    answered = [t.user_attrs["fraudlab"]["words"] for t in study_of(home).trials
                if t.state.name == "COMPLETE"]  # fmt: skip
    assert all(words in answered for words in asked)  # what was at work came again
    assert len({tuple(words) for words in answered}) == 4
    assert {row["status"] for row in board(run)} == {"done"}


@pytest.mark.slow
def test_two_workers_on_one_study_share_the_trials(
    home: Path, run: Run, begin: Begin, forest: list[str]
) -> None:
    both = [begin(*forest, "trials=6") for _ in range(2)]
    for process in both:
        _, err = process.communicate(timeout=200)
        assert process.returncode == 0, err
    assert len(journals(home)) == 1
    trials = [t for t in study_of(home).trials if t.state.name != "FAIL"]
    assert {t.state.name for t in trials} == {"COMPLETE"}
    assert len(trials) == 6
    assert len({t.user_attrs["worker"] for t in trials}) == 2
    assert len({t.user_attrs["fraudlab"]["run"] for t in trials}) == len(results(home))
    assert len(board(run)) == len(results(home))


@pytest.mark.slow
def test_what_is_hopeless_is_cut_short(home: Path, run: Run, small_table: list[str]) -> None:
    space = """\
fixed: {model: rf, model.params.n_estimators: 300}
space:
  model.params.min_samples_leaf: [5, 10, 15, 250, 260, 270]
sampling: {n_startup_trials: 20}
pruning: {n_startup_trials: 1}
"""
    words = [*write_space(home, space), *small_table, "bootstrap.resamples=0", "slots=1"]
    done = run("tune", *words, "split=kfold", "trials=8", "budget=5m")
    assert done.code == 0, done.err
    pruned = [row for row in board(run) if row["status"] == "killed"]
    assert pruned
    for row in pruned:
        assert row["error"].startswith("pruned after stage ")
        assert row["overrides"]["model.params.min_samples_leaf"] >= 250
    assert "PRUNED" in states(home)
    assert "RUNNING" not in states(home)
    assert " pruned" in done.err


@pytest.mark.slow
def test_the_budget_ends_what_runs_and_keeps_its_values(
    home: Path, run: Run, small_table: list[str]
) -> None:
    space = FOREST.replace("low: 150, high: 400", "low: 90000, high: 99000")
    words = [*write_space(home, space), *small_table, "slots=1"]
    done = run("tune", *words, "budget=3s")
    assert done.code == 1
    assert "the budget of 3s is used up" in done.err
    assert states(home)[0] == "FAIL"
    assert "RUNNING" not in states(home)
    assert states(home)[-1] == "WAITING"
    assert study_of(home).trials[-1].system_attrs["fixed_params"] == study_of(home).trials[0].params
    (row,) = board(run)
    assert row["status"] == "killed"
    assert "the budget of 3s" in row["error"]


@pytest.mark.slow
def test_nothing_starts_that_would_not_fit(home: Path, run: Run, forest: list[str]) -> None:
    assert run("tune", *forest, "trials=2").code == 0
    took = [each for each in notes(home, "took") if each is not None]
    budget = min(took) / 100
    done = run("tune", *forest, "trials=9", f"budget={budget:.4f}s")
    assert len(results(home)) == 2
    assert "budget" in done.err
    assert states(home) == ["COMPLETE"] * 2
