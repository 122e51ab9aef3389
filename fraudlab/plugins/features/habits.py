"""The windows of rfm, and since when: a card's habits and a terminal's streak of frauds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

from msgspec import Meta

from fraudlab.features.habits import NEVER, Habit
from fraudlab.features.habits import habits as compute
from fraudlab.manifest import Field
from fraudlab.plugins.features.rfm import Rfm, windowed
from fraudlab.registry import register
from fraudlab.table import Raw, Table

Window = Annotated[int, Meta(ge=1, le=3650)]
Times = Annotated[float, Meta(gt=0, le=1000)]


@register("features", "habits")
def habits(
    *,
    windows_days: list[Window] = [1, 7, 30],  # noqa: B006
    delay_days: Annotated[int, Meta(ge=0, le=3650)] | None = 7,
    habit_days: Window = 90,
    watch_days: Window = 14,
    unusual_ratio: Times = 2.5,
    plain_ratio: Times = 2.2,
) -> Habits:
    """Add to rfm the amount against the card's habit, and the terminal's streak of frauds.

    Every row looks back only: at earlier rows, and at labels that are delay_days old by then. The
    formulas stand in fraudlab/features/habits.py.

    Parameters
    ----------
    windows_days, delay_days
        As in rfm: lengths of its windows, and how long it takes until a label is known. Unless set,
        the delay is the split's; null, as of a split that names none, is 7.
    habit_days
        How far back a card's usual amount is averaged, without its known frauds.
    watch_days
        How far back a card's suspect amounts, and its known frauds, are counted.
    unusual_ratio
        How many times the usual an amount must exceed to be suspect.
    plain_ratio
        How many times the usual a fraud's amount may reach to count against its terminal; what is
        higher is explained by the card.
    """
    habit = Habit(habit_days, unusual_ratio, plain_ratio, watch_days)
    return Habits(windowed("habits", windows_days, delay_days), habit)


@dataclass(frozen=True)
class Habits:
    """Features over the whole stream, computed before any split (they look back only)."""

    rfm: Rfm
    habit: Habit

    @property
    def delay_days(self) -> int:
        """How old a label must be to be known."""
        return self.rfm.delay_days

    def build(self, raw: Raw) -> Table:
        """Return the table with the features as its request fields, those of rfm first."""
        import pandas as pd

        columns = raw.columns
        table = self.rfm.build(raw)
        assert columns.time is not None
        assert columns.amount is not None
        features = compute(
            raw.frame,
            time=columns.time,
            amount=columns.amount,
            card=columns.entities[0],
            terminal=columns.entities[1],
            label=columns.label,
            delay_days=self.delay_days,
            habit=self.habit,
        )
        own = pd.DataFrame({name: features[name].to_numpy() for name in features.columns})
        bounds = columns.bounds.get(columns.amount, (None, None))
        fields = tuple(_field(name, *bounds) for name in features.columns)
        return replace(
            table,
            frame=pd.concat([table.frame, own], axis="columns"),
            fields=table.fields + fields,
        )


def _field(name: str, low: float | None, high: float | None) -> Field:
    """Return the field of a feature of amounts that are between `low` and `high`."""
    if name.endswith("_HABIT_AMOUNT"):  # an average, or 0 when there is nothing to average
        low, high = (
            (None if low is None else min(low, 0.0)),
            (None if high is None else max(high, 0.0)),
        )
        return Field(name=name, min=low, max=high)
    if name.endswith("_HABIT_RATIO"):
        return Field(name=name, min=None if low is None or low < 0 else 0.0)
    since = name.endswith(("_DAYS", "_DAYS_AT_MOST", "_AFTER_STREAK_NB_TX", "_KNOWN_NB_TX"))
    return Field(name=name, min=0.0, max=NEVER if since else None)
