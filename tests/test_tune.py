"""A search: it finds more than the default, comes out the same again, and is a sweep."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import msgspec
import pytest
import yaml

from tests.conftest import Run
from tests.searches import QUICK, TREE, journals, notes, proposals, states, study_of, write_space
from tests.sweeps import board, mlflow_runs, results


@pytest.fixture
def tree(home: Path, small_table: list[str]) -> list[str]:
    return [*write_space(home, TREE), *small_table, *QUICK]


def test_a_search_begins_with_the_default_and_finds_more(
    home: Path, run: Run, small_table: list[str]
) -> None:
    space = TREE.replace("low: 1, high: 8", "low: 1, high: 30")
    words = [*write_space(home, space), *small_table, *QUICK, "model.params.max_leaf_nodes=200"]
    base = ["model.params.max_depth=30", "model.params.min_samples_leaf=1"]
    run("train", *words[3:], "model=tree", *base, "seed=3")
    default = board(run)[0]["metrics"]["validation"]["average_precision"]
    done = run("tune", *words, "trials=12", "seed=3")
    assert done.code == 0, done.err
    rows = board(run)
    assert rows[0]["metrics"]["validation"]["average_precision"] > default
    assert "Leaderboard" in done.out
    assert (home / "bundles" / "champion").is_symlink()
    assert "owes part of its validation figure to luck" in done.err


def test_the_first_candidate_is_what_is_had_without_searching(
    home: Path, run: Run, tree: list[str]
) -> None:
    fixed = {"model.params.max_depth": 8}
    space = yaml.safe_load(TREE)
    space["space"]["model.params.ccp_alpha"] = {"low": 0.0, "high": 0.1}
    del space["space"]["model.params.max_depth"]
    space["fixed"] |= fixed
    write_space(home, yaml.safe_dump(space))
    assert run("tune", *tree, "trials=1").code == 0
    (first,) = board(run)
    run("train", *tree[3:], "model=tree", "model.params.max_depth=8")
    assert board(run)[0]["run"] == first["run"]
    assert board(run)[0]["reused"]


def test_the_same_seed_proposes_the_same(
    home: Path, run: Run, tree: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = {}
    for name, seed in (("one", 7), ("two", 7), ("three", 8)):
        monkeypatch.setenv("FRAUDLAB_HOME", str(home / name))
        assert run("tune", *tree, "trials=8", f"seed={seed}").code == 0
        found[name] = proposals(home / name)
    assert found["one"] == found["two"]
    assert found["one"] != found["three"]
    assert len({tuple(words) for words in found["one"]}) > 5


def test_a_search_in_parts_proposes_what_it_would_have_proposed_at_once(
    home: Path, run: Run, tree: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, totals in (("parts", (3, 5, 9)), ("once", (9,))):
        monkeypatch.setenv("FRAUDLAB_HOME", str(home / name))
        for total in totals:
            assert run("tune", *tree, f"trials={total}").code == 0
    assert proposals(home / "parts") == proposals(home / "once")
    assert states(home / "once") == ["COMPLETE"] * 9


def test_the_same_command_again_trains_nothing_and_lists_all(
    home: Path, run: Run, tree: list[str]
) -> None:
    run("tune", *tree, "trials=6")
    before, rows = results(home), board(run)
    done = run("tune", *tree, "trials=6")
    assert done.code == 0
    assert "the study has its 6 trials" in done.err
    assert results(home) == before
    assert [row["run"] for row in board(run)] == [row["run"] for row in rows]
    assert len(study_of(home).trials) == 6


def test_what_was_trained_before_is_told_without_training(
    home: Path, run: Run, tree: list[str]
) -> None:
    run("tune", *tree, "trials=5")
    before = results(home)
    journals(home)[0].unlink()
    assert run("tune", *tree, "trials=5").code == 0
    assert results(home) == before
    assert states(home) == ["COMPLETE"] * 5
    assert notes(home, "trained") == [None] * 5


def test_a_changed_space_is_another_study(home: Path, run: Run, tree: list[str]) -> None:
    run("tune", *tree, "trials=2")
    write_space(home, TREE.replace("high: 8", "high: 9"))
    run("tune", *tree, "trials=2")
    run("tune", *tree, "trials=2", "scaler=robust")
    assert len(journals(home)) == 3


@pytest.mark.parametrize("place", ["sqlite:///{}/own.db", "{}/shared.journal"])
def test_a_study_of_a_name_and_place_is_gone_on_with(
    place: str, home: Path, run: Run, tree: list[str]
) -> None:
    kept = [f"storage={place.format(home)}", "study=mine"]
    assert run("tune", *tree, *kept, "trials=2").code == 0
    done = run("tune", *tree, *kept, "trials=3")
    assert done.code == 0, done.err
    assert "study mine: 2 trials before" in done.err
    assert journals(home) == []
    refused = run("tune", *tree, *kept, "trials=3", "scaler=robust")
    assert refused.code == 2
    assert "study 'mine'" in refused.err
    assert "give study= another name" in refused.err


def test_a_word_wins_over_what_would_vary(home: Path, run: Run, tree: list[str]) -> None:
    assert run("tune", *tree, "model.params.max_depth=3", "trials=3").code == 0
    assert {row["overrides"]["model.params.max_depth"] for row in board(run)} == {3}
    done = run("tune", *tree, "model.params.max_depth=3", "model.params.min_samples_leaf=2",
               "trials=3")  # fmt: skip
    assert done.code == 2
    assert "nothing to search" in done.err


def test_the_best_comes_as_a_command_and_as_a_recipe(
    home: Path, run: Run, tree: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(home)
    done = run("tune", *tree, "trials=5")
    best = board(run)[0]["run"]
    said = re.search(r"as a command: python -m fraudlab\.train (.*)", done.err)[1]
    assert run("train", *shlex.split(said)).code == 0
    assert [(row["run"], row["reused"]) for row in board(run)] == [(best, True)]
    (recipe,) = (home / "outputs" / "studies").glob("*.best.yaml")
    folder = home / "mine" / "experiment"
    folder.mkdir(parents=True)
    (folder / "found.yaml").write_text(recipe.read_text())
    words = ["--config-dir", str(home / "mine"), "experiment=found", "tracking=disabled"]
    assert run("train", *words).code == 0
    assert [(row["run"], row["reused"]) for row in board(run)] == [(best, True)]


def test_a_used_up_space_ends_the_search(home: Path, run: Run, small_table: list[str]) -> None:
    space = "fixed: {model: tree}\nspace: {model.params.max_depth: [2, 3, 4]}\n"
    done = run("tune", *write_space(home, space), *small_table, *QUICK, "budget=10m")
    assert done.code == 0, done.err
    assert "the space is used up" in done.err
    assert len(board(run)) == 3
    assert len(results(home)) == 3


def test_a_failure_counts_as_worst_and_ends_with_1(
    home: Path, run: Run, small_table: list[str]
) -> None:
    space = """\
fixed: {model: tree, sampler: smote}
space:
  sampler.params.k_neighbors: [5, 400]
  model.params.max_depth: {low: 2, high: 9}
"""
    done = run("tune", *write_space(home, space), *small_table, *QUICK, "trials=8")
    assert done.code == 1
    assert "failed" in done.out
    rows = board(run)
    assert {row["status"] for row in rows} == {"done", "failed"}
    failed = [t for t in study_of(home).trials if "error" in t.user_attrs["fraudlab"]]
    assert {t.state.name for t in failed} == {"PRUNED"}
    assert all("400" in str(t.params) for t in failed)


def test_a_search_where_nothing_works_ends_by_itself(
    home: Path, run: Run, small_table: list[str]
) -> None:
    space = """\
fixed: {model: tree, sampler: smote}
space:
  sampler.params.k_neighbors: {low: 400, high: 499}
"""
    done = run("tune", *write_space(home, space), *small_table, *QUICK, "budget=5m")
    assert done.code == 1
    assert "the first 10 candidates all came to nothing" in done.err
    assert "10 candidates: 10 failed" in done.err


def test_what_misses_a_constraint_is_never_the_best(
    home: Path, run: Run, small_table: list[str]
) -> None:
    space = """\
fixed: {model: tree, model.params.max_depth: 4}
space:
  threshold_strategy.params.threshold: {low: 0.01, high: 0.9}
"""
    words = ["threshold_strategy=fixed", "selection.params.constraints=[recall>=0.5]"]
    done = run("tune", *write_space(home, space), *small_table, *QUICK, *words, "trials=8")
    assert done.code == 0, done.err
    rows = board(run)
    assert rows[0]["unmet"] == []
    assert any(row["unmet"] for row in rows)
    missed = [bool(t.constraints) for t in study_of(home).trials]
    assert sum(missed) == sum(bool(row["unmet"]) for row in rows)


def test_conditions_decide_what_varies(home: Path, run: Run, small_table: list[str]) -> None:
    space = """\
space:
  model: [tree, logreg]
when:
  - if: {model: tree}
    space: {model.params.max_depth: {low: 1, high: 9}}
  - if: {model: logreg}
    space: {model.params.C: {low: 0.01, high: 9.0, log: true}, scaler: [standard, robust]}
"""
    done = run("tune", *write_space(home, space), *small_table, *QUICK, "trials=8")
    assert done.code == 0, done.err
    for words in proposals(home):
        keys = {word.partition("=")[0] for word in words}
        tree = {"model", "model.params.max_depth"}
        assert keys == (tree if "model=tree" in words else {"model", "model.params.C", "scaler"})
    assert {row["choices"]["model"] for row in board(run)} == {"tree", "logreg"}


def test_mlflow_has_a_parent_and_a_child_for_each_candidate(
    home: Path, run: Run, tracked: list[str], database: Path
) -> None:
    words = [*write_space(home, TREE), *tracked, *QUICK]
    assert run("tune", *words, "trials=3").code == 0
    parent, *children = mlflow_runs(home)
    assert len(children) == 3
    assert {run.data.tags["mlflow.parentRunId"] for run in children} == {parent.info.run_id}
    assert {run.info.status for run in (parent, *children)} == {"FINISHED"}


def test_keep_holds_for_the_whole_study(home: Path, run: Run, tree: list[str]) -> None:
    for total in (4, 7):
        run("tune", *tree, f"trials={total}", "keep=2")
    kept = [row for row in board(run) if row["bundle"] is not None]
    assert len(kept) <= 3  # and the champion, whatever came after it


def test_a_damaged_journal_is_said_in_one_line(home: Path, run: Run, tree: list[str]) -> None:
    run("tune", *tree, "trials=2")
    (path,) = journals(home)
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"half a li')
    assert run("tune", *tree, "trials=3").code == 0
    assert states(home) == ["COMPLETE"] * 3
    for line in path.read_bytes().splitlines():
        msgspec.json.decode(line)


def test_a_reused_run_of_another_sweep_keeps_its_bundle(
    home: Path, run: Run, small_table: list[str]
) -> None:
    space = "fixed: {model: tree}\nspace: {model.params.max_depth: [1, 2, 3, 4, 5, 6]}\n"
    run("train", *small_table, *QUICK, "model=logreg")  # the champion
    run("train", *small_table, *QUICK, "model=tree", "model.params.max_depth=1")
    before = board(run)[0]
    run("tune", *write_space(home, space), *small_table, *QUICK, "trials=30", "keep=1")
    row = next(each for each in board(run) if each["run"] == before["run"])
    assert row["bundle"] == before["bundle"]
