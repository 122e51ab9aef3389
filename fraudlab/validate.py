"""Check a command line without training: `python -m fraudlab.validate`."""

from __future__ import annotations

import sys

from fraudlab.command import CONFIG_DIR, MULTIRUN, parse_flags, run_command
from fraudlab.composition import Composer
from fraudlab.config import Candidate

USAGE = """\
python -m fraudlab.validate [any overrides of fraudlab.train] [-m]

Compose the candidates, check every name, parameter and bound, and where the data is a file read and
check the table and its split. Nothing is trained, and nothing is written but the cache.

  python -m fraudlab.validate experiment=handbook_baseline
  python -m fraudlab.validate data=table data.path=my.csv data.label=is_fraud

Flags: -m, --config-dir FOLDER, -v. Exit codes: 0 all is right, 2 it is not, and the message says
what is allowed.
"""


def main(arguments: list[str]) -> int:
    """Check and say what was found."""
    flags = parse_flags(arguments, (MULTIRUN, CONFIG_DIR))
    plan = Composer(flags.config_dir).plan(flags.overrides, multirun=flags.multirun)
    for note in plan.notes:
        print(note, file=sys.stderr)  # noqa: T201
    _check_surroundings(plan.candidates[0])
    count = len(plan.candidates)
    excluded = sum(candidate.not_applicable is not None for candidate in plan.candidates)
    print(f"{count} candidate{'s' * (count != 1)}: names, parameters and bounds are right")  # noqa: T201
    if excluded:
        print(f"{excluded} of them do not apply (choices that exclude each other)")  # noqa: T201
    files = [c for c in plan.candidates if "path" in c.config.data.params]
    if files:
        _check_tables(files)
    return 0


def _check_surroundings(candidate: Candidate) -> None:
    """Refuse what train would refuse of the environment before it reads data."""
    from fraudlab.threads import budget
    from fraudlab.tracking import tracking_uri

    budget()
    tracking_uri(candidate.config.tracking)


def _check_tables(candidates: list[Candidate]) -> None:
    from fraudlab.splitting import describe_rows
    from fraudlab.tables import Tables
    from fraudlab.terminal import Progress

    tables = Tables(Progress().note)
    told: dict[str, None] = {}
    for candidate in candidates:
        table, fold = tables.table(candidate.config), tables.split(candidate.config).folds[0]
        report = table.report
        told[f"{report.source}: {report.rows:,} rows, {report.frauds:,} frauds; the split fits"] = (
            None
        )
        parts = {"train": fold.test.fit, "validation": fold.cut.judge, "test": fold.test.judge}
        for name, rows in parts.items():
            told[f"  {name:<11}{describe_rows(table, rows)}"] = None
    print("\n".join(told))  # noqa: T201


if __name__ == "__main__":
    run_command(main, lambda: USAGE)
