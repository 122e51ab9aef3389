"""What scored rows amount to: metrics of each scored part, their means, and how sure those are."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

from fraudlab import metrics
from fraudlab.bootstrap import Interval, Replicates, replicate
from fraudlab.bundle import Bundle
from fraudlab.config import Config
from fraudlab.manifest import Intervals, Metrics
from fraudlab.preprocess import Floats
from fraudlab.protocols import Rows, Scores
from fraudlab.table import Table
from fraudlab.weighing import Part

OFF = 3.0  # times the prevalence: a mean score further away is no probability
OF_TRAIN = ("average_precision", "roc_auc", "card_precision_at_100")


@dataclass(frozen=True, slots=True)
class Measured:
    """One scored part and its metrics."""

    part: Part
    metrics: dict[str, float]


@dataclass(frozen=True, slots=True)
class Outcome:
    """A candidate's validation or test: one scored part, or a fold each.

    Attributes
    ----------
    metrics
        Means over the folds, with `_std` (population) beside where there are several.
    folds
        Each fold's own.
    replicates
        The means under every bootstrap draw; None without resamples.
    scores
        The scored rows of all folds, one after the other.
    """

    metrics: dict[str, float]
    folds: tuple[dict[str, float], ...]
    replicates: Replicates | None
    scores: Scores

    @property
    def intervals(self) -> dict[str, Interval]:
        """The 95 % interval of each mean."""
        found = {} if self.replicates is None else self.replicates.intervals()
        return {name: of for name, of in found.items() if name in self.metrics}


@dataclass(frozen=True, slots=True)
class RunResult:
    """A trained candidate: its bundle, ready to be written, and what was measured on the way.

    Attributes
    ----------
    bundle
        The shipped bundle; its manifest holds the metrics of its own validation and test.
    outcomes
        The candidate's own: "validation" (calibrated out of fold) and "test", over all folds.
    seconds
        Wall time by step.
    parity
        The largest difference between fitted model and graph that the gate met.
    warnings
        What the libraries warned of, each text once.
    """

    bundle: Bundle
    outcomes: dict[str, Outcome]
    seconds: dict[str, float]
    parity: float
    warnings: tuple[str, ...] = ()

    @property
    def metrics(self) -> Metrics:
        """Means over the folds, with `_std` beside where there are several."""
        return Metrics(**{part: of.metrics for part, of in self.outcomes.items()})

    @property
    def intervals(self) -> Intervals:
        """The 95 % intervals of the means."""
        return Intervals(**{part: of.intervals for part, of in self.outcomes.items()})


def outcome(config: Config, measured: Sequence[Measured]) -> Outcome:
    """Return what the scored parts amount to."""
    folds = tuple(each.metrics for each in measured)
    parts = [each.part for each in measured]
    return Outcome(
        metrics.summary(folds),
        folds,
        replicate(parts, config.costs, config.bootstrap),
        Scores.together([part.scores for part in parts]),
    )


def measure(config: Config, part: Part, train: dict[str, float]) -> Measured:
    """Return a scored part with its metrics, those of the fitted rows among them."""
    found = metrics.evaluate(part.scores, part.thresholds, config.costs, ranked=part.ranked)
    return Measured(part, found | train)


def train_metrics(scores: Scores) -> dict[str, float]:
    """Return how the fitted rows themselves are ranked: far above validation is overfitted."""
    found = metrics.ranking(scores)
    return {f"train_{name}": found[name] for name in OF_TRAIN if name in found}


def warn_unless_probabilities(validation: dict[str, float]) -> None:
    """Warn when the mean score is far from the share of frauds, the cheapest alarm there is."""
    mean, share = validation["mean_score"], validation["prevalence"]
    if share / OFF <= mean <= share * OFF:
        return
    factor = f"{mean / share:.3g} times" if mean > 0 else "no part of"
    warnings.warn(
        f"scores are not probabilities: their mean {mean:.3g} is {factor} the share of frauds"
        f" {share:.3g} in validation; a threshold set by costs (amount_cost) is wrong then."
        " calibration=sigmoid (or prior) mends that",
        stacklevel=2,
    )


def truth_of(table: Table, rows: Rows, scores: Floats, *, whole_days: bool = True) -> Scores:
    """Return `scores` with the truth of `rows`; without days where there are no whole ones."""
    return Scores(
        score=scores,
        label=table.label[rows],
        day=table.day[rows] if table.day is not None and whole_days else None,
        card=None if table.card is None else table.card[rows],
        amount=None if table.amount is None else table.amount[rows],
        row=rows,
        segment=None if table.segment is None else table.segment[rows].astype(str),
    )
