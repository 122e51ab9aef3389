"""Rank by money saved."""

from __future__ import annotations

from fraudlab.registry import register
from fraudlab.selecting import Rule, consistent


@register("selection", "savings", consistent=consistent)
def savings(*, constraints: list[str] | str = []) -> Rule:  # noqa: B006
    """Rank by savings at the threshold on validation, then average precision.

    Savings are what the alerts spare of the cost of doing without a detector, by `costs`; 1 is
    everything. They are as good as threshold and calibration let them be: use a threshold_strategy
    that looks at costs (min_cost, amount_cost), or the comparison is one of thresholds. A table
    without amounts has no savings unless costs.false_negative is a number; then nothing can win.

    Parameters
    ----------
    constraints
        What a candidate must meet on validation to win, each a metric, a comparison and a number:
        "selection.params.constraints=[precision>=0.1,alerts_per_day<=50]" on the command line.
    """
    return Rule(("savings", "average_precision"), constraints)
