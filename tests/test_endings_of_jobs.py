"""What the driver makes of a job that has ended: a result stays, whatever came too late for it."""

from __future__ import annotations

import multiprocessing
import shutil
from pathlib import Path

import msgspec
import pytest

from fraudlab import keeping
from fraudlab.launching import memory
from fraudlab.launching.jobs import Ended, Job, left_by, recorded
from fraudlab.locking import begin, claimed
from fraudlab.runs import Planned, RunRecord, read_result, run_folder, running_mark, write_run
from tests.candidates import make_config
from tests.conftest import Run
from tests.sweeps import board, visible_bundles

KEY = "0123456789abcdef"


def job_of(sweep: str, *, again: bool = False) -> Job:
    planned = Planned(KEY, make_config(), {"model": "tree"}, {}, "rows")
    return Job(planned, sweep, "an-mlflow-run", ".", ".", 1, "code", (None, None), again=again)


def result_of(sweep: str, status: str = "done") -> RunRecord:
    record = RunRecord(KEY, status, sweep=sweep, mlflow_run_id="an-mlflow-run")  # type: ignore[arg-type]
    write_run(record)
    return record


def test_a_result_that_came_just_before_the_end_was_asked_for_stands() -> None:
    done = result_of("mine")
    for how in ("timeout", "killed"):
        assert recorded(Ended(KEY, how, "too late"), job_of("mine")) == done  # type: ignore[arg-type]
    assert read_result(KEY) == done
    assert left_by(job_of("mine")) == done


def test_what_another_sweep_finished_is_not_written_over() -> None:
    theirs = result_of("theirs")
    assert recorded(Ended(KEY, "killed", "by somebody"), job_of("mine")) == theirs
    again = recorded(Ended(KEY, "killed", "by somebody"), job_of("mine", again=True))
    assert (again.status, again.error) == ("killed", "by somebody")
    assert read_result(KEY) == again


def _train(mark: Path, held: object, done: object) -> None:
    with claimed(mark):
        begin(mark)
        held.set()  # type: ignore[attr-defined]
        done.wait(30)  # type: ignore[attr-defined]


def test_a_run_that_another_sweep_is_at_work_on_is_neither_waited_for_nor_written() -> None:
    context = multiprocessing.get_context("spawn")
    held, done = context.Event(), context.Event()
    mark = running_mark(run_folder(KEY))
    other = context.Process(target=_train, args=(mark, held, done))
    other.start()
    try:
        assert held.wait(30)
        assert recorded(Ended(KEY, "killed", "mine"), job_of("mine")).error == "mine"
        assert read_result(KEY) is None
        assert mark.exists()
    finally:
        done.set()
        other.join()


def test_a_worker_that_ends_well_without_a_result_has_failed() -> None:
    result_of("earlier", "failed")
    record = recorded(Ended(KEY), job_of("mine"))
    assert (record.status, record.sweep) == ("failed", "mine")
    assert "without a result" in str(record.error)
    assert read_result(KEY) == record


def test_a_bundle_that_no_record_names_goes_when_its_run_is_trained_again(
    home: Path, run: Run, small_table: list[str]
) -> None:
    command = ("train", *small_table, "model=logreg")
    assert run(*command).code == 0
    (row,) = board(run)
    orphan = home / "bundles" / f"20200101T000000Z-logreg-{row['run'][:8]}"
    shutil.copytree(home / row["bundle"], orphan)
    assert run(*command, "resume=never").code == 0
    assert orphan not in visible_bundles(home)
    assert (home / board(run)[0]["bundle"]).is_dir()


def test_a_record_loses_its_bundle_before_the_bundle_goes(
    home: Path, run: Run, small_table: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(path: Path, **_: object) -> None:
        if path.parent.name == "bundles" and not path.name.startswith("."):
            raise KeyboardInterrupt

    monkeypatch.setattr(keeping.shutil, "rmtree", stopped)
    run("train", *small_table, "model=logreg,tree", "keep=1", "launcher=inline", "-m")
    monkeypatch.undo()
    monkeypatch.setenv("FRAUDLAB_HOME", str(home))
    assert [row["bundle"] is None for row in board(run)] == [False, True]
    done = run("train", *small_table, "model=logreg,tree", "keep=1", "-m", "resume=only")
    assert "2 of 2 finished before" in done.err


def test_a_container_has_what_its_files_would_give_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "_GROUP", tmp_path)
    machine = memory.free_memory()
    (tmp_path / "memory.max").write_text("1000000\n")
    (tmp_path / "memory.current").write_text("900000\n")
    (tmp_path / "memory.stat").write_text("anon 5\ninactive_file 300000\nactive_file 100000\n")
    assert memory.free_memory() == 500_000
    (tmp_path / "memory.max").write_text("max\n")
    assert abs(memory.free_memory() - machine) < machine / 2


def test_each_candidate_of_a_sweep_may_hold_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    config = make_config()
    monkeypatch.setattr(memory, "free_memory", lambda: 1000)
    assert memory.memory_of(config, 2) == 450
    said = msgspec.structs.replace(config.launcher, memory="4GB")
    assert memory.memory_of(msgspec.structs.replace(config, launcher=said), 2) == 4_000_000_000
