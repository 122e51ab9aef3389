"""Time a sweep of 24 candidates against its bare fits, and against a plain Hydra multirun.

    python scripts/bench_sweep.py                 # make bench; about 6 minutes on 2 processors
    python scripts/bench_sweep.py --small         # a tenth of the stream; about 1 minute

logreg, xgb and lgbm with four samplers and two scalers on the simulated stream, whose prepared
table is cached. F is the time of fit and predict_proba of these estimators, twice per candidate
(validation and test), in one warm process with one thread: what a sweep cannot do without. The
plain script reads the raw rows and builds the features in every job, one job after the other, with
as many threads per fit as the sweep has slots. Everything is written to a temporary folder and
removed; a target that is missed is said, and changes no exit code.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

import commands
from commands import Ended, board, tell, tell_at_most, tell_none

from fraudlab.composition import Composer

BASELINE = Path(__file__).parent / "multirun_baseline" / "train.py"
BARE = Path(__file__).parent / "bare_fits.py"
OVERHEAD, START_UP, CANDIDATE = 1.15, 12.0, 1.0  # of F; seconds of a sweep; seconds of a candidate
AGAIN = 5.0  # seconds
RATIO = 2.0  # times faster than the plain script
CLOSE = 1e-4  # of average precision: sums in two threads may differ in their last bits
Scores = dict[tuple[str, str, str], tuple[float, float]]  # model, sampler, scaler: both parts


class Bench:
    """One size of the bench, and the folder it works in."""

    def __init__(self, folder: Path, options: argparse.Namespace) -> None:
        self.folder = folder
        self.slots = options.slots
        self.data = "data=simulated_small" if options.small else "data=simulated"
        self.lists = [
            f"{group}={getattr(options, group)}" for group in ("model", "sampler", "scaler")
        ]
        self.count = math.prod(len(each.split(",")) for each in self.lists)

    def home(self, name: str) -> Path:
        """Return a new home that has the prepared table in its cache, and nothing else."""
        home = self.folder / name
        home.mkdir()
        if (self.folder / "warm" / ".cache").is_dir():
            shutil.copytree(self.folder / "warm" / ".cache", home / ".cache" / "fraudlab")
        return home

    def prepare(self) -> None:
        """Fill the cache by a candidate that shares no scaled or resampled rows with the others."""
        words = ("model=tree", "scaler=minmax", "tracking=disabled")
        commands.train(self.home("warm"), self.data, *words).or_exit()

    def bare_fits(self) -> float:
        """Return F."""
        words = (str(BARE), self.data, *self.lists)
        one = {"FRAUDLAB_THREADS": "1", "OMP_NUM_THREADS": "1"}
        ended = commands.run(self.home("bare"), *words, **one).or_exit()
        found = json.loads(ended.out.splitlines()[-1])
        bare = sum(found["fits"].values())
        models = ", ".join(f"{name} {spent:.1f}" for name, spent in found["fits"].items())
        tell("fit and predict of all, one thread (F)", f"{bare:.3f} s", models)
        tell("  with scaling and resampling", f"{bare + found['preparing']:.3f} s")
        return bare

    def sweep(self, home: Path) -> Ended:
        """Run the sweep as a user would."""
        return commands.train(home, self.data, *self.lists, f"slots={self.slots}", "-m")

    def baseline(self) -> tuple[Ended, Scores]:
        """Run the plain script; return also the average precision it prints of each job."""
        home = self.home("plain")
        words = (self.data, "features=identity", "output=raw.parquet")
        commands.run(home, "-m", "fraudlab.prepare", *words).or_exit()
        config = Composer().plan([self.data]).candidates[0].config
        settings = [f"start={config.data.params['train_from']}", f"threads={self.slots}"]
        raw = f"raw={home / 'raw.parquet'}"
        threads = {"OMP_NUM_THREADS": str(self.slots)}
        words = (str(BASELINE), raw, *settings, *self.lists, "-m")
        ended = commands.run(home, *words, **threads).or_exit()
        lines = [each.split() for each in ended.out.splitlines()]
        jobs = [words[2:] for words in lines if words[:2] == ["average", "precision"]]
        return ended, {(job[0], job[1], job[2]): (float(job[3]), float(job[4])) for job in jobs}


def our_scores(home: Path) -> Scores:
    """Return the average precision of the sweep's finished candidates."""
    found: Scores = {}
    for row in (row for row in board(home) if row["status"] == "done"):
        model, sampler, scaler = (row["options"][g] for g in ("model", "sampler", "scaler"))
        parts = (row["metrics"][part]["average_precision"] for part in ("validation", "test"))
        found[model, sampler, scaler] = (next(parts), next(parts))
    return found


def mlflow_runs(home: Path) -> int:
    """Return how many runs MLflow knows."""
    path = home / "mlflow.db"
    if not path.is_file():
        return 0
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute("SELECT count(*) FROM runs").fetchone()[0])


def bench_sweep(bench: Bench, home: Path, bare: float) -> float:
    """Tell the wall of the sweep against its bare fits; return it."""
    ended = bench.sweep(home)
    fixed = START_UP + CANDIDATE * bench.count / bench.slots
    most = OVERHEAD * bare / bench.slots + fixed
    how = f"{OVERHEAD} F/{bench.slots} + {fixed:g} s"
    tell_at_most(f"sweep, {bench.slots} slots", ended.seconds, most, how)
    done = len(our_scores(home))
    whole = done == bench.count and ended.code == 0
    tell("  candidates done", str(done), str(bench.count), met=whole)
    if not whole:
        print(ended.out, ended.err, sep="\n")
    tell(f"  over F/{bench.slots}", f"{ended.seconds - bare / bench.slots:.3f} s")
    return ended.seconds


def bench_again(bench: Bench, home: Path) -> None:
    """Tell the wall of the same command when there is nothing left to do, and that it fits none."""
    runs = mlflow_runs(home)
    ended = bench.sweep(home)
    tell_at_most("the same command again", ended.seconds, AGAIN)
    rows = board(home)
    fitted = [str(row["overrides"] or row["options"]) for row in rows if not row["reused"]]
    tell_none("  candidates not reused", fitted if rows else ["there is no leaderboard"])
    opened = mlflow_runs(home) - runs
    tell("  MLflow runs opened", str(opened), "0", met=opened == 0)


def bench_baseline(bench: Bench, home: Path, ours: float) -> None:
    """Tell the wall of the plain script, and that it does the same work."""
    ended, plain = bench.baseline()
    tell(f"plain Hydra multirun, {bench.slots} threads per fit", f"{ended.seconds:.3f} s")
    ratio = ended.seconds / ours
    tell("  times as long as the sweep", f"{ratio:.2f} x", f">= {RATIO:g} x", met=ratio >= RATIO)
    scores = our_scores(home)
    same = plain.keys() == scores.keys()
    apart = {
        key: max(abs(one - two) for one, two in zip(plain[key], scores[key], strict=True))
        for key in plain.keys() & scores.keys()
    }
    most = max(apart.values(), default=math.inf)
    met = same and most <= CLOSE
    tell("  average precision, furthest from ours", f"{most:.2e}", f"<= {CLOSE:g}", met=met)
    for key, value in sorted(apart.items()):
        if value > CLOSE:
            print(f"    {' · '.join(key):36}{value:.2e}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--small", action="store_true", help="a tenth of the stream")
    parser.add_argument("--slots", type=int, default=2, help="candidates at a time (2)")
    lists = {
        "model": "logreg,xgb,lgbm",
        "sampler": "identity,class_weight,random_under,smote",
        "scaler": "standard,robust",
    }
    for group, names in lists.items():
        parser.add_argument(f"--{group}", default=names, metavar="LIST", help=f"({names})")
    options = parser.parse_args()
    if options.slots < 1:
        parser.error(f"--slots must be at least 1, got {options.slots}")
    with tempfile.TemporaryDirectory(prefix="bench-sweep-") as folder:
        bench = Bench(Path(folder), options)
        processors = len(os.sched_getaffinity(0))
        print(f"{bench.data}, {bench.count} candidates, {processors} processors", flush=True)
        bench.prepare()
        bare = bench.bare_fits()
        home = bench.home("ours")
        ours = bench_sweep(bench, home, bare)
        bench_again(bench, home)
        bench_baseline(bench, home, ours)


if __name__ == "__main__":
    main()
