"""Bootstrap draws for a report: as many as its pictures need, and no more than a page is worth."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import sparse

from fraudlab.bootstrap import clusters, draws
from fraudlab.preprocess import Floats
from fraudlab.protocols import Labels, Scores
from fraudlab.weighing import Clusters, Weights

DRAWS = 400
_FEWEST = 100
_CELLS = 40_000_000  # clusters times draws


def draw_clusters(
    scores: Scores, cluster: str, resamples: int = DRAWS
) -> tuple[Clusters, Iterator[Weights]]:
    """Return each row's cluster, and how often each cluster is drawn.

    Parameters
    ----------
    scores
        The rows, whose clusters are 0..C-1.
    cluster
        What is drawn as a whole: card, day or row; rows where the table has no such thing.
    resamples
        How many draws there should be; of very many clusters there are fewer.

    Returns
    -------
    own, weights
        Int64 [N], and float32 [C, B] in as many pieces as memory asks for.
    """
    _, own = clusters(scores, cluster)
    count = int(own.max()) + 1
    return own, draws(count, min(resamples, max(_FEWEST, _CELLS // count)))


class Ranked:
    """Ranked rows counted by cluster between the scores that frauds have: curves bend nowhere else.

    From the highest score down, of D distinct scores with a fraud: piece 2d is what lies above the
    d-th and below the one before, 2d + 1 what lies at it, 2D what lies below them all.

    Parameters
    ----------
    score, label
        The rows, [N] each; one at least is a fraud.
    cluster, count
        Each row's cluster, int64 [N] in 0..C-1, and C.
    often
        How many rows each stands for, float [N].
    """

    def __init__(
        self, score: Floats, label: Labels, cluster: Clusters, count: int, often: Floats
    ) -> None:
        fraud = label == 1
        having = np.unique(score[fraud])
        at = np.searchsorted(having, score)
        above = len(having) - np.searchsorted(having, score, side="right")
        piece = 2 * above + (having[np.minimum(at, len(having) - 1)] == score)
        shape = (2 * len(having) + 1, count)
        self._counts = [
            sparse.csr_matrix((often[own].astype(np.float32), (piece[own], cluster[own])), shape)
            for own in (~fraud, fraud)
        ]

    def alerts(self, weights: Weights) -> tuple[Floats, Floats]:
        """Return false alarms and hits down to each piece, float64 [2D + 1, B] each.

        Parameters
        ----------
        weights
            How often each cluster counts, float32 [C, B].
        """
        false, hits = (
            np.cumsum(np.asarray(of @ weights, dtype=np.float64), axis=0) for of in self._counts
        )
        return false, hits
