"""The dot plots of a report: one row of a table per column or candidate, all on one scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from fraudlab.naming import name_of
from fraudlab.reporting.findings import Findings
from fraudlab.reporting.gathering import SweepFacts
from fraudlab.reporting.svg import strip

FOREST = 40  # candidates in the plot of differences; the leaderboard has all
DRIFT = 30  # columns, of very wide tables


@dataclass(frozen=True, slots=True)
class Strip:
    """A row of a dot plot: a name, its drawing, its numbers and what to make of them."""

    name: str
    drawing: Markup
    numbers: str
    verdict: str = ""


def importance(found: Findings) -> list[Strip]:
    """Return what each column is worth; nothing where that is not known."""
    if isinstance(found.importance, str):
        return []
    columns = found.importance.columns
    ends = _ends([(each.drop, each.interval) for each in columns])
    return [
        Strip(
            each.column,
            strip(*ends, each.drop, each.interval),
            _interval_text(each.drop, each.interval),
        )
        for each in columns
    ]


def moved(found: Findings) -> list[Strip]:
    """Return how far the scores and the columns moved; nothing where that is not known."""
    if isinstance(found.moved, str):
        return []
    rows = [*found.moved[:DRIFT]]
    if found.moved_scores is not None:
        rows.insert(0, found.moved_scores)
    top = max([0.25, *(each.psi for each in rows)])
    return [
        Strip(
            "score (validation to test)" if each is found.moved_scores else each.column,
            strip(0.0, top, each.psi, None, limit=each.critical),
            f"{each.psi:.3f} (chance {each.critical:.3f})",
            each.verdict,
        )
        for each in rows
    ]


def forest(facts: SweepFacts) -> list[Strip]:
    """Return the differences of each to the best; below 0 the other is worse."""
    rows = [row for row in facts.finished if row.comparison is not None][:FOREST]
    turned = []
    for row in rows:
        assert row.comparison is not None
        low_high = row.comparison.interval
        interval = None if low_high is None else (-low_high[1], -low_high[0])
        turned.append((-row.comparison.difference, interval))
    ends = _ends(turned)
    told = {
        False: "cannot be told from the best",
        True: "worse than the best",
        None: "not compared",
    }
    return [
        Strip(
            name_of(row, facts.names),
            strip(*ends, value, interval),
            _interval_text(value, interval),
            told[row.comparison.distinguishable] if row.comparison else "",
        )
        for row, (value, interval) in zip(rows, turned, strict=True)
    ]


def columns_left_out(found: Findings) -> int:
    """Return how many columns moved less than those shown."""
    return 0 if isinstance(found.moved, str) else max(0, len(found.moved) - DRIFT)


def candidates_left_out(facts: SweepFacts) -> int:
    """Return how many compared candidates are not in the plot."""
    return max(0, sum(row.comparison is not None for row in facts.finished) - FOREST)


def _interval_text(value: float, interval: tuple[float, float] | None) -> str:
    if interval is None:
        return f"{value:+.3f}"
    return f"{value:+.3f} ({interval[0]:+.3f} to {interval[1]:+.3f})"


def _ends(rows: Sequence[tuple[float, tuple[float, float] | None]]) -> tuple[float, float]:
    """Return the ends of a scale that holds all rows, and 0."""
    values = [0.0]
    for value, interval in rows:
        values += [value, *(interval or ())]
    return min(values), max(values)
