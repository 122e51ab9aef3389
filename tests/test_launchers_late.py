"""A result that travels may be late, and what a cluster says odd: nobody is held up by it."""

from __future__ import annotations

import pickle
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from fraudlab.launching import endings
from fraudlab.launching.endings import Watched
from fraudlab.launching.jobs import Ended
from fraudlab.launching.on_ray import OnRay
from fraudlab.limits import LauncherSettings
from fraudlab.runs import RunRecord, write_run
from tests.launched import NO_TIME, OTHER, RUN, at_work, ends, make_job


def finish(run: str, finished: str) -> None:
    write_run(RunRecord(run, "done", sweep="sweep", finished=finished))


@pytest.fixture
def working(home: Path) -> Iterator[None]:
    with at_work():
        yield


def test_a_result_on_its_way_is_waited_for_without_holding_anybody_up(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = Watched(make_job(home))
    monkeypatch.setattr("time.sleep", lambda _: pytest.fail("it slept"))
    finish(RUN, "earlier")
    assert watched.arrived("now") is None
    finish(RUN, "now")
    assert watched.arrived("now") == Ended(RUN)
    finish(RUN, "earlier")
    monkeypatch.setattr(endings, "ARRIVAL", 0.0)
    watched.arrived("now")
    how = watched.arrived("now")
    assert how is not None
    assert how.status == "failed"
    assert "must share the output folder" in str(how.error)


class FakeHandle:
    """What submitit gives for a job: it has ended once `over`, and left `result` behind."""

    def __init__(self, folder: Path, result: Any = None, *, state: str = "", over: bool = True):
        folder.mkdir()
        self.job_id = str(1 << 30)  # no process has it
        self.state = state
        self.over = over
        self.result_of = result
        pickled, stderr = folder / "0_result.pkl", folder / "0_log.err"
        self.paths = SimpleNamespace(folder=folder, result_pickle=pickled, stderr=stderr)
        if result is not None:
            pickled.touch()

    def done(self) -> bool:
        return self.over

    def result(self) -> Any:
        if isinstance(self.result_of, Exception):
            raise self.result_of
        return self.result_of


@pytest.fixture
def submit(home: Path, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Return a function that hands submitit's launcher a job, and it a handle."""
    pytest.importorskip("submitit")
    from fraudlab.launching.on_submitit import OnSubmitit

    with ExitStack() as opened:
        launcher = OnSubmitit(LauncherSettings("submitit", options={"cluster": "local"}), 2, 2)
        opened.callback(launcher.close)
        opened.callback(launcher._jobs.clear)

        def start(name: str, run: str, result: Any, **known: Any) -> Any:
            handle = FakeHandle(tmp_path / name, result, **known)
            launcher._executor = SimpleNamespace(submit=lambda *_: handle)
            launcher._on_slurm = bool(handle.state)
            launcher.start(make_job(home, run, seconds=NO_TIME))
            return launcher

        yield start


def test_a_job_whose_result_is_not_seen_yet_holds_up_no_other(submit: Any) -> None:
    submit("first", RUN, ("now", None))
    launcher = submit("second", OTHER, ("now", None))
    finish(OTHER, "now")
    assert launcher.ended(0) == [Ended(OTHER)]
    assert launcher.ended(0) == []
    finish(RUN, "now")
    assert launcher.ended(0) == [Ended(RUN)]


def test_a_job_that_slurm_calls_completed_is_waited_for(
    submit: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    launcher = submit("first", RUN, None, state="COMPLETED")
    assert launcher.ended(0) == []
    monkeypatch.setattr(endings, "ARRIVAL", 0.0)
    assert [how.status for how in launcher.ended(0)] == ["killed"]


def test_a_job_that_was_done_when_it_was_stopped_is_done(submit: Any, working: None) -> None:
    launcher = submit("first", RUN, ("now", None))
    launcher._jobs[RUN].begun = time.monotonic() - 1
    launcher.stop(RUN, "fail_fast")
    finish(RUN, "now")
    assert launcher.ended(0) == [Ended(RUN)]
    launcher = submit("second", OTHER, ("now", None), state="RUNNING", over=False)
    handle = launcher._jobs[OTHER].handle
    handle.cancel = lambda **_: setattr(handle, "over", True)  # Slurm was too late
    launcher.stop(OTHER, "fail_fast")
    finish(OTHER, "now")
    assert launcher.ended(0) == [Ended(OTHER)]


def test_a_job_that_had_failed_by_itself_was_not_stopped(submit: Any) -> None:
    launcher = submit("first", RUN, (None, "ValueError: its own"))
    launcher.stop(RUN, "fail_fast")
    assert launcher.ended(0) == [Ended(RUN, "failed", "ValueError: its own")]


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("Job (task=0) failed with trace:\n{0}\nTrace\nImportError: no\n{0}\nat paths:", "no"),
        ("it was lost\n\nwithout a rule\n", "without a rule"),
        ("", "no reason given"),
    ],
)
def test_a_job_that_could_not_start_is_told_by_the_last_line_of_whatever_submitit_says(
    said: str, reason: str, submit: Any
) -> None:
    from submitit.core.utils import UncompletedJobError

    launcher = submit("first", RUN, UncompletedJobError(said.format("-" * 22)))
    (how,) = launcher.ended(0)
    assert how.status == "failed"
    assert how.error.startswith("its job could not start: ")
    assert how.error.endswith(reason)


def test_a_job_whose_answer_is_damaged_has_failed(submit: Any) -> None:
    (how,) = submit("first", RUN, pickle.UnpicklingError("truncated")).ended(0)
    assert how.status == "failed"
    assert how.error.endswith("cannot be read: UnpicklingError: truncated")


@pytest.fixture
def fake_ray(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Put a library in Ray's place; return what its tasks have come to: a time, or an error."""
    over: dict[str, Any] = {}
    ray, exceptions = ModuleType("ray"), ModuleType("ray.exceptions")
    for name in ("RayTaskError", "OutOfMemoryError", "WorkerCrashedError", "RayError"):
        setattr(exceptions, name, type(name, (Exception,), {}))

    def get(run: str) -> Any:
        if isinstance(over[run], str):
            return over[run]
        raise exceptions.WorkerCrashedError

    known: dict[str, Any] = {
        "wait": lambda runs, timeout: ([r for r in runs if r in over], []),
        "get": get,
        "cancel": lambda run, force: over.setdefault(run, None),
        "exceptions": exceptions,
    }
    ray.__dict__.update(known)
    monkeypatch.setitem(sys.modules, "ray", ray)
    monkeypatch.setitem(sys.modules, "ray.exceptions", exceptions)
    return over


@pytest.fixture
def on_ray(home: Path) -> OnRay:
    launcher = object.__new__(OnRay)
    launcher._tasks, launcher._search = {}, []  # type: ignore[attr-defined]
    launcher._train = SimpleNamespace(remote=lambda _, content: pickle.loads(content).run)
    for run in (RUN, OTHER):
        launcher.start(make_job(home, run, seconds=NO_TIME))
    return launcher


def test_a_task_whose_result_is_not_seen_yet_holds_up_no_other(
    fake_ray: dict[str, Any], on_ray: OnRay
) -> None:
    fake_ray.update({RUN: "now", OTHER: "now"})
    finish(OTHER, "now")
    assert on_ray.ended(0) == [Ended(OTHER)]
    assert on_ray.ended(0) == []
    finish(RUN, "now")
    assert on_ray.ended(0) == [Ended(RUN)]


def test_a_task_that_had_ended_was_neither_late_nor_stopped(
    fake_ray: dict[str, Any], on_ray: OnRay, working: None
) -> None:
    for task in on_ray._tasks.values():
        task.begun = time.monotonic() - 1
    fake_ray.update({RUN: "now", OTHER: None})
    on_ray.stop(OTHER, "fail_fast")
    finish(RUN, "now")
    assert on_ray.ended(0) == [Ended(RUN), Ended(OTHER, "killed", "its worker process died")]


def test_a_task_that_takes_too_long_is_ended(
    fake_ray: dict[str, Any], on_ray: OnRay, working: None
) -> None:
    assert [(how.run, how.status) for how in ends(on_ray)] == [(RUN, "timeout")]
    assert list(fake_ray) == [RUN]
