"""Drop genuine rows whose neighbours are frauds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from fraudlab.preprocess import Matrix
from fraudlab.protocols import Labels, Resampled
from fraudlab.registry import register
from fraudlab.resampling import Neighbours, run_sampler
from fraudlab.threads import budget


@register("sampler", "enn", excludes={"calibration": ["prior"]})
def enn(
    *,
    sampling_strategy: Literal["majority", "all"] = "majority",
    n_neighbors: Neighbours = 3,
    kind_sel: Literal["all", "mode"] = "all",
) -> Enn:
    """imbalanced-learn's EditedNearestNeighbours (Wilson, IEEE TSMC 2, 1972).

    It cleans the border between the classes and hardly changes their balance.

    Parameters
    ----------
    sampling_strategy
        Whose rows may be dropped: majority (the genuine ones), or all.
    n_neighbors
        Neighbours a row is compared with.
    kind_sel
        Which of them must be of the row's own class for it to stay: all of them, or most (mode).
    """
    return Enn(sampling_strategy, n_neighbors, kind_sel)


@dataclass(frozen=True)
class Enn:
    """Drops rows that their neighbours contradict."""

    sampling_strategy: str
    n_neighbors: int
    kind_sel: str

    def resample(self, X: Matrix, y: Labels) -> Resampled:
        """Return train without the contradicted rows."""
        from imblearn.under_sampling import EditedNearestNeighbours

        sampler = EditedNearestNeighbours(
            sampling_strategy=self.sampling_strategy,
            n_neighbors=self.n_neighbors,
            kind_sel=self.kind_sel,
            n_jobs=budget(),
        )
        return run_sampler(sampler, X, y, reweights=False)
