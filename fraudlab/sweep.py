"""The driver: from checked candidates to results, one after the other, each on its own.

It reads a table once per data and features, a split once per table, drops what is finished already,
trains the rest, and keeps the best bundles. A candidate that fails costs nothing but itself.
"""

from __future__ import annotations

import datetime as dt
import os
import shutil
import traceback
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import msgspec

from fraudlab import registry
from fraudlab.bundle import CHAMPION, MANIFEST, encode_manifest, write_atomic, write_bundle
from fraudlab.config import Candidate, Config
from fraudlab.errors import UserError
from fraudlab.experiment import RunResult, run_experiment
from fraudlab.home import bundles, home
from fraudlab.protocols import Split
from fraudlab.provenance import provenance, resume_key
from fraudlab.ranking import Row, leaderboard
from fraudlab.runs import (
    Planned,
    RunRecord,
    SweepRecord,
    forget_run,
    new_sweep_id,
    read_run,
    run_folder,
    write_run,
    write_sweep,
)
from fraudlab.splitting import split_table
from fraudlab.table import Table

KEY_LENGTH = 16


class Mirror(Protocol):
    """What a tracker must do; none of it may raise or lose a result."""

    def start_sweep(self, sweep: SweepRecord) -> None:
        """Open the parent of the runs that follow."""

    def start_run(self, planned: Planned) -> str | None:
        """Open a run and return its id, or None when nothing could be opened."""

    def end_run(self, planned: Planned, record: RunRecord, folder: Path) -> None:
        """Write a run's parameters, metrics and files, and close it."""

    def end_sweep(self, best: Row | None) -> None:
        """Mark the best run and close the parent."""


class Watcher(Protocol):
    """Who is told how the sweep goes on."""

    def note(self, text: str) -> None:
        """Say what is happening now."""

    def started(self, place: int, total: int, planned: Planned) -> None:
        """Learn that a candidate is being trained."""

    def finished(self, place: int, total: int, planned: Planned, record: RunRecord) -> None:
        """Learn that a candidate has ended, one way or another."""


@dataclass(slots=True)
class Tables:
    """The tables and splits of a sweep, each made once."""

    watcher: Watcher
    _tables: dict[bytes, Table] = field(default_factory=dict)
    _splits: dict[bytes, Split] = field(default_factory=dict)

    def table(self, config: Config) -> Table:
        """Return the table of a config's data and features."""
        key = msgspec.json.encode([config.data, config.features], order="sorted")
        if key not in self._tables:
            self.watcher.note(f"reading data={config.data.name}, features={config.features.name}")
            self._tables[key] = read_table(config)
        return self._tables[key]

    def split(self, config: Config) -> Split:
        """Return the split of a config's table."""
        parts = [config.data, config.features, config.split]
        key = msgspec.json.encode(parts, order="sorted")
        if key not in self._splits:
            splitter = registry.build("split", config.split)
            self._splits[key] = split_table(self.table(config), splitter)
        return self._splits[key]


def read_table(config: Config) -> Table:
    """Return the table of a config: raw rows, then features."""
    raw = registry.build("data", config.data).read()
    table: Table = registry.build("features", config.features).build(raw)
    return table


class Sweep:
    """One command's candidates on their way to results."""

    def __init__(self, candidates: Sequence[Candidate], watcher: Watcher) -> None:
        self.watcher = watcher
        self.tables = Tables(watcher)
        self.config = candidates[0].config
        planned = _distinct(self._planned(candidate) for candidate in candidates)
        now = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
        self.record = SweepRecord(new_sweep_id(), now, planned)

    def _planned(self, candidate: Candidate) -> Planned:
        config = candidate.config
        table = self.tables.table(config)
        if not candidate.not_applicable:
            self.tables.split(config)
        run = resume_key(config, table.fingerprint)[:KEY_LENGTH]
        return Planned(
            run=run,
            config=config,
            options=candidate.options,
            overrides=candidate.overrides,
            reused=config.resume != "never" and _is_done(run),
            not_applicable=candidate.not_applicable,
        )

    def run(self, mirror: Mirror) -> list[Row]:
        """Train what is not finished and return the leaderboard; Ctrl-C keeps what is done."""
        write_sweep(self.record)
        todo = [p for p in self.record.candidates if not (p.reused or p.not_applicable)]
        if self.config.resume == "only":
            todo = []
        if not todo:
            self.watcher.note("nothing to train: every candidate has a result already")
            return leaderboard(self.record)
        mirror.start_sweep(self.record)
        try:
            self._train(todo, mirror)
        finally:
            rows = leaderboard(self.record)
            best = next((row for row in rows if row.status == "done"), None)
            mirror.end_sweep(best)
        self._keep_best(rows)
        return leaderboard(self.record)

    def _train(self, todo: Sequence[Planned], mirror: Mirror) -> None:
        for place, planned in enumerate(todo, 1):
            self.watcher.started(place, len(todo), planned)
            record = self.train_one(planned, mirror)
            self.watcher.finished(place, len(todo), planned, record)
            if record.status != "done" and self.config.fail_fast:
                self.watcher.note("fail_fast=true: the remaining candidates stay pending")
                return

    def train_one(self, planned: Planned, mirror: Mirror) -> RunRecord:
        """Train a candidate; whatever happens to it ends up in its record."""
        write_run(RunRecord(planned.run, "running"))
        mlflow_run_id = mirror.start_run(planned)
        try:
            record = self._trained(planned, mlflow_run_id)
        except KeyboardInterrupt:
            forget_run(planned.run)
            raise
        except Exception as error:  # noqa: BLE001 (a candidate may fail in any way)
            record = _failed(planned, error, mlflow_run_id)
        write_run(record)
        mirror.end_run(planned, record, run_folder(planned.run))
        return record

    def _trained(self, planned: Planned, mlflow_run_id: str | None) -> RunRecord:
        config = planned.config
        table, split = self.tables.table(config), self.tables.split(config)
        origin = provenance(config, table.fingerprint, mlflow_run_id)
        result = run_experiment(config, table, split, origin)
        return self._exported(planned, table, result, mlflow_run_id)

    def _exported(
        self, planned: Planned, table: Table, result: RunResult, mlflow_run_id: str | None
    ) -> RunRecord:
        folder = run_folder(planned.run)
        report = msgspec.json.format(msgspec.json.encode(table.report), indent=1)
        write_atomic(folder / "table_report.json", report)
        write_atomic(folder / MANIFEST, encode_manifest(result.bundle.manifest))
        path = write_bundle(result.bundle, bundles())
        return RunRecord(
            run=planned.run,
            status="done",
            seconds=result.seconds,
            metrics=result.metrics,
            bundle=os.path.relpath(path, home()),
            parity=result.parity,
            mlflow_run_id=mlflow_run_id,
            finished=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        )

    def _keep_best(self, rows: Sequence[Row]) -> None:
        """Remove the bundles this sweep wrote beyond its best; their manifests stay."""
        fresh = {planned.run for planned in self.record.candidates if not planned.reused}
        champion = (bundles() / CHAMPION).resolve()
        for row in [row for row in rows if row.status == "done"][self.config.keep :]:
            if row.run not in fresh or row.bundle is None:
                continue
            path = home() / row.bundle
            if path.resolve() != champion:
                record = read_run(row.run)
                assert record is not None
                write_run(msgspec.structs.replace(record, bundle=None))
                shutil.rmtree(path, ignore_errors=True)


def _distinct(planned: Iterable[Planned]) -> tuple[Planned, ...]:
    """Return the candidates without repetitions: one row per candidate."""
    return tuple({each.run: each for each in planned}.values())


def _is_done(run: str) -> bool:
    record = read_run(run)
    if record is None or record.status != "done":
        return False
    return record.bundle is None or (home() / record.bundle).is_dir()


def _failed(planned: Planned, error: Exception, mlflow_run_id: str | None) -> RunRecord:
    log = run_folder(planned.run) / "log.txt"
    write_atomic(log, "".join(traceback.format_exception(error)).encode())
    text = str(error).strip() or "no message"
    kind = "" if isinstance(error, UserError) else f"{type(error).__name__}: "
    return RunRecord(
        run=planned.run,
        status="failed",
        error=f"{kind}{text.splitlines()[-1]}",
        log=os.path.relpath(log, home()),
        mlflow_run_id=mlflow_run_id,
        finished=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
    )
