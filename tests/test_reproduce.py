"""The Handbook's tables come out as published, and a number that does not is told."""

from __future__ import annotations

import importlib
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import stdev

import pytest

from fraudlab.composition import Composer
from fraudlab.runs import FoldMetrics, RunRecord
from tests.conftest import HANDBOOK, ROOT, Done, Run, needs_handbook
from tests.sweeps import board

Reproduce = Callable[..., Done]


@pytest.fixture
def agreement(scripts: None):
    return importlib.import_module("agreement")


@pytest.fixture
def published(agreement, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Copy the published tables to a folder of the test's own, which the scripts read then."""
    folder = shutil.copytree(agreement.PUBLISHED, tmp_path / "published")
    monkeypatch.setattr(agreement, "PUBLISHED", folder)
    return folder


@pytest.fixture
def reproduce(scripts: None, monkeypatch, capsys) -> Reproduce:
    """Return a function that runs `python scripts/reproduce.py ARGUMENTS` in this process."""
    module = importlib.import_module("reproduce")

    def run_script(*arguments: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["reproduce.py", *arguments])
        with pytest.raises(SystemExit) as left:
            module.run()
        return Done(int(left.value.code or 0), *capsys.readouterr())

    return run_script


@pytest.fixture
def simulated(home: Path, simulated_cache: Path, published_cache: Path) -> None:
    """Give the home the simulated stream, in both its orders."""
    for cache in (simulated_cache, published_cache):
        shutil.copytree(cache, home / ".cache" / "fraudlab", dirs_exist_ok=True)


# The tables


@pytest.mark.slow
def test_the_toy_tables_are_reproduced(reproduce: Reproduce) -> None:
    done = reproduce("t7*")
    assert done.code == 0, done.out
    assert "16 rows, 96 numbers" in done.out


@pytest.mark.slow
def test_trees_are_reproduced_to_the_last_digit_in_every_week(
    reproduce: Reproduce, simulated: None
) -> None:
    done = reproduce("t2d", "t3a", "model.params.max_depth=2,5")
    assert done.code == 0, done.out
    assert "6 rows, 48 numbers" in done.out
    assert "max_depth=5  AUC 0.810138 (0.810138)  AP 0.600306 (0.600306)" in done.out


@needs_handbook
@pytest.mark.slow
def test_samples_of_the_published_rows_are_reproduced_to_the_last_digit(
    reproduce: Reproduce,
) -> None:
    words = ["data=handbook", f"data.path={HANDBOOK}", "model.params.max_depth=2"]
    done = reproduce("t2c", *words)
    assert done.code == 0, done.out
    assert "1 rows, 12 numbers" in done.out
    assert "known" not in done.out


@pytest.mark.slow
def test_the_baseline_is_reproduced_with_calibration_and_threshold_as_well(
    agreement, run: Run, simulated: None
) -> None:
    words = ["experiment=handbook_baseline", "tracking=disabled", "bootstrap.resamples=0"]
    done = run("train", *words)
    assert done.code == 0, done.err
    of = {candidate.options["model"]: candidate.config for candidate in plan(*words)}
    rows = {row["options"]["model"]: row["metrics"] for row in board(run)}
    lines = agreement.read_published("t1a")
    assert {line.keys["model"] for line in lines} == rows.keys()
    for line in lines:
        name = line.keys["model"]
        for column, printed in line.printed.items():
            ours = rows[name]["test"][column.removeprefix("test.")]
            allowed = agreement.tolerance(of[name], column, printed, one_week=True)
            assert ours == pytest.approx(float(printed), abs=allowed + 1e-9), (name, column)


# The recipes


def plan(*words: str):
    return Composer().plan(list(words), multirun=True).candidates


def test_every_published_row_has_its_candidate_and_every_candidate_its_row(agreement) -> None:
    tables = importlib.import_module("reproduce").TABLES
    files = {file.stem for file in (ROOT / "conf" / "experiment" / "handbook").glob("*.yaml")}
    of = {stem: [] for stem in files}
    for candidate in plan("experiment=handbook/*"):
        of[candidate.options["experiment"].removeprefix("handbook/")].append(candidate)
    assert all(of.values())
    assert {stem for name, table in tables.items() for stem in table.recipes or (name,)} == files
    assert {file.stem for file in agreement.PUBLISHED.glob("*.csv")} == tables.keys()
    for name, table in tables.items():
        candidates = [each for stem in table.recipes or (name,) for each in of[stem]]
        lines = agreement.read_published(name)
        for line in lines:
            assert sum(line.is_about(each) for each in candidates) == 1, (name, line.keys)
        for candidate in candidates:
            assert any(line.is_about(candidate) for line in lines), (name, candidate.overrides)


@pytest.mark.parametrize(
    "words",
    [
        ["model=tree", "model.params.max_depth=4,5,6"],
        ["model=logreg", "model.params.C=0.1,1,10", "sampler=class_weight"],
        ["model=tree", "sampler=smote_under", "sampler.params.over=0.1"],
        ["model=balanced_rf", "model.params.n_estimators=25,50"],
        [
            "model=balanced_bagging",
            "model.params.n_estimators=50,100",
            "model.params.max_depth=5",
            "model.params.sampling_strategy=0.5",
        ],
        ["data=handbook", "data.path=transactions.parquet"],
    ],
)
@pytest.mark.parametrize("protocol", ["handbook_p1", "handbook_p3"])
def test_a_protocol_takes_any_candidate(protocol, words) -> None:
    candidates = plan(f"experiment={protocol}", *words)
    split = {"handbook_p1": "temporal", "handbook_p3": "prequential"}[protocol]
    for candidate in candidates:
        config = candidate.config
        assert (config.split.name, config.scaler.name, config.seed) == (split, "standard", 0)
        assert config.choices["features"] == "rfm"


def test_a_protocol_holds_whatever_the_data_say(scripts: None) -> None:
    words = ["data=handbook", "data.path=transactions.parquet"]
    (first,) = plan("experiment=handbook_p1", *words, "data.train_from=2018-05-01")
    assert first.config.split.params["start"] == "2018-07-25"
    (last,) = plan("experiment=handbook_p3", *words)
    assert last.config.split.params["test_start"] == "2018-08-29"


# The comparison


WITHIN = [
    # (words of the recipe, column, printed number, what is allowed beside it)
    ("t3a model.params.max_depth=5", "test.roc_auc", "0.810138", 1e-6),
    ("t3a model.params.max_depth=10", "test.roc_auc_std", "0.011140", 1e-6),
    ("t3a model.params.max_depth=20", "validation.average_precision", "0.450980", 1e-3),
    ("t3a model.params.max_depth=5", "test.card_precision_at_100", "0.284286", 4e-3),
    ("t2a model.params.max_depth=5", "test.card_precision_at_100", "0.280", 1e-2),
    ("t2a model.params.max_depth=5", "test.train_card_precision_at_100", "0.419", 1e-2),
    ("t2a model.params.max_depth=5", "test.train_roc_auc", "0.835", 5e-4),
    ("t2c model.params.max_depth=5", "validation.roc_auc", "0.78200", 5e-6),
    ("t1a model=logreg", "test.roc_auc", "0.871", 2e-3),
    ("t1a model=rf", "test.roc_auc", "0.867", 6e-3),
    ("t1a model=rf", "test.average_precision", "0.658", 5e-3),
    ("t1a model=tree", "test.average_precision", "0.309", 1e-3),
    ("t1a model=xgb_exact", "test.average_precision", "0.639", 6e-3),
    ("t4a sampler.params.weights={0:0.5,1:1}", "test.roc_auc", "0.798043", 1e-6),
    ("t5a sampler.params.sampling_strategy=0.5", "test.roc_auc", "0.842985", 5e-3),
    ("t7b sampler=smote_under", "test.balanced_accuracy", "0.912", 5e-3),
    ("t7b sampler=enn", "test.balanced_accuracy", "0.857", 5e-4),
    ("t7c_bags model=balanced_bagging", "test.average_precision", "0.586", 5e-3),
    ("t7c_bags model=bagging", "test.balanced_accuracy", "0.748", 6e-3),
    ("t7c_balanced_rf", "test.roc_auc", "0.946", 1e-2),
]


@pytest.mark.parametrize(("words", "column", "printed", "allowed"), WITHIN)
def test_what_may_be_apart(agreement, words, column, printed, allowed) -> None:
    recipe, *rest = words.split()
    (candidate,) = plan(f"experiment=handbook/{recipe}", *rest)
    one_week = candidate.config.split.name == "temporal"
    found = agreement.tolerance(candidate.config, column, printed, one_week=one_week)
    assert found == pytest.approx(allowed)
    for ours, agrees in ((0.99, True), (1.01, False), (-0.99, True), (-1.01, False)):
        number = agreement.Number(column, printed, float(printed) + ours * allowed, found)
        assert number.agrees is agrees
        assert number.share == pytest.approx(abs(ours))
    assert not agreement.Number(column, printed, float("nan"), found).agrees


def test_folds_are_averaged_as_published(agreement) -> None:
    values = (0.12349, 0.25651, 0.3)
    folds = FoldMetrics(test=tuple({"roc_auc": value} for value in values))
    record = RunRecord("run", "done", folds=folds)
    rounded = agreement.Spread(digits=3, ddof=1)

    def measured(column: str, fold: int | None = None) -> float:
        return agreement.measured(record, column, fold, rounded)

    assert measured("test.roc_auc") == pytest.approx((0.123 + 0.257 + 0.3) / 3)
    assert measured("test.roc_auc_std") == pytest.approx(stdev([0.123, 0.257, 0.3]))
    assert measured("test.roc_auc", 1) == 0.25651
    assert measured("test.brier", 1) != measured("test.brier", 1)  # NaN: it was not measured


def test_a_wrong_number_fails_and_is_spelled_out(reproduce: Reproduce, published: Path) -> None:
    first = reproduce("t7a", "sampler.params.weights={0: 1, 1: 1}")
    assert first.code == 0, first.out
    assert "all agree" in first.out
    assert "FAIL" not in first.out

    table = published / "t7a.csv"
    table.write_text(table.read_text().replace("tree,1,0.906,", "tree,1,0.908,"))
    second = reproduce("t7a", "sampler.params.weights={0: 1, 1: 1}", "resume=only")
    assert second.code == 1
    assert "2 of 2 finished before and not changed: reused" in second.err
    (fail,) = (line for line in second.out.splitlines() if "FAIL  test" in line)
    assert fail.split() == [
        *["FAIL", "test.roc_auc:", "published", "0.908,", "ours"],
        *["0.906000,", "apart", "-0.002000,", "allowed", "0.000500"],
    ]
    assert "1 of 6 numbers are further apart" in second.out
    assert "FAILED: rows of t7a (1)" in second.out
    assert len(second.out.splitlines()) == len(first.out.splitlines()) + 1
    third = reproduce("t7a", "sampler.params.weights={0: 1, 1: 1}", "-v")
    assert sum("published" in line for line in third.out.splitlines()) == 12
    assert third.code == 1


def test_what_is_known_to_be_apart_is_told_and_no_failure_within_what_was_seen(
    agreement, reproduce: Reproduce, published: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = published / "t7a.csv"
    table.write_text(table.read_text().replace("tree,1,0.906,", "tree,1,0.908,"))
    for limit, code, verdict in ((0.003, 0, "known"), (0.001, 1, "FAIL")):
        monkeypatch.setitem(agreement.KNOWN, "t7a", agreement.Known("it is rounded", limit))
        done = reproduce("t7a", "sampler.params.weights={0: 1, 1: 1}")
        assert done.code == code, done.out
        told = next(line.split() for line in done.out.splitlines() if "tree" in line)
        assert told[0] == verdict
        assert ("  known: it is rounded\n" in done.out) is (code == 0)
        assert ("numbers of t7a (1); all others agree" in done.out) is (code == 0)


def test_a_row_without_a_candidate_or_result_fails(reproduce: Reproduce, published: Path) -> None:
    table = published / "t7a.csv"
    table.write_text(table.read_text().replace("tree,1,", "tree,2,"))
    done = reproduce("t7a", "resume=only")
    assert done.code == 1
    assert "no candidate of the recipe is this one" in done.out
    assert done.out.count("not trained yet") == 3


def test_a_candidate_that_fails_is_told(reproduce: Reproduce) -> None:
    done = reproduce("t7b", "sampler=smote", "sampler.params.k_neighbors=1000")
    assert done.code == 1
    assert "FAIL   smote  failed: " in done.out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["t9"], "error: no table 't9'; available: t1a, t2a"),
        (["--fast"], "error: no flag '--fast'"),
        (["t3a", "model.params.max_dept=3"], "'max_dept'"),
        (["t7b", "sampler=smote_tomek"], "no published row is about sampler=smote_tomek"),
    ],
)
def test_what_cannot_be_compared_is_refused(reproduce: Reproduce, words, told) -> None:
    done = reproduce(*words)
    assert done.code == 2
    assert told in done.err
    assert done.out == ""


def test_help_lists_the_tables(reproduce: Reproduce, scripts: None) -> None:
    done = reproduce("--help")
    assert done.code == 0
    for name in importlib.import_module("reproduce").TABLES:
        assert f"  {name}  " in done.out
