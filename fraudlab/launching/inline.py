"""Candidates one after the other in this process: a debugger can stop in them, a crash ends all."""

from __future__ import annotations

from fraudlab.launching.jobs import Ended, Job
from fraudlab.launching.working import run_job, turn
from fraudlab.tables import Tables
from fraudlab.threads import budget


class Inline:
    """The launcher of `launcher=inline`."""

    def __init__(self, tables: Tables) -> None:
        self.slots = 1
        self.threads = budget()
        self._tables = tables
        self._job: Job | None = None

    def start(self, job: Job) -> None:
        """Take a job; `ended` trains it."""
        self._job = job

    def ended(self, wait: float) -> list[Ended]:  # noqa: ARG002
        """Train the job."""
        job, self._job = self._job, None
        if job is None:
            return []
        with turn(job) as ours:
            if ours:
                run_job(job, self._tables)
        return [Ended(job.run)]

    def stop(self, run: str, why: str) -> None:
        """Do nothing: when anybody could ask for it, the job has ended."""

    def close(self) -> None:
        """Do nothing: there is nothing left."""
