"""Rank by the frauds among the cards scored highest each day."""

from __future__ import annotations

from fraudlab.registry import register
from fraudlab.selecting import Rule, consistent


@register("selection", "card_precision", consistent=consistent)
def card_precision(*, constraints: list[str] | str = []) -> Rule:  # noqa: B006
    """Rank by card precision at 100 a day on validation, then average precision.

    It is what a team that looks at a hundred cards a day gets out of it, whatever the threshold. A
    table without a time and cards has no such number; then nothing can win.

    Parameters
    ----------
    constraints
        What a candidate must meet on validation to win, each a metric, a comparison and a number:
        "selection.params.constraints=[precision>=0.1,alerts_per_day<=50]" on the command line.
    """
    return Rule(("card_precision_at_100", "average_precision"), constraints)
