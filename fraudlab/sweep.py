"""The driver: from checked candidates to results, one after the other, each on its own.

It drops what is finished already, trains the rest and keeps the best bundles. A candidate that
fails costs nothing but itself; one that another sweep is training is waited for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

import msgspec

from fraudlab.config import Candidate, Config
from fraudlab.home import home
from fraudlab.keeping import discard, keep_best
from fraudlab.mirrored import Mirror
from fraudlab.provenance import masked, resume_key
from fraudlab.ranking import Row, leaderboard
from fraudlab.runs import (
    Planned,
    RunRecord,
    SweepRecord,
    begin,
    claimed,
    new_sweep_id,
    now,
    read_result,
    run_folder,
    running_mark,
    sweep_folder,
    write_sweep,
)
from fraudlab.tables import Tables
from fraudlab.training import train_candidate

KEY_LENGTH = 16


class Watcher(Protocol):
    """Who is told how the sweep goes on."""

    def note(self, text: str) -> None:
        """Say what is happening now."""

    def started(self, place: int, total: int, planned: Planned) -> None:
        """Learn that a candidate is being trained."""

    def reused(self, planned: Planned, record: RunRecord) -> None:
        """Learn of a result that stands from before."""

    def finished(self, place: int, total: int, planned: Planned, record: RunRecord) -> None:
        """Learn that a candidate has ended, one way or another."""


class Sweep:
    """One command's candidates on their way to results."""

    def __init__(self, candidates: Sequence[Candidate], watcher: Watcher) -> None:
        self.watcher = watcher
        self.tables = Tables(watcher.note)
        self.config = candidates[0].config
        planned = _distinct(self._planned(candidate) for candidate in candidates)
        self.record = SweepRecord(new_sweep_id(), now(), planned)

    def _planned(self, candidate: Candidate) -> Planned:
        config = candidate.config
        table = self.tables.table(config)
        if not candidate.not_applicable:
            self.tables.split(config)
        return Planned(
            run=resume_key(config, table.fingerprint)[:KEY_LENGTH],
            config=_without_secrets(config),
            options=candidate.options,
            overrides={name: masked(value) for name, value in candidate.overrides.items()},
            data_fingerprint=table.fingerprint,
            not_applicable=candidate.not_applicable,
        )

    def run(self, mirror: Mirror) -> list[Row]:
        """Train what is not finished and return the leaderboard; Ctrl-C keeps what is done."""
        with claimed(running_mark(sweep_folder(self.record.sweep))):
            write_sweep(self.record)
            todo = self._todo()
            if todo:
                self._mirrored(todo, mirror)
        return leaderboard(self.record)

    def _todo(self) -> list[Planned]:
        resume = self.config.resume
        known = [p for p in self.record.candidates if p.not_applicable is None]
        todo = [p for p in known if resume == "never" or not _is_done(p.run)]
        for planned in known:
            result = read_result(planned.run)
            if planned not in todo and result is not None:
                self.watcher.reused(planned, result)
        if len(todo) < len(known):
            self.watcher.note(
                f"{len(known) - len(todo)} of {len(known)} finished before and not changed: reused"
            )
        if resume == "only" and todo:
            self.watcher.note(f"resume=only: {len(todo)} without a result stay as they are")
            return []
        return todo

    def _mirrored(self, todo: Sequence[Planned], mirror: Mirror) -> None:
        mirror.start_sweep(self.record)
        try:
            self._train(todo, mirror)
        finally:
            rows = leaderboard(self.record)
            mirror.end_sweep(rows)
            keep_best(rows, {planned.run for planned in todo}, self.config.keep)

    def _train(self, todo: Sequence[Planned], mirror: Mirror) -> None:
        for place, planned in enumerate(todo, 1):
            self.watcher.started(place, len(todo), planned)
            record = self._train_one(planned, mirror)
            self.watcher.finished(place, len(todo), planned, record)
            if record.status != "done" and self.config.fail_fast:
                self.watcher.note("fail_fast=true: the remaining candidates stay pending")
                return

    def _train_one(self, planned: Planned, mirror: Mirror) -> RunRecord:
        """Claim a candidate, have it trained, and tell the mirror how that ended."""
        folder = run_folder(planned.run)
        mark = running_mark(folder)
        with claimed(mark, self._say_waiting):
            earlier = read_result(planned.run)
            if earlier and self.config.resume == "auto" and _is_done(planned.run):
                return earlier  # another sweep finished it while this one came to it
            begin(mark)
            mlflow_run_id = mirror.start_run(planned)
            try:
                record = train_candidate(planned, self.tables, self.record.sweep, mlflow_run_id)
            except KeyboardInterrupt:
                stopped = RunRecord(planned.run, "killed", mlflow_run_id=mlflow_run_id)
                mirror.end_run(planned, stopped, folder)
                raise
            mirror.end_run(planned, record, folder)
            if earlier and earlier.bundle and record.bundle not in {None, earlier.bundle}:
                discard(home() / earlier.bundle)
        return record

    def _say_waiting(self) -> None:
        self.watcher.note("another sweep is training this candidate: waiting for it")


def _distinct(planned: Iterable[Planned]) -> tuple[Planned, ...]:
    """Return the candidates without repetitions: one row per candidate."""
    first: dict[str, Planned] = {}
    for each in planned:
        first.setdefault(each.run, each)
    return tuple(first.values())


def _without_secrets(config: Config) -> Config:
    """Return the config as it may be written down: bundles and plans travel, passwords must not."""
    tracking = msgspec.structs.replace(config.tracking, uri=masked(config.tracking.uri))
    return msgspec.structs.replace(config, tracking=tracking)


def _is_done(run: str) -> bool:
    """Whether a run needs no training: finished, and its bundle not removed by somebody else."""
    result = read_result(run)
    if result is None or result.status != "done":
        return False
    return result.bundle is None or result.bundle_folder is not None
