"""Rank by average precision."""

from __future__ import annotations

from fraudlab.registry import register
from fraudlab.selecting import Rule, consistent


@register("selection", "average_precision", consistent=consistent)
def average_precision(*, constraints: list[str] | str = []) -> Rule:  # noqa: B006
    """Rank by average precision on validation, then ROC AUC: no threshold can flatter it.

    Parameters
    ----------
    constraints
        What a candidate must meet on validation to win, each a metric, a comparison and a number:
        "selection.params.constraints=[precision>=0.1,alerts_per_day<=50]" on the command line.
    """
    return Rule(("average_precision", "roc_auc"), constraints)
