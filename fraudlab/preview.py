"""What a command would do, candidate by candidate, and how long that may take; nothing is done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from rich.table import Table as Grid

from fraudlab.board import console, plain_table
from fraudlab.config import Candidate
from fraudlab.estimating import estimate
from fraudlab.launching.opening import at_once
from fraudlab.naming import differing, short, value_of
from fraudlab.planning import plan_candidates
from fraudlab.reasons import why_trained
from fraudlab.runs import Planned, finished_result
from fraudlab.tables import Tables

DONE, TODO, BARRED = "finished before", "to train", "not applicable"
ONLY = "no result, and resume=only"


def print_preview(candidates: Sequence[Candidate], note: Callable[[str], None]) -> None:
    """Print the candidates with what would become of each, and an estimate of the time.

    Reading the data may fill the cache; nothing else is written.

    Parameters
    ----------
    candidates
        Of a command.
    note
        Is told what is being read.
    """
    planned = plan_candidates(candidates, Tables(note))
    config = candidates[0].config
    statuses = [_status(each, config.resume) for each in planned]
    out = console(stderr=False)
    out.print(_grid(planned, statuses))
    counts = [f"{count:,} {status}" for status, count in Counter(statuses).items()]
    out.print(f"{len(planned):,} candidate{'s' * (len(planned) != 1)}: {', '.join(counts)}")
    todo = [each for each, status in zip(planned, statuses, strict=True) if status == TODO]
    for line in why_trained(todo) if config.resume == "auto" else []:
        out.print(line, soft_wrap=True)
    if todo:
        out.print(str(estimate(todo, at_once(config, len(todo)))), soft_wrap=True)
    else:
        out.print("nothing to train")


def _status(planned: Planned, resume: str) -> str:
    if planned.not_applicable is not None:
        return BARRED
    if resume != "never" and finished_result(planned.run) is not None:
        return DONE
    return ONLY if resume == "only" else TODO


def _grid(planned: Sequence[Planned], statuses: Sequence[str]) -> Grid:
    names = differing(planned)
    grid = plain_table()
    grid.add_column("#", justify="right", no_wrap=True)
    for name in names:
        grid.add_column(short(name, names), overflow="fold")
    grid.add_column("status", no_wrap=True)
    reasons = any(each.not_applicable for each in planned)
    if reasons:
        grid.add_column("why", overflow="fold")
    for place, (each, status) in enumerate(zip(planned, statuses, strict=True), 1):
        why = [each.not_applicable or ""] if reasons else []
        grid.add_row(str(place), *(value_of(each, name) for name in names), status, *why)
    return grid
