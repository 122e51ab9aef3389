"""Show a sweep's leaderboard: `python -m fraudlab.leaderboard`."""

from __future__ import annotations

import csv
import sys
from collections.abc import Sequence
from typing import Literal

import msgspec

from fraudlab.command import parse_arguments, run_command
from fraudlab.manifest import Intervals, Metrics
from fraudlab.naming import differing, value_of
from fraudlab.ranking import Row, leaderboard
from fraudlab.runs import read_sweep
from fraudlab.seeding import candidates_of

USAGE = """\
python -m fraudlab.leaderboard [sweep=latest|ID] [format=table|json|csv] [show=test|seeds]

Rank the candidates of a sweep by its selection rule, on validation. Candidates that failed, are
still running or do not apply stand below, with the reason. Runs that differ in nothing but the seed
are one candidate, ranked by the means.

  sweep=latest   the sweep launched last, or its id (a folder of outputs/sweeps)
  format=table   for people; json and csv carry every metric and interval, and how each candidate
                 compares with the best; every seed is a row of its own there
  show=test      test metrics of every row; otherwise only the best row shows them, for choosing by
                 test makes test useless
  show=seeds     each seed of a candidate below it, the one that ships marked *
"""
COUNT = "seeds"  # the column with the number of a candidate's finished seeds


class Leaderboard(msgspec.Struct, forbid_unknown_fields=True):
    """The command's arguments."""

    sweep: str = "latest"
    format: Literal["table", "json", "csv"] = "table"
    show: Literal["best", "test", "seeds"] = "best"


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

        show = wanted.show
        print_leaderboard(rows, show_test=show == "test", show_seeds=show == "seeds")
    return 0


def _write_csv(rows: Sequence[Row]) -> None:
    names = differing(rows)
    numbers = [_numbers(row) for row in rows]
    columns = sorted({name for found in numbers for name in found}, key=_order)
    ships = ["ships"] if any(row.seeds for row in rows) else []
    writer = csv.writer(sys.stdout, lineterminator="\n")
    ends = ["simplest", *ships, "unmet", "bundle"]
    writer.writerow(["run", "status", "reused", *names, *columns, *ends])
    for row, found in zip(rows, numbers, strict=True):
        stands = [str(row in candidates_of([row])).lower()] if ships else []
        flags = [str(row.simplest).lower(), *stands, "; ".join(row.unmet), row.bundle]
        values = [value_of(row, name) for name in names]
        cells = [found.get(column) for column in columns]
        writer.writerow([row.run, row.status, str(row.reused).lower(), *values, *cells, *flags])


def _order(name: str) -> tuple[bool, bool, bool, str]:
    """Return the key that orders columns: seeds, validation, test, comparison with the best."""
    return (name.startswith("difference"), name.startswith("test_"), name != COUNT, name)


def _numbers(row: Row) -> dict[str, float]:
    """Return a row's metrics with the ends of their intervals, and its difference to the best.

    Of several seeds it has their number, means, deviations and the ends of the means' intervals.
    """
    found = _measured(row.metrics, row.intervals)
    if row.seeds is not None:
        found[COUNT] = row.seeds.count
        found |= _measured(row.seeds.metrics, row.seeds.intervals, "_over_seeds")
        found |= _measured(row.seeds.std, Intervals(), "_over_seeds_std")
    if row.comparison is not None:
        found["difference"] = row.comparison.difference
        if row.comparison.interval is not None:
            found["difference_low"], found["difference_high"] = row.comparison.interval
    return found


def _measured(metrics: Metrics, intervals: Intervals, ending: str = "") -> dict[str, float]:
    found: dict[str, float] = {}
    for part in ("validation", "test"):
        for name, value in getattr(metrics, part).items():
            found[f"{part}_{name}{ending}"] = value
        for name, (low, high) in getattr(intervals, part).items():
            found[f"{part}_{name}{ending}_low"] = low
            found[f"{part}_{name}{ending}_high"] = high
    return found


if __name__ == "__main__":
    run_command(main, lambda: USAGE)
