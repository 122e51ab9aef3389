"""What came of a search: the best candidate as a command and as a recipe, and what decided."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from fraudlab.bundle import write_atomic
from fraudlab.config import GROUPS, to_plain
from fraudlab.ranking import Row, best_of
from fraudlab.runs import Planned, was_pruned
from fraudlab.searching.ledger import Trial, folder

SHOWN = 10  # rows of the leaderboard, and failures
ENOUGH = 20  # trials with a value, below which nothing is said of what decided
NOTABLE = 0.02  # share of the importances below which a dimension is not named


def shown(rows: Sequence[Row]) -> list[Row]:
    """Return the rows a person sees at the end: the best, and what failed."""
    done = [row for row in rows if row.status == "done"]
    failed = [row for row in rows if row.status in {"failed", "timeout"}]
    return done[:SHOWN] + failed[:SHOWN]


def counted(rows: Sequence[Row]) -> str:
    """Return what became of the candidates that were tried, and where to see them."""
    hidden = len(rows) - len(shown(rows))
    counts = Counter(_kind(row) for row in rows)
    told = ", ".join(f"{count:,} {kind}" for kind, count in counts.items())
    several = f"{len(rows):,} candidate{'s' * (len(rows) != 1)}: {told}"
    return f"{several}; all of them: python -m fraudlab.leaderboard" if hidden else several


def _kind(row: Row) -> str:
    if row.status == "killed":
        return "pruned" if was_pruned(row.error) else "stopped"
    return row.status.replace("_", " ")


def optimism(rows: Sequence[Row]) -> str | None:
    """Return what must be known of the best of many; None where there was no choice."""
    count = sum(row.status == "done" for row in rows)
    best = best_of(rows)
    if best is None or count < 2:  # noqa: PLR2004 (one alone was not chosen)
        return None
    if best.choices["split"] == "kfold":
        return (
            f"the best of {count:,} owes part of its validation figure to luck, and split=kfold has"
            " no other rows: judge it once with another split"
        )
    return (
        f"the best of {count:,} owes part of its validation figure to luck: its test figure, which"
        " chose nothing, is the one to believe; looking at it once is what keeps it so"
    )


def decisive(importances: dict[str, float], trials: Sequence[Trial]) -> str | None:
    """Return what decided most, in a line; None where too little is known."""
    if sum(trial.value is not None for trial in trials) < ENOUGH:
        return None
    ranked = sorted(importances.items(), key=lambda each: -each[1])
    named = [f"{name} {share:.0%}" for name, share in ranked if share >= NOTABLE]
    return f"what tells the good ones: {', '.join(named)}" if named else None


def command(words: Sequence[str], proposed: Sequence[str], config_dir: str | None) -> str:
    """Return the command that trains one candidate of a search."""
    flags = [] if config_dir is None else ["--config-dir", config_dir]
    return f"python -m fraudlab.train {shlex.join([*flags, *words, *proposed])}"


def write_recipe(study: str, planned: Planned, said: str) -> Path:
    """Write a candidate as a recipe that needs nothing but fraudlab, and return its file.

    All choices and parameters stand in it, so that it stays what it was when defaults change.
    """
    plain = to_plain(planned.config)
    defaults = [{f"override /{group}": planned.options[group]} for group in GROUPS]
    content: dict[str, Any] = {"defaults": defaults, "seed": plain["seed"]}
    content |= {key: plain[key] for key in ("costs", "bootstrap")}
    for group in GROUPS:
        values = plain[group]
        if group == "data":
            content[group] = {key: of for key, of in values.items() if key != "name"}
        elif values["params"]:
            content[group] = {"params": values["params"]}
    path = folder() / f"{study}.best.yaml"
    text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
    header = f"# @package _global_\n# {said}\n# The best of study {study}; copy it to an"
    header += " experiment/ folder, and name it.\n"
    write_atomic(path, (header + text).encode())
    return path
