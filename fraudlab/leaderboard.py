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
  format=table   for people; json and csv carry every metric and interval, and how each candidate
                 compares with the best
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
    numbers = [_numbers(row) for row in rows]
    columns = sorted({name for found in numbers for name in found}, key=_order)
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["run", "status", "reused", *names, *columns, "simplest", "unmet", "bundle"])
    for row, found in zip(rows, numbers, strict=True):
        flags = [str(row.simplest).lower(), "; ".join(row.unmet), row.bundle]
        values = [value_of(row, name) for name in names]
        cells = [found.get(column) for column in columns]
        writer.writerow([row.run, row.status, str(row.reused).lower(), *values, *cells, *flags])


def _order(name: str) -> tuple[bool, bool, str]:
    """Return the key that puts validation before test before the comparison with the best."""
    return (name.startswith("difference"), name.startswith("test_"), name)


def _numbers(row: Row) -> dict[str, float]:
    """Return a row's metrics with the ends of their intervals, and its difference to the best."""
    found: dict[str, float] = {}
    for part in ("validation", "test"):
        found |= {f"{part}_{name}": of for name, of in getattr(row.metrics, part).items()}
        for name, (low, high) in getattr(row.intervals, part).items():
            found |= {f"{part}_{name}_low": low, f"{part}_{name}_high": high}
    if row.comparison is not None:
        found["difference"] = row.comparison.difference
        if row.comparison.interval is not None:
            found["difference_low"], found["difference_high"] = row.comparison.interval
    return found


if __name__ == "__main__":
    run_command(main, lambda: USAGE)
