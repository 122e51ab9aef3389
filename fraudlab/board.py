"""The leaderboard as a person reads it in a terminal.

Names and values come from users, so all text is plain: nothing in it is read as markup.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

import msgspec
from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Column
from rich.table import Table as Grid

from fraudlab.naming import differing, short, value_of
from fraudlab.ranking import BARRED, HEADINGS, Row, place_of
from fraudlab.remarks import ON_TEST, SHIPS, remarks
from fraudlab.seeding import candidates_of, metric_of, names_of, runs_of

WIDTH = 110  # where there is no terminal
GAP, FOLDED = 2, 9  # columns between columns; what a name may be folded to
SURE, STD = "95 %", "± std"  # how sure the metric that ranks is: about rows, about seeds


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


def print_leaderboard(rows: Sequence[Row], *, show_test: bool, show_seeds: bool = False) -> None:
    """Print the ranked candidates, what must be known of them, then those without a result.

    Parameters
    ----------
    rows
        As `leaderboard` gives them.
    show_test
        Show test of every candidate, not of the best one alone.
    show_seeds
        Below a candidate of several seeds show each of them.
    """
    out = console(stderr=False)
    done = [row for row in rows if row.status == "done"]
    if done:
        names = names_of(rows)
        out.print(_grid(done, names, out.width, show_test=show_test, show_seeds=show_seeds))
        for line in remarks(done, names, show_seeds=show_seeds):
            out.print(line, soft_wrap=True)
    failures = [row for row in rows if row.status != "done"]
    if failures:
        out.print()
        out.print(_failures(failures, differing(list(rows))))


def plain_table(title: str | None = None) -> Grid:
    """Return an empty table as all that is printed in a terminal."""
    return Grid(
        title=title,
        title_justify="left",
        title_style="bold",
        caption_justify="left",
        caption_style="dim",
        header_style="bold",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        show_edge=False,
        pad_edge=False,
    )


def _grid(
    done: Sequence[Row], names: list[str], width: int, *, show_test: bool, show_seeds: bool
) -> Grid:
    ranked = metric_of(done[0])
    metrics = list(dict.fromkeys([ranked, *HEADINGS]))
    metrics = [name for name in metrics if any(name in row.metrics.validation for row in done)]
    several = any(row.seeds for row in done)
    spread = STD if several else SURE if any(row.intervals.validation for row in done) else None
    grid = plain_table(f"Leaderboard: validation, ranked by {done[0].choices['selection']}")
    grid.add_column("#", justify="right", no_wrap=True)
    for name in names:
        grid.add_column(short(name, names), overflow="fold")
    if several:
        grid.add_column("seeds", justify="right", no_wrap=True)
    for place, name in enumerate(metrics):
        grid.add_column(HEADINGS.get(name, name), justify="right", no_wrap=True)
        if place == 0 and spread:
            grid.add_column(spread, justify="right", no_wrap=True)
    for place, row in enumerate(candidates_of(done), 1):
        best = place == 1 and not row.unmet
        values = [*(value_of(row, name) for name in names), *[_count(row)] * several]
        cells = _cells(row, "validation", metrics, spread)
        grid.add_row(place_of(place, row), *values, *cells, style="bold green" if best else "")
        blank = [""] * (len(values) - 1)
        if show_test or best:
            grid.add_row("", ON_TEST, *blank, *_cells(row, "test", metrics, spread), style="dim")
        for run in runs_of(row, done) if show_seeds and row.seeds else ():
            alone = msgspec.structs.replace(run, seeds=None)
            cells = _cells(alone, "validation", metrics, spread)
            grid.add_row(_mark(run, row), f"seed {run.seed}", *blank, *cells, style="dim")
    _narrow(grid, len(metrics) - 1, width)
    return grid


def _narrow(grid: Grid, optional: int, width: int) -> None:
    """Take columns from the grid's end, `optional` at most, until it fits; its caption names them.

    A cut-off number misleads. Names may be folded, but not to nothing.
    """
    left: list[str] = []
    while optional and sum(map(_least, grid.columns)) + GAP * (len(grid.columns) - 1) > width:
        left.insert(0, str(grid.columns.pop().header))
        optional -= 1
    if left:
        grid.caption = f"no room for {', '.join(left)}: format=csv has all"


def _least(column: Column) -> int:
    wide = max(cell_len(str(cell)) for cell in [column.header, *column.cells])
    return wide if column.no_wrap else min(wide, FOLDED)


def _count(row: Row) -> str:
    if row.seeds is None:
        return "1"
    return f"{row.seeds.count}" + f" of {row.seeds.asked}" * (row.seeds.count < row.seeds.asked)


def _mark(run: Row, candidate: Row) -> str:
    """Return the mark of one seed's run, where its candidate may win."""
    if candidate.unmet:
        return ""
    return SHIPS if run.run == candidate.run else BARRED[0] if run.unmet else ""


def _deviation(std: float | None) -> str:
    return "" if std is None else "±0" if std == 0 else f"±{number({STD: std}, STD)}"


def _cells(row: Row, part: str, metrics: Sequence[str], spread: str | None) -> list[str]:
    """Return the metrics of a part, and behind the one that ranks how sure it is."""
    known: Mapping[str, float] = getattr(row.means, part)
    first, *others = [number(known, name) for name in metrics]
    if spread is None:
        return [first, *others]
    if spread == STD:
        found = getattr(row.seeds.std, part).get(metrics[0]) if row.seeds else None
        return [first, _deviation(found), *others]
    found = getattr(row.intervals, part).get(metrics[0])
    return [first, "" if found is None else f"[{found[0]:.3f}, {found[1]:.3f}]", *others]


def _failures(rows: Sequence[Row], names: list[str]) -> Grid:
    grid = plain_table("Without a result")
    for name in names:
        grid.add_column(short(name, names), overflow="fold")
    grid.add_column("status", no_wrap=True)
    grid.add_column("why", overflow="fold")
    grid.add_column("log", overflow="fold")
    for row in rows:
        values = [value_of(row, name) for name in names]
        grid.add_row(*values, row.status.replace("_", " "), row.error or "", row.log or "")
    return grid
