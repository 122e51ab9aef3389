"""SMOTE, then drop the rows of both classes that their neighbours contradict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from fraudlab.estimators import Seed
from fraudlab.preprocess import Matrix
from fraudlab.protocols import Labels, Resampled
from fraudlab.registry import register
from fraudlab.resampling import Neighbours, Ratio, neighbours, run_sampler
from fraudlab.threads import budget


@register("sampler", "smote_enn", excludes={"calibration": ["prior"]})
def smote_enn(
    *,
    sampling_strategy: Ratio = 1.0,
    k_neighbors: Neighbours = 5,
    n_neighbors: Neighbours = 3,
    kind_sel: Literal["all", "mode"] = "all",
    random_state: Seed = 42,
) -> SmoteEnn:
    """imbalanced-learn's SMOTEENN (Batista et al., SIGKDD Explorations 6, 2004).

    Parameters
    ----------
    sampling_strategy
        Frauds per genuine row after SMOTE, before rows are dropped.
    k_neighbors
        Neighbours a new fraud may lie towards; train needs at least one fraud more.
    n_neighbors
        Neighbours a row of either class is compared with afterwards.
    kind_sel
        Which of them must be of the row's own class for it to stay: all of them, or most (mode).
    random_state
        Seed of the draw.
    """
    return SmoteEnn(sampling_strategy, k_neighbors, n_neighbors, kind_sel, random_state)


@dataclass(frozen=True)
class SmoteEnn:
    """Interpolates frauds, then cleans the border."""

    sampling_strategy: float
    k_neighbors: int
    n_neighbors: int
    kind_sel: str
    random_state: int

    def resample(self, X: Matrix, y: Labels) -> Resampled:
        """Return train with invented frauds, without the contradicted rows."""
        from imblearn.combine import SMOTEENN
        from imblearn.over_sampling import SMOTE
        from imblearn.under_sampling import EditedNearestNeighbours

        smote = SMOTE(
            sampling_strategy=self.sampling_strategy,
            k_neighbors=neighbours(self.k_neighbors),
            random_state=self.random_state,
        )
        clean = EditedNearestNeighbours(
            sampling_strategy="all",
            n_neighbors=self.n_neighbors,
            kind_sel=self.kind_sel,
            n_jobs=budget(),
        )
        sampler = SMOTEENN(sampling_strategy=self.sampling_strategy, smote=smote, enn=clean)
        return run_sampler(sampler, X, y, reweights=False)
