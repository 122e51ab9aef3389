"""The leaderboard command: ranks by validation, shows test for the best, and pipes as JSON."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path

import msgspec
import pytest

from fraudlab.manifest import Metrics
from fraudlab.ranking import leaderboard
from fraudlab.runs import RunRecord, read_result, read_sweep, write_run
from tests.conftest import Run, run_process
from tests.sweeps import board

PUBLIC = ["run", "status", "reused", "choices", "options", "overrides", "seconds"]
PUBLIC += ["metrics", "intervals", "bundle"]
GRID = ("model=logreg", "model.params.C=0.01,1,100", "-m")


@pytest.fixture
def swept(run: Run, small_table: list[str]) -> list[str]:
    assert run("train", *small_table, *GRID).code == 0
    return small_table


def test_json_has_the_public_keys_best_first(home: Path, swept: list[str]) -> None:
    done = run_process("fraudlab.leaderboard", "format=json", cwd=home, PYTHONIOENCODING="ascii")
    assert done.err == ""
    rows = json.loads(done.out)
    for row in rows:
        assert list(row)[: len(PUBLIC)] == PUBLIC
        assert row["choices"]["model"] == "logreg"
        assert row["options"]["data"] == "table"
        assert row["overrides"]["model.params.C"] in {0.01, 1, 100}
        assert {"validation", "test"} == set(row["metrics"]) == set(row["intervals"])
        assert row["seconds"]["fit"] > 0
        assert (home / row["bundle"] / "manifest.json").is_file()
    found = [row["metrics"]["validation"]["average_precision"] for row in rows]
    assert found == sorted(found, reverse=True)


def test_the_numbers_are_those_of_the_bundle_that_ships(home: Path, run: Run, swept: None) -> None:
    for row in board(run):
        manifest = json.loads((home / row["bundle"] / "manifest.json").read_bytes())
        assert manifest["metrics"] == row["metrics"]


def test_csv_carries_every_metric(run: Run, swept: list[str]) -> None:
    done = run("leaderboard", "format=csv")
    rows = list(csv.DictReader(io.StringIO(done.out)))
    for row, expected in zip(rows, board(run), strict=True):
        assert row["run"] == expected["run"]
        assert float(row["model.params.C"]) == expected["overrides"]["model.params.C"]
        for part, metrics in expected["metrics"].items():
            for name, value in metrics.items():
                assert float(row[f"{part}_{name}"]) == value


def test_the_table_shows_test_of_the_best_only_unless_asked(run: Run, swept: list[str]) -> None:
    def lines(*arguments: str) -> list[str]:
        out = run("leaderboard", *arguments).out
        return [line for line in out.splitlines() if line.strip().startswith("on test")]

    rows = board(run)
    assert len(lines()) == 1
    assert f"{rows[0]['metrics']['test']['roc_auc']:.4f}" in lines()[0]
    assert len(lines("show=test")) == len(rows)


def test_test_never_ranks(run: Run, swept: list[str]) -> None:
    before = [row["run"] for row in board(run)]
    for place, key in enumerate(before):
        record = read_result(key)
        assert record is not None
        test = record.metrics.test | {"average_precision": float(place), "roc_auc": float(place)}
        metrics = Metrics(record.metrics.validation, test)
        write_run(msgspec.structs.replace(record, metrics=metrics))
    assert [row["run"] for row in board(run)] == before


def test_equal_candidates_stay_in_the_order_they_were_asked_for(run: Run, swept: list[str]) -> None:
    planned = [each.run for each in read_sweep("latest").candidates]
    first = read_result(planned[0])
    assert first is not None
    for key in planned:
        write_run(msgspec.structs.replace(first, run=key))
    assert [row["run"] for row in board(run)] == planned


def test_a_candidate_without_the_metric_that_ranks_comes_last(run: Run, swept: list[str]) -> None:
    best = board(run)[0]["run"]
    record = read_result(best)
    assert record is not None
    write_run(msgspec.structs.replace(record, metrics=Metrics({"recall": 1.0}, {})))
    assert [row.run for row in leaderboard(read_sweep("latest"))][-1] == best
    assert run("leaderboard").code == 0


def test_metrics_that_a_table_does_not_have_are_blank(run: Run, swept: list[str]) -> None:
    daily = {"alerts_per_day": 3.5, "card_precision_at_100": 0.25}
    last = read_result(board(run)[-1]["run"])
    assert last is not None
    assert not daily.keys() & last.metrics.validation.keys()  # the table has no time
    both = Metrics(last.metrics.validation | daily, last.metrics.test | daily)
    write_run(msgspec.structs.replace(last, metrics=both))
    cells = list(csv.DictReader(io.StringIO(run("leaderboard", "format=csv").out)))
    assert [cell["validation_alerts_per_day"] == "" for cell in cells] == [True, True, False]
    assert [cell["test_card_precision_at_100"] == "" for cell in cells] == [True, True, False]
    assert all(float(cell["validation_recall"]) >= 0 for cell in cells)
    done = run("leaderboard", "show=test")
    assert done.code == 0, done.err
    assert "None" not in done.out
    assert run("promote", f"run={cells[1]['run']}").code == 0


def test_warnings_of_a_run_are_listed(run: Run, swept: list[str]) -> None:
    best = board(run)[0]
    assert best["warnings"] == []
    record = read_result(best["run"])
    assert record is not None
    write_run(msgspec.structs.replace(record, warnings=("did not converge", "all alike")))
    assert board(run)[0]["warnings"] == ["did not converge", "all alike"]


def test_the_selections_rule_ranks(run: Run, swept: list[str]) -> None:
    run("train", *swept, *GRID, "selection=recall_first")
    rows = board(run)
    assert {row["reused"] for row in rows} == {True}
    found = [row["metrics"]["validation"]["recall"] for row in rows]
    assert found == sorted(found, reverse=True)
    assert "recall_first" in run("leaderboard").out


def test_an_older_sweep_is_shown_by_its_id(home: Path, run: Run, swept: list[str]) -> None:
    (older,) = [path.name for path in (home / "outputs" / "sweeps").iterdir()]
    run("train", *swept, "model=tree")
    assert len(board(run)) == 1
    assert len(board(run, f"sweep={older}")) == 3


def test_names_with_brackets_are_shown_as_they_are(
    home: Path, run: Run, small_table: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(home)
    shutil.copy("table.csv", "[red]b[bold].csv")
    rest = [override for override in small_table if not override.startswith("data.path")]
    done = run("train", *rest, "data.path=table.csv,'[red]b[bold].csv'", "model=logreg", "-m")
    assert done.code == 0, done.err
    assert "[red]b[bold].csv" in done.err
    assert "[red]b[bold].csv" in done.out


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ("format=yaml", "'yaml'"),
        ("show=all", "'all'"),
        ("sweep=never", "'never'"),
        ("colour=red", "'colour'"),
        ("x", "'x'"),
    ],
)
def test_a_wrong_argument_is_named_and_ends_with_2(
    run: Run, swept: list[str], argument: str, said: str
) -> None:
    done = run("leaderboard", argument)
    assert done.code == 2
    assert said in done.err
    assert "Traceback" not in done.err


def test_an_empty_home_says_what_to_do(home: Path, run: Run) -> None:
    done = run("leaderboard")
    assert done.code == 2
    assert "fraudlab.train" in done.err
    assert list(home.iterdir()) == []


def test_a_plan_of_another_version_is_a_paragraph(home: Path, run: Run, swept: list[str]) -> None:
    (plan,) = home.glob("outputs/sweeps/*/plan.json")
    plan.write_text('{"sweep": 3}')
    done = run("leaderboard")
    assert done.code == 2
    assert "another version" in done.err


def test_an_unreadable_result_counts_as_not_there(home: Path, run: Run, swept: list[str]) -> None:
    rows = board(run)
    for row, content in zip(rows, (b"{", b"\xff\xfe", b'{"run": 1}'), strict=True):
        (home / "outputs" / "runs" / row["run"] / "result.json").write_bytes(content)
    assert {row["status"] for row in board(run)} == {"pending"}
    assert RunRecord("a", "done").bundle_folder is None


@pytest.mark.parametrize("content", [b'{"run": "\xff"}', b'{"run": 5}', b""])
def test_damaged_files_are_as_good_as_not_there(
    home: Path, run: Run, swept: list[str], content: bytes
) -> None:
    result = next(home.glob("outputs/runs/*/result.json"))
    result.write_bytes(content)
    assert sorted(row["status"] for row in board(run)).count("pending") == 1
    plan = next(home.glob("outputs/sweeps/*/plan.json"))
    for damaged in (content, b'{"sweep": "s", "started": "", "candidates": []}'):
        plan.write_bytes(damaged)
        done = run("leaderboard")
        assert done.code == 2
        assert "cannot be read" in done.err
