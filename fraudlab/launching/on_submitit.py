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
from fraudlab.launching.jobs import Ended, Job
from fraudlab.launching.opening import MANY
from fraudlab.launching.remote import GLANCE, LETTING_GO, Watched, arrived, let_go
from fraudlab.launching.submitting import (
    SLURM,
    cluster_of,
    executor,
    job_folder,
    outcome_of,
    submitted,
    threads_of,
)
from fraudlab.limits import Launcher
from fraudlab.threads import slots_and_threads

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

    def __init__(self, launcher: Launcher, wanted: int | None, count: int) -> None:
        self._jobs: dict[str, _Submitted] = {}
        self._on_slurm = cluster_of(launcher) == SLURM
        self._asked = time.monotonic()
        self._accepted = False
        self.slots, self.threads = slots_and_threads(wanted, count)
        if self._on_slurm:
            self.slots = min(wanted or MANY, max(count, 1))
            self.threads = threads_of(launcher)
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
        over = self._over()
        if not over and wait > 0:
            time.sleep(wait)
            over = self._over()
        for each in over:
            del self._jobs[each.job.run]
        return [self._how(each) for each in over]

    def _ask(self) -> None:
        """Ask Slurm how all its jobs are, once for all of them, so that a crash is noticed."""
        handles = [each.handle for each in self._jobs.values() if each.handle is not None]
        if self._on_slurm and handles and time.monotonic() - self._asked > ASKING:
            self._asked = time.monotonic()
            handles[0].watcher.update()
            for each in self._jobs.values():
                if each.stopped is not None:  # it was too busy to listen
                    self._cancel(each, first=True)

    def _over(self) -> list[_Submitted]:
        over = []
        for each in self._jobs.values():
            if each.handle is None or each.handle.done():
                over.append(each)
            elif each.stopped is not None:
                self._cancel(each)
            elif (how := each.overrun()) is not None:
                self.stop(each.job.run, "", how)
        return over

    def _how(self, each: _Submitted) -> Ended:
        """Return how a job came to its end, and remove the files it was submitted by."""
        run = each.job.run
        if each.handle is None:
            assert each.stopped is not None
            return each.stopped
        outcome = outcome_of(run, each.handle, on_slurm=self._on_slurm)
        shutil.rmtree(each.handle.paths.folder, ignore_errors=True)
        if each.stopped is not None:
            return each.stopped
        return outcome if isinstance(outcome, Ended) else arrived(run, outcome)

    def stop(self, run: str, why: str, how: Ended | None = None) -> None:
        """End a job early."""
        each = self._jobs.get(run)
        if each is not None and each.stopped is None:
            each.stopped = how or Ended(run, "killed", why)
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
            while not self._on_slurm and len(self._over()) < len(self._jobs):
                if time.monotonic() > end:
                    break
                time.sleep(GLANCE)
            let_go(list(self._jobs))
        finally:
            for each in self._jobs.values():
                if each.handle is not None:
                    shutil.rmtree(each.handle.paths.folder, ignore_errors=True)
            self._jobs.clear()
            self._open.close()


@contextmanager
def _no_interrupt() -> Iterator[None]:
    """Start processes that a terminal's Ctrl-C does not reach: the driver decides what it ends."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
