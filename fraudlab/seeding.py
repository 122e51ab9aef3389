"""Candidates that differ in nothing but the seed, judged as one: their means, and how sure.

What varies with the seed is one thing, what varies with the rows another. Intervals made here are
about the seeds: where a mean would lie with other ones, on the same rows. Those of the bootstrap
are about the rows. The difference of two candidates is unsure for both reasons.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from statistics import median_low
from typing import Any, Protocol, TypeVar

import msgspec

from fraudlab import registry
from fraudlab.bootstrap import LEVEL, Interval
from fraudlab.config import Choice
from fraudlab.manifest import Intervals, Metrics
from fraudlab.naming import Named, asked_for, differing, value_of
from fraudlab.runs import Planned, Status

SEED = "seed"  # the key in which they differ
FEWEST = 2  # seeds that say how far seeds go apart


class Seeds(msgspec.Struct, frozen=True):
    """What a candidate amounts to over the seeds with which it has a result.

    Attributes
    ----------
    run
        The run that stands for the candidate, and ships.
    count, asked
        How many seeds have a result, and how many were asked for.
    metrics
        Means over the seeds, of the metrics that every one of them has.
    std
        Standard deviations over the seeds, with n - 1 in the denominator; none of one seed.
    intervals
        95 % intervals of the means (Student's t, n - 1 degrees of freedom). They are about other
        seeds on the same rows, and say nothing of other rows.
    """

    run: str
    count: int
    asked: int
    metrics: Metrics
    std: Metrics = Metrics()
    intervals: Intervals = Intervals()


def by_candidate(planned: Sequence[Planned]) -> list[tuple[Planned, ...]]:
    """Return what was planned, those together and by seed that differ in nothing but the seed.

    What differs in its data stays apart, even if only the seed was set otherwise. The groups stand
    in the order in which their first members were asked for.
    """
    found: dict[tuple[bytes, str], list[Planned]] = {}
    for each in planned:
        alike = asked_for(each, but=SEED), each.data_fingerprint
        found.setdefault(alike, []).append(each)
    return [tuple(sorted(group, key=_seed)) for group in found.values()]


def _seed(planned: Planned) -> int:
    return planned.config.seed


def pooled(run: str, asked: int, finished: Sequence[Metrics]) -> Seeds:
    """Return what the runs of several seeds amount to.

    Parameters
    ----------
    run, asked
        As in `Seeds`.
    finished
        The metrics of each finished run, at least one; their order changes nothing.
    """
    validation = _over([each.validation for each in finished])
    test = _over([each.test for each in finished])
    return Seeds(
        run=run,
        count=len(finished),
        asked=asked,
        metrics=Metrics(validation[0], test[0]),
        std=Metrics(validation[1], test[1]),
        intervals=Intervals(validation[2], test[2]),
    )


def typical(values: Mapping[int, float], able: Collection[int]) -> int:
    """Return which seed stands for all: of those `able` to, the nearest to the median of all.

    Of two in the middle, or equally near, it is the lower one: the best seed is a lucky draw.

    Parameters
    ----------
    values
        The metric that ranks, by seed; -inf where it was not measured.
    able
        The seeds to choose from, at least one.
    """
    middle = median_low(values.values())

    def distance(seed: int) -> float:
        apart = 0.0 if values[seed] == middle else abs(values[seed] - middle)
        return float(f"{apart:.9g}")  # 0.9 is no nearer to 0.8 than 0.7 is

    return min(able, key=lambda seed: (distance(seed), values[seed], seed))


def _over(
    seeds: Sequence[Mapping[str, float]],
) -> tuple[dict[str, float], dict[str, float], dict[str, Interval]]:
    """Return mean, standard deviation and interval of each metric that all `seeds` have."""
    means: dict[str, float] = {}
    std: dict[str, float] = {}
    intervals: dict[str, Interval] = {}
    for name in seeds[0]:
        values = [seed.get(name, math.nan) for seed in seeds]
        if not all(map(math.isfinite, values)):
            continue
        means[name] = mean = _mean(values)
        if len(values) >= FEWEST:
            std[name] = deviation(values)
            half = quantile(len(values) - 1) * std[name] / math.sqrt(len(values))
            intervals[name] = (mean - half, mean + half)
    return means, std, intervals


def _mean(values: Sequence[float]) -> float:
    """Return the mean, whatever the order; of equal values exactly their value."""
    return min(max(math.fsum(values) / len(values), min(values)), max(values))


def deviation(values: Sequence[float]) -> float:
    """Return the standard deviation of at least two values, n - 1 in the denominator."""
    mean = _mean(values)
    return math.sqrt(math.fsum((each - mean) ** 2 for each in values) / (len(values) - 1))


@cache
def quantile(freedom: float) -> float:
    """Return how many standard errors Student's t of `freedom` degrees reaches on either side."""
    from scipy.special import stdtrit  # what scipy.stats.t.ppf calls, without its second of import

    return float(stdtrit(freedom, (1 + LEVEL) / 2))


class Ranked(Named, Protocol):
    """What is read here of a leaderboard's row."""

    @property
    def run(self) -> str:
        """The run's key."""

    @property
    def status(self) -> Status:
        """How it ended."""

    @property
    def seed(self) -> int:
        """Its seed."""

    @property
    def choices(self) -> Mapping[str, str]:
        """Registry names by group."""

    @property
    def seeds(self) -> Seeds | None:
        """What its candidate amounts to over several seeds."""


Row = TypeVar("Row", bound=Ranked)


def candidates_of(rows: Sequence[Row]) -> list[Row]:
    """Return the finished candidates, best first, each once: by the run that stands for it."""
    done = [row for row in rows if row.status == "done"]
    return [row for row in done if row.seeds is None or row.seeds.run == row.run]


def runs_of(candidate: Row, rows: Sequence[Row]) -> list[Row]:
    """Return the finished runs of a candidate by seed; a candidate of one seed is its own run."""
    if candidate.seeds is None:
        return [candidate]
    found = [row for row in rows if row.seeds is not None and row.seeds.run == candidate.seeds.run]
    return sorted(found, key=lambda row: row.seed)


def names_of(rows: Sequence[Ranked]) -> list[str]:
    """Return what tells candidates apart, as `differing` does: not the seed where it is pooled."""
    pools = any(row.seeds is not None for row in rows)
    return [name for name in differing(rows) if name != SEED or not pools] or ["model"]


def metric_of(row: Ranked) -> str:
    """Return the metric by which a row was ranked."""
    found: str = registry.build("selection", Choice(row.choices["selection"])).metric
    return found


def seed_summaries(rows: Sequence[Ranked]) -> list[dict[str, Any]]:
    """Return what each candidate of several seeds amounts to by the metric that ranks, best first.

    Each has `candidate` (what tells it from the others), `run` (which stands for it), `count` and
    `asked` (seeds), `metric`, and on validation its `mean`, `std` and `interval` ([low, high]; both
    None of one seed). Those without that metric are left out, as is whatever had one seed only.
    """
    names = names_of(rows) if rows else []
    return [
        {
            "candidate": {name: value_of(row, name) for name in names},
            "run": row.run,
            "count": row.seeds.count,
            "asked": row.seeds.asked,
            "metric": metric,
            "mean": row.seeds.metrics.validation[metric],
            "std": row.seeds.std.validation.get(metric),
            "interval": None if interval is None else list(interval),
        }
        for row in candidates_of(rows)
        if row.seeds is not None and (metric := metric_of(row)) in row.seeds.metrics.validation
        for interval in [row.seeds.intervals.validation.get(metric)]
    ]
