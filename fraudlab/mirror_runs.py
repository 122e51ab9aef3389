"""The runs of this home in MLflow: found, opened, written and tagged through a given client.

It asks MLflow and decides nothing; what it must not do is import it, which `tracking` does late.
"""

from __future__ import annotations

import datetime as dt
import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from fraudlab import mirrored
from fraudlab.ranking import Row, best_of
from fraudlab.runs import Planned, RunRecord, read_result
from fraudlab.seeding import seed_summaries

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

# Of one request: MLflow takes 100 parameters, 100 tags, and 1000 of all kinds together.
MAX_PARAMS = 100
MAX_METRICS = 800
PAGE = 1000
ENDED = {"done": "FINISHED", "killed": "KILLED"}
"""MLflow's words for how a run ended; every other status is FAILED."""


class MirrorRuns:
    """The runs of this home in one experiment."""

    def __init__(
        self, client: MlflowClient, entities: ModuleType, experiment_id: str, store: mirrored.Store
    ) -> None:
        self.client = client
        self.store = store
        self._entities = entities
        self._experiment_id = experiment_id
        self._home = mirrored.here()

    def find(self, condition: str) -> Iterator[Run]:
        """Yield the runs of this home that meet a condition of MLflow's, the oldest first."""
        token: str | None = None
        while True:
            page = self.client.search_runs(
                [self._experiment_id],
                condition,
                max_results=PAGE,
                order_by=["attributes.start_time ASC"],
                page_token=token,
            )
            yield from (run for run in page if run.data.tags.get(mirrored.HOME) == self._home)
            token = page.token
            if not token:
                return

    def find_one(self, run_id: str) -> Run | None:
        """Return the run of this home with an id, or None where it is not to be found."""
        return next(self.find(f"attributes.run_id = '{run_id}'"), None)

    def parent_of(self, sweep: str) -> str | None:
        """Return the id of the run that stands for a sweep, if there is one."""
        found = self.find(f"tags.`{mirrored.SWEEP}` = '{sweep}'")
        return next(
            (run.info.run_id for run in found if not mirrored.is_child(run.data.tags)), None
        )

    def open(self, name: str, tags: dict[str, str]) -> str:
        """Open a run and return its id."""
        run = self.client.create_run(self._experiment_id, tags=tags, run_name=name)
        found: str = run.info.run_id
        return found

    def write(
        self,
        run: str,
        params: dict[str, str],
        metrics: dict[str, float],
        tags: dict[str, str],
        finished: str | None = None,
    ) -> None:
        """Write parameters, metrics and tags: one request, unless there are very many of them.

        Metrics carry the time the record was `finished`: written twice they are the same points.
        """
        kinds, at = self._entities, _milliseconds(finished)
        batches = itertools.zip_longest(
            _batches(
                (kinds.Metric(name, value, at, 0) for name, value in metrics.items()), MAX_METRICS
            ),
            _batches((kinds.Param(name, value) for name, value in params.items()), MAX_PARAMS),
            [[kinds.RunTag(name, value) for name, value in tags.items()]],
            fillvalue=(),
        )
        for some_metrics, some_params, some_tags in batches:
            self.client.log_batch(run, some_metrics, some_params, some_tags)

    def finish(self, run: str, planned: Planned | None, record: RunRecord, folder: Path) -> None:
        """Write all that is known of a run that ended; `end` comes after it.

        Parameters
        ----------
        run
            The id of the run.
        planned
            The candidate, or None when its plan cannot be read any more.
        record
            How it ended.
        folder
            Where its files are.
        """
        params = {} if planned is None else mirrored.params_of(planned)
        metrics, tags = mirrored.metrics_of(record), mirrored.tags_of(record)
        self.write(run, params, metrics, tags, record.finished)
        if planned is not None:
            self.client.log_text(run, mirrored.config_text(planned), "config.yaml")
        for name in mirrored.files_of(record):
            if (folder / name).is_file():
                self.client.log_artifact(run, str(folder / name))

    def finish_sweep(self, parent: str, rows: Sequence[Row]) -> None:
        """Write the leaderboard and the best child to a sweep's parent, and leave it open."""
        best = best_of(rows)
        self._tag_best(best, {row.run for row in rows}, parent)
        if best is not None:
            self.write(parent, *mirrored.best_of_sweep(best))
        tables = {"leaderboard.json": rows, "seeds.json": seed_summaries(rows)}
        for name, table in tables.items():
            if table:
                self.client.log_dict(parent, mirrored.to_json_values(table), name)

    def _tag_best(self, best: Row | None, candidates: set[str], parent: str) -> None:
        """Tag the best child, which may be of an earlier sweep, and no other of the candidates."""
        record = None if best is None else read_result(best.run)
        run = None if record is None else record.mlflow_run_id
        if run is not None and self.find_one(run) is None:  # it is mirrored in another store
            run = None
        self.move_tag(
            mirrored.BEST, run, lambda other: other.data.tags.get(mirrored.RUN) in candidates
        )
        if run is not None:
            self.client.set_tag(parent, "fraudlab.best_mlflow_run_id", run)

    def end(self, run: str, status: str, finished: str | None = None, started: int = 0) -> None:
        """Close a run that ended now or, when it was found too late, in the past."""
        at = None if finished is None else max(started, _milliseconds(finished))
        self.client.set_terminated(run, ENDED.get(status, "FAILED"), at)

    def leave(self, run: str) -> None:
        """Close a run as killed, for the next command to go on with."""
        self.write(run, {}, {}, {mirrored.STATUS: "killed", mirrored.LEFT: "true"})
        self.end(run, "killed")

    def move_tag(self, tag: str, run: str | None, among: Callable[[Run], bool]) -> None:
        """Give `run` a tag that one alone of those `among` ours has; the others lose it."""
        for other in self.find(f"tags.`{tag}` = 'true'"):
            if other.info.run_id != run and among(other):
                self.client.delete_tag(other.info.run_id, tag)
        if run is not None:
            self.client.set_tag(run, tag, "true")


def _milliseconds(moment: str | None) -> int:
    seconds = time.time() if moment is None else dt.datetime.fromisoformat(moment).timestamp()
    return int(seconds * 1000)


def _batches(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    rest = iter(items)
    while batch := list(itertools.islice(rest, size)):
        yield batch
