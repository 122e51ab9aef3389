"""Rank by average precision."""

from __future__ import annotations

from collections.abc import Mapping

from fraudlab.registry import register


@register("selection", "average_precision")
def average_precision() -> AveragePrecision:
    """Rank by average precision on validation, then ROC AUC: no threshold can flatter it."""
    return AveragePrecision()


class AveragePrecision:
    """Larger is better."""

    metric = "average_precision"

    def rank_key(self, metrics: Mapping[str, float]) -> tuple[float, ...]:
        """Return (average precision, ROC AUC)."""
        return (metrics["average_precision"], metrics["roc_auc"])
