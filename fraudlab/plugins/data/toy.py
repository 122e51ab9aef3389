"""A toy table of two numbers, made on the spot: every candidate on it takes seconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from fraudlab.estimators import Seed
from fraudlab.locating import Locator
from fraudlab.registry import register
from fraudlab.table import Columns, Raw
from fraudlab.table_report import check_table

COLUMNS = Columns(label="fraud")


@register("data", "toy")
def toy(
    *,
    n_samples: Annotated[int, Meta(ge=100, le=10_000_000)] = 5000,
    class_sep: Annotated[float, Meta(ge=0, le=1000)] = 0.5,
    fraud_share: Annotated[float, Meta(ge=0.001, le=0.5)] = 0.05,
    random_state: Seed = 0,
) -> Toy:
    """Make the Handbook's toy table: two informative numbers, 5 % frauds, no time, no cards.

    It is scikit-learn's make_classification with one cluster per class, which gives one row in a
    hundred a label at random; so there are a few more frauds than their share says.

    Parameters
    ----------
    n_samples
        How many rows.
    class_sep
        How far apart frauds and genuine rows lie; smaller is harder.
    fraud_share
        Share of frauds before the random labels.
    random_state
        Seed of the table. It is no part of `seed`: another seed draws other folds, samples and
        trees of the same table, as it would of a table that is read from a file.

    References
    ----------
    Le Borgne et al., Reproducible Machine Learning for Credit Card Fraud Detection, chapter 6.
    """
    return Toy(n_samples, class_sep, fraud_share, random_state)


@dataclass(frozen=True)
class Toy:
    """The source; it is drawn anew every time."""

    n_samples: int
    class_sep: float
    fraud_share: float
    random_state: int

    def state(self) -> str:
        """Return nothing new: parameters and code decide what is drawn."""
        return ""

    def read(self) -> Raw:
        """Return the rows in the order they are drawn."""
        import polars as pl
        from sklearn.datasets import make_classification

        numbers, label = make_classification(
            n_samples=self.n_samples,
            n_features=2,
            n_informative=2,
            n_redundant=0,
            n_clusters_per_class=1,
            weights=[1 - self.fraud_share, self.fraud_share],
            class_sep=self.class_sep,
            random_state=self.random_state,
        )
        frame = pl.DataFrame({"x1": numbers[:, 0], "x2": numbers[:, 1], "fraud": label})
        made = f"toy({self.n_samples}-{self.class_sep}-{self.fraud_share}-{self.random_state})"
        return Raw(frame, COLUMNS, check_table(frame, COLUMNS, Locator(made)))
