"""The live view at the foot of a terminal: how far a sweep is, what runs, what is best by now."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from rich.console import Group
from rich.progress_bar import ProgressBar
from rich.table import Table as Grid
from rich.text import Text

BAR = 24  # columns
SHOWN = 8  # running candidates; a cluster may have hundreds


@dataclass(slots=True)
class Standing:
    """How a sweep stands.

    Attributes
    ----------
    total
        Candidates to be trained; None when nobody knows, as in a search.
    done, failed, pruned
        Those that have ended: with a result, without, and given up by a search.
    running
        The name of each that runs, and when it was started (monotonic seconds); oldest first.
    best
        The best so far in words; empty before there is one.
    began
        When the first was started.
    """

    total: int | None = None
    done: int = 0
    failed: int = 0
    pruned: int = 0
    running: list[tuple[str, float]] = field(default_factory=list)
    best: str = ""
    began: float = field(default_factory=time.monotonic)

    @property
    def ended(self) -> int:
        """Candidates that have ended."""
        return self.done + self.failed + self.pruned

    @property
    def left(self) -> float | None:
        """Seconds until all have ended, if the others take as long; None while nobody can tell."""
        if self.total is None or not self.ended:
            return None
        return (time.monotonic() - self.began) / self.ended * (self.total - self.ended)


def view(standing: Standing) -> Group:
    """Return the view: a line for the sweep, and one for each candidate that runs."""
    return Group(_summary(standing), *_running(standing))


def _summary(standing: Standing) -> Grid:
    grid = Grid.grid(padding=(0, 1, 0, 0))
    parts: list[ProgressBar | Text] = []
    if standing.total is not None:
        parts.append(ProgressBar(total=standing.total, completed=standing.ended, width=BAR))
    parts.append(Text.assemble(*_counts(standing), no_wrap=True, overflow="ellipsis"))
    grid.add_row(*parts)
    return grid


def _counts(standing: Standing) -> Iterator[str | tuple[str, str]]:
    of = "" if standing.total is None else f"/{standing.total}"
    yield (f"{standing.done}{of} done", "bold")
    yield f", {len(standing.running)} running"
    if standing.pruned:
        yield f", {standing.pruned} pruned"
    if standing.failed:
        yield ", "
        yield (f"{standing.failed} failed", "red")
    if standing.left is not None:
        yield f", {clock(standing.left)} left"
    if standing.best:
        yield "; best "
        yield (standing.best, "green")


def _running(standing: Standing) -> Iterator[Text]:
    now = time.monotonic()
    for name, since in standing.running[:SHOWN]:
        yield Text.assemble(
            (f"  {clock(now - since)} ", "dim"), name, no_wrap=True, overflow="ellipsis"
        )
    if len(standing.running) > SHOWN:
        yield Text(f"  and {len(standing.running) - SHOWN} more", style="dim")


def clock(seconds: float) -> str:
    """Return a duration as 02:05, or 1:02:05 from an hour on."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes:02d}:{rest:02d}"
