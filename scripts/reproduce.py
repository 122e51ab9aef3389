"""Train what the Fraud Detection Handbook published, and compare every number.

    make reproduce                                # all tables
    python scripts/reproduce.py t3a 't7*'         # some
    python scripts/reproduce.py t7c resume=only   # compare what is there, train nothing
    python scripts/reproduce.py t3d model.params.tree_method=hist

Every table is a recipe, experiment=handbook/NAME, trained as `python -m fraudlab.train` would in
the current home. What is finished is not trained again; Ctrl-C keeps it. A row shows our numbers
and, in brackets, the published ones (scripts/published/NAME.csv); docs/reproduce.md says how far
apart they may be, and why. A row is `known` when some are further apart and it is known why. Words
with = change all recipes, as they do in training.

Tables:
{tables}

Flags:
  -v, --verbose  show every number, and the traceback of an error
  -h, --help     this text

Exit codes: 0 all agree or it is known why not, 1 some do not or could not be trained, 2 asked
wrongly, 130 interrupted.
"""

from __future__ import annotations

import fnmatch
import shutil
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from agreement import KNOWN, Line, Spread, compare, read_published
from verdicts import FAIL, Row, spelled, summary, told

from fraudlab.command import VERBOSE, run_command
from fraudlab.composition import Composer
from fraudlab.config import SHARED_KEYS, Candidate, key_of
from fraudlab.errors import UserError
from fraudlab.runs import Planned, RunRecord
from fraudlab.wording import nearest

# Unless said otherwise: what is wanted is numbers, and what is published has no intervals.
ALWAYS = {"tracking": "disabled", "keep": "1", "bootstrap.resamples": "0"}
CLEAR = "\r\x1b[2K"


@dataclass(frozen=True)
class Table:
    """A published table, the recipes that make it, and how it averages folds."""

    title: str
    recipes: tuple[str, ...] = ()
    spread: Spread = field(default_factory=Spread)


TOY = Spread(digits=3, ddof=1)
TABLES = {
    "t1a": Table("baseline: five models, one week"),
    "t2a": Table("depth of a tree: test and fitted rows, one week"),
    "t2b": Table("depth of a tree: validation two weeks earlier"),
    "t2c": Table("depth of a tree: repeated hold-out", spread=Spread(digits=3)),
    "t2d": Table("tree of depth two: each week of prequential validation"),
    "t3a": Table("selection: decision trees, prequential"),
    "t3c": Table("selection: random forests, prequential"),
    "t3d": Table("selection: xgboost, prequential"),
    "t4a": Table("cost-sensitive trees, prequential"),
    "t5a": Table("SMOTE before a tree, prequential"),
    "t6c": Table("weighted xgboost, prequential"),
    "t7a": Table("toy: cost-sensitive", ("t7a_tree", "t7a_logreg"), TOY),
    "t7b": Table("toy: resampling", spread=TOY),
    "t7c": Table("toy: ensembles", ("t7c_bags", "t7c_balanced_rf", "t7c_xgb"), TOY),
}


@dataclass
class Reproduction:
    """Watches the sweep, and shows a table as soon as all of its candidates have ended.

    Attributes
    ----------
    asked
        The candidates of each table.
    said
        The keys that the command line sets: rows that are about other values are left out.
    verbose
        Whether every number is shown.
    shown
        The rows of the tables that have been shown.
    """

    asked: dict[str, list[Candidate]]
    said: set[str]
    verbose: bool
    shown: dict[str, list[Row]] = field(default_factory=dict)
    _records: dict[str, RunRecord] = field(default_factory=dict)
    _total: int = 0
    _ended: int = 0
    _began: float = field(default_factory=time.monotonic)

    def note(self, text: str) -> None:
        """Say what is happening."""
        self._say(text, "\n")

    def expect(self, total: int | None) -> None:
        """Learn how many are trained."""
        self._total = total or 0

    def started(self, planned: Planned) -> None:
        """Say what is being trained, on a line that goes away."""
        if sys.stderr.isatty():
            told = f"{self._ended + 1}/{self._total} {_called(planned)} ...{self._left()}"
            self._say(told, "")

    def tick(self) -> None:
        """Let the time pass."""

    def over(self) -> None:
        """Learn that nothing more is trained."""

    def reused(self, planned: Planned, record: RunRecord) -> None:
        """Take a result from before."""
        self._take(planned, record)

    def finished(self, planned: Planned, record: RunRecord) -> None:
        """Take a result."""
        self._ended += 1
        if self.verbose or not sys.stderr.isatty():
            took = f"{sum(record.seconds.values()):.1f} s"
            told = f"{self._ended}/{self._total} {_called(planned)}  {took}{self._left()}"
            self._say(told, "\n")
        self._take(planned, record)

    def _take(self, planned: Planned, record: RunRecord) -> None:
        self._records[key_of(planned.config)] = record
        for name, candidates in self.asked.items():
            missing = any(key_of(each.config) not in self._records for each in candidates)
            if name not in self.shown and not missing:
                self.show(name)

    def show(self, name: str) -> None:
        """Print a table: a line per row, and each number that does not agree."""
        rows = self.shown[name] = self._rows(name)
        if sys.stderr.isatty():
            sys.stderr.write(CLEAR)
            sys.stderr.flush()
        print(f"{name}  {TABLES[name].title}")
        width = max((len(row.line.name) for row in rows), default=0)
        for row in rows:
            print(f"  {row.verdict:5}  {row.line.name:{width}}  {told(row)}")
            for number in row.numbers if self.verbose else row.wrong:
                print(f"           {spelled(number)}")
        if not rows:
            print("  no row of it is about what was asked for")
        for reason in {row.reason for row in rows if row.known}:
            print(f"  known: {reason}")
        print(flush=True)

    def _rows(self, name: str) -> list[Row]:
        rows = [self._row(line, name) for line in read_published(name)]
        return [row for row in rows if row is not None]

    def _row(self, line: Line, name: str) -> Row | None:
        own = (candidate for candidate in self.asked[name] if line.is_about(candidate))
        candidate = next(own, None)
        if candidate is None:
            left_out = any(
                f"{key}.".startswith(f"{said}.") for key in line.keys for said in self.said
            )
            return None if left_out else Row(line, trouble="no candidate of the recipe is this one")
        record = self._records.get(key_of(candidate.config))
        if record is None:
            return Row(line, trouble="not trained yet")
        if record.status != "done":
            return Row(line, trouble=f"{record.status}: {record.error}")
        known = KNOWN.get(name)
        numbers = compare(line, candidate, record, TABLES[name].spread, known)
        return Row(line, numbers, reason=known.reason if known else "")

    def _left(self) -> str:
        done = self._ended
        left = (time.monotonic() - self._began) / max(done, 1) * (self._total - done)
        return f"; about {left / 60:.0f} min left" if done and left >= 60 else ""

    def _say(self, text: str, end: str) -> None:
        minutes, seconds = divmod(int(time.monotonic() - self._began), 60)
        told = f"{minutes:02d}:{seconds:02d} {text}"
        if sys.stderr.isatty():
            told = CLEAR + told[: shutil.get_terminal_size().columns - 1]
        print(told, end=end, file=sys.stderr, flush=True)


def _called(planned: Planned) -> str:
    recipe = planned.options["experiment"].removeprefix("handbook/")
    own = {key: value for key, value in planned.overrides.items() if key not in SHARED_KEYS}
    values = (f"{key.rpartition('.')[2]}={value}" for key, value in own.items())
    return " ".join([recipe, planned.options["model"], planned.options["sampler"], *values])


def chosen(names: Sequence[str]) -> list[str]:
    """Return the tables that names or patterns mean, in the order of the book; all without any."""
    for name in names:
        if not fnmatch.filter(TABLES, name):
            raise UserError(f"no table {name!r}{nearest(name, TABLES)}")
    return [table for table in TABLES if not names or any(fnmatch.fnmatch(table, n) for n in names)]


def planned_candidates(
    names: Iterable[str], overrides: Sequence[str], said: set[str]
) -> dict[str, list[Candidate]]:
    """Return the candidates of each table's recipes."""
    words = [*overrides, *(f"{key}={value}" for key, value in ALWAYS.items() if key not in said)]
    composer = Composer()
    return {
        name: [
            candidate
            for recipe in TABLES[name].recipes or (name,)
            for candidate in composer.plan(
                [f"experiment=handbook/{recipe}", *words], multirun=True
            ).candidates
        ]
        for name in names
    }


def _is_published(name: str, candidates: Sequence[Candidate]) -> bool:
    """Whether a table has a row about any of the candidates."""
    return any(line.is_about(each) for line in read_published(name) for each in candidates)


def main(arguments: list[str], *, verbose: bool) -> int:
    """Train what is asked for, show the tables, and say whether all agree."""
    from fraudlab.sweep import Sweep
    from fraudlab.tracking import mirror

    for flag in (word for word in arguments if word.startswith("-")):
        raise UserError(f"no flag {flag!r}; flags are -v, --help")
    overrides = [word for word in arguments if "=" in word]
    names = chosen([word for word in arguments if "=" not in word])
    said = {word.partition("=")[0] for word in overrides}
    asked = planned_candidates(names, overrides, said)
    if not any(_is_published(name, asked[name]) for name in names):
        raise UserError(f"no published row is about {' '.join(overrides)}: leave that out")
    watch = Reproduction(asked, said, verbose)
    began = time.monotonic()
    candidates = [candidate for of in asked.values() for candidate in of]
    told = mirror(candidates[0].config.tracking, watch.note)
    Sweep(candidates, watch).run(told)
    for name in names:
        if name not in watch.shown:
            watch.show(name)
    rows = [row for of in watch.shown.values() for row in of]
    print(summary(watch.shown, time.monotonic() - began))
    return 1 if any(row.verdict == FAIL for row in rows) else 0


def usage() -> str:
    """Return the help, with the tables."""
    tables = "\n".join(f"  {name}  {table.title}" for name, table in TABLES.items())
    return str(__doc__).format(tables=tables)


def run() -> None:
    """Run with the command line, and leave with an exit code."""
    verbose = bool({*sys.argv} & {*VERBOSE})
    run_command(lambda arguments: main(arguments, verbose=verbose), usage)


if __name__ == "__main__":
    run()
