"""Write the report of a run or a sweep as one HTML file: `python -m fraudlab.report`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from fraudlab.bundle import write_atomic
from fraudlab.command import parse_arguments, run_command
from fraudlab.errors import UserError
from fraudlab.runs import run_folder, sweep_folder

if TYPE_CHECKING:
    from fraudlab.reporting.gathering import RunFacts
    from fraudlab.terminal import Progress

USAGE = """\
python -m fraudlab.report [run=ID | sweep=latest|ID] [output=FILE.html]

Write one self-contained HTML file: the verdict in words, curves with their bands, calibration,
a slider for the threshold, costs, which columns matter and which have moved, the table, the
configuration and where it all came from. It needs no network and no server, and prints well.

  run=ID         a finished run of the leaderboard, or the beginning of its key
  sweep=latest   the sweep launched last, or its id; its page ends with the report of its best run
  output=FILE    where to write it; otherwise report.html in the folder of the run or sweep

Where the run is mirrored in MLflow, the page is added to it there. The path is printed.
"""


class Report(msgspec.Struct, forbid_unknown_fields=True):
    """The command's arguments."""

    run: str | None = None
    sweep: str | None = None
    output: str | None = None


def main(arguments: list[str]) -> int:
    """Write the report, and print where."""
    wanted = parse_arguments(arguments, Report)
    if wanted.run is not None and wanted.sweep is not None:
        raise UserError(
            "a report is of a run or of a sweep: give run=ID or sweep=ID, not both; the page of a"
            " sweep holds the report of its best run"
        )
    target = None if wanted.output is None else _target(wanted.output)
    from fraudlab.terminal import Progress

    progress = Progress()
    if wanted.run is not None:
        path = _report_run(wanted.run, target, progress)
    else:
        path = _report_sweep(wanted.sweep or "latest", target, progress)
    print(os.path.relpath(path))  # noqa: T201
    return 0


def _target(output: str) -> Path:
    """Return the file to write, refused before anything takes time."""
    path = Path(output)
    if path.suffix.lower() not in {".html", ".htm"}:
        raise UserError(f"output must be a file that ends in .html, got {output!r}")
    if not path.parent.is_dir():
        raise UserError(f"output: there is no folder {str(path.parent)!r}")
    if path.is_dir():
        raise UserError(f"output: {output!r} is a folder; name a file in it")
    return path


def _report_run(run: str, target: Path | None, progress: Progress) -> Path:
    from fraudlab.reporting.findings import find
    from fraudlab.reporting.gathering import find_run, gather_run
    from fraudlab.reporting.page import render_run

    facts = gather_run(find_run(run))
    path = target or run_folder(facts.record.run) / "report.html"
    write_atomic(path, render_run(find(facts, progress.note)).encode())
    _tell_mlflow(facts, path, progress, of_sweep=None)
    return path


def _report_sweep(sweep: str, target: Path | None, progress: Progress) -> Path:
    from fraudlab.ranking import best_of
    from fraudlab.reporting.findings import find
    from fraudlab.reporting.gathering import find_run, gather_run, gather_sweep
    from fraudlab.reporting.page import render_sweep

    facts = gather_sweep(sweep)
    best = best_of(facts.rows)
    own = None if best is None else gather_run(find_run(best.run))
    found = None if own is None else find(own, progress.note)
    path = target or sweep_folder(facts.record.sweep) / "report.html"
    write_atomic(path, render_sweep(facts, found).encode())
    if own is not None:
        _tell_mlflow(own, path, progress, of_sweep=facts.record.sweep)
    return path


def _tell_mlflow(facts: RunFacts, path: Path, progress: Progress, *, of_sweep: str | None) -> None:
    """Add the page to the mirror of the run or sweep; whatever fails there is only a warning."""
    run = facts.record.mlflow_run_id
    if run is None:
        return
    from fraudlab.tracking import log_file

    log_file(facts.config.tracking, run, path, progress.warn, of_sweep)


if __name__ == "__main__":
    run_command(main, lambda: USAGE)
