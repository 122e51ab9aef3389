"""What a person sees in a terminal: how a sweep goes on, and the leaderboard."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from fraudlab.ranking import Row, differing, label, value_of
from fraudlab.runs import Planned, RunRecord

COLUMNS = (
    ("average_precision", "AP"),
    ("roc_auc", "ROC AUC"),
    ("card_precision_at_100", "CP@100"),
    ("precision", "precision"),
    ("recall", "recall"),
    ("alerts_per_day", "alerts/day"),
)
WIDTH = 110


class Progress:
    """One line per candidate on standard error, started and finished, with the best so far."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False, soft_wrap=True)
        self._start = time.monotonic()
        self._best: tuple[float, str] | None = None
        self._names: list[str] = ["model", "sampler"]

    def names(self, candidates: Sequence[Planned]) -> None:
        """Learn what tells the candidates apart."""
        self._names = differing(candidates)

    def note(self, text: str) -> None:
        """Print a line."""
        self._console.print(f"[dim]{self._clock()}[/dim] {text}")

    def warn(self, text: str) -> None:
        """Print a warning."""
        self._console.print(Text(f"{self._clock()} warning: {text}", style="yellow"))

    def started(self, place: int, total: int, planned: Planned) -> None:
        """Say what is being trained."""
        if self._console.is_terminal:
            name = label(planned, self._names)
            self._console.print(f"[dim]{self._clock()}[/dim] {place}/{total} {name} …", end="\r")

    def finished(self, place: int, total: int, planned: Planned, record: RunRecord) -> None:
        """Say how it ended."""
        name = label(planned, self._names)
        if record.status == "done":
            value = record.metrics.validation["average_precision"]
            if self._best is None or value > self._best[0]:
                self._best = (value, name)
            took = sum(record.seconds.values())
            text = f"validation AP {value:.4f} in {took:.1f} s · best so far {self._best[1]}"
            mark = "[green]done[/green]"
        else:
            text, mark = f"{record.error}", f"[red]{record.status}[/red]"
        self._console.print(f"[dim]{self._clock()}[/dim] {place}/{total} {name}  {mark}  ", end="")
        self._console.print(Text(text))

    def _clock(self) -> str:
        minutes, seconds = divmod(int(time.monotonic() - self._start), 60)
        return f"{minutes:02d}:{seconds:02d}"


def print_leaderboard(rows: Sequence[Row], *, show_test: bool) -> None:
    """Print the ranked candidates, then those without a result."""
    console = Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH)
    names = differing(list(rows))
    done = [row for row in rows if row.status == "done"]
    if done:
        console.print(_grid(done, names, show_test=show_test))
    failures = [row for row in rows if row.status != "done"]
    if failures:
        console.print(_failures(failures, names))


def _grid(done: Sequence[Row], names: list[str], *, show_test: bool) -> Grid:
    grid = Grid(title="Leaderboard, by validation", title_justify="left", header_style="bold")
    grid.add_column("#", justify="right")
    for name in names:
        grid.add_column(name)
    for _, heading in COLUMNS:
        grid.add_column(heading, justify="right")
    for place, row in enumerate(done, 1):
        style = "bold green" if place == 1 else ""
        values = [value_of(row, name) for name in names]
        cells = [_number(row.metrics.validation.get(metric)) for metric, _ in COLUMNS]
        grid.add_row(str(place), *values, *cells, style=style)
        if show_test or place == 1:
            cells = [_number(row.metrics.test.get(metric)) for metric, _ in COLUMNS]
            grid.add_row(
                "", *["test" if i == 0 else "" for i in range(len(names))], *cells, style="dim"
            )
    return grid


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.4f}"  # noqa: PLR2004


def _failures(rows: Sequence[Row], names: list[str]) -> Grid:
    grid = Grid(title="Without a result", title_justify="left", header_style="bold")
    for name in names:
        grid.add_column(name)
    grid.add_column("status")
    grid.add_column("why", overflow="fold")
    grid.add_column("log", overflow="fold")
    for row in rows:
        values = [value_of(row, name) for name in names]
        grid.add_row(*values, row.status, row.error or "", row.log or "")
    return grid
