"""A driver that trains nothing: candidates, results and kills, told to a real mirror."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fraudlab.config import Tracking
from fraudlab.locking import claimed
from fraudlab.manifest import Metrics
from fraudlab.mirrored import Mirror
from fraudlab.ranking import leaderboard
from fraudlab.runs import (
    Planned,
    RunRecord,
    SweepRecord,
    new_sweep_id,
    now,
    read_result,
    run_folder,
    running_mark,
    sweep_folder,
    write_run,
    write_sweep,
)
from fraudlab.tracking import mirror
from tests.candidates import make_config
from tests.sweeps import mlflow_runs

REQUESTS = (
    "create_run",
    "delete_tag",
    "log_artifact",
    "log_batch",
    "log_dict",
    "log_text",
    "search_runs",
    "set_tag",
    "set_terminated",
    "update_run",
)


class Killed(BaseException):
    """What a SIGKILL looks like from inside: nothing catches it."""


@dataclass
class Doom:
    """When the driver dies: before that many further requests to MLflow or results written."""

    left: int | None = None

    def approach(self) -> None:
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                raise Killed


def doom(monkeypatch: pytest.MonkeyPatch) -> Doom:
    """Return the doom of every client of MLflow from now on."""
    import mlflow

    found = Doom()

    def doomed(request: Callable[..., Any]) -> Callable[..., Any]:
        def ask(*arguments: Any, **named: Any) -> Any:
            found.approach()
            return request(*arguments, **named)

        return ask

    for name in REQUESTS:
        monkeypatch.setattr(mlflow.MlflowClient, name, doomed(getattr(mlflow.MlflowClient, name)))
    return found


def planned(key: str, seed: int | None = None, **choices: Any) -> Planned:
    """Return a candidate that is told from others by its key or, of several seeds, by its seed."""
    options = {"data": "table", "split": "stratified", "model": "tree", "sampler": "identity"}
    config, overrides = make_config(**choices), {"key": key}
    if seed is not None:
        config, overrides = msgspec.structs.replace(config, seed=seed), {"seed": seed}
    return Planned(key, config, options, overrides, "f" * 64)


@dataclass
class Driver:
    """Sweeps of candidates named by keys; `values` is what each one's training finds."""

    values: dict[str, float]
    warnings: list[str] = field(default_factory=list)
    doom: Doom = field(default_factory=Doom)
    seeds: dict[str, int] = field(default_factory=dict)
    tracking: Tracking = field(default_factory=Tracking)

    def mirror(self) -> Mirror:
        return mirror(self.tracking, self.warnings.append)

    def sweep(self, *keys: str, never: bool = False, **choices: Any) -> str:
        """Train what has no result, two at a time; return the sweep's id."""
        candidates = tuple(planned(key, self.seeds.get(key), **choices) for key in keys)
        record = SweepRecord(new_sweep_id(), now(), candidates)
        with claimed(running_mark(sweep_folder(record.sweep))):
            write_sweep(record)
            todo = [each for each in record.candidates if never or not _is_done(each.run)]
            told = self.mirror()
            if todo:
                told.start_sweep(record)
                self._train(todo, told, record.sweep)
                told.end_sweep(leaderboard(record))
            else:
                told.settle()
        return record.sweep

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

    def _train(self, todo: Sequence[Planned], told: Mirror, sweep: str) -> None:
        slots = 2
        for start in range(0, len(todo), slots):
            opened = [(each, told.start_run(each)) for each in todo[start : start + slots]]
            for each, run_id in reversed(opened):
                self.doom.approach()
                record = self.result(each.run, run_id, sweep)
                write_files(record)
                told.end_run(each, record, run_folder(each.run))

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
    """Leave the runs of a sweep open, as a kill does; return it, and its runs by candidate."""
    record = SweepRecord(new_sweep_id(), now(), tuple(planned(key, **choices) for key in keys))
    mark = running_mark(sweep_folder(record.sweep))
    mark.parent.mkdir(parents=True)
    mark.touch()
    write_sweep(record)
    told = driver.mirror()
    told.start_sweep(record)
    return record, {each.run: str(told.start_run(each)) for each in record.candidates}


def write_files(record: RunRecord) -> None:
    folder = run_folder(record.run)
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("table_report.json", "manifest.json"):
        (folder / name).write_text("{}")
    write_run(record)


def _is_done(key: str) -> bool:
    result = read_result(key)
    return result is not None and result.status == "done"


def runs_of(home: Path, key: str) -> list[Any]:
    return [run for run in mlflow_runs(home) if run.data.tags.get("fraudlab.run") == key]


def parents(home: Path) -> dict[str, Any]:
    """Return the parent runs by sweep."""
    found = [run for run in mlflow_runs(home) if "mlflow.parentRunId" not in run.data.tags]
    return {run.data.tags["fraudlab.sweep"]: run for run in found}


def assert_whole(home: Path, keys: Sequence[str], values: dict[str, float]) -> None:
    """Say that every candidate has one run, complete, and that nothing is open."""
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
