"""A job: one candidate as whoever runs it is told of it; and what every launcher must do."""

from __future__ import annotations

import os
import re
from typing import Protocol

import msgspec

from fraudlab.locking import claimed_now
from fraudlab.provenance import Commit
from fraudlab.runs import (
    Planned,
    RunRecord,
    Status,
    log_file,
    now,
    read_result,
    run_folder,
    running_mark,
    write_run,
)

_FATAL = re.compile(r"most recent call first\):\s*\n(.*)")


class Job(msgspec.Struct, frozen=True):
    """A candidate to train.

    Attributes
    ----------
    planned, sweep, mlflow_run_id
        The candidate, the sweep it is trained for, and the run that mirrors it.
    home, folder
        The output folder and the current one; machines share them.
    threads
        How many a fit may use.
    code, commit
        The version of fraudlab's source at launch, and the commit it is of.
    again
        Whether it is trained even if another sweep has finished it meanwhile.
    memory
        How many bytes of its own it may hold; None for no limit.
    seconds
        How long it may take; None for as long as it likes.
    """

    planned: Planned
    sweep: str
    mlflow_run_id: str | None
    home: str
    folder: str
    threads: int
    code: str
    commit: Commit
    again: bool = False
    memory: int | None = None
    seconds: float | None = None

    @property
    def run(self) -> str:
        """The key of its run."""
        return self.planned.run


class Ended(msgspec.Struct, frozen=True):
    """A job that has ended: with a result in its folder, or how it came to have none."""

    run: str
    status: Status = "done"
    error: str | None = None

    def result(self, job: Job) -> RunRecord | None:
        """Return the result that the job has, by its own worker or another sweep's; or None."""
        found = read_result(self.run)
        if found is None or found.sweep == job.sweep:
            return found
        return found if found.status == "done" and not job.again else None

    def record(self, job: Job) -> RunRecord:
        """Return what is to be written of a job that has no result."""
        log = log_file(self.run)
        return RunRecord(
            self.run,
            "failed" if self.error is None else self.status,
            sweep=job.sweep,
            error=self.error or f"its process ended without a result{last_words(self.run)}",
            log=os.path.relpath(log, job.home) if log.is_file() else None,
            mlflow_run_id=job.mlflow_run_id,
            finished=now(),
        )


def recorded(ended: Ended, job: Job) -> RunRecord:
    """Return the record of a job that has ended, written where its worker could not.

    A result that is there stays: its worker came to an end just before it was to be stopped, or
    another sweep has trained the candidate meanwhile, or is about to.
    """
    found = ended.result(job)
    if found is not None:
        return found
    record = ended.record(job)
    with claimed_now(running_mark(run_folder(ended.run))) as ours:  # with the mark its worker left
        found = ended.result(job)
        if found is None and ours:
            write_run(record)
    return found or record


def left_by(job: Job) -> RunRecord:
    """Return what is known of a job that was still running when everything was stopped."""
    found = Ended(job.run).result(job)
    return found or RunRecord(job.run, "killed", mlflow_run_id=job.mlflow_run_id)


class Launcher(Protocol):
    """Runs jobs, each apart from the driver and from each other.

    Attributes
    ----------
    slots
        How many jobs it is given at a time.
    threads
        How many threads each may use.
    """

    slots: int
    threads: int

    def start(self, job: Job) -> None:
        """Begin a job."""

    def ended(self, wait: float) -> list[Ended]:
        """Return the jobs that have ended, after waiting at most `wait` seconds for one."""

    def stop(self, run: str, why: str) -> None:
        """End a job early; `ended` reports it as killed, with the reason."""

    def close(self) -> None:
        """End whatever still runs."""


def last_words(run: str) -> str:
    """Return what a worker that died said last, for the end of a sentence."""
    try:
        text = log_file(run).read_text(errors="replace")
    except OSError:
        return ""
    fatal = _FATAL.search(text)
    line = fatal[1].strip() if fatal else (text.strip().splitlines() or [""])[-1].strip()
    return f"; its last line: {line[:200]}" if line else ""
