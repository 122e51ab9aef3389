"""How a job ends is told rightly, whatever is asked first: a late end, an old mark, a signal."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fraudlab.launching import local
from fraudlab.launching.endings import Watched
from fraudlab.launching.jobs import Ended
from fraudlab.launching.local import Local
from fraudlab.locking import begin, claimed
from fraudlab.runs import log_file
from tests.launched import NO_TIME, RUN, at_work, ends, make_job, mark_of


def overran(watched: Watched) -> bool:
    watched.overrun()
    time.sleep(0.001)
    how = watched.overrun()
    assert how is None or how.status == "timeout"
    return how is not None


# When a job has begun


def test_time_runs_from_when_a_live_worker_has_begun(home: Path) -> None:
    watched = Watched(make_job(home, seconds=NO_TIME))
    assert not overran(watched)
    begin(mark_of())
    assert not overran(watched)  # a killed attempt's
    with claimed(mark_of()):
        assert overran(watched)


def test_a_worker_that_only_holds_its_run_has_not_begun(home: Path) -> None:
    with claimed(mark_of()):
        assert not overran(Watched(make_job(home, seconds=NO_TIME)))


def test_what_another_sweep_has_begun_is_not_the_job_that_waits_for_it(home: Path) -> None:
    with claimed(mark_of()):
        begin(mark_of())
        assert not overran(Watched(make_job(home, seconds=NO_TIME), pid=os.getpid() + 1))
        assert overran(Watched(make_job(home, seconds=NO_TIME), pid=os.getpid()))


# Processes of this machine


@dataclass
class FakeProcess:
    """A process that ends when it is told to, or with `late`, just before it could be killed."""

    exitcode: int | None = None
    late: int | None = None
    pid: int = field(default_factory=os.getpid)
    sentinel: int = -1
    _end: int = -1

    def start(self) -> None:
        self.sentinel, self._end = os.pipe()
        if self.exitcode is not None:
            self.exit(self.exitcode)

    def exit(self, code: int) -> None:
        self.exitcode = code
        if self._end >= 0:
            os.close(self._end)
            self._end = -1

    def is_alive(self) -> bool:
        return self.exitcode is None

    def kill(self) -> None:
        if self.exitcode is None:
            self.exit(-signal.SIGKILL if self.late is None else self.late)

    def join(self) -> None:
        assert self.exitcode is not None

    def close(self) -> None:
        os.close(self.sentinel)


@pytest.fixture
def fork(home: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Local]:
    """Return a function that gives a local launcher one process for a job."""

    def start(process: FakeProcess, seconds: float | None = None) -> Local:
        context = SimpleNamespace(Process=lambda **_: process)
        monkeypatch.setattr(local, "_warm_up", lambda: None)
        monkeypatch.setattr(local, "_context", lambda: context)
        launcher = Local(1, 1)
        launcher.start(make_job(home, seconds=seconds))
        return launcher

    return start


@pytest.fixture
def working(home: Path) -> Iterator[None]:
    with at_work():
        yield


def test_a_process_that_takes_too_long_is_ended(fork: Any, working: None) -> None:
    process = FakeProcess()
    assert [how.status for how in ends(fork(process, NO_TIME))] == ["timeout"]
    assert process.exitcode == -signal.SIGKILL


def test_a_process_that_is_done_has_not_taken_too_long(fork: Any, working: None) -> None:
    process = FakeProcess()
    launcher = fork(process, NO_TIME)
    launcher._running[RUN].begun = time.monotonic() - 1
    process.exit(0)
    assert launcher.ended(0) == [Ended(RUN)]


def test_a_process_that_was_done_when_it_was_killed_is_done(fork: Any, working: None) -> None:
    assert ends(fork(FakeProcess(late=0), NO_TIME)) == [Ended(RUN)]
    launcher = fork(FakeProcess(late=0))
    launcher.stop(RUN, "fail_fast")
    assert launcher.ended(0) == [Ended(RUN)]


def test_a_process_that_is_stopped_is_killed_with_the_reason(fork: Any) -> None:
    launcher = fork(FakeProcess())
    launcher.stop(RUN, "pruned")
    launcher.stop(RUN, "another reason")
    assert launcher.ended(0) == [Ended(RUN, "killed", "pruned")]
    launcher.stop(RUN, "it is not there any more")
    assert launcher.ended(0) == []


def test_a_process_that_had_ended_by_itself_was_not_stopped(fork: Any) -> None:
    launcher = fork(FakeProcess(-signal.SIGSEGV))
    launcher.stop(RUN, "fail_fast")
    assert [how.status for how in launcher.ended(0)] == ["failed"]


@pytest.mark.parametrize(
    ("code", "status", "error"),
    [
        (3, "failed", "its process ended with exit code 3"),
        (-signal.SIGSEGV, "failed", "its process died of SIGSEGV"),
        (-signal.SIGTERM, "killed", "killed by SIGTERM"),
        (-signal.SIGKILL, "killed", "killed by SIGKILL, as the system does when memory runs out"),
        (-40, "failed", "its process died of signal 40"),
    ],
)
def test_a_process_that_left_no_result_is_told_by_its_exit_code(
    code: int, status: str, error: str, fork: Any
) -> None:
    launcher = fork(FakeProcess(code))
    mark_of()
    log_file(RUN).write_text("starting\nabout to\n")
    expected = Ended(RUN, status, f"{error}; its last line: about to")  # type: ignore[arg-type]
    assert launcher.ended(0) == [expected]
