"""MLflow, the mirror of the results: the only module that imports it, and only when it is used.

Nothing here may stop a run, hold it up or lose a result: every failure becomes one warning, and the
mirror stays closed for the rest of the sweep.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fraudlab import database, mirrored
from fraudlab.config import Tracking
from fraudlab.errors import ConfigError
from fraudlab.home import home
from fraudlab.mirrored import Disabled
from fraudlab.provenance import masked
from fraudlab.ranking import Row, best_of
from fraudlab.runs import Planned, RunRecord, SweepRecord, is_claimed, running_mark, sweep_folder

if TYPE_CHECKING:
    from mlflow import MlflowClient

MAX_PARAMS = 100  # of one request
STATUS = {"done": "FINISHED", "killed": "KILLED"}


def tracking_uri(tracking: Tracking) -> str:
    """Return the address of the tracking store.

    Raises
    ------
    ConfigError
        If a server was chosen and none is named.
    """
    given = os.environ.get("MLFLOW_TRACKING_URI")
    if tracking.name == "server" and given and tracking.uri == masked(given):
        return given  # with the password, which is written down nowhere
    if tracking.uri:
        return tracking.uri
    if tracking.name == "server":
        raise ConfigError(
            "tracking=server needs its address: set MLFLOW_TRACKING_URI or tracking.uri",
            "tracking.uri",
        )
    return f"{database.SQLITE}{home() / 'mlflow.db'}"


def mirror(tracking: Tracking, warn: Callable[[str], None]) -> Disabled | MlflowMirror:
    """Return the mirror that a config asks for."""
    if tracking.name == "disabled":
        return Disabled()
    return MlflowMirror(tracking_uri(tracking), tracking.experiment, warn)


class MlflowMirror:
    """A parent run per sweep, a child per candidate, each written in one go."""

    def __init__(self, uri: str, experiment: str, warn: Callable[[str], None]) -> None:
        self._uri = uri
        self._file: Path | None = None
        self._experiment = experiment
        self._warn = warn
        self._client: MlflowClient | None = None
        self._experiment_id = ""
        self._sweep = ""
        self._parent: str | None = None

    @contextlib.contextmanager
    def _guarded(self, doing: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # noqa: BLE001 (the mirror may fail in any way)
            self._client = None
            first = str(error).strip().partition("\n")[0] or type(error).__name__
            self._warn(
                f"MLflow at {masked(self._uri)} failed at {doing}: {masked(first)};"
                " everything else goes on"
            )

    def start_sweep(self, sweep: SweepRecord) -> None:
        """Connect, close what killed sweeps left open, and open the parent run."""
        with self._guarded("connecting"):
            self._close_abandoned(self._connect())
            self._sweep = sweep.sweep
            self._parent = self._open(sweep.sweep, {})

    def start_run(self, planned: Planned) -> str | None:
        """Open a child run."""
        if self._client is None or self._parent is None:
            return None
        run: str | None = None
        with self._guarded("opening a run"):
            name = " ".join(planned.options.get(group, "") for group in ("model", "sampler"))
            tags = {
                "mlflow.parentRunId": self._parent,
                "fraudlab.run": planned.run,
                "fraudlab.data_fingerprint": planned.data_fingerprint,
            }
            run = self._open(name, tags)
        return run  # noqa: RET504 (None when the guard swallowed a failure)

    def end_run(self, planned: Planned, record: RunRecord, folder: Path) -> None:
        """Write parameters, metrics, tags and files of a run."""
        if self._client is None or record.mlflow_run_id is None:
            return
        with self._guarded("writing a run"):
            client, run = self._ready(), record.mlflow_run_id
            self._log(
                run,
                mirrored.params_of(planned),
                mirrored.metrics_of(record),
                mirrored.tags_of(record),
            )
            client.log_dict(run, mirrored.to_json_values(planned.config), "config.yaml")
            for name in mirrored.files_of(record):
                client.log_artifact(run, str(folder / name))
            client.set_terminated(run, STATUS.get(record.status, "FAILED"))

    def end_sweep(self, rows: Sequence[Row]) -> None:
        """Write the leaderboard and the best child to the parent, and close it."""
        if self._client is None or self._parent is None:
            return
        with self._guarded("closing the sweep"):
            client, best = self._ready(), best_of(rows)
            if best is not None:
                self._log(self._parent, *mirrored.best_of_sweep(best))
            client.log_dict(self._parent, mirrored.to_json_values(rows), "leaderboard.json")
            client.set_terminated(self._parent, mirrored.sweep_status(rows))

    def move_alias(self, run: str, alias: str) -> None:
        """Give a run the tag of an alias, and take it from the run that had it."""
        with self._guarded("moving the alias"):
            client, tag = self._connect(), f"fraudlab.alias.{alias}"
            for other in client.search_runs([self._experiment_id], f"tags.`{tag}` = 'true'"):
                if other.data.tags.get("fraudlab.home") == mirrored.here():
                    client.delete_tag(other.info.run_id, tag)
            client.set_tag(run, tag, "true")

    def log_file(self, run: str, path: Path, sweep: str | None) -> None:
        """Add a file to a run, or to the parent run of a sweep."""
        with self._guarded(f"adding {path.name}"):
            client, order = self._connect(), ["attributes.start_time ASC"]
            if sweep is not None:  # its parent was opened first
                ours = f"tags.`fraudlab.sweep` = '{sweep}'"
                found = client.search_runs([self._experiment_id], ours, order_by=order)
                run = found[0].info.run_id if found else run
            client.log_artifact(run, str(path))

    def _connect(self) -> MlflowClient:
        for name, value in mirrored.SETTINGS.items():
            os.environ.setdefault(name, value)
        for name in ("MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID"):
            os.environ.pop(name, None)  # they would make our runs somebody else's
        for logger in ("alembic", "urllib3"):
            logging.getLogger(logger).setLevel(logging.CRITICAL)
        from mlflow import MlflowClient

        self._file = database.file_of(self._uri)
        self._check()
        with self._prepared():
            client = MlflowClient(tracking_uri=self._uri)
            known = client.get_experiment_by_name(self._experiment)
            if known is not None:
                self._experiment_id = known.experiment_id
            else:
                place = (home() / "mlartifacts").as_uri() if self._file else None
                self._experiment_id = client.create_experiment(self._experiment, place)
        self._client = client
        return client

    def _check(self) -> None:
        if self._file is not None:
            database.check(self._file)

    def _prepared(self) -> contextlib.AbstractContextManager[None]:
        if self._file is None:
            return contextlib.nullcontext()
        return database.prepared(self._file, _make_tables, self._warn)

    def _ready(self) -> MlflowClient:
        """Return the client, once its store is known to answer."""
        assert self._client is not None
        self._check()
        return self._client

    def _close_abandoned(self, client: MlflowClient) -> None:
        """End the runs of this folder that a killed process left running."""
        running = "attributes.status = 'RUNNING'"
        for run in client.search_runs([self._experiment_id], running, max_results=1000):
            ours = run.data.tags.get("fraudlab.home") == mirrored.here()
            sweep = run.data.tags.get("fraudlab.sweep", "")
            if ours and not is_claimed(running_mark(sweep_folder(sweep))):
                client.set_terminated(run.info.run_id, "KILLED")

    def _open(self, name: str, tags: dict[str, str]) -> str:
        own = {
            "mlflow.runName": name,
            "fraudlab.sweep": self._sweep,
            "fraudlab.home": mirrored.here(),
        }
        run = self._ready().create_run(
            self._experiment_id, tags=own | tags | mirrored.git_tags(), run_name=name
        )
        found: str = run.info.run_id
        return found

    def _log(
        self, run: str, params: dict[str, str], metrics: dict[str, float], tags: dict[str, str]
    ) -> None:
        from mlflow.entities import Metric, Param, RunTag

        client, at = self._ready(), int(time.time() * 1000)
        client.log_batch(
            run,
            metrics=[Metric(name, value, at, 0) for name, value in metrics.items()],
            tags=[RunTag(name, value) for name, value in tags.items()],
        )
        rest = iter([Param(name, value) for name, value in params.items()])
        while batch := list(itertools.islice(rest, MAX_PARAMS)):
            client.log_batch(run, params=batch)


def _make_tables(uri: str) -> None:
    from mlflow import MlflowClient

    MlflowClient(tracking_uri=uri).search_experiments(max_results=1)


def move_alias(tracking: Tracking, run: str, alias: str, warn: Callable[[str], None]) -> None:
    """Tag the MLflow run of a promoted bundle, in the store that its own config names."""
    told = mirror(tracking, warn)
    if isinstance(told, MlflowMirror):
        told.move_alias(run, alias)


def log_file(
    tracking: Tracking, run: str, path: Path, warn: Callable[[str], None], sweep: str | None = None
) -> None:
    """Add a file to an MLflow run, or to the parent of `sweep`, in the store its config names."""
    told = mirror(tracking, warn)
    if isinstance(told, MlflowMirror):
        told.log_file(run, path, sweep)
