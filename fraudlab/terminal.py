"""What a person sees while a sweep goes on."""

from __future__ import annotations

import time
from collections.abc import Sequence

from rich.text import Text

from fraudlab import registry
from fraudlab.board import console, number
from fraudlab.protocols import Selection
from fraudlab.ranking import HEADINGS, differing, name_of, rank_key
from fraudlab.runs import Planned, RunRecord

LONG = 60  # seconds: from here on the time left is worth saying


class Progress:
    """One line per candidate on standard error, with the best so far and the time left."""

    def __init__(self) -> None:
        self._console = console(stderr=True)
        self._start = time.monotonic()
        self._first: float | None = None
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

    def started(self, place: int, total: int, planned: Planned) -> None:
        """Say what is being trained, on a line that its end will take."""
        self._first = self._first or time.monotonic()
        if self._console.is_terminal:
            name = name_of(planned, self._names)
            self._print(Text(f"{place}/{total} {name} ..."), end="\r", crop=True)

    def reused(self, planned: Planned, record: RunRecord) -> None:
        """Learn of a result from before: the others are compared with it too."""
        self._compare(planned, record)

    def finished(self, place: int, total: int, planned: Planned, record: RunRecord) -> None:
        """Say how it ended."""
        name = name_of(planned, self._names)
        if record.status != "done":
            told = Text.assemble((record.status, "red"), f"  {record.error}")
        else:
            told = self._result(planned, record)
        line = Text.assemble(f"{place}/{total} {name}  ", told, self._left(place, total))
        self._print(line.append(_warned(record.warnings), "yellow"))

    def _compare(self, planned: Planned, record: RunRecord) -> str:
        """Return the name of the best candidate by now."""
        key = rank_key(_selection(planned), record.metrics)
        if self._best is None or key > self._best[0]:
            self._best = (key, name_of(planned, self._names))
        return self._best[1]

    def _result(self, planned: Planned, record: RunRecord) -> Text:
        """Return the metric that ranks, the seconds, and which candidate is the best by now."""
        selection, leader = _selection(planned), self._compare(planned, record)
        best = "best so far" if leader == name_of(planned, self._names) else f"best: {leader}"
        value = number(record.metrics.validation, selection.metric) or "not measured"
        heading = HEADINGS.get(selection.metric, selection.metric)
        return Text(f"{heading} {value}, {sum(record.seconds.values()):.1f} s; {best}")

    def _left(self, place: int, total: int) -> str:
        assert self._first is not None
        seconds = (time.monotonic() - self._first) / place * (total - place)
        return f"; about {seconds / 60:.0f} min left" if seconds >= LONG else ""

    def _print(self, text: Text, *, end: str = "\n", crop: bool = False) -> None:
        minutes, seconds = divmod(int(time.monotonic() - self._start), 60)
        line = Text.assemble((f"{minutes:02d}:{seconds:02d} ", "dim"), text)
        if self._console.is_terminal:
            if crop:
                line.truncate(self._console.width - 1, overflow="ellipsis")
            self._console.file.write("\x1b[2K")  # the line of a candidate that was being trained
        self._console.print(line, end=end, soft_wrap=True)


def _selection(planned: Planned) -> Selection:
    selection: Selection = registry.build("selection", planned.config.selection)
    return selection


def _warned(warnings: Sequence[str]) -> str:
    """Return the first of a run's warnings, and how many more there are."""
    if not warnings:
        return ""
    more = f" (and {len(warnings) - 1} more)" if len(warnings) > 1 else ""
    return f"; warning: {warnings[0]}{more}"
