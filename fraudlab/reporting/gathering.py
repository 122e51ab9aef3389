"""What a report stands on, read from the files of runs and sweeps; nothing is computed here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from fraudlab.config import Config
from fraudlab.errors import UserError
from fraudlab.evidence import read_scores
from fraudlab.home import outputs
from fraudlab.keeping import kept_manifest
from fraudlab.manifest import Manifest
from fraudlab.protocols import Scores
from fraudlab.ranking import Row, leaderboard
from fraudlab.runs import DAMAGED, RunRecord, SweepRecord, read_run, read_sweep, run_folder
from fraudlab.seeding import by_candidate, candidates_of, names_of
from fraudlab.table import TableReport
from fraudlab.wording import nearest

TABLE_REPORT = "table_report.json"
PARTS = ("validation", "test")


@dataclass(frozen=True, slots=True)
class RunFacts:
    """A finished run.

    Attributes
    ----------
    record, manifest, config
        Its result, the manifest of its bundle, and what was asked for.
    scores
        The scored rows of all folds by part; empty when they are not there any more.
    shipped
        Of these the rows of the shipped bundle's own fold. A part is left out when it is not known
        which fold that is.
    table
        What its table held; None when that is not there any more.
    """

    record: RunRecord
    manifest: Manifest
    config: Config
    scores: dict[str, Scores]
    shipped: dict[str, Scores]
    table: TableReport | None

    @property
    def name(self) -> str:
        """What it is called where nothing else tells it apart."""
        return f"{self.config.model.name} · {self.config.sampler.name}"

    @property
    def folds(self) -> int:
        """How many parts its test has."""
        return max(1, len(self.record.folds.test))


@dataclass(frozen=True, slots=True)
class SweepFacts:
    """A sweep: its plan, its rows, the best first, and what tells its candidates apart."""

    record: SweepRecord
    rows: Sequence[Row]
    names: list[str]

    @property
    def finished(self) -> list[Row]:
        """The candidates with a result, best first, each by the run that stands for it."""
        return candidates_of(self.rows)

    @property
    def asked(self) -> int:
        """How many candidates there are; runs that differ in nothing but the seed are one."""
        return len(by_candidate(self.record.candidates))

    @property
    def run_word(self) -> str:
        """What one of its runs is called: a candidate, unless some have several seeds."""
        return "candidate" if self.asked == len(self.record.candidates) else "run"


def find_run(run: str) -> RunRecord:
    """Return the finished run whose key begins with `run`.

    Raises
    ------
    UserError
        If none or several do, or it has no result; the message says why not.
    """
    folder = outputs() / "runs"
    everything = sorted(path.name for path in folder.glob("*") if path.is_dir())
    known = [name for name in everything if run and name.startswith(run)]
    if len(known) > 1:
        raise UserError(f"{len(known)} runs begin with {run!r}: {', '.join(known[:5])}")
    if not known:
        if len(everything) > 10:  # noqa: PLR2004 (more are no help)
            hint = "; python -m fraudlab.leaderboard format=json lists those of a sweep"
        else:
            hint = nearest(run, everything)
        raise UserError(f"no run begins with {run!r}{hint}")
    record = read_run(known[0])
    if record is None or record.status != "done":
        raise UserError(_unfinished(known[0], record))
    return record


def _unfinished(run: str, record: RunRecord | None) -> str:
    if record is None:
        return f"run {run} has no result: train it again, then ask for its report"
    why = f" ({record.error})" if record.error else ""
    log = f"; see {record.log}" if record.log else ""
    return f"run {run} is {record.status}{why}{log}: only a finished run has a report"


def gather_run(record: RunRecord) -> RunFacts:
    """Return what is known of a finished run.

    Raises
    ------
    UserError
        If its manifest has gone, or another version wrote its configuration.
    """
    manifest = kept_manifest(record)
    try:
        config = msgspec.convert(manifest.provenance.get("config"), Config)
    except msgspec.ValidationError as error:
        raise UserError(
            f"run {record.run}: its configuration cannot be read ({error}): another version of"
            " fraudlab wrote it; train it again"
        ) from error
    scores = read_scores(record.run) or {}
    return RunFacts(
        record, manifest, config, scores, _shipped(record, manifest, scores), _table_report(record)
    )


def _shipped(record: RunRecord, manifest: Manifest, scores: dict[str, Scores]) -> dict[str, Scores]:
    """Return the rows of the shipped fold, known by its metrics, which the manifest has too."""
    found = {}
    for part, every in scores.items():
        folds = getattr(record.folds, part) or (getattr(record.metrics, part),)
        own = getattr(manifest.metrics, part)
        place = next((number for number, fold in enumerate(folds) if fold == own), None)
        if place is not None:
            of = np.zeros(len(every.score), dtype=int) if every.fold is None else every.fold
            found[part] = every.rows(np.flatnonzero(of == place))
    return found


def _table_report(record: RunRecord) -> TableReport | None:
    path = run_folder(record.run) / TABLE_REPORT
    try:
        return msgspec.json.decode(path.read_bytes(), type=TableReport)
    except (OSError, *DAMAGED):
        return None


def gather_sweep(sweep: str) -> SweepFacts:
    """Return what is known of a sweep; `latest` is the one launched last.

    Raises
    ------
    UserError
        If there is no such sweep, or another version wrote it.
    """
    record = read_sweep(sweep)
    rows = leaderboard(record)
    return SweepFacts(record, rows, names_of(rows))
