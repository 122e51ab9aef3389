"""Rank by recall at the threshold."""

from __future__ import annotations

from collections.abc import Mapping

from fraudlab.registry import register


@register("selection", "recall_first")
def recall_first() -> RecallFirst:
    """Rank by recall, then precision, then ROC AUC, each at the candidate's own threshold.

    The rule of an older service, kept for comparison. It prefers whoever alerts most, so a model
    with a thousand false alarms beats one with seven; a candidate that alerts every row, or ranks
    no better than chance, comes last here whatever its recall.
    """
    return RecallFirst()


class RecallFirst:
    """Larger is better."""

    metric = "recall"

    def rank_key(self, metrics: Mapping[str, float]) -> tuple[float, ...]:
        """Return (is a detector at all, recall, precision, ROC AUC)."""
        detects = metrics["alert_rate"] < 1.0 and metrics["roc_auc"] > 0.5  # noqa: PLR2004
        return (float(detects), metrics["recall"], metrics["precision"], metrics["roc_auc"])
