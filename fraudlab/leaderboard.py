"""Show a sweep's leaderboard: `python -m fraudlab.leaderboard`."""

from __future__ import annotations

import csv
import sys
from collections.abc import Sequence
from typing import Literal

import msgspec

from fraudlab.command import parse_arguments, run_command
from fraudlab.ranking import Row, differing, leaderboard, value_of
from fraudlab.runs import read_sweep

USAGE = """\
python -m fraudlab.leaderboard [sweep=latest|ID] [format=table|json|csv] [show=test]

Rank the candidates of a sweep by its selection rule, on validation. Candidates that failed, are
still running or do not apply stand below, with the reason.

  sweep=latest   the sweep launched last, or its id (a folder of outputs/sweeps)
  format=table   for people; json and csv carry every metric
  show=test      test metrics of every row; otherwise only the best row shows them, for choosing by
                 test makes test useless
"""


class Leaderboard(msgspec.Struct, forbid_unknown_fields=True):
    """The command's arguments."""

    sweep: str = "latest"
    format: Literal["table", "json", "csv"] = "table"
    show: Literal["best", "test"] = "best"


def main(arguments: list[str]) -> int:
    """Print the leaderboard."""
    wanted = parse_arguments(arguments, Leaderboard)
    rows = leaderboard(read_sweep(wanted.sweep))
    if wanted.format == "json":
        content = msgspec.json.format(msgspec.json.encode(rows), indent=1)
        sys.stdout.buffer.write(content + b"\n")  # UTF-8, whatever the locale is
        sys.stdout.buffer.flush()
    elif wanted.format == "csv":
        _write_csv(rows)
    else:
        from fraudlab.board import print_leaderboard

        print_leaderboard(rows, show_test=wanted.show == "test")
    return 0


def _write_csv(rows: Sequence[Row]) -> None:
    names = differing(rows)
    validation = sorted({name for row in rows for name in row.metrics.validation})
    test = sorted({name for row in rows for name in row.metrics.test})
    writer = csv.writer(sys.stdout, lineterminator="\n")
    head = [f"validation_{name}" for name in validation] + [f"test_{name}" for name in test]
    writer.writerow(["run", "status", "reused", *names, *head, "bundle"])
    for row in rows:
        cells = [row.metrics.validation.get(name) for name in validation]
        cells += [row.metrics.test.get(name) for name in test]
        values = [value_of(row, name) for name in names]
        reused = str(row.reused).lower()
        writer.writerow([row.run, row.status, reused, *values, *cells, row.bundle])


if __name__ == "__main__":
    run_command(main, lambda: USAGE)
