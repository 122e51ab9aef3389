"""The leaderboard as a person reads it in a terminal.

Names and values come from users, so all text is plain: nothing in it is read as markup.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence

from rich import box
from rich.console import Console
from rich.table import Table as Grid

from fraudlab import registry
from fraudlab.config import Choice
from fraudlab.ranking import (
    HEADINGS,
    NEAR,
    OTHER_ROWS,
    SAME_ROWS,
    Row,
    best_of,
    differing,
    name_of,
    place_of,
    short,
    simplest_of,
    value_of,
)

WIDTH = 110  # where there is no terminal
ON_TEST = "on test"


def console(*, stderr: bool) -> Console:
    """Return the console that everything is printed to."""
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else WIDTH
    return Console(stderr=stderr, width=width, highlight=False, markup=False, emoji=False)


def number(metrics: Mapping[str, float], name: str) -> str:
    """Return a metric as the leaderboard writes it."""
    value = metrics.get(name)
    if value is None:
        return ""
    counted = name == "alerts_per_day" or abs(value) >= 10  # noqa: PLR2004
    return f"{value:,.1f}" if counted else f"{value:.4f}"


def print_leaderboard(rows: Sequence[Row], *, show_test: bool) -> None:
    """Print the ranked candidates, what must be known of them, then those without a result."""
    out = console(stderr=False)
    names = differing(list(rows))
    done = [row for row in rows if row.status == "done"]
    if done:
        out.print(_grid(done, names, show_test=show_test))
        for line in _remarks(done, names):
            out.print(line, soft_wrap=True)
    failures = [row for row in rows if row.status != "done"]
    if failures:
        out.print()
        out.print(_failures(failures, names))


def _table(title: str) -> Grid:
    return Grid(
        title=title,
        title_justify="left",
        title_style="bold",
        header_style="bold",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        show_edge=False,
        pad_edge=False,
    )


def _grid(done: Sequence[Row], names: list[str], *, show_test: bool) -> Grid:
    rule = done[0].choices["selection"]
    ranked = registry.build("selection", Choice(rule)).metric
    metrics = list(dict.fromkeys([ranked, *HEADINGS]))
    metrics = [name for name in metrics if any(name in row.metrics.validation for row in done)]
    grid = _table(f"Leaderboard: validation, ranked by {rule}")
    grid.add_column("#", justify="right", no_wrap=True)
    for name in names:
        grid.add_column(short(name, names), overflow="fold")
    for place, name in enumerate(metrics):
        grid.add_column(HEADINGS.get(name, name), justify="right", no_wrap=True)
        if place == 0 and any(row.intervals.validation for row in done):
            grid.add_column("95 %", justify="right", no_wrap=True)
    for place, row in enumerate(done, 1):
        style = "bold green" if place == 1 and not row.unmet else ""
        values = [value_of(row, name) for name in names]
        cells = _cells(row, "validation", metrics, done)
        grid.add_row(place_of(place, row), *values, *cells, style=style)
        if show_test or (place == 1 and not row.unmet):
            blank = [ON_TEST, *[""] * (len(names) - 1)]
            grid.add_row("", *blank, *_cells(row, "test", metrics, done), style="dim")
    return grid


def _cells(row: Row, part: str, metrics: Sequence[str], done: Sequence[Row]) -> list[str]:
    """Return the metrics of a part, the interval of the one that ranks behind it."""
    known: Mapping[str, float] = getattr(row.metrics, part)
    first, *others = [number(known, name) for name in metrics]
    return [first, *_interval(row, part, metrics[0], done), *others]


def _interval(row: Row, part: str, metric: str, done: Sequence[Row]) -> list[str]:
    if not any(each.intervals.validation for each in done):
        return []
    found = getattr(row.intervals, part).get(metric)
    return ["" if found is None else f"[{found[0]:.3f}, {found[1]:.3f}]"]


def _remarks(done: Sequence[Row], names: list[str]) -> Iterator[str]:
    """Yield what the table cannot say: what its marks mean, what is simpler, what is wrong."""
    if done[0].choices["split"] == SAME_ROWS:
        yield f'"{ON_TEST}" are the rows of validation again (split=kfold): no final verdict'
    else:
        yield f'"{ON_TEST}" is measured last and never ranks'
    marks = {place_of(0, row)[0] for row in done}
    if NEAR[0] in marks:
        yield NEAR
        yield "  (draw by draw: who errs where the best errs is told from it by a smaller one)"
    if OTHER_ROWS[0] in marks:
        yield OTHER_ROWS
    best, simplest = best_of(done), simplest_of(done)
    if best is None:
        yield "no candidate may win"
    elif simplest is not None and simplest is not best:
        yield (
            f"simplest within one standard error of the best: {name_of(simplest, names)}"
            f" (graph of {_bytes(simplest)}, the best has {_bytes(best)}; run {simplest.run})"
        )
    for row in done:
        if row.unmet:
            yield f"may not win: {name_of(row, names)}: {'; '.join(row.unmet)}"
    for row in done:
        for warning in row.warnings:
            yield f"warning: {name_of(row, names)}: {warning}"


def _bytes(row: Row) -> str:
    size = row.size or 0
    return f"{size:,} bytes" if size < 10_000 else f"{size / 1000:,.0f} kB"  # noqa: PLR2004


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
