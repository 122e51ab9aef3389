"""Stopped, doubled and cut short: a search loses no answer and leaves no trial at work."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from fraudlab.searching.dimensions import Dimension, Range
from fraudlab.searching.ledger import LOST, address_of
from fraudlab.searching.spaces import read_space
from fraudlab.searching.studies import Study
from tests.conftest import INTERRUPTED, Run, Start
from tests.searches import journals, notes, proposals, states, study_of, write_space
from tests.sweeps import board, results, wait_until

FOREST = """\
fixed: {model: rf}
space:
  model.params.n_estimators: {low: 150, high: 400}
  model.params.min_samples_leaf: {low: 1, high: 40}
"""


@pytest.fixture
def begin(start: Start) -> Start:
    return partial(start, command="tune")


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
    how: signal.Signals, home: Path, run: Run, begin: Start, forest: list[str]
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
    home: Path, run: Run, begin: Start, forest: list[str]
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


@pytest.fixture
def studies(home: Path) -> Callable[[], Study]:
    write_space(home, FOREST)
    space = read_space("own", home / "conf" / "hparams_search" / "own.yaml")
    return lambda: Study("own", address_of(None, "own"), space, 42, "key")


def asked(study: Study, total: int | None = None) -> int | None:
    answer = study.ask(lambda pick: {each.key: pick(each) for each in FIRST}, total)
    return None if answer is None else answer[0]


FIRST = [Dimension("model.params.max_depth", "model.params.max_depth", Range(1, 9))]


def test_workers_that_ask_at_the_same_time_give_way(
    home: Path, studies: Callable[[], Study]
) -> None:
    one, two = studies(), studies()
    assert asked(one, total=1) == 0
    assert asked(two, total=1) is None
    assert one.counted() == 1
    assert states(home) == ["RUNNING", "FAIL", "WAITING"]
    one.leave(0)
    assert asked(two, total=1) == 2  # what gave way comes again


def test_a_worker_elsewhere_is_gone_when_nothing_is_heard_of_it(
    home: Path, studies: Callable[[], Study], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("platform.node", lambda: "elsewhere")
        there = studies()
        asked(there)
    here = studies()
    assert here.recover() == 0
    now = time.time()
    monkeypatch.setattr("fraudlab.searching.ledger.time.time", lambda: now + 2 * LOST)
    assert here.recover() == 1
    assert states(home) == ["FAIL", "WAITING"]
    there.complete(0, 0.5)  # it was there all the same: too late, and no harm
    assert states(home) == ["FAIL", "WAITING"]
