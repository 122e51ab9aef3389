"""Train one candidate, or sweep over many: `python -m fraudlab.train`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import yaml

from fraudlab.command import (
    CONFIG_DIR,
    DRY_RUN,
    MULTIRUN,
    SHOW_CONFIG,
    parse_flags,
    run_command,
)
from fraudlab.composition import Composer, Plan
from fraudlab.config import to_plain
from fraudlab.overrides import ALL_GROUPS

if TYPE_CHECKING:
    from fraudlab.ranking import Row

USAGE = """\
python -m fraudlab.train [group=option ...] [key=value ...] [-m]

Train one candidate, or with lists and -m sweep over all combinations. At the end stands a
leaderboard; every finished run exports its bundle to bundles/, and the best one becomes the
champion when there is none yet.

  python -m fraudlab.train data=simulated_small model=lgbm
  python -m fraudlab.train model=logreg,xgb sampler=identity,smote -m
  python -m fraudlab.train model=xgb model.params.max_depth=3,6 seed=1,2,3 -m
  python -m fraudlab.train model=glob(*) sampler=identity,smote -m --dry-run
  python -m fraudlab.train data=table data.path=my.csv data.label=is_fraud data.amount=amount
  python -m fraudlab.train experiment=handbook_baseline

Groups and their options:
{groups}

Keys: seed=42  resume=auto|never|only  fail_fast=false  keep=5  slots=2 (candidates at a time;
one per processor), what each may use: launcher.timeout=20m  launcher.memory=4GB, and every
parameter of an option:
  model.params.max_depth=3  split.params.start=2018-07-25  data.path=my.csv
what each outcome costs, and how intervals are drawn:
  costs.false_positive=5  costs.false_negative=amount|100  bootstrap.cluster=card|day|row

Which combinations of the lists are tried; a recipe may say so too:
  pair=[model,sampler]                            lists that go together, first with first
  exclude=[{{sampler: smote, model: balanced_*}}]   combinations left out, by options or parameters
  subset=10                                       so many, drawn at random, always the same ones

Flags:
  -m, --multirun       sweep over the lists
  -n, --dry-run        print the candidates and about how long they take, and stop
  --cfg                print the composed configuration and stop
  --config-dir FOLDER  look for YAML there as well
  -v, --verbose        show the traceback of an error
  -h, --help           this text

`python -m fraudlab.plugins GROUP` says what each option is and takes.
Exit codes: 0 done, 1 a candidate failed, 2 asked wrongly, 130 interrupted.
"""


def usage() -> str:
    """Return the help, with the options that exist."""
    composer = Composer()
    lines = [f"  {group:<19}{', '.join(composer.options(group))}" for group in ALL_GROUPS]
    return USAGE.format(groups="\n".join(lines))


def main(arguments: list[str]) -> int:
    """Compose, check, train, rank, promote the first champion."""
    flags = parse_flags(arguments, (MULTIRUN, DRY_RUN, SHOW_CONFIG, CONFIG_DIR))
    plan = Composer(flags.config_dir).plan(flags.overrides, multirun=flags.multirun)
    for note in plan.notes:
        print(note, file=sys.stderr)  # noqa: T201
    if flags.show_config:
        plain = [to_plain(candidate.config) for candidate in plan.candidates]
        print(yaml.safe_dump_all(plain, sort_keys=False), end="")  # noqa: T201
        return 0
    if flags.dry_run:
        return _dry_run(plan)
    rows = train(plan)
    return 0 if all(row.status in {"done", "not_applicable"} for row in rows) else 1


def _dry_run(plan: Plan) -> int:
    from fraudlab.preview import print_preview
    from fraudlab.terminal import Progress

    print_preview(plan.candidates, Progress().note)
    return 0


def train(plan: Plan) -> list[Row]:
    """Run a plan and show its leaderboard."""
    from fraudlab.board import print_leaderboard
    from fraudlab.promotion import promote_first
    from fraudlab.ranking import leaderboard
    from fraudlab.sweep import Sweep
    from fraudlab.terminal import Progress
    from fraudlab.threads import budget
    from fraudlab.tracking import mirror

    progress = Progress()
    budget()  # what the environment lacks is said here: reading the data may take a while
    told = mirror(plan.candidates[0].config.tracking, progress.warn)
    sweep = Sweep(plan.candidates, progress)
    progress.names(sweep.record.candidates)
    try:
        rows = sweep.run(told)
    except KeyboardInterrupt:
        print_leaderboard(leaderboard(sweep.record), show_test=False)
        progress.note("the same command goes on where this one stopped")
        raise
    try:
        print_leaderboard(rows, show_test=False)
    finally:  # a reader of our output that has gone must not keep the champion from its place
        promote_first(rows, progress)
    return rows


if __name__ == "__main__":
    run_command(main, usage)
