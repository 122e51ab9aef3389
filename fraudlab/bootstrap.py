"""How sure a number is: the bootstrap, clustered by card, day or row, paired between candidates.

Clusters are drawn as a whole, for the frauds of one card are one event, not many. The draws depend
on nothing but the scored rows, so candidates judged on the same rows meet the same draws: the
difference of two candidates is taken draw by draw, and is far surer than their intervals suggest.

References
----------
Efron and Tibshirani, An Introduction to the Bootstrap, 1993 (percentile intervals); Field and
Welsh, Bootstrapping clustered data, JRSS B 69, 2007.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from fraudlab.config import Bootstrap, Costs
from fraudlab.preprocess import Floats
from fraudlab.protocols import Cut, Scores, ThresholdStrategy
from fraudlab.threads import one_blas_thread
from fraudlab.weighing import Clusters, Part, Weighed, Weights

LEVEL = 0.95
FEWEST = 5  # clusters
_CUTS = 200  # resamples of a threshold: each chooses it anew
_CELLS = 20_000_000  # numbers held at once
_SEED = 0  # not the experiment's: candidates of any seed are paired

Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Replicates:
    """What each metric was under every draw, float64 [B]; equal `drawn` means the same draws."""

    drawn: str
    values: dict[str, Floats]

    def intervals(self) -> dict[str, Interval]:
        """Return the 95 % percentile interval of each metric."""
        found = {name: interval(of) for name, of in self.values.items()}
        return {name: of for name, of in found.items() if of is not None}


def interval(values: Floats) -> Interval | None:
    """Return the percentile interval of replicates; None when no draw gave a number."""
    known = values[np.isfinite(values)]
    if not len(known):
        return None
    low, high = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def replicate(parts: Sequence[Part], costs: Costs | None, settings: Bootstrap) -> Replicates | None:
    """Return the metrics' replicates, each the mean over `parts`; None without resamples.

    So it is, with a warning, when there are too few clusters to draw from. A cluster is drawn for
    all parts alike: a card that is scored in two folds counts in both.
    """
    if not settings.resamples:
        return None
    together = Scores.together([part.scores for part in parts])
    unit, cluster = clusters(together, settings.cluster)
    count = int(cluster.max()) + 1
    if count < FEWEST:
        warnings.warn(
            f"no intervals: {count} {unit}s to draw from say nothing of others; draw smaller"
            " clusters (bootstrap.cluster=row)",
            stacklevel=2,
        )
        return None
    ends = np.cumsum([len(part.scores.score) for part in parts])[:-1]
    own = np.split(cluster, ends)
    with one_blas_thread():
        weighed = [
            Weighed(part, of, unit, count, costs) for part, of in zip(parts, own, strict=True)
        ]
        width = max(part.width for part in weighed)
        chunks = [
            _mean([part.metrics(weights) for part in weighed])
            for weights in draws(count, settings.resamples, width)
        ]
    values = {name: np.concatenate([chunk[name] for chunk in chunks]) for name in chunks[0]}
    return Replicates(_digest(together, cluster, settings.resamples), values)


def clusters(scores: Scores, wanted: str) -> tuple[str, Clusters]:
    """Return what is drawn and each row's cluster, 0..C-1; rows where the wanted is not known."""
    known = {"card": scores.card, "day": scores.day}.get(wanted)
    if known is None:
        known, wanted = scores.row, "row"
    if known is None:
        known = np.arange(len(scores.score))
    return wanted, np.unique(known, return_inverse=True)[1].astype(np.int64)


def draws(count: int, resamples: int, width: int = 0) -> Iterator[Weights]:
    """Yield float32 [C, B]: how often each of `count` clusters is drawn, in as few B as fit.

    The draws do not depend on how they are cut into pieces.
    """
    random = np.random.default_rng(_SEED)
    step = max(1, _CELLS // max(count, width))
    for first in range(0, resamples, step):
        size = min(step, resamples - first)
        weights = np.empty((size, count), dtype=np.float32)
        for row in weights:
            row[:] = np.bincount(random.integers(count, size=count), minlength=count)
        yield np.ascontiguousarray(weights.T)


def _mean(parts: Sequence[Mapping[str, Floats]]) -> dict[str, Floats]:
    shared = [name for name in parts[0] if all(name in part for part in parts)]
    return {name: np.mean([part[name] for part in parts], axis=0) for name in shared}


def _digest(scores: Scores, cluster: Clusters, resamples: int) -> str:
    digest = hashlib.blake2b(str(resamples).encode(), digest_size=8)
    for of in (scores.row, scores.fold, scores.label, cluster):
        digest.update(b"-" if of is None else np.ascontiguousarray(of).tobytes())
    return digest.hexdigest()


def cut_interval(
    cut: Cut, strategy: ThresholdStrategy, scores: Scores, settings: Bootstrap
) -> Interval | None:
    """Return the interval of a cut: where the strategy puts it on resampled validation rows.

    The scores themselves stay as they are. What is computed rather than chosen (a cost over an
    amount, a number in the configuration) has no width.
    """
    if cut.alert_cost is not None:
        return cut.value, cut.value
    if not settings.resamples:
        return None
    _, cluster = clusters(scores, settings.cluster)
    order = np.argsort(-scores.score, kind="stable")
    ranked, own = scores.rows(order), cluster[order]
    chosen = []
    for weights in draws(int(cluster.max()) + 1, min(_CUTS, settings.resamples)):
        for weight in weights.T:
            often = weight[own].astype(np.float64)
            if 0 < float(often @ ranked.label) < float(often.sum()):  # both classes were drawn
                chosen.append(strategy.choose(replace(ranked, weight=often)).value)
    return interval(np.array(chosen))
