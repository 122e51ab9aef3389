"""Time the paired bootstrap of a sweep, against drawing rows one resample at a time.

    python scripts/bench_bootstrap.py             # make bench
    python scripts/bench_bootstrap.py --candidates 4 --rows 10000

The rows are like a week of the Handbook's stream: 58,264 rows, 385 frauds, 4,900 cards. The plain
way indexes the rows of the drawn cards and calls scikit-learn's average precision; it is timed on a
few resamples, for that one metric, and put in proportion.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from sklearn.metrics import average_precision_score

from fraudlab.bootstrap import replicate
from fraudlab.config import Bootstrap, Costs
from fraudlab.protocols import Scores
from fraudlab.weighing import Part

CARDS, DAYS, FRAUD = 4900, 7, 385 / 58_264
PLAIN = 5  # resamples that the plain way is timed on


def candidate(rows: int, seed: int) -> Scores:
    """Return the scores of one candidate; the rows are the same for all."""
    truth, own = np.random.default_rng(0), np.random.default_rng(1 + seed)
    label = (truth.random(rows) < FRAUD).astype(np.int8)
    return Scores(
        score=np.clip(own.beta(1, 200, rows) + label * own.beta(1, 3, rows), 0, 1),
        label=label,
        day=np.sort(truth.integers(0, DAYS, rows)),
        card=truth.integers(0, CARDS, rows),
        amount=truth.gamma(1.0, 50.0, rows),
        row=np.arange(rows),
    )


def plainly(scores: Scores, resamples: int) -> float:
    """Return the seconds of drawing `resamples` times the plain way."""
    assert scores.card is not None
    draw = np.random.default_rng(0)
    order = np.argsort(scores.card, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(scores.card[order])) + 1)
    started = time.perf_counter()
    for _ in range(resamples):
        rows = np.concatenate([groups[n] for n in draw.integers(len(groups), size=len(groups))])
        average_precision_score(scores.label[rows], scores.score[rows])
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--candidates", type=int, default=12, help="candidates (12)")
    parser.add_argument("--rows", type=int, default=58_264, help="scored rows of each (58,264)")
    parser.add_argument("--resamples", type=int, default=1000, help="resamples (1,000)")
    options = parser.parse_args()
    for cluster in ("card", "day", "row"):
        spent, names = 0.0, 0
        for number in range(options.candidates):
            scores = candidate(options.rows, number)
            part = Part(scores, np.full(options.rows, 0.1), scores)
            started = time.perf_counter()
            found = replicate([part], Costs(), Bootstrap(cluster, options.resamples))
            spent += time.perf_counter() - started
            names = len(found.values) if found else 0
        print(
            f"bootstrap by {cluster:4} {options.candidates} candidates x {options.resamples:,}"
            f" resamples x {options.rows:,} rows, {names} metrics: {spent:.2f} s"
        )
        if cluster == "card":
            by_card = spent
    slow = plainly(candidate(options.rows, 0), PLAIN) / PLAIN
    slow *= options.resamples * options.candidates
    print(
        f"  the plain way, average precision alone, in proportion: {slow:.0f} s,"
        f" {slow / by_card:.0f} times slower"
    )


if __name__ == "__main__":
    main()
