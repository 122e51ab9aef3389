"""A sweep is planned, then run; it keeps what is finished, whatever happens to the rest."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from fraudlab import driving
from tests.conftest import ROOT, Run, Start, run_process
from tests.sweeps import board, results, visible_bundles, wait_until


def statuses(rows: list[dict[str, Any]]) -> list[tuple[str, bool]]:
    return [(row["status"], row["reused"]) for row in rows]


def test_the_demo_ranks_six_candidates_and_says_how_to_serve_the_best(home: Path, run: Run) -> None:
    done = run("train", "experiment=demo", "tracking=disabled")
    assert done.code == 0, done.err
    rows = board(run)
    assert statuses(rows) == [("done", False)] * 6
    assert "6/6" in done.err
    assert "python -m serve" in done.err.splitlines()[-1]
    assert (home / "bundles" / "champion").resolve() == (home / rows[0]["bundle"]).resolve()
    scores = [row["metrics"]["validation"]["average_precision"] for row in rows]
    assert scores == sorted(scores, reverse=True)


def test_the_same_command_again_reuses_every_result(
    home: Path, run: Run, small_table: list[str]
) -> None:
    command = ("train", *small_table, "model=logreg,tree", "-m")
    assert run(*command).code == 0
    before = results(home)
    first = board(run)
    assert run(*command).code == 0
    assert results(home) == before
    again = board(run)
    assert statuses(again) == [("done", True)] * 2
    assert [row["run"] for row in again] == [row["run"] for row in first]
    assert len(visible_bundles(home)) == 2


def test_only_what_changed_is_trained_again(run: Run, small_table: list[str]) -> None:
    run("train", *small_table, "model=logreg", "model.params.C=1.0,2.0", "-m")
    run("train", *small_table, "model=logreg", "model.params.C=1.0,3.0", "-m")
    rows = {row["overrides"]["model.params.C"]: row["reused"] for row in board(run)}
    assert rows == {1.0: True, 3.0: False}


def test_changed_data_is_trained_again(home: Path, run: Run, small_table: list[str]) -> None:
    command = ("train", *small_table, "model=logreg")
    run(*command)
    with (home / "table.csv").open("a") as file:
        file.write("12.5,3,a,1\n")
    run(*command)
    assert statuses(board(run)) == [("done", False)]


def test_changed_code_is_trained_again(home: Path, small_table: list[str]) -> None:
    copy = home / "checkout"
    for name in ("fraudlab", "conf"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    command = ("fraudlab.train", *small_table, "model=logreg")
    assert run_process(*command, cwd=home, PYTHONPATH=str(copy)).code == 0
    with (copy / "fraudlab" / "metrics.py").open("a") as file:
        file.write("\n# another version\n")
    done = run_process(*command, cwd=home, PYTHONPATH=str(copy))
    assert done.code == 0
    assert "reused" not in done.err
    assert len(results(home)) == 2


def test_what_is_trained_again_says_why(home: Path, run: Run, small_table: list[str]) -> None:
    command = ("train", *small_table, "model=logreg,tree", "-m")
    assert "trained again" not in run(*command).err
    with (home / "table.csv").open("a") as file:
        file.write("12.5,3,a,1\n")
    done = run(*command)
    assert "trained again, as the data has changed: logreg, tree" in done.err
    shutil.rmtree(home / board(run)[0]["bundle"])
    assert "trained again, as its bundle was removed: " in run(*command).err


def test_an_edited_yaml_says_what_changed(home: Path, run: Run, small_table: list[str]) -> None:
    own = home / "conf" / "model" / "mine.yaml"
    own.parent.mkdir(parents=True)
    text = (ROOT / "conf" / "model" / "logreg.yaml").read_text()
    own.write_text(text)
    command = ("train", *small_table, "model=mine", "--config-dir", str(home / "conf"))
    run(*command)
    own.write_text(text.replace("C: 1.0", "C: 2.0"))
    reason = "as its configuration has changed (model.params.C: 1.0 before, 2.0 now): mine"
    assert f"trained again, {reason}" in run(*command).err


def test_a_yaml_edited_in_a_sweep_changes_nothing(
    home: Path, start: Start, run: Run, small_table: list[str]
) -> None:
    own = home / "conf" / "model" / "mine.yaml"
    own.parent.mkdir(parents=True)
    text = (ROOT / "conf" / "model" / "rf.yaml").read_text()
    own.write_text(text)
    trees = "model.params.n_estimators=300,301,302"
    process = start(
        *small_table, "model=mine", trees, "slots=1", "--config-dir", str(home / "conf"), "-m"
    )
    wait_until(lambda: bool(list(home.glob("outputs/runs/*/running"))), process)
    own.write_text(text.replace("min_samples_leaf: 1", "min_samples_leaf: 200"))
    process.communicate(timeout=120)
    assert process.returncode == 0
    for row in board(run):
        manifest = json.loads((home / row["bundle"] / "manifest.json").read_text())
        assert manifest["provenance"]["config"]["model"]["params"]["min_samples_leaf"] == 1


def test_resume_never_trains_again_and_leaves_one_bundle(
    home: Path, run: Run, small_table: list[str]
) -> None:
    command = ("train", *small_table, "model=logreg,tree", "-m")
    run(*command)
    champion = (home / "bundles" / "champion").resolve()
    models = {row["run"]: (home / row["bundle"] / "model.onnx").read_bytes() for row in board(run)}
    time.sleep(1.1)  # a bundle's name counts in seconds
    assert run(*command, "resume=never").code == 0
    rows = board(run)
    assert statuses(rows) == [("done", False)] * 2
    assert {r["run"]: (home / r["bundle"] / "model.onnx").read_bytes() for r in rows} == models
    assert (home / "bundles" / "champion").resolve() == champion
    kept = {(home / row["bundle"]).resolve() for row in rows} | {champion}
    assert {path.resolve() for path in visible_bundles(home)} == kept


def test_resume_never_twice_within_a_second_keeps_the_champion_whole(
    home: Path, run: Run, small_table: list[str]
) -> None:
    for _ in range(3):
        assert run("train", *small_table, "model=logreg", "resume=never").code == 0
    assert run("promote", f"run={board(run)[0]['run']}").code == 0


def test_resume_only_trains_nothing(home: Path, run: Run, small_table: list[str]) -> None:
    run("train", *small_table, "model=logreg")
    done = run("train", *small_table, "model=logreg,tree", "resume=only", "-m")
    assert done.code == 1
    assert "1 without a result" in done.err
    assert statuses(board(run)) == [("done", True), ("pending", False)]
    assert len(results(home)) == 1


def test_a_bundle_that_somebody_removed_is_made_again(
    home: Path, run: Run, small_table: list[str]
) -> None:
    command = ("train", *small_table, "model=logreg")
    run(*command)
    shutil.rmtree((home / "bundles" / "champion").resolve())
    assert board(run)[0]["bundle"] is None
    assert run(*command).code == 0
    assert (home / board(run)[0]["bundle"] / "manifest.json").is_file()


def test_a_failing_candidate_costs_only_itself(
    home: Path, run: Run, small_table: list[str]
) -> None:
    command = ("train", *small_table, "model=logreg", "sampler=smote")
    done = run(*command, "sampler.params.k_neighbors=500,5", "-m")
    assert done.code == 1
    good, bad = board(run)
    assert (good["status"], bad["status"]) == ("done", "failed")
    assert bad["overrides"]["sampler.params.k_neighbors"] == 500
    assert bad["error"] in (home / bad["log"]).read_text()
    assert "500" in done.out
    assert "failed" in done.out
    assert bad["log"] in "".join(done.out.split())


def test_a_failure_is_tried_again_by_the_next_sweep(run: Run, small_table: list[str]) -> None:
    command = ("train", *small_table, "model=logreg", "sampler=smote")
    for _ in range(2):
        done = run(*command, "sampler.params.k_neighbors=500,5", "-m")
        assert done.code == 1
        assert "failed" in done.err
    assert statuses(board(run)) == [("done", True), ("failed", False)]


def test_fail_fast_leaves_the_rest_pending(run: Run, small_table: list[str]) -> None:
    command = ("train", *small_table, "model=logreg", "sampler=smote", "fail_fast=true")
    done = run(*command, "sampler.params.k_neighbors=500,5", "slots=1", "-m")
    assert done.code == 1
    assert [row["status"] for row in board(run)] == ["failed", "pending"]


def test_repeated_candidates_are_one(run: Run, small_table: list[str]) -> None:
    run("train", *small_table, "model=logreg", "model.params.C=1.0,1", "-m")
    assert len(board(run)) == 1


def test_keep_removes_only_this_sweeps_surplus(
    home: Path, run: Run, small_table: list[str]
) -> None:
    run("train", *small_table, "model=tree")  # another sweep's, and the champion
    older = board(run)[0]["bundle"]
    run("train", *small_table, "model=logreg", "model.params.C=0.1,1,10", "keep=1", "-m")
    rows = board(run)
    assert [row["bundle"] is not None for row in rows] == [True, False, False]
    names = {path.name for path in visible_bundles(home)}
    assert names == {Path(older).name, Path(rows[0]["bundle"]).name}
    for row in rows:
        assert (home / "outputs" / "runs" / row["run"] / "manifest.json").is_file()


def test_keep_spares_what_a_link_points_at(home: Path, run: Run, small_table: list[str]) -> None:
    command = ("train", *small_table, "model=logreg,tree", "-m")
    run(*command)
    last = board(run)[-1]
    run("promote", f"run={last['run']}", "alias=challenger")
    time.sleep(1.1)
    run(*command, "keep=1", "resume=never")
    assert (home / "bundles" / "challenger" / "manifest.json").is_file()


def test_a_password_in_the_tracking_address_is_written_nowhere(
    home: Path, run: Run, small_table: list[str]
) -> None:
    address = "tracking.uri='http://somebody:sesame@127.0.0.1:9'"
    done = run("train", *small_table, "model=logreg", address)
    assert done.code == 0, done.err
    found = [p for p in home.rglob("*") if p.is_file() and b"sesame" in p.read_bytes()]
    assert found == []


def test_edited_source_lets_what_runs_end_and_starts_nothing_more(
    run: Run, small_table: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    versions = iter([driving.code_version(), "edited"])
    monkeypatch.setattr(driving, "source_version", lambda: next(versions))
    done = run("train", *small_table, "model=logreg,tree,rf", "launcher=inline", "-m")
    assert done.code == 1
    assert "source has changed" in done.err
    assert [row["status"] for row in board(run)] == ["done", "pending", "pending"]
