"""How candidates are ranked, and what one must meet to win: what the selections share."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fraudlab.errors import ConfigError
from fraudlab.metrics import NAMES
from fraudlab.wording import nearest

KEY = "selection.params.constraints"
DETECTS = ("roc_auc", "alert_rate")  # what tells a detector from a constant
CHANCE = 0.5  # ROC AUC of a score that knows nothing
_DAY, _CARD, _AMOUNT = ("day",), ("day", "card"), ("amount",)
NEEDS = {
    "alerts_per_day": _DAY,
    "precision_at_100": _DAY,
    "card_precision_at_100": _CARD,
    "card_precision_at_100_ceiling": _CARD,
    "card_recall_at_100": _CARD,
    "value_detection_rate": _AMOUNT,
    "cost": _AMOUNT,
    "cost_baseline": _AMOUNT,
    "savings": _AMOUNT,
}
"""Columns of the table, as `Scores` names them, that metrics cannot do without."""
PRICED = ("cost", "cost_baseline", "savings")
"""Metrics that need amounts only when a missed fraud costs its amount."""
_COMPARISONS = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt}
_CONSTRAINT = re.compile(r"\s*(\w+)\s*(>=|<=|>|<)\s*([^\s<>=]+)\s*")


@dataclass(frozen=True, slots=True)
class Constraint:
    """A bound on a validation metric, such as precision>=0.1."""

    metric: str
    comparison: str
    bound: float

    def __str__(self) -> str:
        return f"{self.metric}{self.comparison}{self.bound:.12g}"

    def unmet(self, metrics: Mapping[str, float]) -> str | None:
        """Return why it is not met, in words; None when it is."""
        value = metrics.get(self.metric)
        if value is None:
            return f"{self.metric} not measured"
        if _COMPARISONS[self.comparison](value, self.bound):
            return None
        rounded = f"{value:.4g}"
        told = repr(value) if float(rounded) == self.bound else rounded
        return f"{self.metric} {told}, not {self.comparison} {self.bound:.12g}"


def read_constraint(text: str) -> Constraint:
    """Return the constraint that a text states.

    Raises
    ------
    ConfigError
        If it is no metric, comparison and number.
    """
    parts = _CONSTRAINT.fullmatch(text)
    if parts is None:
        raise ConfigError(
            f"{KEY}: {text!r} is no constraint: write a metric, one of {' '.join(_COMPARISONS)} and"
            " a number, such as 'precision>=0.1'",
            KEY,
        )
    metric, comparison, number = parts.groups()
    if metric not in NAMES:
        raise ConfigError(f"{KEY}: {text!r} names no metric{nearest(metric, NAMES)}", KEY)
    return Constraint(metric, comparison, _number(number, text))


def _number(number: str, text: str) -> float:
    try:
        value = float(number)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ConfigError(
            f"{KEY}: {text!r} needs a number to compare with, such as 0.1, got {number!r}", KEY
        )
    return value


def read_constraints(texts: Sequence[str] | str) -> tuple[Constraint, ...]:
    """Return the constraints of a list of texts, or of one."""
    return tuple(map(read_constraint, [texts] if isinstance(texts, str) else texts))


def consistent(*, constraints: Sequence[str] | str) -> None:
    """Refuse constraints that cannot be read; for `register`."""
    read_constraints(constraints)


class Rule:
    """Ranks by some metrics, the first first; larger is better.

    Whatever its numbers, a candidate that is no detector never wins: one that alerts every row, or
    ranks no better than chance.

    Parameters
    ----------
    order
        The metrics.
    constraints
        What a candidate must meet to win, as text: one, or several.
    """

    def __init__(self, order: Sequence[str], constraints: Sequence[str] | str) -> None:
        self._order = tuple(order)
        self._constraints = read_constraints(constraints)
        self.metric = self._order[0]
        self.constraints = tuple(str(each) for each in self._constraints)
        self.reads = (*self._order, *(each.metric for each in self._constraints))

    def rank_key(self, metrics: Mapping[str, float]) -> tuple[float, ...]:
        """Return (may it win, its metrics in order); what was not measured counts least."""
        values = (metrics.get(name, -math.inf) for name in self._order)
        return (float(not self.unmet(metrics)), *values)

    def unmet(self, metrics: Mapping[str, float]) -> tuple[str, ...]:
        """Return why a candidate may not win, in words; none when it may."""
        read = [*self._order, *DETECTS]
        reasons = [f"{name} not measured" for name in read if name not in metrics]
        if metrics.get("alert_rate", 0.0) >= 1.0:
            reasons.append("no detector: it alerts every row")
        if metrics.get("roc_auc", 1.0) <= CHANCE:
            reasons.append("no detector: it ranks no better than chance")
        told = [each.unmet(metrics) for each in self._constraints]
        return tuple(dict.fromkeys([*reasons, *(each for each in told if each is not None)]))
