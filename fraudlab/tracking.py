"""MLflow, the mirror of the results: the only module that imports it, and only when it is used.

Nothing here may stop a run, hold it up or lose a result: every failure becomes one warning, and the
mirror stays closed for the rest of the sweep.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fraudlab import database, mirrored
from fraudlab.config import Tracking
from fraudlab.errors import ConfigError
from fraudlab.home import home
from fraudlab.locking import claimed
from fraudlab.mirror_runs import MirrorRuns
from fraudlab.mirrored import Disabled, Store
from fraudlab.provenance import masked
from fraudlab.ranking import Row
from fraudlab.reconciling import Abandoned, forget_open, left_open, note_open, settle
from fraudlab.runs import Planned, RunRecord, SweepRecord

if TYPE_CHECKING:
    from mlflow import MlflowClient


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
    """A parent run per sweep, a child per candidate, each written in one go.

    Several children may be open at the same time; it keeps nothing of them but in MLflow.
    """

    def __init__(self, uri: str, experiment: str, warn: Callable[[str], None]) -> None:
        self._uri = uri
        self._file = database.file_of(uri)
        self._experiment = experiment
        self._warn = warn
        self._runs: MirrorRuns | None = None
        self._abandoned: Abandoned | None = None
        self._sweep = ""
        self._parent: str | None = None

    @contextlib.contextmanager
    def _guarded(self, doing: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # noqa: BLE001 (the mirror may fail in any way)
            self._runs = None
            first = str(error).strip().partition("\n")[0] or type(error).__name__
            self._warn(
                f"MLflow at {masked(self._uri)} failed at {doing}: {masked(first)};"
                " everything else goes on"
            )

    def start_sweep(self, sweep: SweepRecord) -> None:
        """Connect, see to what killed sweeps left open, and open the parent run."""
        with self._guarded("connecting"):
            runs = self._connect()
            self._abandoned = Abandoned(runs)
            self._sweep = sweep.sweep
            note_open(sweep.sweep, runs.store)
            self._parent = runs.open(sweep.sweep, mirrored.sweep_tags(sweep.sweep))

    def start_run(self, planned: Planned) -> str | None:
        """Open a child run, or go on with the one that a killed sweep left of the candidate."""
        if self._runs is None or self._abandoned is None or self._parent is None:
            return None
        run: str | None = None
        with self._guarded("opening a run"):
            runs = self._ready()
            name = " ".join(planned.options.get(group, "") for group in ("model", "sampler"))
            tags = mirrored.child_tags(planned, self._sweep, self._parent)
            run = self._abandoned.take_over(planned, tags) or runs.open(name, tags)
        return run  # noqa: RET504 (None when the guard swallowed a failure)

    def end_run(self, planned: Planned, record: RunRecord, folder: Path) -> None:
        """Write parameters, metrics, tags and files of a run."""
        if self._runs is None or record.mlflow_run_id is None:
            return
        with self._guarded("writing a run"):
            runs = self._ready()
            runs.finish(record.mlflow_run_id, planned, record, folder)
            runs.end(record.mlflow_run_id, record.status)

    def end_sweep(self, rows: Sequence[Row]) -> None:
        """Write the leaderboard and the best child to the parent, and close it."""
        if self._runs is None or self._parent is None:
            return
        with self._guarded("closing the sweep"):
            runs = self._ready()
            runs.finish_sweep(self._parent, rows)
            settle(runs, self._sweep)
            runs.client.set_terminated(self._parent, mirrored.sweep_status(rows))
            forget_open(self._sweep)

    def settle(self) -> None:
        """Close what earlier sweeps left open in this store; connect only if there are any."""
        if left_open(self._store()):
            with self._guarded("closing earlier sweeps"):
                settle(self._connect())

    def move_alias(self, run: str, alias: str) -> None:
        """Give a run the tag of an alias, and take it from the run that had it."""
        with self._guarded("moving the alias"):
            self._connect().move_tag(f"fraudlab.alias.{alias}", run, lambda _: True)

    def log_file(self, run: str, path: Path, sweep: str | None) -> None:
        """Add a file to a run, or to the parent run of a sweep."""
        with self._guarded(f"adding {path.name}"):
            runs = self._connect()
            parent = None if sweep is None else runs.parent_of(sweep)
            runs.client.log_artifact(parent or run, str(path))

    def _connect(self) -> MirrorRuns:
        for name, value in mirrored.SETTINGS.items():
            os.environ.setdefault(name, value)
        for name in ("MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID"):
            os.environ.pop(name, None)  # they would make our runs somebody else's
        for logger in ("alembic", "urllib3"):
            logging.getLogger(logger).setLevel(logging.CRITICAL)
        from mlflow import MlflowClient, entities

        self._check()
        if self._file is None and database.is_direct(self._uri):
            database.check_answers(self._uri)
        with self._prepared():
            client = MlflowClient(tracking_uri=self._uri)
            self._runs = MirrorRuns(client, entities, self._experiment_id(client), self._store())
        return self._runs

    def _store(self) -> Store:
        """Return which store this is, by a name that it keeps when the whole home moves."""
        file, root = self._file, home().resolve()
        if file is None:
            return Store(masked(self._uri), self._experiment)
        name = file.relative_to(root) if file.is_relative_to(root) else file
        return Store(f"{database.SQLITE}{name}", self._experiment)

    def _experiment_id(self, client: MlflowClient) -> str:
        from mlflow.exceptions import MlflowException

        place = (home() / "mlartifacts").as_uri() if database.is_direct(self._uri) else None
        known = client.get_experiment_by_name(self._experiment)
        if known is None:
            try:
                return str(client.create_experiment(self._experiment, place))
            except MlflowException:  # of a server: somebody else was faster
                known = client.get_experiment_by_name(self._experiment)
                if known is None:
                    raise
        return str(known.experiment_id)

    def _check(self) -> None:
        if self._file is not None:
            database.check(self._file)

    def _prepared(self) -> contextlib.AbstractContextManager[None]:
        if self._file is not None:
            return database.prepared(self._file, _make_tables, self._warn)
        if database.is_direct(self._uri):  # its tables too are made at the first connection
            return claimed(home() / database.LOCK)
        return contextlib.nullcontext()

    def _ready(self) -> MirrorRuns:
        """Return the runs, once their store is known to answer."""
        assert self._runs is not None
        self._check()
        return self._runs


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
