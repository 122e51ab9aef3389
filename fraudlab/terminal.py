"""What a person sees while a sweep goes on."""

from __future__ import annotations

import time
from collections.abc import Sequence

from rich.live import Live
from rich.text import Text

from fraudlab import registry
from fraudlab.board import console, number
from fraudlab.live import Standing, clock, view
from fraudlab.naming import differing, name_of
from fraudlab.protocols import Selection
from fraudlab.ranking import HEADINGS, rank_key
from fraudlab.runs import Planned, RunRecord, was_pruned

LONG = 60  # seconds: from here on the time left is worth saying


class Progress:
    """One line per candidate on standard error, and in a terminal a live view below them."""

    def __init__(self) -> None:
        self._console = console(stderr=True)
        self._start = time.monotonic()
        self._standing = Standing()
        self._live: Live | None = None
        self._running: dict[str, tuple[Planned, float]] = {}
        self._best: tuple[tuple[float, ...], str] | None = None
        self._names: list[str] = ["model", "sampler"]

    def names(self, candidates: Sequence[Planned]) -> None:
        """Learn what tells the candidates apart."""
        self._names = differing(candidates)

    def note(self, text: str) -> None:
        """Print a line."""
        self._print(Text(text))

    def warn(self, text: str) -> None:
        """Print a warning."""
        self._print(Text(f"warning: {text}", style="yellow"))

    def expect(self, total: int | None) -> None:
        """Learn how many candidates are to be trained, and show the live view from now on."""
        best = "" if self._best is None else self._best[1]
        self._standing = Standing(total, best=best)
        if self._console.is_terminal:
            self._live = Live(
                view(self._standing), console=self._console, auto_refresh=False, transient=True
            )
            self._live.start()

    def over(self) -> None:
        """Take the live view away: nothing more is trained."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def started(self, planned: Planned) -> None:
        """Learn that a candidate is being trained."""
        self._running[planned.run] = planned, time.monotonic()
        self.tick()

    def tick(self) -> None:
        """Show the time that has passed."""
        if self._live is not None:
            self._standing.running = [
                (name_of(planned, self._names), since) for planned, since in self._running.values()
            ]
            self._live.update(view(self._standing), refresh=True)

    def reused(self, planned: Planned, record: RunRecord) -> None:
        """Learn of a result from before: the others are compared with it too."""
        self._compare(planned, record)

    def finished(self, planned: Planned, record: RunRecord) -> None:
        """Say how it ended."""
        name, standing = name_of(planned, self._names), self._standing
        self._running.pop(planned.run, None)
        if record.status == "done":
            standing.done += 1
            told = self._result(planned, record)
        elif was_pruned(record.error):
            standing.pruned += 1
            told = Text(f"{record.error}", style="dim")
        else:
            standing.failed += 1
            told = Text.assemble((record.status, "red"), f"  {record.error}")
        of = "" if standing.total is None else f"/{standing.total}"
        line = Text.assemble(f"{standing.ended}{of} {name}  ", told, self._left())
        self._print(line.append(_warned(record.warnings), "yellow"))
        self.tick()

    def _compare(self, planned: Planned, record: RunRecord) -> str:
        """Return the name of the best candidate by now."""
        selection, name = _selection(planned), name_of(planned, self._names)
        key = rank_key(selection, record.metrics)
        if self._best is None or key > self._best[0]:
            self._best = (key, name)
            value = number(record.metrics.validation, selection.metric)
            self._standing.best = f"{_heading(selection)} {value} {name}"
        return self._best[1]

    def _result(self, planned: Planned, record: RunRecord) -> Text:
        """Return the metric that ranks, the seconds, and which candidate is the best by now."""
        selection, leader = _selection(planned), self._compare(planned, record)
        best = "best so far" if leader == name_of(planned, self._names) else f"best: {leader}"
        value = number(record.metrics.validation, selection.metric) or "not measured"
        spent = sum(record.seconds.values())
        return Text(f"{_heading(selection)} {value}, {spent:.1f} s; {best}")

    def _left(self) -> str:
        left = self._standing.left
        if self._live is not None or left is None or left < LONG:
            return ""
        return f"; about {left / 60:.0f} min left"

    def _print(self, text: Text) -> None:
        at = (f"{clock(time.monotonic() - self._start)} ", "dim")
        self._console.print(Text.assemble(at, text), soft_wrap=True)


def _heading(selection: Selection) -> str:
    return HEADINGS.get(selection.metric, selection.metric)


def _selection(planned: Planned) -> Selection:
    selection: Selection = registry.build("selection", planned.config.selection)
    return selection


def _warned(warnings: Sequence[str]) -> str:
    """Return the first of a run's warnings, and how many more there are."""
    if not warnings:
        return ""
    more = f" (and {len(warnings) - 1} more)" if len(warnings) > 1 else ""
    return f"; warning: {warnings[0]}{more}"
