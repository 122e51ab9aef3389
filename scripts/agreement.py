"""How far our numbers are from published ones, and how far they may be.

`published/NAME.csv` holds a table: its first columns say which candidate a row is (an option of a
group, a parameter, or `fold`), the others are metrics, `test.roc_auc_std` being the standard
deviation over the folds of `test.roc_auc`.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from fraudlab.config import Candidate, Config, to_plain
from fraudlab.runs import RunRecord

PUBLISHED = Path(__file__).parent / "published"
PARTS = ("validation", "test")
STD, FOLD = "_std", "fold"
CARD_PRECISION = "card_precision_at_100"

# What today's libraries, on the same rows in the same order, may differ from those of 2021.
SAME_TREE = 1e-6  # a tree is settled by its rows, but for ...
DEEP, DEEP_TREE = 10, 1e-3  # ... equally good questions, of which there are many far down
SMOTE_TREE = 5e-3  # another search for neighbours, other frauds in between
LOGREG = 2e-3  # another solver stops elsewhere
BAGS = {"roc_auc": 6e-3, "average_precision": 5e-3}  # other draws of rows and columns
BALANCED_FOREST = 1e-2  # draws of few rows, by a way that has been changed since
XGBOOST = 6e-3  # sums of float32, in another order
# Many rows of a tree have the same score, and of equal cards the 100 first are a matter of order.
CARDS_OF_A_WEEK, CARDS_OF_WEEKS = 1e-2, 4e-3
ROUNDING = 1e-9  # of the comparison itself: half a printed digit is no binary number


@dataclass(frozen=True)
class Known:
    """Why numbers of a table are further apart, and how far they have been seen to be."""

    reason: str
    limit: float


# What has been found out, each by making the published digits come out once; docs/reproduce.md.
KNOWN = {
    "t4a": Known(
        "sums of fractional weights are rounded, which settles ties between questions; the"
        " scikit-learn of then added them up in another order",
        5e-3,
    ),
}


@dataclass(frozen=True)
class Line:
    """A row of a published table.

    Attributes
    ----------
    keys
        What tells which candidate it is.
    printed
        The numbers as they are printed, by metric.
    """

    keys: dict[str, Any]
    printed: dict[str, str]

    @property
    def name(self) -> str:
        """The row's name, such as 'rf' or 'n_estimators=25 max_depth=5'."""
        return " ".join(
            value if isinstance(value, str) else f"{key.partition('params.')[2] or key}={value:.4g}"
            for key, value in self.keys.items()
        )

    def is_about(self, candidate: Candidate) -> bool:
        """Whether the candidate is the row's."""
        plain = to_plain(candidate.config)
        return all(
            candidate.options.get(key, _inside(plain, key)) == value
            for key, value in self.keys.items()
            if key != FOLD
        )


@dataclass(frozen=True)
class Number:
    """A published number beside ours; `known` is how far it may be apart for a known reason."""

    column: str
    printed: str
    ours: float
    tolerance: float
    known: float = 0.0

    @property
    def difference(self) -> float:
        """Ours less the published one."""
        return self.ours - float(self.printed)

    @property
    def share(self) -> float:
        """The difference as a share of the tolerance."""
        return abs(self.difference) / self.tolerance

    @property
    def agrees(self) -> bool:
        """Whether the difference is within the tolerance."""
        return abs(self.difference) <= self.tolerance + ROUNDING

    @property
    def is_known(self) -> bool:
        """Whether it does not agree, and the reason is known."""
        return not self.agrees and abs(self.difference) <= self.known


@dataclass(frozen=True)
class Spread:
    """How a table averages folds: rounded to so many digits before, and the divisor n - ddof."""

    digits: int | None = None
    ddof: int = 0


def read_published(name: str) -> list[Line]:
    """Return the rows of a published table."""
    text = (PUBLISHED / f"{name}.csv").read_text("utf-8")
    rows = csv.DictReader(line for line in text.splitlines() if not line.startswith("#"))
    return [_line(row) for row in rows]


def _line(row: Mapping[str, str]) -> Line:
    numbers = {key: cell for key, cell in row.items() if key.partition(".")[0] in PARTS}
    keys = {key: yaml.safe_load(cell) for key, cell in row.items() if key not in numbers and cell}
    return Line(keys, {key: cell for key, cell in numbers.items() if cell})


def _inside(plain: Mapping[Any, Any], key: str) -> Any:
    """Return what stands at a dotted key of a composed configuration; None if there is nothing."""
    value: Any = plain
    for part in key.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def compare(
    line: Line, candidate: Candidate, record: RunRecord, spread: Spread, known: Known | None = None
) -> list[Number]:
    """Return the row's numbers beside those of the candidate's run."""
    limit = 0.0 if known is None else known.limit
    return [
        Number(
            column,
            printed,
            measured(record, column, line.keys.get(FOLD), spread),
            tolerance(candidate.config, column, printed, one_week=_is_one_week(line, candidate)),
            limit,
        )
        for column, printed in line.printed.items()
    ]


def measured(record: RunRecord, column: str, fold: int | None, spread: Spread) -> float:
    """Return our number of a column; NaN when it was not measured."""
    part, _, name = column.partition(".")
    folds: Sequence[Mapping[str, float]] = getattr(record.folds, part)
    if fold is not None:
        return folds[fold].get(name, np.nan)
    if spread.digits is None:
        return float(getattr(record.metrics, part).get(name, np.nan))
    values = [round(each[name.removesuffix(STD)], spread.digits) for each in folds]
    return float(np.std(values, ddof=spread.ddof) if name.endswith(STD) else np.mean(values))


def tolerance(config: Config, column: str, printed: str, *, one_week: bool) -> float:
    """Return how far from the printed number ours may be: never less than half its last digit."""
    metric = column.partition(".")[2].removeprefix("train_").removesuffix(STD)
    half = 0.5 * 10.0 ** -len(printed.partition(".")[2])
    if metric == CARD_PRECISION:
        return max(half, CARDS_OF_A_WEEK if one_week else CARDS_OF_WEEKS)
    return max(half, _allowed(config, metric))


def _is_one_week(line: Line, candidate: Candidate) -> bool:
    return FOLD in line.keys or candidate.config.split.name == "temporal"


def _allowed(config: Config, metric: str) -> float:
    model, sampler = config.model, config.sampler.name
    if model.name == "tree":
        if sampler.startswith("smote"):
            return SMOTE_TREE
        depth = model.params["max_depth"]
        return DEEP_TREE if depth is None or depth > DEEP else SAME_TREE
    if model.name in {"rf", "bagging", "balanced_bagging"}:
        return BAGS.get(metric, BAGS["roc_auc"])
    others = {"logreg": LOGREG, "balanced_rf": BALANCED_FOREST, "xgb": XGBOOST}
    return others.get(model.name, SAME_TREE)
