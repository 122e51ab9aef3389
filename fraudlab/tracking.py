"""MLflow, the mirror of the results: the only module that imports it, and only when it is used.

Nothing here may stop a run or lose a result: every failure becomes one warning, and the mirror
stays closed for the rest of the sweep.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from fraudlab.config import GROUPS, Tracking
from fraudlab.errors import ConfigError
from fraudlab.home import home
from fraudlab.provenance import git_state
from fraudlab.ranking import Row
from fraudlab.runs import Planned, RunRecord, SweepRecord

if TYPE_CHECKING:
    from mlflow import MlflowClient

MAX_VALUE = 500
STATUS = {"done": "FINISHED", "failed": "FAILED", "killed": "KILLED", "timeout": "FAILED"}


class Disabled:
    """No mirror."""

    def start_sweep(self, sweep: SweepRecord) -> None:
        """Do nothing."""

    def start_run(self, planned: Planned) -> str | None:  # noqa: ARG002
        """Return no id."""
        return None

    def end_run(self, planned: Planned, record: RunRecord, folder: Path) -> None:
        """Do nothing."""

    def end_sweep(self, best: Row | None) -> None:
        """Do nothing."""


def tracking_uri(tracking: Tracking) -> str:
    """Return the address of the tracking store.

    Raises
    ------
    ConfigError
        If a server was chosen and none is named.
    """
    if tracking.uri:
        return tracking.uri
    if tracking.name == "server":
        raise ConfigError(
            "tracking=server needs its address: set MLFLOW_TRACKING_URI or tracking.uri",
            "tracking.uri",
        )
    return f"sqlite:///{home() / 'mlflow.db'}"


def mirror(tracking: Tracking, warn: Callable[[str], None]) -> Disabled | MlflowMirror:
    """Return the mirror that a config asks for."""
    if tracking.name == "disabled":
        return Disabled()
    return MlflowMirror(tracking_uri(tracking), tracking.experiment, warn)


class MlflowMirror:
    """A parent run per sweep, a child per candidate, each written in one batch."""

    def __init__(self, uri: str, experiment: str, warn: Callable[[str], None]) -> None:
        self._uri = uri
        self._experiment = experiment
        self._warn = warn
        self._client: MlflowClient | None = None
        self._experiment_id = ""
        self._parent: str | None = None

    @contextlib.contextmanager
    def _guarded(self, doing: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # noqa: BLE001 (the mirror may fail in any way)
            self._client = None
            first = str(error).strip().partition("\n")[0] or type(error).__name__
            self._warn(
                f"MLflow ({self._uri}) failed at {doing}: {first}; results are kept in files"
            )

    def start_sweep(self, sweep: SweepRecord) -> None:
        """Connect and open the parent run."""
        with self._guarded("connecting"):
            self._connect()
            tags = {"mlflow.runName": sweep.sweep, "fraudlab.sweep": sweep.sweep} | _git_tags()
            self._parent = self._open(tags)

    def tag(self, run: str, name: str, value: str) -> None:
        """Set one tag of a run."""
        with self._guarded("tagging a run"):
            self._connect()
            assert self._client is not None
            self._client.set_tag(run, name, value)

    def _connect(self) -> None:
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        for name in ("MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID"):
            os.environ.pop(name, None)  # they would make our runs somebody else's
        import logging

        logging.getLogger("alembic").setLevel(logging.WARNING)
        from mlflow import MlflowClient

        client = MlflowClient(tracking_uri=self._uri)
        known = client.get_experiment_by_name(self._experiment)
        if known is not None:
            self._experiment_id = known.experiment_id
        else:
            place = None
            if self._uri.startswith("sqlite:"):
                place = (home() / "mlartifacts").as_uri()
            self._experiment_id = client.create_experiment(self._experiment, place)
        self._client = client

    def _open(self, tags: dict[str, str]) -> str:
        assert self._client is not None
        run = self._client.create_run(
            self._experiment_id, tags=tags, run_name=tags["mlflow.runName"]
        )
        found: str = run.info.run_id
        return found

    def start_run(self, planned: Planned) -> str | None:
        """Open a child run."""
        if self._client is None or self._parent is None:
            return None
        run: str | None = None
        with self._guarded("opening a run"):
            name = " ".join(planned.options.get(group, "") for group in ("model", "sampler"))
            tags = {
                "mlflow.runName": name,
                "mlflow.parentRunId": self._parent,
                "fraudlab.run": planned.run,
            }
            run = self._open(tags | _git_tags())
        return run  # noqa: RET504 (None when the guard swallowed a failure)

    def end_run(self, planned: Planned, record: RunRecord, folder: Path) -> None:
        """Write parameters, metrics, tags and files of a run."""
        if self._client is None or record.mlflow_run_id is None:
            return
        with self._guarded("writing a run"):
            run = record.mlflow_run_id
            self._log(run, _params(planned), _metrics(record), _tags(record))
            plain = msgspec.to_builtins(planned.config, str_keys=True)
            self._client.log_dict(run, plain, "config.yaml")
            for name in ("table_report.json", "manifest.json", "log.txt"):
                if (folder / name).is_file():
                    self._client.log_artifact(run, str(folder / name))
            self._client.set_terminated(run, STATUS.get(record.status, "FAILED"))

    def _log(
        self, run: str, params: dict[str, str], metrics: dict[str, float], tags: dict[str, str]
    ) -> None:
        from mlflow.entities import Metric, Param, RunTag

        assert self._client is not None
        now = int(time.time() * 1000)
        self._client.log_batch(
            run,
            metrics=[Metric(name, value, now, 0) for name, value in metrics.items()],
            params=[Param(name, value) for name, value in params.items()][:100],
            tags=[RunTag(name, value) for name, value in tags.items()],
        )

    def end_sweep(self, best: Row | None) -> None:
        """Tag the parent with the best child and close it."""
        if self._client is None or self._parent is None:
            return
        with self._guarded("closing the sweep"):
            if best is not None:
                self._client.set_tag(self._parent, "fraudlab.best_run", best.run)
                metrics = {f"best_validation_{n}": v for n, v in best.metrics.validation.items()}
                self._log(self._parent, dict(best.choices), metrics, {})
            self._client.set_terminated(self._parent)


def _params(planned: Planned) -> dict[str, str]:
    found = {"seed": str(planned.config.seed)}
    for group in GROUPS:
        choice = planned.config.choice(group)
        found[group] = choice.name
        if group in {"model", "sampler", "threshold_strategy"}:
            found |= {f"{group}.{name}": str(value) for name, value in choice.params.items()}
    return {name: value[:MAX_VALUE] for name, value in found.items()}


def _metrics(record: RunRecord) -> dict[str, float]:
    found = {f"validation_{name}": value for name, value in record.metrics.validation.items()}
    found |= {f"test_{name}": value for name, value in record.metrics.test.items()}
    return found | {f"seconds_{name}": value for name, value in record.seconds.items()}


def _tags(record: RunRecord) -> dict[str, str]:
    tags: dict[str, str] = {"fraudlab.status": record.status}
    if record.bundle:
        tags["fraudlab.bundle"] = record.bundle
    if record.error:
        tags["fraudlab.error"] = record.error[:MAX_VALUE]
    return tags


def _git_tags() -> dict[str, str]:
    commit, dirty = git_state()
    if commit is None:
        return {}
    return {"mlflow.source.git.commit": commit, "fraudlab.dirty": str(dirty).lower()}


def tag_alias(tracking: Tracking, run: str, alias: str, warn: Callable[[str], None]) -> None:
    """Tag the MLflow run of a promoted bundle."""
    mirrored = mirror(tracking, warn)
    if isinstance(mirrored, MlflowMirror):
        mirrored.tag(run, "fraudlab.alias", alias)
