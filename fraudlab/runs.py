"""Results on disk: one folder per run, one per sweep. The files are the truth, MLflow mirrors them.

outputs/runs/<key>/result.json            status, metrics, bundle; written in one step
outputs/runs/<key>/table_report.json      what the table held
outputs/runs/<key>/manifest.json          the manifest of its bundle
outputs/runs/<key>/log.txt                the traceback of a failure
outputs/sweeps/<id>/plan.json             the candidates, frozen at launch
"""

from __future__ import annotations

import datetime as dt
import os
import secrets
from pathlib import Path
from typing import Any, Literal

import msgspec

from fraudlab.bundle import write_atomic
from fraudlab.config import Config
from fraudlab.errors import UserError
from fraudlab.home import outputs
from fraudlab.manifest import Intervals, Metrics

Status = Literal["pending", "running", "done", "failed", "timeout", "killed", "not_applicable"]


class RunRecord(msgspec.Struct, frozen=True):
    """What is known of a run."""

    run: str
    status: Status
    seconds: dict[str, float] = {}
    metrics: Metrics = Metrics()
    intervals: Intervals = Intervals()
    bundle: str | None = None
    parity: float | None = None
    error: str | None = None
    log: str | None = None
    mlflow_run_id: str | None = None
    finished: str | None = None


class Planned(msgspec.Struct, frozen=True):
    """A candidate of a sweep as it was composed at launch."""

    run: str
    config: Config
    options: dict[str, str]
    overrides: dict[str, Any]
    reused: bool = False
    not_applicable: str | None = None


class SweepRecord(msgspec.Struct, frozen=True):
    """A sweep: its id, when it started, and its frozen candidates."""

    sweep: str
    started: str
    candidates: tuple[Planned, ...]


def run_folder(run: str) -> Path:
    """Return the folder of a run."""
    return outputs() / "runs" / run


def read_run(run: str) -> RunRecord | None:
    """Return what is known of a run, or None if it never started."""
    path = run_folder(run) / "result.json"
    try:
        return msgspec.json.decode(path.read_bytes(), type=RunRecord)
    except FileNotFoundError:
        return None
    except msgspec.MsgspecError:
        return None  # written by another version: as good as not there


def write_run(record: RunRecord) -> None:
    """Write a run's record in one step."""
    content = msgspec.json.format(msgspec.json.encode(record), indent=1)
    write_atomic(run_folder(record.run) / "result.json", content)


def forget_run(run: str) -> None:
    """Remove a run's record, so that it counts as never started."""
    (run_folder(run) / "result.json").unlink(missing_ok=True)


def new_sweep_id() -> str:
    """Return an id no other sweep has, in order of time."""
    return f"{dt.datetime.now(dt.UTC):%Y%m%dT%H%M%S.%f}"[:-3] + f"Z-{secrets.token_hex(2)}"


def write_sweep(record: SweepRecord) -> None:
    """Write a sweep's plan in one step and make it the latest."""
    content = msgspec.json.format(msgspec.json.encode(record), indent=1)
    write_atomic(outputs() / "sweeps" / record.sweep / "plan.json", content)
    write_atomic(outputs() / "sweeps" / "latest", record.sweep.encode())


def read_sweep(sweep: str) -> SweepRecord:
    """Return the plan of a sweep; `latest` is the one launched last.

    Raises
    ------
    UserError
        If there is no such sweep.
    """
    folder = outputs() / "sweeps"
    known = sorted(path.parent.name for path in folder.glob("*/plan.json"))
    if not known:
        raise UserError(
            f"no sweep in {os.path.relpath(folder)}: run python -m fraudlab.train first"
        )
    if sweep == "latest":
        latest = folder / "latest"
        sweep = latest.read_text() if latest.is_file() else known[-1]
    if sweep not in known:
        raise UserError(f"no sweep {sweep!r}; the last ones are {', '.join(known[-5:])}")
    return msgspec.json.decode((folder / sweep / "plan.json").read_bytes(), type=SweepRecord)
