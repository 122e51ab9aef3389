"""How much a search may take: wall time of this command, trials of the whole study."""

from __future__ import annotations

import statistics
import time
from collections.abc import Collection
from dataclasses import dataclass, field

from fraudlab.searching.studies import Study


@dataclass(frozen=True, slots=True)
class Allowance:
    """What `budget` and `trials` allow.

    Attributes
    ----------
    seconds, said
        How long the command may take from `begun`, and how the user said it; None for no limit.
    trials
        How many trials the study may have.
    """

    seconds: float | None
    said: str | None
    trials: int | None
    begun: float = field(default_factory=time.monotonic)

    def __str__(self) -> str:
        return f"the budget of {self.said} is used up"

    @property
    def left(self) -> float | None:
        """How many seconds are left."""
        return None if self.seconds is None else self.begun + self.seconds - time.monotonic()

    @property
    def is_spent(self) -> bool:
        """Whether the time is over."""
        return self.left is not None and self.left <= 0

    def over(self, study: Study, running: Collection[str]) -> str | None:
        """Return why nothing more may be started; None when something may."""
        if self.trials is not None and study.counted() >= self.trials:
            return f"the study has its {self.trials:,} trials"
        if self.is_spent:
            return str(self)
        if self.left is None:
            return None
        took = [float(each.notes["took"]) for each in study.trials() if "took" in each.notes]
        if took and statistics.median(took) > self.left:
            rest = "; what runs may still end" if running else ""
            return (
                f"of the budget of {self.said} {self.left:.0f} s are left, less than the"
                f" {statistics.median(took):.0f} s that half of the trials take{rest}"
            )
        return None
