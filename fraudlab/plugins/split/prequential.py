"""Calendar windows with a label delay, tested over several weeks and validated on earlier ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from fraudlab.plugins.split.temporal import Need, Windows
from fraudlab.protocols import Fold, Split
from fraudlab.registry import register
from fraudlab.splitting import Days, DaysOrNone, days_of, parse_day, show_day
from fraudlab.table import Table


@register("split", "prequential")
def prequential(
    *,
    test_start: str | None = None,
    folds: Annotated[int, Meta(ge=1, le=365)] = 4,
    train_days: Days = 7,
    delay_days: DaysOrNone = 7,
    test_days: Days = 7,
    known_days: DaysOrNone = 7,
    grouped: bool = False,
) -> Prequential:
    """Test on the last weeks, each by a model trained just before it; validate on earlier weeks.

    Fold 0, the one that is shipped, is scored from test_start, every further fold test_days
    earlier. Each is fitted on the train_days that end delay_days before its first scored day, and
    calibrated and cut by the same procedure delay_days + test_days earlier, whose labels have just
    become known when the fold's model goes live. Validation, which ranks, is as many folds again,
    the first of them delay_days + test_days before the last fold of test.

    Parameters
    ----------
    test_start
        First scored day of the most recent fold (YYYY-MM-DD); null takes the latest that fits.
    folds
        How many windows are tested, and how many validated.
    train_days, delay_days, test_days
        Lengths of the windows. Neither train_days nor folds change which rows a fold is scored on.
    known_days
        Cards with a fraud in this many days before the delay are known to be compromised and are
        not scored; nor, on each scored day, are cards whose fraud has become known by then.
    grouped
        Whether to score only cards that train does not have; then train_days matters to which.

    References
    ----------
    Le Borgne et al., Reproducible Machine Learning for Credit Card Fraud Detection, chapter 5;
    Dawid, JRSS A 147, 1984 (the prequential principle).
    """
    windows = Windows(train_days, delay_days, test_days, known_days, grouped)
    return Prequential(parse_day("test_start", test_start), folds, windows)


@dataclass(frozen=True)
class Prequential:
    """The windows, the first scored day of the most recent fold, and the number of folds."""

    test_start: int | None
    folds: int
    windows: Windows

    def split(self, table: Table) -> Split:
        """Return the folds, the most recent first, and the folds of validation before them."""
        day = days_of(table, "prequential")
        step = self.windows.test_days
        earlier = self.windows.delay_days + step
        start = int(day.max()) + 1 - step if self.test_start is None else self.test_start
        tested = [start - number * step for number in range(self.folds)]
        validated = [tested[-1] - earlier - number * step for number in range(self.folds)]
        Need(
            first=validated[-1] - self.windows.delay_days - self.windows.train_days,
            last=start + step - 1,
            what=f"split=prequential: scoring {self.folds} folds from {show_day(start)} backwards",
            key="test_start",
            formula="2 x folds x test_days + 2 x delay_days + train_days",
            shorten="lower folds or shorten train_days, delay_days or test_days",
        ).check(day)
        scored = {*tested, *(at - earlier for at in tested), *validated}
        stages = {at: self.windows.stage(table, day, at) for at in sorted(scored)}
        return Split(
            folds=tuple(Fold(stages[at - earlier], stages[at]) for at in tested),
            validation=tuple(stages[at] for at in validated),
        )
