"""Inputs that know the label: the commonest way to a leaderboard that lies.

No split can see them. A column that separates the classes all by itself is nearly always written
after the fact (a chargeback flag, a case number), so it is named in a warning.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np

from fraudlab.preprocess import Matrix
from fraudlab.protocols import Labels

TOO_GOOD = 0.999  # ROC AUC of a single column
FEWEST = 10  # frauds: among fewer, chance separates


def warn_of_giveaways(matrix: Matrix, columns: Sequence[str], label: Labels) -> None:
    """Warn of the columns that alone rank frauds before genuine rows (or after them).

    Parameters
    ----------
    matrix
        The fitted rows as the model sees them, float32 [N, W].
    columns
        Names of its W columns.
    label
        int8 [N], 1 = fraud.
    """
    from sklearn.metrics import roc_auc_score

    if int(label.sum()) < FEWEST:
        return
    for name, values in zip(columns, matrix.T, strict=True):
        low, high = np.min(values), np.max(values)
        if low == high:
            continue
        area = roc_auc_score(label, values)
        if max(area, 1 - area) >= TOO_GOOD:
            warnings.warn(
                f"{name!r} alone tells fraud from genuine (ROC AUC {max(area, 1 - area):.4f}):"
                " is it known when a transaction is scored? If not, leave it out (data.drop)",
                stacklevel=2,
            )
