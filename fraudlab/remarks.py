"""What the table of a leaderboard cannot say: its marks, what ships, what is simpler or wrong."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fraudlab.naming import name_of
from fraudlab.ranking import (
    HEADINGS,
    NEAR,
    OTHER_ROWS,
    SAME_ROWS,
    Row,
    best_of,
    place_of,
    simplest_of,
)
from fraudlab.seeding import candidates_of, metric_of, runs_of

ON_TEST = "on test"
SHIPS = "*"  # marks the run that stands for its candidate, where each seed is shown


def remarks(done: Sequence[Row], names: list[str], *, show_seeds: bool) -> Iterator[str]:
    """Yield the lines that belong below the table, what explains it first.

    Parameters
    ----------
    done
        The finished rows of a leaderboard, at least one.
    names
        What names the candidates.
    show_seeds
        Whether the table shows each seed.
    """
    candidates = candidates_of(done)
    if done[0].choices["split"] == SAME_ROWS:
        yield f'"{ON_TEST}" are the rows of validation again (split=kfold): no final verdict'
    else:
        yield f'"{ON_TEST}" is measured last and never ranks'
    several = any(row.seeds for row in done)
    if several:
        yield "means over the seeds; ± is the standard deviation: how much the seed matters"
        yield _shipping(best_of(done), show_seeds=show_seeds)
    yield from _marks(candidates, several=several)
    yield from _simplest(best_of(done), simplest_of(done), names)
    for row in candidates:
        if row.unmet:
            yield f"may not win: {name_of(row, names)}: {'; '.join(row.unmet)}"
    for row in candidates:
        yield from _warnings(row, runs_of(row, done), names, show_seeds=show_seeds)


def _shipping(best: Row | None, *, show_seeds: bool) -> str:
    """Return which run of several seeds ships."""
    mark = f"{SHIPS} " if show_seeds else ""
    ships = f"{mark}what ships is the run nearest the median of its seeds, not the luckiest"
    if best is not None and best.seeds is not None:
        metric = metric_of(best)
        value = best.metrics.validation.get(metric)
        measured = "" if value is None else f", {HEADINGS.get(metric, metric)} {value:.4f}"
        ships += f": seed {best.seed} of the best{measured}, run {best.run}"
    return ships if show_seeds else f"{ships} (show=seeds lists all)"


def _marks(candidates: Sequence[Row], *, several: bool) -> Iterator[str]:
    marks = {place_of(0, row)[0] for row in candidates}
    if NEAR[0] in marks:
        yield NEAR
        yield "  (draw by draw: who errs where the best errs is told from it by a smaller one)"
        if several:
            yield "  (of the means: few seeds that lie far apart make it wide)"
    if OTHER_ROWS[0] in marks:
        yield OTHER_ROWS


def _simplest(best: Row | None, simplest: Row | None, names: list[str]) -> Iterator[str]:
    if best is None:
        yield "no candidate may win"
    elif simplest is not None and simplest is not best:
        yield (
            f"simplest within one standard error of the best: {name_of(simplest, names)}"
            f" (graph of {_bytes(simplest)}, the best has {_bytes(best)}; run {simplest.run})"
        )


def _bytes(row: Row) -> str:
    size = row.size or 0
    return f"{size:,} bytes" if size < 10_000 else f"{size / 1000:,.0f} kB"  # noqa: PLR2004


def _warnings(
    row: Row, runs: Sequence[Row], names: list[str], *, show_seeds: bool
) -> Iterator[str]:
    """Yield a candidate's warnings: those of each run, or of the one that stands for it."""
    for run in runs if show_seeds else [row]:
        seed = f" · seed={run.seed}" if show_seeds and run.seeds else ""
        for warning in run.warnings:
            yield f"warning: {name_of(run, names)}{seed}: {warning}"
    others = sum(len(run.warnings) for run in runs if run.run != row.run)
    if others and not show_seeds:
        yield f"warning: {name_of(row, names)}: {others:,} more with other seeds (show=seeds)"
