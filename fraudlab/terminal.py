"""What a person sees in a terminal: how a sweep goes on, and the leaderboard.

Names and values come from users, so all text is plain: nothing in it is read as markup.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from fraudlab import registry
from fraudlab.protocols import Selection
from fraudlab.ranking import Row, differing, name_of, rank_key, short, value_of
from fraudlab.runs import Planned, RunRecord

COLUMNS = (
    ("average_precision", "AP"),
    ("roc_auc", "ROC AUC"),
    ("card_precision_at_100", "CP@100"),
    ("precision", "precision"),
    ("recall", "recall"),
    ("alerts_per_day", "alerts/day"),
)
WIDTH = 110  # where there is no terminal
LONG = 60  # seconds: from here on the time left is worth saying
ON_TEST = "on test"


def _console(*, stderr: bool) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else WIDTH
    return Console(stderr=stderr, width=width, highlight=False, markup=False, emoji=False)


class Progress:
    """One line per candidate on standard error, with the best so far and the time left."""

    def __init__(self) -> None:
        self._console = _console(stderr=True)
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
        value = _number(record.metrics.validation.get(selection.metric)) or "not measured"
        heading = dict(COLUMNS).get(selection.metric, selection.metric)
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


def print_leaderboard(rows: Sequence[Row], *, show_test: bool) -> None:
    """Print the ranked candidates, then those without a result."""
    console = _console(stderr=False)
    names = differing(list(rows))
    done = [row for row in rows if row.status == "done"]
    if done:
        console.print(_grid(done, names, show_test=show_test))
    failures = [row for row in rows if row.status != "done"]
    if failures:
        console.print(_failures(failures, names))


def _table(title: str, caption: str | None = None) -> Grid:
    return Grid(
        title=title,
        title_justify="left",
        title_style="bold",
        caption=caption,
        caption_justify="left",
        header_style="bold",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        show_edge=False,
        pad_edge=False,
    )


def _grid(done: Sequence[Row], names: list[str], *, show_test: bool) -> Grid:
    rule = done[0].choices["selection"]
    grid = _table(
        f"Leaderboard: validation, ranked by {rule}",
        f'"{ON_TEST}" is measured last and never ranks',
    )
    grid.add_column("#", justify="right")
    for name in names:
        grid.add_column(short(name, names), overflow="fold")
    for _, heading in COLUMNS:
        grid.add_column(heading, justify="right", no_wrap=True)
    for place, row in enumerate(done, 1):
        style = "bold green" if place == 1 else ""
        values = [value_of(row, name) for name in names]
        grid.add_row(str(place), *values, *_cells(row.metrics.validation), style=style)
        if show_test or place == 1:
            blank = [ON_TEST, *[""] * (len(names) - 1)]
            grid.add_row("", *blank, *_cells(row.metrics.test), style="dim")
    return grid


def _cells(metrics: dict[str, float]) -> list[str]:
    return [_number(metrics.get(metric)) for metric, _ in COLUMNS]


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.4f}"  # noqa: PLR2004


def _failures(rows: Sequence[Row], names: list[str]) -> Grid:
    grid = _table("Without a result")
    for name in names:
        grid.add_column(short(name, names), overflow="fold")
    grid.add_column("status", no_wrap=True)
    grid.add_column("why", overflow="fold")
    grid.add_column("log", overflow="fold")
    for row in rows:
        values = [value_of(row, name) for name in names]
        grid.add_row(*values, row.status.replace("_", " "), row.error or "", row.log or "")
    return grid
