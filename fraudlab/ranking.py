"""The leaderboard: a sweep's candidates joined with their results, best first."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import msgspec

from fraudlab import registry
from fraudlab.comparing import Comparison, Drawn, compare, mean_draws, spread_between
from fraudlab.manifest import Intervals, Metrics
from fraudlab.protocols import Selection
from fraudlab.runs import FoldMetrics, Planned, RunRecord, Status, SweepRecord, read_run
from fraudlab.seeding import Seeds, by_candidate, pooled, typical

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
    """One run on the leaderboard; the public shape of format=json.

    `seeds` is what its candidate amounts to, where that was asked for with several seeds; then
    `comparison` is the candidate's as well, and so is `unmet` if the means miss something.
    """

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
    seed: int
    folds: FoldMetrics = FoldMetrics()
    size: int | None = None
    comparison: Comparison | None = None
    simplest: bool = False
    unmet: tuple[str, ...] = ()
    error: str | None = None
    log: str | None = None
    warnings: tuple[str, ...] = ()
    seeds: Seeds | None = None

    @property
    def means(self) -> Metrics:
        """What its candidate is judged by: the means over several seeds, or its own metrics."""
        return self.metrics if self.seeds is None else self.seeds.metrics


def leaderboard(sweep: SweepRecord) -> list[Row]:
    """Return the sweep's rows: finished ones by the selection's rule, then the others.

    Runs that differ in nothing but the seed are one candidate: they stand together, the one that
    stands for them first, ranked by their means. Equal candidates stay in the order they were asked
    for. One that lacks a metric the rule reads (which had one class only, say) comes last of the
    finished; so does one that may not win.
    """
    rows = {planned.run: _row(planned, sweep.sweep) for planned in sweep.candidates}
    selection = registry.build("selection", sweep.candidates[0].config.selection)
    candidates = [
        _judged([rows[planned.run] for planned in group], selection)
        for group in by_candidate(sweep.candidates)
    ]
    done = [candidate for candidate in candidates if candidate]
    done.sort(key=lambda candidate: _standing(candidate[0], selection), reverse=True)
    rest = [row for row in rows.values() if row.status != "done"]
    return _compared(done, selection.metric) + rest


def _judged(runs: Sequence[Row], selection: Selection) -> list[Row]:
    """Return the finished runs of a candidate, given by seed: the one that stands for it first.

    Means that miss a constraint bar all of them. A run that misses one itself does not ship while
    another meets them all; the others follow by their own key.
    """
    done = [
        msgspec.structs.replace(row, unmet=selection.unmet(row.metrics.validation))
        for row in runs
        if row.status == "done"
    ]
    if len(runs) == 1 or not done:
        return done
    metric = selection.metric
    values = {row.seed: row.metrics.validation.get(metric, -math.inf) for row in done}
    seed = typical(values, {row.seed for row in done if not row.unmet} or values)
    first = next(row for row in done if row.seed == seed)
    seeds = pooled(first.run, len(runs), [row.metrics for row in done])
    unmet = selection.unmet(seeds.metrics.validation)
    done.sort(key=lambda row: rank_key(selection, row.metrics), reverse=True)
    return [
        msgspec.structs.replace(row, seeds=seeds, unmet=unmet or row.unmet)
        for row in [first, *(row for row in done if row is not first)]
    ]


def _standing(first: Row, selection: Selection) -> tuple[float, ...]:
    """Return a candidate's key, from the run that stands for it.

    Where the means meet what no run of them does, nothing can ship, so it stands as that run would.
    """
    barred = first.unmet and not selection.unmet(first.means.validation)
    return rank_key(selection, first.metrics if barred else first.means)


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
    """Return the first of a leaderboard's rows, if it has a result and may win.

    Of several seeds it is the run that stands for them, which ships: the best seed was lucky.
    """
    best = rows[0] if rows else None
    return best if best is not None and best.status == "done" and not best.unmet else None


def simplest_of(rows: Sequence[Row]) -> Row | None:
    """Return the row with the smallest graph of those within one standard error of the best."""
    return next((row for row in rows if row.simplest), None)


def _compared(done: Sequence[Sequence[Row]], metric: str) -> list[Row]:
    """Return the rows of the candidates, each but the best compared with it.

    The simplest of the near ones is marked.
    """
    best = best_of([row for candidate in done for row in candidate])
    if best is None or metric not in best.means.validation:
        return [row for candidate in done for row in candidate]
    drawn = mean_draws([row.run for row in done[0]], metric)
    others = [_compared_with(done[0], drawn, candidate, metric) for candidate in done[1:]]
    near = [of[0] for of in others if of[0].comparison and of[0].comparison.within_one_se]
    simplest = min([best, *near], key=lambda row: math.inf if row.size is None else row.size)
    rows = [row for candidate in [done[0], *others] for row in candidate]
    return [msgspec.structs.replace(row, simplest=row is simplest) for row in rows]


def _compared_with(
    best: Sequence[Row], drawn: Drawn | None, candidate: Sequence[Row], metric: str
) -> list[Row]:
    value = candidate[0].means.validation.get(metric)
    if candidate[0].unmet or value is None:
        return list(candidate)
    own = mean_draws([row.run for row in candidate], metric)
    ours, theirs = ({r.seed: r.metrics.validation[metric] for r in of} for of in (best, candidate))
    difference = best[0].means.validation[metric] - value
    found = compare(drawn, own, metric, difference, spread_between(ours, theirs))
    return [msgspec.structs.replace(row, comparison=found) for row in candidate]


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
        seed=planned.config.seed,
        error=record.error,
        log=record.log,
        warnings=record.warnings,
    )
