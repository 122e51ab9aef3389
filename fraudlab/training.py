"""One candidate with its effects: trained, its files written, and the record of how it ended.

It needs what it is given and the disk, no driver: it may as well run in a process of its own.
"""

from __future__ import annotations

import os
import resource
import traceback
from dataclasses import dataclass, field

import msgspec

from fraudlab.bundle import MANIFEST, MODEL, encode_manifest, write_atomic, write_bundle
from fraudlab.errors import UserError
from fraudlab.evidence import write_evidence
from fraudlab.experiment import run_experiment
from fraudlab.home import bundles, home
from fraudlab.keeping import clear_leftovers
from fraudlab.outcomes import RunResult
from fraudlab.provenance import Commit, provenance
from fraudlab.runs import (
    FoldMetrics,
    Planned,
    RunRecord,
    log_file,
    now,
    run_folder,
    write_json,
    write_run,
    write_stages,
)
from fraudlab.table import Table
from fraudlab.tables import Tables


def train_candidate(
    planned: Planned,
    tables: Tables,
    sweep_id: str,
    mlflow_run_id: str | None,
    commit: Commit | None = None,
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
    commit
        Of the code, as it was when the sweep was launched; None looks it up.
    """
    clear_leftovers(planned.run)
    started = RunRecord(planned.run, "running", sweep=sweep_id, mlflow_run_id=mlflow_run_id)
    try:
        table = tables.table(planned.config, planned.data_fingerprint)
        split = tables.split(planned.config, planned.data_fingerprint)
        origin = provenance(planned.config, table.fingerprint, mlflow_run_id, commit)
        result = run_experiment(
            planned.config, table, split, origin, share=True, tell=_Stages(planned.run)
        )
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
    """Write the traceback below what was printed; the record has its last line."""
    _let_memory_be()
    log = log_file(started.run)
    printed = log.read_bytes() if log.is_file() else b""
    write_atomic(log, printed + "".join(traceback.format_exception(error)).encode())
    text = str(error).strip() or "no message"
    if isinstance(error, MemoryError):
        text = f"{text.splitlines()[-1]}: it may hold no more memory (launcher.memory)"
    kind = "" if isinstance(error, UserError) else f"{type(error).__name__}: "
    return msgspec.structs.replace(
        started,
        status="failed",
        error=f"{kind}{text.splitlines()[-1]}",
        log=os.path.relpath(log, home()),
        finished=now(),
    )


def _let_memory_be() -> None:
    """Lift the limit that may be the error's cause: to write it down takes some memory too."""
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    resource.setrlimit(resource.RLIMIT_DATA, (hard, hard))


@dataclass(slots=True)
class _Stages:
    """Writes the metrics of each validation stage down as soon as they are known."""

    run: str
    known: list[dict[str, float]] = field(default_factory=list)

    def __call__(self, metrics: dict[str, float]) -> None:
        self.known.append(metrics)
        write_stages(self.run, self.known)
