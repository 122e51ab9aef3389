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
        done = {p.run: None if resume == "never" else _finished(p.run) for p in known}
        for planned in known:
            if result := done[planned.run]:
                self.watcher.reused(planned, result)
        todo = [planned for planned in known if done[planned.run] is None]
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
            finished = _finished(planned.run)
            if finished and self.config.resume == "auto":
                return finished  # by another sweep, while this one came to it
            begin(mark)
            earlier = read_result(planned.run)
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


def _finished(run: str) -> RunRecord | None:
    """Return the result of a run that needs no training; its bundle must not have been removed."""
    result = read_result(run)
    if result is None or result.status != "done":
        return None
    return result if result.bundle is None or result.bundle_folder is not None else None
