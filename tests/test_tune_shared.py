"""Several at work, and work that is cut off: a study waits, goes on, and blames nobody wrongly."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest

from fraudlab.launching.inline import Inline
from fraudlab.launching.jobs import Ended, Job
from fraudlab.locking import claimed
from fraudlab.runs import run_folder, running_mark
from fraudlab.tables import Tables
from tests.conftest import Run
from tests.postgres import Postgres, postgres  # noqa: F401 (a fixture)
from tests.searches import QUICK, TREE, notes, proposals, states, study_of, write_space
from tests.sweeps import board, results

TWO = "fixed: {model: tree}\nspace: {sampler: [identity, class_weight]}\n"
DEPTHS = "fixed: {model: tree}\nspace: {model.params.max_depth: [2, 3, 4]}\n"


@pytest.fixture
def two(home: Path, small_table: list[str], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr("fraudlab.driving.TICK", 0.01)
    return [*write_space(home, TWO), *small_table, *QUICK]


@pytest.fixture
def depths(home: Path, small_table: list[str]) -> list[str]:
    return [*write_space(home, DEPTHS), *small_table, "bootstrap.resamples=0"]


# Another command is training what a study proposes


def test_a_study_waits_for_what_others_train_without_asking_on(
    home: Path, run: Run, two: list[str]
) -> None:
    run("train", *two[3:], "model=tree", "sampler=identity,class_weight", "-m")
    with contextlib.ExitStack() as others:
        for row in board(run):
            others.enter_context(claimed(running_mark(run_folder(row["run"]))))
        assert run("tune", *two, "budget=3s").code == 0  # both have a result, of before
    assert len(states(home)) < 60  # two candidates, 25 repeats, and all of it put back
    assert set(states(home)) == {"FAIL", "WAITING"}
    before = results(home)
    assert run("tune", *two, "trials=4").code == 0
    assert results(home) == before
    assert states(home).count("COMPLETE") == 4


def test_all_trials_of_a_candidate_trained_elsewhere_are_answered(
    home: Path, run: Run, two: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[int] = []

    def for_a_while(_: str) -> bool:
        looks.append(len(states(home)))
        return len(looks) <= 12

    monkeypatch.setattr("fraudlab.searching.proposals.is_at_work", for_a_while)
    assert run("tune", *two, "trials=8").code == 0
    assert all(trials <= look + 2 for look, trials in enumerate(looks))  # it asks one at a time
    assert states(home) == ["COMPLETE"] * 8
    assert len(results(home)) == 2


def test_what_failed_elsewhere_is_not_tried_again(
    home: Path, run: Run, two: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []

    def trained_elsewhere(key: str) -> bool:
        seen.append(key)
        if len(seen) == 2:
            told = {"run": seen[0], "error": "failed: too few rows"}
            study_of(home).add_trial(
                optuna.trial.create_trial(
                    state=optuna.trial.TrialState.PRUNED, user_attrs={"fraudlab": told}
                )
            )
        return len(seen) == 1

    monkeypatch.setattr("fraudlab.searching.proposals.is_at_work", trained_elsewhere)
    run("tune", *two, "trials=3")
    assert seen[0] == seen[1]
    assert states(home)[0] == "PRUNED"
    assert seen[0] not in results(home)


# Ended by somebody else


class Scripted(Inline):
    """Ends jobs as a test says; the others it trains."""

    def __init__(self, tables: Tables, ending: Callable[[Job], Ended | None], slots: int) -> None:
        super().__init__(tables)
        self.slots = slots
        self._ending = ending
        self._jobs: list[Job] = []
        self._stopped: list[Ended] = []

    def start(self, job: Job) -> None:
        self._jobs.append(job)

    def ended(self, wait: float) -> list[Ended]:
        stopped, self._stopped = self._stopped, []
        if stopped or not self._jobs:
            return stopped
        job = self._jobs.pop(0)
        how = self._ending(job)
        if how is not None:
            return [how]
        super().start(job)
        return super().ended(wait)

    def stop(self, run: str, why: str) -> None:
        self._jobs = [job for job in self._jobs if job.run != run]
        self._stopped.append(Ended(run, "killed", why))


Launch = Callable[..., None]


@pytest.fixture
def launching(monkeypatch: pytest.MonkeyPatch) -> Launch:
    def wanted(ending: Callable[[Job], Ended | None], slots: int = 1) -> None:
        monkeypatch.setattr(
            "fraudlab.searching.searches.open_launcher",
            lambda _config, _count, tables: Scripted(tables, ending, slots),
        )

    return wanted


def killed(job: Job) -> Ended:
    return Ended(job.run, "killed", "killed by SIGKILL, as the system does")


def depth_of(job: Job) -> int:
    return int(job.planned.config.model.params["max_depth"])


def test_what_was_killed_once_is_tried_again(
    home: Path, run: Run, depths: list[str], launching: Launch
) -> None:
    met: list[str] = []

    def lost_at_first(job: Job) -> Ended | None:
        met.append(job.run)
        return killed(job) if met.count(job.run) == 1 else None

    launching(lost_at_first)
    done = run("tune", *depths, "trials=3")
    assert done.code == 0, done.err
    assert {met.count(each) for each in met} == {2}
    assert len(results(home)) == len(set(met))
    assert not any(notes(home, "error"))
    assert "RUNNING" not in states(home)


def test_what_is_killed_again_counts_as_failed(
    home: Path, run: Run, depths: list[str], launching: Launch
) -> None:
    met: list[int] = []

    def greedy(job: Job) -> Ended | None:
        met.append(depth_of(job))
        return killed(job) if depth_of(job) == 3 else None

    launching(greedy)
    done = run("tune", *depths, "budget=1m")
    assert done.code == 1
    assert "the space is used up" in done.err
    assert sorted(met) == [2, 3, 3, 4]
    errors = [each for each in notes(home, "error") if each is not None]
    assert errors[0].startswith("killed: killed by SIGKILL")


def test_what_fail_fast_stopped_is_tried_by_the_next_command(
    home: Path, run: Run, small_table: list[str], launching: Launch
) -> None:
    words = [*write_space(home, TREE), *small_table, "bootstrap.resamples=0"]
    launching(lambda job: Ended(job.run, "failed", "no luck"), slots=2)
    done = run("tune", *words, "trials=3", "fail_fast=true")
    assert done.code == 1
    assert "the remaining candidates stay pending" in done.err
    assert states(home) == ["PRUNED", "FAIL", "WAITING"]
    assert [each is not None for each in notes(home, "error")] == [True, False, False]
    stopped = study_of(home).trials[1].params
    launching(lambda _: None)
    assert run("tune", *words, "trials=2", "fail_fast=true").code == 0
    assert states(home) == ["PRUNED", "FAIL", "COMPLETE"]
    assert study_of(home).trials[2].params == stopped


def test_what_a_kill_stopped_with_fail_fast_is_told_as_not_done(
    home: Path, run: Run, small_table: list[str], launching: Launch
) -> None:
    words = [*write_space(home, TREE), *small_table, "bootstrap.resamples=0"]
    done_first: list[str] = []

    def second_is_lost(job: Job) -> Ended | None:
        done_first.append(job.run)
        return killed(job) if len(done_first) == 2 else None

    launching(second_is_lost, slots=2)
    assert run("tune", *words, "trials=3", "fail_fast=true").code == 1
    assert set(notes(home, "error")) == {None}
    assert len(list(filter(None, notes(home, "killed")))) == 1  # the other was stopped by us
    assert "RUNNING" not in states(home)


# Stopped amid a trial


def test_a_search_stopped_amid_a_trial_proposes_what_it_would_have_proposed(
    home: Path, run: Run, small_table: list[str], monkeypatch: pytest.MonkeyPatch,
    launching: Launch,
) -> None:  # fmt: skip
    words = [*write_space(home, TREE), *small_table, "bootstrap.resamples=0"]
    met: list[str] = []

    def stopped_twice(job: Job) -> None:
        met.append(job.run)
        if len(met) in {3, 6}:
            raise KeyboardInterrupt

    for name, ending, commands in (("parts", stopped_twice, 3), ("once", lambda _: None, 1)):
        monkeypatch.setenv("FRAUDLAB_HOME", str(home / name))
        launching(ending)
        codes = [run("tune", *words, "trials=9").code for _ in range(commands)]
        assert codes[-1] == 0
    pairs = zip(proposals(home / "parts"), states(home / "parts"), strict=True)
    assert states(home / "parts").count("FAIL") == 2
    assert [words for words, state in pairs if state != "FAIL"] == proposals(home / "once")


# A storage that fails for a moment, and a database


@pytest.fixture
def hiccups(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Refuse every sign of life but the first."""
    known = optuna.Study.set_user_attr
    signs: list[str] = []

    def refuse(study: optuna.Study, key: str, value: Any) -> None:
        if key.startswith("fraudlab.worker.") and value is not None:
            signs.append(key)
            if len(signs) > 1:
                raise optuna.exceptions.StorageInternalError("the server went away")
        known(study, key, value)

    monkeypatch.setattr(optuna.Study, "set_user_attr", refuse)
    return signs


def test_a_missed_sign_of_life_ends_nothing(
    home: Path, run: Run, two: list[str], hiccups: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fraudlab.searching.proposals.BEAT", 0.0)
    done = run("tune", *two, "trials=2")
    assert done.code == 0, done.err
    assert states(home) == ["COMPLETE"] * 2
    assert len(hiccups) > 1


@pytest.mark.slow
def test_a_study_in_a_database_server_is_gone_on_with(
    home: Path,
    run: Run,
    two: list[str],
    postgres: Postgres,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    address = postgres.create("searching")
    kept = [f"storage={address}", "study=ours"]
    assert run("tune", *two, *kept, "trials=2").code == 0
    done = run("tune", *two, *kept, "trials=4")
    assert done.code == 0, done.err
    assert "study ours: 2 trials before" in done.err
    assert {row["status"] for row in board(run)} == {"done"}
    files = [path for path in (home / "outputs").rglob("*") if path.is_file()]
    written = done.out + done.err + "".join(path.read_text("latin1") for path in files)
    assert postgres.password not in written
    wrong = f"storage={postgres.address('searching', password='a-wrong-one')}"
    refused = run("tune", *two, wrong, "study=ours", "trials=5")
    assert refused.code == 2
    assert "password authentication failed" in refused.err
    assert "a-wrong-one" not in refused.out + refused.err
    monkeypatch.setitem(sys.modules, "psycopg", None)
    lacking = run("tune", *two, "storage=postgresql://me@127.0.0.1:1/x", "trials=5")
    assert lacking.code == 2
    assert "pip install 'fraudlab[postgres]'" in lacking.err


@pytest.mark.slow
def test_a_connection_that_the_server_closed_is_opened_again(
    home: Path,
    run: Run,
    depths: list[str],
    postgres: Postgres,  # noqa: F811
    launching: Launch,
) -> None:
    import psycopg

    address = postgres.create("closing")
    closed: list[int] = []

    def close_connections(_: Job) -> None:
        with psycopg.connect(address, autocommit=True) as connection:
            found = connection.execute(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                " WHERE datname = 'closing' AND pid <> pg_backend_pid()"
            )
            closed.append(found.fetchone()[0])
        time.sleep(0.1)

    launching(close_connections)
    done = run("tune", *depths, f"storage={address}", "study=ours", "trials=3")
    assert done.code == 0, done.err
    assert sum(closed) > 0
    assert len(results(home)) >= 2
