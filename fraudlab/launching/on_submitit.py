"""Candidates as Slurm jobs, or as processes that submitit starts where there is no Slurm.

A job goes on when its driver has been killed: it holds the claim on its run, so that the next sweep
waits for it and takes its result.
"""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from fraudlab.errors import ConfigError
from fraudlab.launching.endings import GLANCE, LETTING_GO, Watched, let_go
from fraudlab.launching.jobs import Ended, Job
from fraudlab.launching.submitting import (
    SLURM,
    cluster_of,
    executor,
    job_folder,
    outcome_of,
    share_of,
    submitted,
)
from fraudlab.limits import LauncherSettings

ASKING = 30.0  # seconds between two questions to Slurm about jobs that have not said anything


@dataclass(slots=True, kw_only=True)
class _Submitted(Watched):
    handle: Any


class OnSubmitit:
    """The launcher of `launcher=submitit`.

    Parameters
    ----------
    launcher
        Its settings.
    wanted
        How many candidates are submitted at a time; None for what this machine runs at a time, or
        for MANY on a cluster.
    count
        How many there are.
    """

    def __init__(self, launcher: LauncherSettings, wanted: int | None, count: int) -> None:
        self._jobs: dict[str, _Submitted] = {}
        self._on_slurm = cluster_of(launcher) == SLURM
        self._asked = time.monotonic()
        self._accepted = False
        self.slots, self.threads = share_of(launcher, wanted, count)
        with ExitStack() as opened:
            folder = opened.enter_context(job_folder())
            self._executor = executor(launcher, folder, self.threads)
            self._open = opened.pop_all()

    def start(self, job: Job) -> None:
        """Submit a job.

        Raises
        ------
        ConfigError
            If Slurm refuses the first one: it would refuse all of them.
        """
        from submitit.core.utils import FailedJobError

        try:
            with _no_interrupt():
                handle = self._executor.submit(submitted, job)
        except FailedJobError as error:
            why = (str(error).strip() or "no reason given").splitlines()[-1]
            if not self._accepted:
                raise ConfigError(
                    f"Slurm refuses the job: {why}; correct launcher.options", "launcher.options"
                ) from error
            how = Ended(job.run, "failed", f"Slurm refused the job: {why}")
            self._jobs[job.run] = _Submitted(job, handle=None, stopped=how)
        else:
            self._accepted = True
            self._jobs[job.run] = _Submitted(job, handle=handle)

    def ended(self, wait: float) -> list[Ended]:
        """Return the jobs that have ended, after waiting at most `wait` seconds for one."""
        self._ask()
        found = self._look()
        if not found and wait > 0:
            time.sleep(wait)
            found = self._look()
        for how in found:
            del self._jobs[how.run]
        return found

    def _ask(self) -> None:
        """Ask Slurm how all its jobs are, once for all of them, so that a crash is noticed."""
        handles = [each.handle for each in self._jobs.values() if each.handle is not None]
        if self._on_slurm and handles and time.monotonic() - self._asked > ASKING:
            self._asked = time.monotonic()
            handles[0].watcher.update()
            for each in self._jobs.values():
                if each.stopped is not None:  # it was too busy to listen
                    self._cancel(each, first=True)

    def _look(self) -> list[Ended]:
        """Return the jobs that have ended; the others go on for as long as they may."""
        found = []
        for each in self._jobs.values():
            if _is_over(each):
                if (how := self._how(each)) is not None:
                    found.append(how)
            elif each.stopped is not None:
                self._cancel(each)
            elif (how := each.overrun()) is not None:
                self._end(each, how)
        return found

    def _how(self, each: _Submitted) -> Ended | None:
        """Return how a job came to its end, and remove the files it was submitted by.

        None while that is not seen here. What it finished stands, however late it was.
        """
        if each.handle is None:
            return each.stopped
        outcome = outcome_of(each, each.handle, on_slurm=self._on_slurm)
        if outcome is None:
            return None
        shutil.rmtree(each.handle.paths.folder, ignore_errors=True)
        return outcome if outcome.error is None else each.stopped or outcome

    def stop(self, run: str, why: str) -> None:
        """End a job early."""
        if run in self._jobs:
            self._end(self._jobs[run], Ended(run, "killed", why))

    def _end(self, each: _Submitted, how: Ended) -> None:
        if each.stopped is None and not _is_over(each):  # otherwise it has ended by itself
            each.stopped = how
            self._cancel(each, first=True)

    def _cancel(self, each: _Submitted, *, first: bool = False) -> None:
        """Tell a job to end; a process that was just starting may have to be told again."""
        if each.handle is None:
            return
        if self._on_slurm:
            if first:
                each.handle.cancel(check=False)
        else:  # submitit would send the interrupt that the driver's terminal must not send
            with suppress(ProcessLookupError):
                os.kill(int(each.handle.job_id), signal.SIGTERM)

    def close(self) -> None:
        """End whatever still runs."""
        try:
            end = time.monotonic() + LETTING_GO
            for run in self._jobs:
                self.stop(run, "the sweep has ended")
            going = [] if self._on_slurm else list(self._jobs.values())
            while going := [each for each in going if not _is_over(each)]:
                if time.monotonic() > end:
                    break
                for each in going:
                    self._cancel(each)
                time.sleep(GLANCE)
            let_go(list(self._jobs))
        finally:
            for each in self._jobs.values():
                if each.handle is not None:
                    shutil.rmtree(each.handle.paths.folder, ignore_errors=True)
            self._jobs.clear()
            self._open.close()


def _is_over(each: _Submitted) -> bool:
    return each.handle is None or each.handle.done()


@contextmanager
def _no_interrupt() -> Iterator[None]:
    """Start processes that a terminal's Ctrl-C does not reach: the driver decides what it ends."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
