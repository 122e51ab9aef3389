"""Rank by recall at the threshold."""

from __future__ import annotations

from fraudlab.registry import register
from fraudlab.selecting import Rule, consistent


@register("selection", "recall_first", consistent=consistent)
def recall_first(*, constraints: list[str] | str = []) -> Rule:  # noqa: B006
    """Rank by recall, then precision, then ROC AUC, each at the candidate's own threshold.

    The rule of an older service, kept for comparison. It prefers whoever alerts most, so a model
    with a thousand false alarms beats one with seven; a constraint on precision or on alerts per
    day bounds that.

    Parameters
    ----------
    constraints
        What a candidate must meet on validation to win, each a metric, a comparison and a number:
        "selection.params.constraints=[precision>=0.1,alerts_per_day<=50]" on the command line.
    """
    return Rule(("recall", "precision", "roc_auc"), constraints)
