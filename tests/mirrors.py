"""Sweeps that train nothing: the real driver tells a real mirror of given results, and of kills."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import msgspec
import pytest

from fraudlab import driving
from fraudlab.config import Config, Tracking
from fraudlab.launching.jobs import Ended, Job, Launcher
from fraudlab.manifest import Metrics
from fraudlab.mirrored import Mirror
from fraudlab.runs import (
    Planned,
    RunRecord,
    SweepRecord,
    new_sweep_id,
    now,
    read_result,
    run_folder,
    write_run,
)
from fraudlab.sweep import Sweep
from fraudlab.tables import Tables
from fraudlab.tracking import mirror
from tests.candidates import make_config
from tests.dooms import Doom, Killed
from tests.sweeps import mlflow_runs


def planned(key: str, seed: int | None = None, **choices: Any) -> Planned:
    """Return a candidate that is told from others by its key or, of several seeds, by its seed."""
    options = {"data": "table", "split": "stratified", "model": "tree", "sampler": "identity"}
    config, overrides = make_config(**choices), {"key": key}
    if seed is not None:
        config, overrides = msgspec.structs.replace(config, seed=seed), {"seed": seed}
    return Planned(key, config, options, overrides, "f" * 64)


class Silent:
    """Watches a sweep and says nothing."""

    def note(self, text: str) -> None: ...
    def expect(self, total: int | None) -> None: ...
    def started(self, planned: Planned) -> None: ...
    def reused(self, planned: Planned, record: RunRecord) -> None: ...
    def finished(self, planned: Planned, record: RunRecord) -> None: ...
    def tick(self) -> None: ...
    def over(self) -> None: ...


@dataclass
class Training:
    """A launcher whose jobs end with the result that `train` gives, the one begun last first."""

    train: Callable[[Job], RunRecord]
    slots: int = 2
    threads: int = 1
    begun: list[Job] = field(default_factory=list)

    def start(self, job: Job) -> None:
        self.begun.append(job)

    def ended(self, wait: float) -> list[Ended]:
        if not self.begun:
            return []
        write_files(self.train(self.begun[-1]))
        return [Ended(self.begun.pop().run)]

    def stop(self, run: str, why: str) -> None: ...
    def close(self) -> None: ...


class Told(Sweep):
    """A sweep of given candidates on a given launcher; all else is as in any other."""

    def __init__(self, candidates: Sequence[Planned], config: Config, training: Training) -> None:
        self.watcher = Silent()
        self.tables = Tables(self.watcher.note)
        self.config = config
        self.record = SweepRecord(new_sweep_id(), now(), tuple(candidates))
        self.training = training

    def _driver(self, launcher: Launcher, mirror: Mirror) -> driving.Driver:
        return driving.Driver(self.config, self.record.sweep, self.training, mirror, self.watcher)


@dataclass
class Driver:
    """Drives sweeps of candidates named by keys; `values` is what each one's training finds."""

    values: dict[str, float]
    warnings: list[str] = field(default_factory=list)
    doom: Doom = field(default_factory=Doom)
    seeds: dict[str, int] = field(default_factory=dict)
    tracking: Tracking = field(default_factory=Tracking)

    def mirror(self) -> Mirror:
        return mirror(self.tracking, self.warnings.append)

    def told(self, *keys: str, never: bool = False, **choices: Any) -> Told:
        """Return a sweep that has not begun."""
        candidates = [planned(key, self.seeds.get(key), **choices) for key in keys]
        config = candidates[0].config
        config = msgspec.structs.replace(
            config,
            resume="never" if never else "auto",
            launcher=msgspec.structs.replace(config.launcher, name="inline"),
        )
        return Told(candidates, config, Training(self._train))

    def sweep(self, *keys: str, **how: Any) -> str:
        """Train what has no result, two at a time; return the sweep's id."""
        told = self.told(*keys, **how)
        told.run(self.mirror())
        return told.record.sweep

    def killed_sweep(self, after: int, *keys: str, **how: Any) -> bool:
        """Start a sweep that dies after some requests; return whether it died."""
        self.doom.left = after
        try:
            self.sweep(*keys, **how)
        except Killed:
            return True
        finally:
            self.doom.left = None
        return False

    def sweep_in_outage(self, after: int, *keys: str, **how: Any) -> bool:
        """Run a sweep that MLflow leaves after some requests; return whether it did."""
        self.doom.left, self.doom.how = after, ConnectionError
        told = len(self.warnings)
        self.sweep(*keys, **how)
        self.doom.left, self.doom.how = None, Killed
        assert self.warnings[told:] == self.warnings[told:][:1]  # at most one
        failed = len(self.warnings) > told
        del self.warnings[told:]
        return failed

    def _train(self, job: Job) -> RunRecord:
        if self.doom.how is Killed:
            self.doom.approach()
        return self.result(job.run, job.mlflow_run_id, job.sweep)

    def result(self, key: str, run_id: str | None, sweep: str) -> RunRecord:
        """Return the result that training a candidate gives."""
        return RunRecord(
            key,
            "done",
            sweep,
            {"fit": 1.0},
            Metrics({"average_precision": self.values[key], "roc_auc": 0.9, "alert_rate": 0.1}),
            mlflow_run_id=run_id,
            finished=now(),
        )


def left_open(driver: Driver, *keys: str, **choices: Any) -> tuple[SweepRecord, dict[str, str]]:
    """Kill a sweep while it trains; return it, and the runs it leaves open by candidate."""
    told = driver.told(*keys, **choices)

    def die(job: Job) -> NoReturn:
        driver.doom.left = 0  # nor does it tell anything any more
        raise Killed

    told.training = Training(die, slots=len(keys))
    try:
        with pytest.raises(Killed):
            told.run(driver.mirror())
    finally:
        driver.doom.left = None
    return told.record, {job.run: str(job.mlflow_run_id) for job in told.training.begun}


def noted(home: Path) -> list[str]:
    """Return the sweeps that may have left something open, by their own account."""
    return sorted(path.parent.name for path in home.glob("outputs/sweeps/*/mirror.json"))


def write_files(record: RunRecord) -> None:
    folder = run_folder(record.run)
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("table_report.json", "manifest.json"):
        (folder / name).write_text("{}")
    write_run(record)


def runs_of(home: Path, key: str) -> list[Any]:
    return [run for run in mlflow_runs(home) if run.data.tags.get("fraudlab.run") == key]


def parents(home: Path) -> dict[str, Any]:
    """Return the parent runs by sweep."""
    found = [run for run in mlflow_runs(home) if "mlflow.parentRunId" not in run.data.tags]
    return {run.data.tags["fraudlab.sweep"]: run for run in found}


def assert_whole(home: Path, keys: Sequence[str], values: dict[str, float]) -> None:
    """Say that every candidate has one run, complete, and that nothing is open."""
    assert noted(home) == []
    assert all(run.info.status != "RUNNING" for run in mlflow_runs(home))
    parent_ids = {run.info.run_id for run in parents(home).values()}
    for key in keys:
        (run,) = runs_of(home, key)
        result = read_result(key)
        assert result is not None
        assert run.info.run_id == result.mlflow_run_id
        assert run.info.status == "FINISHED"
        assert run.data.metrics["validation_average_precision"] == values[key]
        assert run.data.params["model"] == "tree"
        assert run.data.tags["fraudlab.status"] == "done"
        assert run.data.tags["mlflow.parentRunId"] in parent_ids
        folder = Path(run.info.artifact_uri.removeprefix("file://"))
        assert {path.name for path in folder.iterdir()} == {
            "config.yaml",
            "manifest.json",
            "table_report.json",
        }
