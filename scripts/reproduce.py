"""Train what the Fraud Detection Handbook published, and compare every number.

    make reproduce                                # all tables
    python scripts/reproduce.py t3a 't7*'         # some
    python scripts/reproduce.py t7c resume=only   # compare what is there, train nothing
    python scripts/reproduce.py t3d model.params.tree_method=hist

Every table is a recipe, experiment=handbook/NAME, trained as `python -m fraudlab.train` would in
the current home. What is finished is not trained again; Ctrl-C keeps it. A row shows our numbers
and, in brackets, the published ones (scripts/published/NAME.csv); docs/reproduce.md says how far
apart they may be, and why. Words with = change all recipes, as they do in training.

Tables:
{tables}

Flags:
  -v, --verbose  show every number, and the traceback of an error
  -h, --help     this text

Exit codes: 0 all agree, 1 some do not or could not be trained, 2 asked wrongly, 130 interrupted.
"""

from __future__ import annotations

import fnmatch
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from agreement import Line, Number, Spread, compare, read_published

from fraudlab.command import VERBOSE, run_command
from fraudlab.composition import Composer
from fraudlab.config import Candidate, key_of
from fraudlab.errors import UserError
from fraudlab.runs import Planned, RunRecord
from fraudlab.wording import nearest

ALWAYS = {"tracking": "disabled", "keep": "1"}  # unless said otherwise: what is wanted is numbers
HEADINGS = {
    "roc_auc": "AUC",
    "average_precision": "AP",
    "card_precision_at_100": "CP@100",
    "balanced_accuracy": "balanced accuracy",
}
CLEAR = "\r\x1b[2K"


@dataclass(frozen=True)
class Table:
    """A published table, the recipes that make it, and how it averages folds."""

    title: str
    recipes: tuple[str, ...] = ()
    spread: Spread = Spread()


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


@dataclass(frozen=True)
class Row:
    """A published row beside ours; without numbers when its candidate has no result."""

    line: Line
    numbers: Sequence[Number] = ()
    trouble: str = ""

    @property
    def apart(self) -> list[Number]:
        """The numbers that do not agree."""
        return [number for number in self.numbers if not number.agrees]

    @property
    def agrees(self) -> bool:
        """Whether there are numbers and all agree."""
        return not self.trouble and not self.apart


@dataclass
class Reproduction:
    """Watches the sweep, and shows a table as soon as all of its candidates have ended."""

    asked: dict[str, list[Candidate]]
    verbose: bool
    shown: dict[str, list[Row]] = field(default_factory=dict)
    _records: dict[str, RunRecord] = field(default_factory=dict)
    _began: float = field(default_factory=time.monotonic)

    def note(self, text: str) -> None:
        """Say what is happening."""
        self._say(text, "\n")

    def started(self, place: int, total: int, planned: Planned) -> None:
        """Say what is being trained, on a line that goes away."""
        if sys.stderr.isatty():
            self._say(f"{place}/{total} {_called(planned)} ...{self._left(place - 1, total)}", "")

    def reused(self, planned: Planned, record: RunRecord) -> None:
        """Take a result from before."""
        self._take(planned, record)

    def finished(self, place: int, total: int, planned: Planned, record: RunRecord) -> None:
        """Take a result."""
        if self.verbose or not sys.stderr.isatty():
            took = f"{sum(record.seconds.values()):.1f} s"
            self._say(f"{place}/{total} {_called(planned)}  {took}{self._left(place, total)}", "\n")
        self._take(planned, record)

    def _take(self, planned: Planned, record: RunRecord) -> None:
        self._records[key_of(planned.config)] = record
        for name, candidates in self.asked.items():
            if name not in self.shown and all(key_of(c.config) in self._records for c in candidates):
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
            print(f"  {'ok  ' if row.agrees else 'FAIL'}  {row.line.name:{width}}  {_told(row)}")
            for number in row.numbers if self.verbose else row.apart:
                print(f"          {_spelled(number)}")
        print(flush=True)

    def _rows(self, name: str) -> list[Row]:
        rows = []
        for line in read_published(name):
            for candidate in self.asked[name]:
                if line.is_about(candidate):
                    rows.append(self._row(line, candidate, TABLES[name].spread))
                    break
        return rows

    def _row(self, line: Line, candidate: Candidate, spread: Spread) -> Row:
        record = self._records.get(key_of(candidate.config))
        if record is None:
            return Row(line, trouble="not trained yet")
        if record.status != "done":
            return Row(line, trouble=f"{record.status}: {record.error}")
        return Row(line, compare(line, candidate, record, spread))

    def _left(self, done: int, total: int) -> str:
        left = (time.monotonic() - self._began) / max(done, 1) * (total - done)
        return f"; about {left / 60:.0f} min left" if done and left >= 60 else ""

    def _say(self, text: str, end: str) -> None:
        minutes, seconds = divmod(int(time.monotonic() - self._began), 60)
        clear = CLEAR if sys.stderr.isatty() else ""
        print(f"{clear}{minutes:02d}:{seconds:02d} {text}", end=end, file=sys.stderr, flush=True)


def _called(planned: Planned) -> str:
    recipe = planned.options["experiment"].removeprefix("handbook/")
    values = (f"{key.split('.')[-1]}={value}" for key, value in planned.overrides.items())
    return " ".join([recipe, planned.options["model"], planned.options["sampler"], *values])


def _told(row: Row) -> str:
    """Return a row's first numbers, ours and the published, and how near to their limits all are."""
    if row.trouble:
        return row.trouble
    means = [number for number in row.numbers if not number.column.endswith("_std")][:3]
    values = "  ".join(
        f"{HEADINGS[of.column.partition('.')[2]]} {_as_printed(of)} ({of.printed})" for of in means
    )
    worst = max(row.numbers, key=lambda number: number.share)
    return f"{values}  {len(row.numbers)} numbers, {worst.share:.0%} of what is allowed at most"


def _as_printed(number: Number) -> str:
    return f"{number.ours:.{len(number.printed.partition('.')[2])}f}"


def _spelled(number: Number) -> str:
    return (
        f"{'ok  ' if number.agrees else 'FAIL'} {number.column}: published {number.printed},"
        f" ours {number.ours:.6f}, apart {number.difference:+.6f}, allowed {number.tolerance:.6f}"
    )


def chosen(names: Sequence[str]) -> list[str]:
    """Return the tables that names or patterns mean, in the order of the book; all without any."""
    for name in names:
        if not fnmatch.filter(TABLES, name):
            raise UserError(f"no table {name!r}{nearest(name, TABLES)}")
    return [
        table for table in TABLES if not names or any(fnmatch.fnmatch(table, n) for n in names)
    ]


def planned_candidates(names: Iterable[str], overrides: Sequence[str]) -> dict[str, list[Candidate]]:
    """Return the candidates of each table's recipes."""
    said = {word.partition("=")[0] for word in overrides}
    words = [*overrides, *(f"{key}={value}" for key, value in ALWAYS.items() if key not in said)]
    composer = Composer()
    return {
        name: [
            candidate
            for recipe in TABLES[name].recipes or (name,)
            for candidate in composer.plan([f"experiment=handbook/{recipe}", *words]).candidates
        ]
        for name in names
    }


def summary(shown: dict[str, list[Row]], seconds: float) -> str:
    """Return what came of it, in one line."""
    rows = [row for of in shown.values() for row in of]
    numbers = sum(len(row.numbers) for row in rows)
    text = f"{len(shown)} tables, {len(rows)} rows, {numbers:,} numbers in {seconds / 60:.1f} min"
    bad = {name: sum(not row.agrees for row in of) for name, of in shown.items()}
    told = ", ".join(f"{name} ({count})" for name, count in bad.items() if count)
    return f"{text}: rows that do not agree: {told}" if told else f"{text}: all agree"


def main(arguments: list[str], *, verbose: bool) -> int:
    """Train what is asked for, show the tables, and say whether all agree."""
    from fraudlab.sweep import Sweep
    from fraudlab.tracking import mirror

    for flag in (word for word in arguments if word.startswith("-")):
        raise UserError(f"no flag {flag!r}; flags are -v, --help")
    overrides = [word for word in arguments if "=" in word]
    names = chosen([word for word in arguments if "=" not in word])
    asked = planned_candidates(names, overrides)
    watch = Reproduction(asked, verbose)
    began = time.monotonic()
    candidates = [candidate for of in asked.values() for candidate in of]
    told = mirror(candidates[0].config.tracking, watch.note)
    Sweep(candidates, watch).run(told)
    for name in names:
        if name not in watch.shown:
            watch.show(name)
    rows = [row for of in watch.shown.values() for row in of]
    if not rows:
        raise UserError(f"no published row is about {' '.join(overrides)}: leave that out")
    print(summary(watch.shown, time.monotonic() - began))
    return 0 if all(row.agrees for row in rows) else 1


def usage() -> str:
    """Return the help, with the tables."""
    tables = "\n".join(f"  {name}  {table.title}" for name, table in TABLES.items())
    return str(__doc__).format(tables=tables)


if __name__ == "__main__":
    run_command(lambda rest: main(rest, verbose=bool({*sys.argv} & {*VERBOSE})), usage)
