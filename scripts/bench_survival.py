"""Kill sweeps, let candidates misbehave, mistype a word, and weigh what a candidate costs.

    python scripts/bench_survival.py              # make bench; about 10 minutes
    python scripts/bench_survival.py --small      # 3 kills; about 3 minutes
    python scripts/bench_survival.py --only kill --kills 50 --seed 7

kill         a sweep of 8 candidates gets SIGKILL at a random moment, and the same command is given
             again; what it ends with is compared with a sweep that nobody disturbed
misbehaving  2 of 24 candidates end their process by SIGSEGV and take memory without end
words        --help and a typo: the median wall seconds of five
overhead     all that one candidate costs besides its fits, on a table of 600 rows: a sweep of 20
             less a sweep of 1, by step

Everything is written to a temporary folder and removed; a target that is missed is said, and
changes no exit code.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import statistics
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import aftermath
import commands
import misbehaving
from commands import board, tell, tell_at_most, tell_none, train

from fraudlab.composition import Composer
from fraudlab.tables import Tables

KILLED = ("data=toy", "model=logreg,tree,xgb,lgbm", "scaler=standard,robust")
CANDIDATES, WELL_BEHAVED, CAP = 8, 22, "1GB"
DATABASE = "mlflow.db"
ATTEMPTS = 3  # of the same command after a kill; the first should do
ANSWER, OVERHEAD = 1.5, 1.0  # seconds
ROWS, MANY = 600, 20
Rows = list[dict[str, Any]]


def bench_kill(folder: Path, options: argparse.Namespace) -> None:
    """Kill sweeps at random moments, and tell what is left and what differs at their end.

    Every fourth is the first of its home, which has to make MLflow's tables before all else.
    """
    words = (*KILLED, f"slots={options.slots}", "-m")
    make_tables(folder)
    walls, expected = {}, []
    for first in (True, False):
        home = new_home(folder, f"undisturbed-{first}", first=first)
        walls[first] = train(home, *words).or_exit().seconds
        expected = board(home)
        which = "the first of its home" if first else "a later one"
        tell(f"sweep of {CANDIDATES}, {which}", f"{walls[first]:.3f} s")
    found: dict[str, list[str]] = {}
    draw = random.Random(options.seed)
    for number in range(options.kills):
        first = number % 4 == 0
        moment = draw.uniform(0, walls[first])
        home = new_home(folder, f"killed-{number}", first=first)
        kill_after(home, moment, *words)
        for what, faults in completed(home, expected, *words).items():
            told = (f"killed after {moment:.3f} of {walls[first]:.3f} s: {e}" for e in faults)
            found.setdefault(what, []).extend(told)
    print(f"killed {options.kills} times, then the same command again:")
    for what, faults in found.items():
        tell_none(f"  {what}", faults)


def make_tables(folder: Path) -> None:
    """Make a database with MLflow's tables and nothing in them, which takes MLflow seconds."""
    program = "import sys, mlflow; mlflow.MlflowClient(sys.argv[1]).search_experiments()"
    commands.run(folder, "-c", program, f"sqlite:///{folder / DATABASE}").or_exit()


def new_home(folder: Path, name: str, *, first: bool) -> Path:
    """Return a new home, which has MLflow's tables already unless it is for a first sweep."""
    home = folder / name
    home.mkdir()
    if not first:
        shutil.copy(folder / DATABASE, home)
    return home


def kill_after(home: Path, seconds: float, *words: str) -> None:
    """Start a sweep and kill its driver after so many seconds, if it still runs."""
    process = commands.start(home, "-m", "fraudlab.train", *words)
    try:
        time.sleep(seconds)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


def completed(home: Path, expected: Rows, *words: str) -> dict[str, list[str]]:
    """Give the command again; return what is not as it was `expected`, in words."""
    codes = []
    while not codes or (codes[-1] != 0 and len(codes) < ATTEMPTS):
        ended = train(home, *words)
        codes.append(ended.code)
    rows = board(home)
    again = [] if codes == [0] else [f"exit codes {codes}; {ended.err.strip()[-300:]}"]
    return {
        "not completed by the next command": again,
        "leaderboards that differ": aftermath.differences(expected, rows),
        "MLflow runs RUNNING or twice": aftermath.mlflow_faults(home),
        "processes left": aftermath.left_processes(home),
        "temporary files left": aftermath.left_files(home),
        "bundles of no candidate": aftermath.orphans(home, rows),
    }


def bench_misbehaving(folder: Path, options: argparse.Namespace) -> None:
    """Sweep over candidates of which two misbehave, and tell what became of all."""
    home, site = folder / "misbehaving", folder / "site"
    home.mkdir()
    models = misbehaving.install(site, WELL_BEHAVED)
    path = {"PYTHONPATH": f"{commands.ROOT}:{site}"}
    words = ("data=toy", f"model={','.join(models)}", f"slots={options.slots}")
    ended = train(home, *words, f"launcher.memory={CAP}", "-m", **path)
    rows = {row["options"]["model"]: row for row in board(home, **path)}
    status = Counter(row["status"] for row in rows.values())
    tell(f"{len(models)} candidates, two misbehave", f"{ended.seconds:.3f} s")
    done = status["done"]
    tell("  done", str(done), str(WELL_BEHAVED), met=done == WELL_BEHAVED)
    tell("  exit code", str(ended.code), "1", met=ended.code == 1)
    for name in ("crashing", "hungry"):
        row = rows.get(name, {"status": "absent", "error": None, "log": None})
        named = name in ended.out and row["status"] not in {"done", "absent"}
        whole = named and bool(row["error"]) and bool(row["log"])
        tell(f"  {name} is named, with error and log", row["status"], met=whole)
        print(f"    {row['error']} ({row['log']})")
    tell_none("  processes left", aftermath.left_processes(home))


def bench_words(folder: Path, options: argparse.Namespace) -> None:
    """Tell how long help takes, and the answer to a typo."""
    for name, word, code in (("--help", "--help", 0), ("a typo", "model=xgbb", 2)):
        found = [train(folder, word) for _ in range(options.repeats)]
        tell_at_most(name, statistics.median(each.seconds for each in found), ANSWER)
        codes = {each.code for each in found}
        if codes != {code}:
            tell("  exit code", str(codes), str(code), met=False)


def bench_overhead(folder: Path, _: argparse.Namespace) -> None:
    """Tell what a candidate costs besides its fits, with MLflow and without, by step."""
    table = folder / "table.csv"
    write_table(table)
    words = [f"data.path={table}", "data.label=is_fraud", "data.amount=amount"]
    words = ["data=table", *words, "model=logreg", "slots=1", "-m"]
    costs: dict[str, float] = {}
    steps: dict[str, dict[str, float]] = {}
    for tracking in ("disabled", "sqlite"):
        home = folder / f"overhead-{tracking}"
        home.mkdir()
        costs[tracking], steps[tracking] = candidate_cost(home, [*words, f"tracking={tracking}"])
    total, inside = costs["sqlite"], steps["disabled"]
    told = inside | {
        "tracking": total - costs["disabled"],
        "process, files and the driver": costs["disabled"] - sum(inside.values()),
    }
    tell_at_most(f"one candidate on {ROWS} rows, without its fits", total, OVERHEAD)
    for step, seconds in told.items():
        tell(f"  {step}", f"{seconds:.3f} s")
    tell("  split (once per sweep)", f"{split_seconds(words):.3f} s")


def candidate_cost(home: Path, words: list[str]) -> tuple[float, dict[str, float]]:
    """Return the seconds of one more candidate without its fits, and those of the steps in it."""
    penalties = iter(range(1, MANY + 3))

    def sweep(count: int) -> tuple[float, Rows]:
        values = ",".join(f"{1 / next(penalties):.6f}" for _ in range(count))
        ended = train(home, *words, f"model.params.C={values}").or_exit()
        return ended.seconds, board(home)

    sweep(1)  # makes the database and fills the cache
    (alone, one), (together, many) = sweep(1), sweep(MANY)
    fits = sum(row["seconds"]["fit"] for row in many) - sum(row["seconds"]["fit"] for row in one)
    steps = {
        step: statistics.fmean(row["seconds"].get(step, 0.0) for row in many)
        for step in dict.fromkeys(step for row in many for step in row["seconds"])
        if step != "fit"
    }
    return (together - alone - fits) / (MANY - 1), steps


def split_seconds(words: list[str]) -> float:
    """Return the seconds of splitting the table, in this process."""
    overrides = [word for word in words if word != "-m"]
    config = Composer().plan(overrides).candidates[0].config
    tables = Tables(lambda _: None)
    tables.table(config)
    started = time.perf_counter()
    tables.split(config)
    return time.perf_counter() - started


def write_table(path: Path) -> None:
    """Write a table in which fraud can be learned."""
    draw = random.Random(0)
    lines = ["amount,hour,kind,is_fraud"]
    for _ in range(ROWS):
        fraud = draw.random() < 0.2
        amount, kind = draw.gauss(80 if fraud else 50, 20), draw.choice("ab" if fraud else "abc")
        lines.append(f"{abs(amount):.2f},{draw.randrange(24)},{kind},{int(fraud)}")
    path.write_text("\n".join(lines) + "\n")


BENCHES = {
    "kill": bench_kill,
    "misbehaving": bench_misbehaving,
    "words": bench_words,
    "overhead": bench_overhead,
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--small", action="store_true", help="3 kills, each word once")
    parser.add_argument("--slots", type=int, default=2, help="candidates at a time (2)")
    parser.add_argument("--kills", type=int, help="how often a sweep is killed (20)")
    parser.add_argument("--seed", type=int, default=0, help="of the moments (0)")
    parser.add_argument("--only", nargs="+", choices=BENCHES, default=list(BENCHES))
    options = parser.parse_args()
    options.kills = (3 if options.small else 20) if options.kills is None else options.kills
    options.repeats = 1 if options.small else 5
    if options.slots < 1 or options.kills < 1:
        parser.error("--slots and --kills must be at least 1")
    for name in options.only:
        with tempfile.TemporaryDirectory(prefix="bench-survival-") as folder:
            os.environ["FRAUDLAB_HOME"] = folder  # of what is measured in this process
            BENCHES[name](Path(folder), options)


if __name__ == "__main__":
    main()
