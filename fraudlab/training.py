"""One candidate with its effects: trained, its files written, and the record of how it ended.

It needs what it is given and the disk, no driver: it may as well run in a process of its own.
"""

from __future__ import annotations

import os
import traceback

import msgspec

from fraudlab.bundle import MANIFEST, MODEL, encode_manifest, write_atomic, write_bundle
from fraudlab.errors import UserError
from fraudlab.evidence import write_evidence
from fraudlab.experiment import RunResult, run_experiment
from fraudlab.home import bundles, home
from fraudlab.provenance import provenance
from fraudlab.runs import FoldMetrics, Planned, RunRecord, now, run_folder, write_json, write_run
from fraudlab.table import Table
from fraudlab.tables import Tables


def train_candidate(
    planned: Planned, tables: Tables, sweep_id: str, mlflow_run_id: str | None
) -> RunRecord:
    """Train a candidate, write what came of it to its folder, and return the record of that.

    Whatever goes wrong ends up in the record; only an interrupt passes, and leaves no result.

    Parameters
    ----------
    planned
        The candidate.
    tables
        What has been read already; it reads the rest.
    sweep_id
        The sweep it is trained for.
    mlflow_run_id
        The run that mirrors it, if there is one; the bundle names it.
    """
    started = RunRecord(planned.run, "running", sweep=sweep_id, mlflow_run_id=mlflow_run_id)
    try:
        table = tables.table(planned.config)
        split = tables.split(planned.config)
        origin = provenance(planned.config, table.fingerprint, mlflow_run_id)
        result = run_experiment(planned.config, table, split, origin)
        record = _write_success(started, table, result)
    except (Exception, SystemExit) as error:
        if _was_interrupted(error):
            raise KeyboardInterrupt from error
        record = _write_failure(started, error)
    write_run(record)
    return record


def _was_interrupted(error: BaseException | None) -> bool:
    """Whether an interrupt is behind an error: a library that is starting turns it into its own."""
    while error is not None:
        if isinstance(error, KeyboardInterrupt):
            return True
        error = error.__cause__ or error.__context__
    return False


def _write_success(started: RunRecord, table: Table, result: RunResult) -> RunRecord:
    """Write the report, scores, manifest and bundle; the record is all that is left to write."""
    folder = run_folder(started.run)
    write_json(folder / "table_report.json", table.report)
    write_evidence(started.run, result.outcomes)
    write_atomic(folder / MANIFEST, encode_manifest(result.bundle.manifest))
    path = write_bundle(result.bundle, bundles())
    return msgspec.structs.replace(
        started,
        status="done",
        seconds=result.seconds,
        metrics=result.metrics,
        intervals=result.intervals,
        folds=FoldMetrics(**{part: of.folds for part, of in result.outcomes.items()}),
        size=len(result.bundle.files[MODEL]),
        bundle=os.path.relpath(path, home()),
        parity=result.parity,
        warnings=result.warnings,
        finished=now(),
    )


def _write_failure(started: RunRecord, error: BaseException) -> RunRecord:
    """Write the traceback; the record has its last line."""
    log = run_folder(started.run) / "log.txt"
    write_atomic(log, "".join(traceback.format_exception(error)).encode())
    text = str(error).strip() or "no message"
    kind = "" if isinstance(error, UserError) else f"{type(error).__name__}: "
    return msgspec.structs.replace(
        started,
        status="failed",
        error=f"{kind}{text.splitlines()[-1]}",
        log=os.path.relpath(log, home()),
        finished=now(),
    )
