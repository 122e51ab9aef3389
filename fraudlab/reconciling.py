"""What earlier sweeps left open in MLflow: written to its end, taken over, or closed as killed.

The files say what is true. A run that MLflow calls RUNNING is alive only while a live process holds
the mark of its sweep. Whether there is anything to see to, and in which store, a file in the folder
of a sweep says: it is written before the first run is opened and removed when all are closed, so
that a kill leaves it behind, and an outage too.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from fraudlab import mirrored
from fraudlab.errors import FraudlabError, UserError
from fraudlab.home import outputs
from fraudlab.locking import is_claimed
from fraudlab.mirror_runs import MirrorRuns
from fraudlab.mirrored import Store
from fraudlab.ranking import Row, leaderboard
from fraudlab.runs import (
    DAMAGED,
    Planned,
    RunRecord,
    is_at_work,
    read_result,
    read_sweep,
    run_folder,
    running_mark,
    sweep_folder,
    write_json,
)

if TYPE_CHECKING:
    from mlflow.entities import Run

RUNNING = "attributes.status = 'RUNNING'"
# Closed by an interrupt, or here: the same command may still go on with it.
LEFT = f"attributes.status = 'KILLED' and tags.`{mirrored.LEFT}` = 'true'"


def note_open(sweep: str, store: Store) -> None:
    """Say that runs of a sweep may be open in a store."""
    write_json(_note(sweep), store)


def forget_open(sweep: str) -> None:
    """Say that no run of a sweep is open any more."""
    _note(sweep).unlink(missing_ok=True)


def left_open(store: Store) -> list[str]:
    """Return the sweeps that are not alive and may have runs open in a store."""
    noted = sorted(path.parent.name for path in outputs().glob(f"sweeps/*/{_note('').name}"))
    return [sweep for sweep in noted if not _is_live(sweep) and _store_of(sweep) == store]


def settle(runs: MirrorRuns, own: str | None = None) -> None:
    """Close every run that no live sweep is at work on, and forget the sweeps that left them.

    Parameters
    ----------
    runs
        The runs of this home.
    own
        The sweep that asks, alive and at its end: none of its children is at work any more.
    """
    left, at_work = left_open(runs.store), set()
    for run in close_ended(runs, own):
        if _sweep(run) != own and is_at_work(_key(run)):
            at_work.add(_sweep(run))  # a job that has outlived its driver
        else:
            runs.leave(run.info.run_id)
    for sweep in left:
        if sweep not in at_work:
            forget_open(sweep)
            running_mark(sweep_folder(sweep)).unlink(missing_ok=True)


def close_ended(runs: MirrorRuns, own: str | None = None) -> list[Run]:
    """Close what earlier sweeps left open where its end is known; return the other children.

    A parent was killed with its sweep, unless that came to its end without MLflow. A child whose
    candidate has the result that names it is written as it would have been.
    """
    open_still = []
    for run in list(runs.find(RUNNING)):
        is_child = mirrored.is_child(run.data.tags)
        if _is_live(_sweep(run)) and not (is_child and _sweep(run) == own):
            continue
        record = _result_of(run) if is_child else None
        if record is not None:
            folder = run_folder(record.run)
            runs.finish(run.info.run_id, _planned(_sweep(run), record.run), record, folder)
            runs.end(run.info.run_id, record.status, record.finished, run.info.start_time)
        elif is_child:
            open_still.append(run)
        elif (rows := _rows_at_end(_sweep(run))) is not None:
            runs.finish_sweep(run.info.run_id, rows)
            runs.client.set_terminated(run.info.run_id, mirrored.sweep_status(rows))
        else:
            runs.end(run.info.run_id, "killed")
    return open_still


class Abandoned:
    """The runs that no result came of, one for a candidate, to go on with."""

    def __init__(self, runs: MirrorRuns) -> None:
        self._runs = runs
        self._ids: dict[str, str] = {
            _key(run): run.info.run_id
            for run in (*runs.find(LEFT), *close_ended(runs))
            if mirrored.is_child(run.data.tags)
        }

    def take_over(self, planned: Planned, tags: dict[str, str]) -> str | None:
        """Return the run of a candidate about to be trained again, under its new parent.

        None if there is no such run, or another sweep has taken it over since.
        """
        run_id = self._ids.pop(planned.run, None)
        run = None if run_id is None else self._runs.find_one(run_id)
        if run_id is None or run is None or not _may_go_on(run, planned):
            return None
        client = self._runs.client
        if run.info.status != "RUNNING":  # before its tags: by them it is found, should this die
            client.update_run(run_id, status="RUNNING")
        self._runs.write(run_id, {}, {}, tags | {mirrored.LEFT: "false"})
        if mirrored.ERROR in run.data.tags:
            client.delete_tag(run_id, mirrored.ERROR)
        return run_id


def _may_go_on(run: Run, planned: Planned) -> bool:
    """Whether a run is as it was left; parameters, which MLflow never changes, must be the same."""
    return (
        run.info.status in {"RUNNING", "KILLED"}
        and not _is_live(_sweep(run))
        and _result_of(run) is None
        and run.data.params.items() <= mirrored.params_of(planned).items()
    )


def _note(sweep: str) -> Path:
    return sweep_folder(sweep) / "mirror.json"


def _store_of(sweep: str) -> Store | None:
    try:
        return msgspec.json.decode(_note(sweep).read_bytes(), type=Store)
    except (FileNotFoundError, *DAMAGED):  # closed meanwhile, or of another version
        return None


def _is_live(sweep: str) -> bool:
    return is_claimed(running_mark(sweep_folder(sweep)))


def _rows_at_end(sweep: str) -> Sequence[Row] | None:
    """Return the leaderboard of a sweep that came to its end: it took its mark away with it."""
    if running_mark(sweep_folder(sweep)).exists():
        return None
    try:
        return leaderboard(read_sweep(sweep))
    except FraudlabError:  # removed, of another version, or of a plugin that is not there any more
        return None


def _sweep(run: Run) -> str:
    found: str = run.data.tags.get(mirrored.SWEEP, "")
    return found


def _key(run: Run) -> str:
    found: str = run.data.tags.get(mirrored.RUN, "")
    return found


def _result_of(run: Run) -> RunRecord | None:
    """Return the result that names this run, if there is one."""
    record = read_result(_key(run))
    return record if record is not None and record.mlflow_run_id == run.info.run_id else None


def _planned(sweep: str, key: str) -> Planned | None:
    try:
        candidates = read_sweep(sweep).candidates
    except UserError:  # removed, or of another version
        return None
    return next((planned for planned in candidates if planned.run == key), None)
