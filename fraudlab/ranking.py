"""The leaderboard: a sweep's candidates joined with their results, best first."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from fraudlab import registry
from fraudlab.comparing import Comparison, Drawn, compare
from fraudlab.evidence import read_replicates
from fraudlab.manifest import Intervals, Metrics
from fraudlab.protocols import Selection
from fraudlab.runs import FoldMetrics, Planned, RunRecord, Status, SweepRecord, read_run

HEADINGS = {
    "average_precision": "AP",
    "roc_auc": "ROC AUC",
    "card_precision_at_100": "CP@100",
    "precision": "precision",
    "recall": "recall",
    "alerts_per_day": "alerts/day",
    "savings": "savings",
}
"""The metrics that a leaderboard shows, in order, and how it names them."""
NEAR = "≈ cannot be told from the best: the paired 95 % interval of the difference holds 0"
OTHER_ROWS = "? not compared with the best: judged on other rows, or no bootstrap"
BARRED = "- may not win"
"""What the marks of `place_of` mean; each text begins with its mark."""
SAME_ROWS = "kfold"  # the split that has no rows to spare for test


class Row(msgspec.Struct, frozen=True):
    """One candidate on the leaderboard; the public shape of format=json."""

    run: str
    status: Status
    reused: bool
    choices: dict[str, str]
    options: dict[str, str]
    overrides: dict[str, Any]
    seconds: dict[str, float]
    metrics: Metrics
    intervals: Intervals
    bundle: str | None
    folds: FoldMetrics = FoldMetrics()
    size: int | None = None
    comparison: Comparison | None = None
    simplest: bool = False
    unmet: tuple[str, ...] = ()
    error: str | None = None
    log: str | None = None
    warnings: tuple[str, ...] = ()


def leaderboard(sweep: SweepRecord) -> list[Row]:
    """Return the sweep's rows: finished ones by the selection's rule, then the others.

    Equal ones stay in the order they were asked for. One that lacks a metric the rule reads (which
    had one class only, say) comes last of the finished; so does one that may not win.
    """
    rows = [_row(planned, sweep.sweep) for planned in sweep.candidates]
    selection = registry.build("selection", sweep.candidates[0].config.selection)
    done = [_judged(row, selection) for row in rows if row.status == "done"]
    done.sort(key=lambda row: rank_key(selection, row.metrics), reverse=True)
    return _compared(done, selection.metric) + [row for row in rows if row.status != "done"]


def rank_key(selection: Selection, metrics: Metrics) -> tuple[float, ...]:
    """Return the key by which a selection's rule ranks finished runs; the largest is the best."""
    try:
        return tuple(selection.rank_key(metrics.validation))
    except KeyError:
        return ()


def place_of(place: int, row: Row) -> str:
    """Return a finished row's place with its mark: near the best, not compared, may not win."""
    if row.unmet:
        return BARRED[0]
    if row.comparison is None:
        return str(place)
    return {False: NEAR[0], None: OTHER_ROWS[0], True: ""}[row.comparison.distinguishable] + str(
        place
    )


def judged_alike(rows: Sequence[Row]) -> bool:
    """Whether the finished candidates share their data and split, so that their values compare."""
    kinds = {(row.options["data"], row.options["split"]) for row in rows if row.status == "done"}
    return len(kinds) <= 1


def best_of(rows: Sequence[Row]) -> Row | None:
    """Return the first of a leaderboard's rows, if it has a result and may win."""
    best = rows[0] if rows else None
    return best if best is not None and best.status == "done" and not best.unmet else None


def simplest_of(rows: Sequence[Row]) -> Row | None:
    """Return the row with the smallest graph of those within one standard error of the best."""
    return next((row for row in rows if row.simplest), None)


def _judged(row: Row, selection: Selection) -> Row:
    return msgspec.structs.replace(row, unmet=selection.unmet(row.metrics.validation))


def _compared(done: Sequence[Row], metric: str) -> list[Row]:
    """Return the rows, each but the best compared with it, the simplest of the near ones marked."""
    best = best_of(done)
    if best is None or metric not in best.metrics.validation:
        return list(done)
    drawn = read_replicates(best.run, metric)
    rows = [best, *(_compared_with(best, drawn, row, metric) for row in done[1:])]
    near = [row for row in rows if row is best or (row.comparison and row.comparison.within_one_se)]
    simplest = min(near, key=lambda row: math.inf if row.size is None else row.size)
    return [msgspec.structs.replace(row, simplest=row is simplest) for row in rows]


def _compared_with(best: Row, drawn: Drawn | None, row: Row, metric: str) -> Row:
    value = row.metrics.validation.get(metric)
    if row.unmet or value is None:
        return row
    difference = best.metrics.validation[metric] - value
    return msgspec.structs.replace(row, comparison=compare(drawn, row.run, metric, difference))


def _row(planned: Planned, sweep: str) -> Row:
    record = read_run(planned.run) or RunRecord(planned.run, "pending")
    if planned.not_applicable:
        record = RunRecord(planned.run, "not_applicable", error=planned.not_applicable)
    return Row(
        run=planned.run,
        status=record.status,
        reused=record.status == "done" and record.sweep != sweep,
        choices=planned.config.choices,
        options=planned.options,
        overrides=planned.overrides,
        seconds=record.seconds,
        metrics=record.metrics,
        intervals=record.intervals,
        folds=record.folds,
        size=record.size,
        bundle=record.bundle if record.bundle_folder else None,
        error=record.error,
        log=record.log,
        warnings=record.warnings,
    )


class Named(Protocol):
    """Whatever carries a candidate's options and overrides: a row, or a planned candidate."""

    @property
    def options(self) -> dict[str, str]:
        """YAML stems by group."""

    @property
    def overrides(self) -> dict[str, Any]:
        """Values by dotted key."""


def differing(candidates: Sequence[Named]) -> list[str]:
    """Return the groups and keys in which the candidates differ: what names them."""

    def several(name: str) -> bool:
        return len({value_of(candidate, name) for candidate in candidates}) > 1

    groups = [group for group in candidates[0].options if several(group)]
    keys = sorted({key for candidate in candidates for key in candidate.overrides})
    return groups + [key for key in keys if several(key)] or ["model"]


def value_of(candidate: Named, name: str) -> str:
    """Return a candidate's option or key by a name of `differing`."""
    options, overrides = candidate.options, candidate.overrides
    return str(options[name] if name in options else overrides.get(name, ""))


def short(name: str, names: Sequence[str]) -> str:
    """Return the last part of a dotted key, unless another of `names` ends in it too."""
    last = name.rpartition(".")[2]
    return name if sum(other.rpartition(".")[2] == last for other in names) > 1 else last


def name_of(candidate: Named, names: Sequence[str]) -> str:
    """Return a candidate's name among its like, such as 'xgb · smote · max_depth=3'."""
    return " · ".join(
        value_of(candidate, name)
        if name in candidate.options
        else f"{short(name, names)}={value_of(candidate, name)}"
        for name in names
    )
