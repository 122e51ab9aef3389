"""Invent frauds between frauds that lie among genuine rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from fraudlab.errors import DataError
from fraudlab.estimators import Seed
from fraudlab.preprocess import Matrix
from fraudlab.protocols import Labels, Resampled
from fraudlab.registry import register
from fraudlab.resampling import Neighbours, Ratio, neighbours, run_sampler


@register("sampler", "borderline_smote", excludes={"calibration": ["prior"]})
def borderline_smote(
    *,
    sampling_strategy: Ratio = 1.0,
    k_neighbors: Neighbours = 5,
    m_neighbors: Neighbours = 10,
    kind: Literal["borderline-1", "borderline-2"] = "borderline-1",
    random_state: Seed = 42,
) -> BorderlineSmote:
    """imbalanced-learn's BorderlineSMOTE (Han et al., ICIC 2005).

    New frauds start from those in danger only: at least half of their neighbours are genuine, but
    not all.

    Parameters
    ----------
    sampling_strategy
        Frauds per genuine row afterwards.
    k_neighbors
        Neighbours a new fraud may lie towards; train needs at least one fraud more.
    m_neighbors
        Neighbours, of both classes, that tell whether a fraud is in danger.
    kind
        borderline-1 goes towards frauds, borderline-2 half-way towards genuine rows too.
    random_state
        Seed of the draw.
    """
    return BorderlineSmote(sampling_strategy, k_neighbors, m_neighbors, kind, random_state)


@dataclass(frozen=True)
class BorderlineSmote:
    """Interpolates frauds from the border."""

    sampling_strategy: float
    k_neighbors: int
    m_neighbors: int
    kind: str
    random_state: int

    def resample(self, X: Matrix, y: Labels) -> Resampled:
        """Return train with invented frauds.

        Raises
        ------
        DataError
            If no fraud is in danger: the library would change nothing and not say so.
        """
        from imblearn.over_sampling import BorderlineSMOTE

        sampler = BorderlineSMOTE(
            sampling_strategy=self.sampling_strategy,
            k_neighbors=neighbours(self.k_neighbors),
            m_neighbors=neighbours(self.m_neighbors),
            kind=self.kind,
            random_state=self.random_state,
        )
        found = run_sampler(sampler, X, y, reweights=False)
        if not sampler.in_danger_indices and sum(sampler.sampling_strategy_.values()):
            raise DataError(
                f"sampler BorderlineSMOTE: none of {int(y.sum())} frauds in train lies at the"
                f" border, with at least half but not all of its m_neighbors={self.m_neighbors}"
                " genuine: set another sampler.params.m_neighbors, or choose sampler=smote"
            )
        return found
