"""Candidates in processes of this machine, forked from a server that has imported the libraries.

Importing them takes seconds, forking tens of milliseconds. The server, Python's own, does nothing
else and so has no threads; a candidate's process dies with the driver, and takes nobody with it.
"""

from __future__ import annotations

import fcntl
import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import wait as wait_for
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from types import ModuleType

from fraudlab.launching.endings import Watched, exited
from fraudlab.launching.jobs import Ended, Job

PRELOADED = ["fraudlab.launching.preloaded"]
# Read when a library is loaded, so they must be there when the server starts: more threads for
# linear algebra would be started at once, and so would one that tidies pyarrow's memory.
SERVER = {"OPENBLAS_NUM_THREADS": "1", "JE_ARROW_MALLOC_CONF": "background_thread:false"}
OOM_FIRST = "800"  # of 1000: when memory runs out the system ends a candidate, not the driver


@dataclass(slots=True)
class _Running(Watched):
    process: ForkServerProcess = field(kw_only=True)


class Local:
    """The launcher of `launcher=local`."""

    def __init__(self, slots: int, threads: int) -> None:
        self.slots = slots
        self.threads = threads
        self._running: dict[str, _Running] = {}
        _warm_up()

    def start(self, job: Job) -> None:
        """Fork a process for a job."""
        context = _context()
        process = context.Process(target=_alone, args=(job,), name=f"fraudlab-{job.run}")
        with _server_settings():
            process.start()
        self._running[job.run] = _Running(job, pid=process.pid, process=process)

    def ended(self, wait: float) -> list[Ended]:
        """Return the jobs that have ended, after waiting at most `wait` seconds for one."""
        wait_for([each.process.sentinel for each in self._running.values()], wait)
        for each in self._running.values():
            if each.process.is_alive() and (how := each.overrun()) is not None:
                self._end(each, how)
        over = [each for each in self._running.values() if not each.process.is_alive()]
        for each in over:
            del self._running[each.job.run]
        return [_how(each) for each in over]

    def stop(self, run: str, why: str) -> None:
        """End a job early."""
        if run in self._running:
            self._end(self._running[run], Ended(run, "killed", why))

    def _end(self, running: _Running, how: Ended) -> None:
        if running.process.is_alive():  # otherwise it has come to an end of its own
            running.stopped = running.stopped or how
        running.process.kill()
        running.process.join()

    def close(self) -> None:
        """End whatever still runs."""
        for each in self._running.values():
            each.process.kill()
        for each in self._running.values():
            each.process.join()
        self._running.clear()


def _warm_up() -> None:
    """Start the server, so that it imports the libraries while something else is done."""
    from multiprocessing import forkserver

    _context()
    with _server_settings():
        forkserver.ensure_running()


def _context() -> multiprocessing.context.ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    return context


@contextmanager
def _server_settings() -> Iterator[None]:
    """Set what the server reads, and hide the main module, which jobs would import once more."""
    before = {name: os.environ.get(name) for name in SERVER}
    main = sys.modules["__main__"]
    os.environ.update(SERVER)
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _alone(job: Job) -> None:
    """Be the process of a job."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the driver decides what an interrupt ends
    _die_with_driver()
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(OOM_FIRST)
    from fraudlab.launching.working import work

    work(job)


def _die_with_driver() -> None:
    """Have the kernel end this process when the driver has gone, even amid a fit in C.

    The driver holds the other end of a pipe; when that closes, SIGIO is due, which ends a process.
    """
    driver = multiprocessing.parent_process()
    assert driver is not None
    pipe = driver.sentinel
    fcntl.fcntl(pipe, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(pipe, fcntl.F_SETFL, fcntl.fcntl(pipe, fcntl.F_GETFL) | os.O_ASYNC)
    if not driver.is_alive():
        os._exit(1)


def _how(running: _Running) -> Ended:
    """Return how a process came to its end; what it finished stands, however late it was."""
    run, code = running.job.run, running.process.exitcode
    running.process.close()
    if code == 0:
        return Ended(run)
    return running.stopped or exited(run, code)
