"""Which inputs the shipped model lives on: what it loses when one column is shuffled.

A column of the table is shuffled whole, with all that became of it (one-hot columns, the indicator
of missing values), over all rows of test, and the bundle's own scorer scores the rows again. The
interval is over shuffles and bootstrap draws alike.

References
----------
Breiman, Random Forests, Machine Learning 45, 2001; Fisher, Rudin and Dominici, All Models are
Wrong, but Many are Useful, JMLR 20, 2019 (model reliance).
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fraudlab.bootstrap import Interval, interval
from fraudlab.encoding import read_codes, read_numbers
from fraudlab.preprocess import Floats
from fraudlab.protocols import Rows, Scores
from fraudlab.reporting.drawing import Ranked, draw_clusters
from fraudlab.reporting.rebuilding import Material
from fraudlab.scoring import Scorer
from fraudlab.threads import budget
from fraudlab.weighing import Weights

SHUFFLES = 5
_DRAWS = 40  # of every shuffle
_GENUINE = (20_000, 8_000, 3_000)  # rows scored, frauds aside: the most that the time allows
_SECONDS = 6.0
_TRIED = 500  # rows
_COLUMNS = 200


@dataclass(frozen=True, slots=True)
class Reliance:
    """What average precision on test loses when a column is shuffled."""

    column: str
    drop: float
    interval: Interval | None


@dataclass(frozen=True, slots=True)
class Importance:
    """All columns, the heaviest first, and how they were measured.

    Attributes
    ----------
    columns
        The columns.
    average_precision
        Of the rows as they are.
    rows
        How many rows were scored each time.
    every
        Whether these are all rows of test; otherwise all frauds and a sample of the others.
    left_out
        How many columns were not measured, of very wide tables.
    """

    columns: tuple[Reliance, ...]
    average_precision: float
    rows: int
    every: bool
    left_out: int = 0


def average_precisions(ranked: Ranked, weights: Weights) -> Floats:
    """Return the average precision under each of B weightings of the clusters ([C, B])."""
    false, hits = ranked.alerts(weights)
    gained, alerts, frauds = np.diff(hits, axis=0, prepend=0.0), false + hits, hits[-1]
    precision = np.divide(hits, alerts, out=np.zeros_like(hits), where=alerts > 0)
    result: Floats = np.divide(
        (gained * precision).sum(axis=0), frauds, out=np.full(len(frauds), np.nan), where=frauds > 0
    )
    return result


class Shuffler:
    """Score test with one column shuffled."""

    def __init__(self, scorer: Scorer, material: Material) -> None:
        table, test, spec = material.table, material.test, scorer.manifest.preprocess
        self._scorer = scorer
        self._numbers = read_numbers(table, test, spec)
        self._codes = read_codes(table, test, scorer.encoder)
        self.columns = [each.name for each in spec.numeric]
        self.columns += [each.name for each in spec.categorical]
        self.rows = len(test)

    def score(self, places: Rows, column: int | None = None, shuffle: int = 0) -> Floats:
        """Return the scores of the rows at `places`, the column number `column` shuffled."""
        numbers = self._numbers[places]
        codes = None if self._codes is None else self._codes[places]
        if column is not None:
            source = _shuffled(self.rows, column, shuffle)[places]
            width = numbers.shape[1]
            if column < width:
                numbers[:, column] = self._numbers[source, column]
            elif codes is not None and self._codes is not None:
                codes[:, column - width] = self._codes[source, column - width]
        return self._scorer.scores(self._scorer.encoder.encode(numbers, codes))


def _shuffled(rows: int, column: int, shuffle: int) -> NDArray[np.int64]:
    return np.random.default_rng([column, shuffle]).permutation(rows)


def measure_importance(
    scorer: Scorer, material: Material, scores: Scores, cluster: str, note: Callable[[str], None]
) -> Importance:
    """Return what each input is worth to the model on test.

    Parameters
    ----------
    scorer
        Of the bundle.
    material
        The table, and the rows of test.
    scores
        These rows as scored by the run.
    cluster
        What the bootstrap draws as a whole.
    note
        Told what is going on.
    """
    shuffler = Shuffler(scorer, material)
    measured = range(min(len(shuffler.columns), _COLUMNS))
    places, often = _sample(shuffler, scores, len(measured))
    note(f"shuffling {len(measured)} columns over {len(places):,} rows of test")
    own, pieces = draw_clusters(scores, cluster, _DRAWS)
    count = int(own.max()) + 1
    weights = np.concatenate([np.ones((count, 1), dtype=np.float32), *pieces], axis=1)

    def reached(*shuffled: int) -> Floats:
        score = shuffler.score(places, *shuffled)
        ranked = Ranked(score, scores.label[places], own[places], count, often)
        return average_precisions(ranked, weights)

    before = reached()

    def drops(job: tuple[int, int]) -> Floats:
        result: Floats = before - reached(*job)
        return result

    jobs = list(itertools.product(measured, range(SHUFFLES)))
    with ThreadPoolExecutor(budget()) as pool:
        found = np.array(list(pool.map(drops, jobs))).reshape(len(measured), SHUFFLES, -1)
    columns = [
        Reliance(shuffler.columns[place], float(of[:, 0].mean()), interval(of[:, 1:].ravel()))
        for place, of in enumerate(found)
    ]
    columns.sort(key=lambda each: -each.drop)
    return Importance(
        tuple(columns),
        float(before[0]),
        len(places),
        len(places) == len(scores.score),
        len(shuffler.columns) - len(measured),
    )


def _sample(shuffler: Shuffler, scores: Scores, columns: int) -> tuple[Rows, Floats]:
    """Return which rows are scored, and how many each stands for.

    All frauds are, and of the others those that score highest: average precision hangs on them.
    The rest is a sample.
    """
    fraud = scores.label == 1
    genuine = np.flatnonzero(~fraud)
    most = _affordable(shuffler, int(fraud.sum()), columns)
    often = np.ones(len(fraud))
    if len(genuine) > most:
        ranked = genuine[np.argsort(-scores.score[genuine], kind="stable")]
        rest = ranked[most // 2 :]
        sample = np.random.default_rng(0).choice(rest, most - most // 2, replace=False)
        often[rest] = 0.0
        often[sample] = len(rest) / len(sample)
    places = np.flatnonzero(often)
    return places, often[places]


def _affordable(shuffler: Shuffler, frauds: int, columns: int) -> int:
    """Return how many genuine rows there is time for, at the speed of this model and machine."""
    tried = np.arange(min(_TRIED, shuffler.rows))
    start = time.perf_counter()
    shuffler.score(tried)
    each = (time.perf_counter() - start) / len(tried)
    runs = columns * SHUFFLES / budget()
    fitting = [most for most in _GENUINE if (most + frauds) * each * runs <= _SECONDS]
    return fitting[0] if fitting else _GENUINE[-1]
