"""Results on disk: one folder per run, one per sweep. The files are the truth, MLflow mirrors them.

outputs/runs/<key>/result.json            status, metrics, bundle; written in one step
outputs/runs/<key>/table_report.json      what the table held
outputs/runs/<key>/manifest.json          the manifest of its bundle
outputs/runs/<key>/scores.npz             the scored rows of validation and test
outputs/runs/<key>/bootstrap.npz          validation metrics under every bootstrap draw
outputs/runs/<key>/stages.json            validation metrics by stage, while it runs
outputs/runs/<key>/log.txt                what its process printed, the traceback of a failure
outputs/sweeps/<id>/plan.json             the candidates, frozen at launch
outputs/sweeps/<id>/mirror.json           the store its runs may be open in, until they are closed
outputs/home.id                           whose runs these are in MLflow
.../running                               locked by the live process at work; left by a killed one
"""

from __future__ import annotations

import datetime as dt
import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from fraudlab.bundle import write_atomic
from fraudlab.config import Config
from fraudlab.errors import UserError
from fraudlab.home import home, outputs
from fraudlab.locking import has_begun, is_claimed
from fraudlab.manifest import Intervals, Metrics

DAMAGED = (msgspec.MsgspecError, UnicodeDecodeError)  # what reading a damaged record raises
Status = Literal["pending", "running", "done", "failed", "timeout", "killed", "not_applicable"]
PRUNED = "pruned"  # how the error of a killed run begins when a search gave it up


class FoldMetrics(msgspec.Struct, frozen=True):
    """The metrics of each fold, that of the shipped bundle first."""

    validation: tuple[dict[str, float], ...] = ()
    test: tuple[dict[str, float], ...] = ()


class RunRecord(msgspec.Struct, frozen=True):
    """What is known of a run; `sweep` is the one that trained it, `size` the bytes of its graph."""

    run: str
    status: Status
    sweep: str | None = None
    seconds: dict[str, float] = {}
    metrics: Metrics = Metrics()
    intervals: Intervals = Intervals()
    folds: FoldMetrics = FoldMetrics()
    size: int | None = None
    bundle: str | None = None
    parity: float | None = None
    warnings: tuple[str, ...] = ()
    error: str | None = None
    log: str | None = None
    mlflow_run_id: str | None = None
    finished: str | None = None

    @property
    def bundle_folder(self) -> Path | None:
        """The folder of its bundle, or None when that was not kept."""
        folder = None if self.bundle is None else home() / self.bundle
        return folder if folder is not None and folder.is_dir() else None


class Planned(msgspec.Struct, frozen=True):
    """A candidate of a sweep as it was composed at launch."""

    run: str
    config: Config
    options: dict[str, str]
    overrides: dict[str, Any]
    data_fingerprint: str
    not_applicable: str | None = None


class SweepRecord(msgspec.Struct, frozen=True):
    """A sweep: its id, when it started, and its frozen candidates."""

    sweep: str
    started: str
    candidates: Annotated[tuple[Planned, ...], msgspec.Meta(min_length=1)]


def run_folder(run: str) -> Path:
    """Return the folder of a run."""
    return outputs() / "runs" / run


def sweep_folder(sweep: str) -> Path:
    """Return the folder of a sweep."""
    return outputs() / "sweeps" / sweep


def now() -> str:
    """Return the time as records write it."""
    return dt.datetime.now(dt.UTC).isoformat(timespec="seconds")


def running_mark(folder: Path) -> Path:
    """Return the file that says somebody is at work in the folder of a run or sweep."""
    return folder / "running"


def read_run(run: str) -> RunRecord | None:
    """Return how a run stands now, or None if it never started."""
    mark = running_mark(run_folder(run))
    begun = has_begun(mark)
    if begun and is_claimed(mark):
        return RunRecord(run, "running")
    result = read_result(run)
    if begun and (result is None or result.status != "done"):
        return RunRecord(
            run, "killed", error="its process was stopped; the same command trains it again"
        )
    return result


def read_result(run: str) -> RunRecord | None:
    """Return the last result of a run, or None if there is none."""
    try:
        content = (run_folder(run) / "result.json").read_bytes()
        return msgspec.json.decode(content, type=RunRecord)
    except (FileNotFoundError, *DAMAGED):  # or of another version: as good as not there
        return None


def finished_result(run: str) -> RunRecord | None:
    """Return the result of a run that needs no training; its bundle must not have been removed."""
    result = read_result(run)
    if result is None or result.status != "done":
        return None
    return result if result.bundle is None or result.bundle_folder is not None else None


def log_file(run: str) -> Path:
    """Return the file that a run's worker, and its traceback, are written to."""
    return run_folder(run) / "log.txt"


def write_stages(run: str, metrics: Sequence[dict[str, float]]) -> None:
    """Write the metrics of the validation stages that a run has come through, for who watches it.

    A watcher reads all of it or nothing, and a power cut may take it: it is not part of the result.
    """
    path = run_folder(run) / "stages.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(".stages.tmp")
    temporary.write_bytes(msgspec.json.encode(metrics))
    temporary.replace(path)


def forget_attempt(run: str) -> None:
    """Remove what an earlier attempt at a run left beside its result."""
    for path in (run_folder(run) / "stages.json", log_file(run)):
        path.unlink(missing_ok=True)


def read_stages(run: str) -> list[dict[str, float]]:
    """Return the metrics of the validation stages that a run has come through so far."""
    try:
        content = (run_folder(run) / "stages.json").read_bytes()
        return msgspec.json.decode(content, type=list[dict[str, float]])
    except (FileNotFoundError, *DAMAGED):
        return []


def write_run(record: RunRecord) -> None:
    """Write a run's result in one step."""
    write_json(run_folder(record.run) / "result.json", record)


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON in one step."""
    write_atomic(path, msgspec.json.format(msgspec.json.encode(value), indent=1))


def new_sweep_id() -> str:
    """Return an id no other sweep has, in order of time."""
    return f"{dt.datetime.now(dt.UTC):%Y%m%dT%H%M%S.%f}"[:-3] + f"Z-{secrets.token_hex(2)}"


def write_sweep(record: SweepRecord) -> None:
    """Write a sweep's plan in one step."""
    write_json(sweep_folder(record.sweep) / "plan.json", record)


def was_pruned(error: str | None) -> bool:
    """Whether a run has this error because a search gave it up."""
    return (error or "").startswith(PRUNED)


def has_failed(record: RunRecord) -> bool:
    """Whether a run has no result, other than because a search gave it up."""
    return record.status != "done" and not was_pruned(record.error)


def is_at_work(run: str) -> bool:
    """Whether a live process holds the claim on a run."""
    return is_claimed(running_mark(run_folder(run)))


def _known_sweeps() -> list[str]:
    """Return the ids of the sweeps that have a plan, in the order they were launched."""
    return sorted(path.parent.name for path in (outputs() / "sweeps").glob("*/plan.json"))


def _plan(sweep: str) -> SweepRecord:
    content = (sweep_folder(sweep) / "plan.json").read_bytes()
    return msgspec.json.decode(content, type=SweepRecord)


def recent_candidates(sweeps: int) -> Iterator[Planned]:
    """Yield the candidates of so many sweeps, the latest first, where their plans can be read."""
    for sweep in _known_sweeps()[: -sweeps - 1 : -1]:
        with suppress(FileNotFoundError, *DAMAGED):  # removed meanwhile, or of another version
            yield from _plan(sweep).candidates


def read_sweep(sweep: str) -> SweepRecord:
    """Return the plan of a sweep; `latest` is the one launched last.

    Raises
    ------
    UserError
        If there is no such sweep, or another version wrote it.
    """
    known = _known_sweeps()
    if not known:
        folder = os.path.relpath(outputs() / "sweeps")
        raise UserError(f"no sweep in {folder}: run python -m fraudlab.train first")
    if sweep == "latest":
        sweep = known[-1]
    if sweep not in known:
        raise UserError(f"no sweep {sweep!r}; the last ones are {', '.join(known[-5:])}")
    try:
        return _plan(sweep)
    except DAMAGED as error:
        raise UserError(
            f"the plan of sweep {sweep} cannot be read ({error}): another version of fraudlab"
            " wrote it; name a later sweep, or train again"
        ) from error
