"""What a mirror of the results must do, what it is told, and how patient it is, as plain dicts.

How MLflow is told is the business of `tracking`.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import msgspec
import yaml

from fraudlab.bundle import MANIFEST, write_atomic
from fraudlab.config import GROUPS
from fraudlab.home import outputs
from fraudlab.locking import claimed
from fraudlab.provenance import git_state
from fraudlab.ranking import Row
from fraudlab.runs import Planned, RunRecord, SweepRecord, was_pruned

MAX_VALUE = 500
PARENT = "mlflow.parentRunId"
# Our own tags: whose a run is, its sweep and candidate, how it ended, and what became of it.
HOME = "fraudlab.home"
SWEEP = "fraudlab.sweep"
RUN = "fraudlab.run"
STATUS = "fraudlab.status"
ERROR = "fraudlab.error"
LEFT = "fraudlab.left"  # true: closed without a result, and to be gone on with
BEST = "fraudlab.best"
# An outage must not hold up a sweep: one retry, and no log lines between our own. A value that the
# user set stays.
SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_LOGGING_LEVEL": "CRITICAL",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}


class Store(msgspec.Struct, frozen=True):
    """Where a mirror keeps its runs: an address without secrets, and an experiment there."""

    uri: str
    experiment: str


class Mirror(Protocol):
    """What a tracker must do; none of it may raise or lose a result."""

    def start_sweep(self, sweep: SweepRecord) -> None:
        """Open the parent of the runs that follow."""

    def start_run(self, planned: Planned) -> str | None:
        """Open a run and return its id, or None when nothing could be opened."""

    def end_run(self, planned: Planned, record: RunRecord, folder: Path) -> None:
        """Write a run's parameters, metrics and files, and close it."""

    def end_sweep(self, rows: Sequence[Row]) -> None:
        """Mark the best run and close the parent."""

    def settle(self) -> None:
        """Close what killed sweeps left open, when there is nothing else to tell."""


class Disabled:
    """No mirror."""

    def start_sweep(self, sweep: SweepRecord) -> None:
        """Do nothing."""

    def start_run(self, planned: Planned) -> str | None:  # noqa: ARG002
        """Return no id."""
        return None

    def end_run(self, planned: Planned, record: RunRecord, folder: Path) -> None:
        """Do nothing."""

    def end_sweep(self, rows: Sequence[Row]) -> None:
        """Do nothing."""

    def settle(self) -> None:
        """Do nothing."""


def sweep_tags(sweep: str) -> dict[str, str]:
    """Return what every run of a sweep is tagged with when it is opened."""
    return {SWEEP: sweep, HOME: here()} | git_tags()


def child_tags(planned: Planned, sweep: str, parent: str) -> dict[str, str]:
    """Return what the run of a candidate is tagged with when it is opened or taken over."""
    return sweep_tags(sweep) | {
        PARENT: parent,
        RUN: planned.run,
        STATUS: "running",
        "fraudlab.data_fingerprint": planned.data_fingerprint,
    }


def is_child(tags: dict[str, str]) -> bool:
    """Whether the tags are those of a candidate's run; the others stand for sweeps."""
    return PARENT in tags


def params_of(planned: Planned) -> dict[str, str]:
    """Return the seed, the choice in every group, and every parameter of every choice."""
    found = {"seed": str(planned.config.seed)}
    for group in GROUPS:
        choice = planned.config.choice(group)
        found[group] = choice.name
        found |= {f"{group}.{name}": str(value) for name, value in choice.params.items()}
    return {name: value[:MAX_VALUE] for name, value in found.items()}


def metrics_of(record: RunRecord) -> dict[str, float]:
    """Return the finite metrics and ends of intervals, prefixed by the part, and the seconds."""
    found = {f"validation_{name}": value for name, value in record.metrics.validation.items()}
    found |= {f"test_{name}": value for name, value in record.metrics.test.items()}
    for part in ("validation", "test"):
        for name, (low, high) in getattr(record.intervals, part).items():
            found |= {f"{part}_{name}_low": low, f"{part}_{name}_high": high}
    found |= {f"seconds_{name}": value for name, value in record.seconds.items()}
    return {name: value for name, value in found.items() if math.isfinite(value)}


def tags_of(record: RunRecord) -> dict[str, str]:
    """Return how the run ended, and where its bundle is."""
    tags: dict[str, str] = {STATUS: record.status}
    if record.status == "killed" and record.finished is None:  # interrupted: it has no result
        tags[LEFT] = "true"
    if record.bundle:
        tags["fraudlab.bundle"] = record.bundle
    if record.error:
        tags[ERROR] = record.error[:MAX_VALUE]
    return tags


def files_of(record: RunRecord) -> tuple[str, ...]:
    """Return the files of the run's folder that belong to how it ended."""
    if record.status == "done":
        return ("table_report.json", MANIFEST)
    return ("log.txt",) if record.log else ()


def git_tags() -> dict[str, str]:
    """Return the commit, where MLflow's page looks for it, and whether the code went beyond it."""
    commit, dirty = git_state()
    if commit is None:
        return {}
    return {"mlflow.source.git.commit": commit, "fraudlab.dirty": str(dirty).lower()}


def best_of_sweep(best: Row) -> tuple[dict[str, str], dict[str, float], dict[str, str]]:
    """Return the parameters, metrics and tags of a sweep's parent run.

    Where the best was trained with several seeds, its mean and standard deviation over them too.
    """
    metrics = {f"best_validation_{name}": v for name, v in best.metrics.validation.items()}
    if best.seeds is not None:
        means, std = best.seeds.metrics.validation, best.seeds.std.validation
        metrics |= {f"best_validation_{name}_mean": value for name, value in means.items()}
        metrics |= {f"best_validation_{name}_std": value for name, value in std.items()}
    return best.choices, metrics, {"fraudlab.best_run": best.run}


def sweep_status(rows: Sequence[Row]) -> str:
    """Return MLflow's word for how a sweep ended."""
    statuses = {row.status for row in rows if not was_pruned(row.error)}
    if statuses & {"failed", "timeout"}:
        return "FAILED"
    return "KILLED" if statuses & {"pending", "killed"} else "FINISHED"


def config_text(planned: Planned) -> str:
    """Return a candidate's resolved configuration as YAML."""
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)  # 10 times as fast, where it was built
    text: str = yaml.dump(to_json_values(planned.config), Dumper=dumper, sort_keys=False)
    return text


def to_json_values(value: Any) -> Any:
    """Return dicts, lists and numbers only, as JSON and YAML know them."""
    return msgspec.json.decode(msgspec.json.encode(value))


def here() -> str:
    """Return whose runs these are: on a shared server other output folders have theirs.

    It is drawn once and kept in the folder, as machines and containers that share the folder know
    it by different host names and paths. What copies the folder copies it too.
    """
    path = outputs() / "home.id"
    found = _written(path)
    if not found:
        with claimed(path.with_name(".home.id.lock")):
            found = _written(path) or secrets.token_hex(8)
            write_atomic(path, f"{found}\n".encode())
    return found


def _written(path: Path) -> str:
    try:
        return path.read_text("ascii").strip()
    except FileNotFoundError:
        return ""
