"""The driver: keeps a launcher's slots filled with candidates, and sees each of them to its record.

Where the candidates come from is the source's business: a list, or a search that decides as it
goes. A candidate that fails, crashes or overruns costs nothing but itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from fraudlab.config import Config
from fraudlab.home import home
from fraudlab.keeping import discard, keep_best
from fraudlab.launching.jobs import Ended, Job, Launcher, left_by, recorded
from fraudlab.launching.memory import memory_of
from fraudlab.mirrored import Mirror
from fraudlab.provenance import code_version, git_state, source_version
from fraudlab.ranking import Row
from fraudlab.runs import (
    Planned,
    RunRecord,
    SweepRecord,
    forget_attempt,
    has_failed,
    read_result,
    run_folder,
)

TICK = 0.25  # seconds between two looks at what still runs


class Watcher(Protocol):
    """Who is told how the sweep goes on."""

    def note(self, text: str) -> None:
        """Say what is happening now."""

    def expect(self, total: int | None) -> None:
        """Learn how many candidates are to be trained; None when nobody knows."""

    def started(self, planned: Planned) -> None:
        """Learn that a candidate is being trained."""

    def reused(self, planned: Planned, record: RunRecord) -> None:
        """Learn of a result that stands from before."""

    def finished(self, planned: Planned, record: RunRecord) -> None:
        """Learn that a candidate has ended, one way or another."""

    def tick(self) -> None:
        """Show the time that has passed."""

    def over(self) -> None:
        """Learn that nothing more is trained."""


class Source(Protocol):
    """Where the candidates come from."""

    @property
    def exhausted(self) -> bool:
        """Whether there is nothing more to start, now or later."""

    def next(self) -> Planned | None:
        """Return the next candidate, or None when there is none to start now."""

    def look(self, launcher: Launcher) -> None:
        """Look at those that run, a few times a second; `launcher.stop` ends one early."""

    def ended(self, planned: Planned, record: RunRecord) -> None:
        """Learn how a candidate ended."""


@dataclass(slots=True)
class _Live:
    planned: Planned
    job: Job
    earlier: RunRecord | None


@dataclass(slots=True)
class Driver:
    """Drives the candidates of one sweep.

    Attributes
    ----------
    config
        What all candidates have in common is read from it.
    sweep
        The id they are trained for.
    """

    config: Config
    sweep: str
    launcher: Launcher
    mirror: Mirror
    watcher: Watcher
    _memory: int | None = field(init=False)
    _live: dict[str, _Live] = field(default_factory=dict)
    _over: list[tuple[_Live, RunRecord]] = field(default_factory=list)
    _stopped: bool = False

    def __post_init__(self) -> None:
        # once, so that it does not depend on what runs when a candidate is started
        self._memory = memory_of(self.config, self.launcher.slots)

    def run(
        self,
        source: Source,
        record: SweepRecord,
        total: int | None,
        rows: Callable[[], list[Row]],
        trained: Callable[[], set[str]],
    ) -> None:
        """See a sweep through: opened in the mirror, driven, closed, and the best bundles kept.

        Parameters
        ----------
        source
            Where its candidates come from.
        record
            The sweep.
        total
            How many are to be trained; None when nobody knows.
        rows, trained
            Its leaderboard, and the runs that were trained for it, as they are at the end.
        """
        self.mirror.start_sweep(record)
        self.watcher.expect(total)
        try:
            self.drive(source)
        finally:
            ranked = rows()
            self.mirror.end_sweep(ranked)
            keep_best(ranked, trained(), self.config.keep)

    def drive(self, source: Source) -> None:
        """Train what the source gives until it gives no more; Ctrl-C ends what still runs."""
        try:
            while self._goes_on(source):
                self._tell()
                for ended in self.launcher.ended(TICK):
                    self._end(source, ended)
                source.look(self.launcher)
                self.watcher.tick()
        finally:
            self.launcher.close()
            self.watcher.over()
            self._over += [(live, left_by(live.job)) for live in self._live.values()]
            self._tell()

    def _goes_on(self, source: Source) -> bool:
        """Start candidates while there are slots for them; return whether there is more to do."""
        while self._has_room(source):
            planned = source.next()
            if planned is None:
                break
            self._start(planned)
        if not self._live and not self._stopped and not source.exhausted:
            time.sleep(TICK)  # for what another sweep is at work on
        return bool(self._live) or not (self._stopped or source.exhausted)

    def _has_room(self, source: Source) -> bool:
        """Whether a candidate may be started; none is on other source than it was planned with."""
        if self._stopped or source.exhausted or len(self._live) >= self.launcher.slots:
            return False
        if source_version() != code_version():
            self.watcher.note("fraudlab's source has changed: what was not started stays pending;")
            self.watcher.note("the same command goes on with the new source")
            self._stopped = True
        return not self._stopped

    def _start(self, planned: Planned) -> None:
        self.watcher.started(planned)
        forget_attempt(planned.run)
        config = self.config
        job = Job(
            planned=planned,
            sweep=self.sweep,
            mlflow_run_id=self.mirror.start_run(planned),
            home=str(home()),
            folder=str(Path.cwd()),
            threads=self.launcher.threads,
            code=code_version(),
            commit=git_state(),
            again=config.resume == "never",
            memory=self._memory,
            seconds=config.launcher.seconds,
        )
        self._live[planned.run] = _Live(planned, job, read_result(planned.run))
        self.launcher.start(job)

    def _end(self, source: Source, ended: Ended) -> None:
        live = self._live.pop(ended.run)
        record = recorded(ended, live.job)
        self._over.append((live, record))
        source.ended(live.planned, record)
        self.watcher.finished(live.planned, record)
        if has_failed(record) and self.config.fail_fast and not self._stopped:
            self.watcher.note("fail_fast=true: the remaining candidates stay pending")
            self._stopped = True
            for run in self._live:
                self.launcher.stop(run, "stopped, as another failed and fail_fast=true")

    def _tell(self) -> None:
        """Tell the mirror of those that have ended: it takes its time, so slots come first."""
        while self._over:
            live, record = self._over[0]
            self.mirror.end_run(live.planned, _own(record, live.job), run_folder(record.run))
            before = live.earlier.bundle if live.earlier else None
            if before is not None and record.bundle not in {None, before}:
                discard(home() / before)
            del self._over[0]


def _own(record: RunRecord, job: Job) -> RunRecord:
    """Return a record as the run that was opened for the job ends: another sweep may have won."""
    if job.mlflow_run_id is None or record.mlflow_run_id == job.mlflow_run_id:
        return record
    return RunRecord(
        record.run,
        "killed",
        error="another sweep trained it at the same time",
        mlflow_run_id=job.mlflow_run_id,
    )
