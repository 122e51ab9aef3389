"""A dry run: what would become of each candidate and how long it takes, and nothing done."""

from __future__ import annotations

from pathlib import Path

import pytest

from fraudlab.composition import Composer
from fraudlab.config import Config
from fraudlab.estimating import Estimate, estimate
from fraudlab.runs import Planned, RunRecord, SweepRecord, write_run, write_sweep
from tests.conftest import Run

TOY = ("data=toy", "tracking=disabled")


def files(home: Path) -> dict[str, bytes]:
    """Return what a home holds, the cache aside."""
    found = (p for p in home.rglob("*") if p.is_file() and ".cache" not in p.parts)
    return {str(path): path.read_bytes() for path in found}


def table(out: str) -> list[list[str]]:
    """Return the words of the rows that have a number."""
    rows = (line.split() for line in out.splitlines())
    return [row for row in rows if row and row[0].isdigit() and row[1] != "candidates:"]


@pytest.mark.parametrize("flag", ["-n", "--dry-run"])
def test_a_dry_run_lists_the_candidates_and_does_nothing(
    home: Path, run: Run, small_table: list[str], flag: str
) -> None:
    before = files(home)
    tracked = [word for word in small_table if not word.startswith("tracking")]
    done = run("train", *tracked, "model=logreg,tree", "seed=1,2", "-m", flag)
    assert done.code == 0, done.err
    assert files(home) == before
    assert table(done.out) == [
        ["1", "logreg", "1", "to", "train"],
        ["2", "logreg", "2", "to", "train"],
        ["3", "tree", "1", "to", "train"],
        ["4", "tree", "2", "to", "train"],
    ]
    assert done.out.splitlines()[-2:] == [
        "4 candidates: 4 to train",
        "no estimate of the time: there are no earlier runs to go by",
    ]
    assert "\x1b" not in done.out


def test_a_dry_run_says_what_is_finished_and_what_does_not_apply(
    home: Path, run: Run, small_table: list[str]
) -> None:
    words = ("train", *small_table, "model=logreg", "calibration=prior", "launcher=inline", "-m")
    assert run(*words, "sampler=identity").code == 0
    before = files(home)
    done = run(*words, "sampler=identity,smote,class_weight", "-n")
    assert done.code == 0, done.err
    assert files(home) == before
    told = [" ".join(row[1:4]) for row in table(done.out)]
    assert told == ["identity finished before", "smote not applicable", "class_weight to train"]
    assert "sampler=smote has no meaning with calibration=prior" in " ".join(done.out.split())
    counts, time = done.out.splitlines()[-2:]
    assert counts == "3 candidates: 1 finished before, 1 not applicable, 1 to train"
    assert time.endswith(" (from 1 earlier run)")

    done = run(*words, "sampler=identity", "-n")
    assert done.out.splitlines()[-2:] == ["1 candidate: 1 finished before", "nothing to train"]


@pytest.mark.parametrize(
    ("resume", "statuses"),
    [
        ("auto", ["finished before", "to train"]),
        ("never", ["to train", "to train"]),
        ("only", ["finished before", "no result, and resume=only"]),
    ],
)
def test_a_dry_run_obeys_resume(run: Run, small_table: list[str], resume, statuses) -> None:
    words = ("train", *small_table, "launcher=inline", "-m")
    run(*words, "model=logreg")
    done = run(*words, "model=logreg,tree", f"resume={resume}", "-n")
    assert [" ".join(row[2:]) for row in table(done.out)] == statuses
    assert ("nothing to train" in done.out) == (resume == "only")


def test_a_dry_run_says_why_something_is_trained_again(
    home: Path, run: Run, small_table: list[str]
) -> None:
    words = ("train", *small_table, "launcher=inline", "model=logreg")
    run(*words)
    with (home / "table.csv").open("a") as file:
        file.write("12.5,3,a,1\n")
    assert "trained again, as the data has changed: logreg" in run(*words, "-n").out


def test_a_dry_run_finds_what_the_table_lacks(run: Run, small_table: list[str]) -> None:
    done = run("train", *small_table, "threshold_strategy=alert_budget", "-n")
    assert done.code == 2
    assert "data.time" in done.err


def test_a_dry_run_takes_no_value_and_is_trains_alone(run: Run) -> None:
    flags = "-m, --dry-run, --cfg, --config-dir, -v, --help"
    assert run("train", "--dry-run=yes").err == (
        f"error: no flag '--dry-run=yes'; flags are {flags}\n"
    )
    assert run("validate", "-n").err.startswith("error: no flag '-n'")


def test_the_help_tells_of_choosing_and_of_dry_runs(run: Run) -> None:
    out = run("train", "--help").out
    for text in ("pair=[model,sampler]", "exclude=[{sampler: smote", "subset=10", "-n, --dry-run"):
        assert text in out


# The estimate


def planned(*words: str) -> list[Planned]:
    found = Composer().plan([*TOY, *words], multirun=True).candidates
    return [Planned(_name(c.config), c.config, c.options, c.overrides, "rows") for c in found]


def _name(config: Config) -> str:
    parts = (config.model.name, config.sampler.name, config.split.name, config.seed)
    return "-".join(map(str, parts))


def took(seconds: float, *words: str, status: str = "done") -> None:
    """Leave a sweep whose runs took so long each."""
    candidates = tuple(planned(*words))
    write_sweep(SweepRecord(f"of-{candidates[0].run}", "", candidates))
    for each in candidates:
        write_run(RunRecord(each.run, status, seconds={"fit": seconds - 1, "score": 1.0}))


def test_the_runs_most_like_a_candidate_count() -> None:
    took(100, "model=rf", "sampler=smote")
    took(40, "model=rf", "sampler=identity")
    took(20, "model=rf", "sampler=identity", "split=stratified")
    took(900, "model=rf", "data.n_samples=900", "seed=3")
    took(7, "model=logreg", "data.n_samples=900")
    assert estimate(planned("model=rf", "sampler=smote", "seed=7"), 1) == Estimate(100, 1, 1)
    assert estimate(planned("model=rf", "sampler=enn"), 1) == Estimate(40, 1, 3)
    assert estimate(planned("model=rf", "data.n_samples=800"), 1) == Estimate(70, 1, 4)
    assert estimate(planned("model=logreg"), 1) == Estimate(7, 1, 1)
    assert estimate(planned("model=tree"), 1) == Estimate(40, 1, 5, unlike=1)


def test_the_median_of_several_runs_counts() -> None:
    for seed, seconds in enumerate((10, 12, 90)):
        took(seconds, "model=rf", f"seed={seed}")
    assert estimate(planned("model=rf", "seed=7"), 1) == Estimate(12, 1, 3)


def test_only_finished_runs_count() -> None:
    took(50, "model=rf", status="failed")
    assert estimate(planned("model=rf", "seed=7"), 1) == Estimate(None, 1)


def test_the_time_is_shared_out_but_ends_with_the_longest() -> None:
    took(60, "model=rf")
    took(10, "model=logreg")
    todo = planned("model=rf,logreg", "seed=7,8,9")
    assert estimate(todo, 1).seconds == 210
    assert estimate(todo, 3).seconds == 70
    assert estimate(todo, 6).seconds == 60


def test_a_plan_of_another_version_is_passed_over(home: Path) -> None:
    took(60, "model=rf")
    (home / "outputs" / "sweeps" / "older").mkdir()
    (home / "outputs" / "sweeps" / "older" / "plan.json").write_text("{")
    assert estimate(planned("model=rf", "seed=7"), 1) == Estimate(60, 1, 1)


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (Estimate(None, 2), "no estimate of the time: there are no earlier runs to go by"),
        (Estimate(0.2, 1, 1), "less than 1 s (from 1 earlier run)"),
        (Estimate(89, 1, 2), "about 89 s (from 2 earlier runs)"),
        (
            Estimate(240, 2, 36, 3),
            "about 4 min with 2 at a time (from 36 earlier runs; 3 candidates have none like them,"
            " counted as the median of all)",
        ),
        (
            Estimate(3600 * 2.25, 4, 1200, 1),
            "about 2.2 h with 4 at a time (from 1,200 earlier runs; 1 candidate has none like it,"
            " counted as the median of all)",
        ),
    ],
)
def test_an_estimate_says_what_it_is_based_on(found, text) -> None:
    assert str(found) == text


@pytest.mark.parametrize(
    ("words", "speed"),
    [(["slots=3"], " with 3 at a time"), (["slots=9"], " with 4 at a time"), (["slots=1"], "")],
)
def test_slots_divide_the_time(run: Run, words, speed) -> None:
    took(60, "model=tree")
    done = run("train", *TOY, "model=tree", "seed=1,2,3,4", "-m", "-n", *words)
    assert f"{speed} (from 1 earlier run)" in done.out.splitlines()[-1]
    done = run("train", *TOY, "model=tree", "seed=1,2", "-m", "-n", *words, "launcher=inline")
    assert done.out.splitlines()[-1] == "about 2 min (from 1 earlier run)"
