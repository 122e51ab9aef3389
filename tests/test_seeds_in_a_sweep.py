"""A sweep over seeds as its user sees it: trained, shown, promoted, reported."""

from __future__ import annotations

import csv
import html
import io
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

import fraudlab.board
from fraudlab.runs import RunRecord, read_result, write_run
from tests.conftest import Run, run_process
from tests.seeded import finish_all, planned, sweep_of, write_draws
from tests.sweeps import board

Make = Callable[[str, Callable[[Path], None]], Path]
WORDS = ("model=tree,logreg", "sampler=random_under", "seed=3,1,2", "-m")
ROWS_STAY = "split.params.random_state=0"  # so that seeds are compared on the same rows
MADE_UP = {"a": {1: 0.7, 2: 0.72, 3: 0.77}, "b": {1: 0.6, 2: 0.6, 3: 0.6}}


@pytest.fixture
def swept(home: Path, run: Run, small_table: list[str], make_once: Make) -> list[dict]:
    """Return the rows of a trained sweep over two models and three seeds."""

    def fill(folder: Path) -> None:
        words = (*small_table, ROWS_STAY, *WORDS)
        done = run_process("fraudlab.train", *words, cwd=folder, FRAUDLAB_HOME=str(folder))
        assert done.code == 0, done.err
        (folder / "out.txt").write_text(done.out)

    shutil.copytree(make_once("seeds", fill), home, symlinks=True, dirs_exist_ok=True)
    return board(run)


def lines_of(run: Run, *arguments: str) -> list[str]:
    done = run("leaderboard", *arguments)
    assert done.code == 0, done.err
    return done.out.splitlines()


def test_json_has_every_run_the_one_that_ships_first(swept: list[dict]) -> None:
    assert len(swept) == 6
    for group in (swept[:3], swept[3:]):
        assert len({row["choices"]["model"] for row in group}) == 1
        assert sorted(row["seed"] for row in group) == [1, 2, 3]
        seeds = group[0]["seeds"]
        assert all(row["seeds"] == seeds for row in group)
        assert (seeds["run"], seeds["count"], seeds["asked"]) == (group[0]["run"], 3, 3)
        values = [row["metrics"]["validation"]["average_precision"] for row in group]
        assert values[0] == sorted(values)[1]
        assert seeds["metrics"]["validation"]["average_precision"] == pytest.approx(sum(values) / 3)
        low, high = seeds["intervals"]["test"]["recall"]
        assert low <= seeds["metrics"]["test"]["recall"] <= high
    assert swept[0]["comparison"] is None
    assert {row["comparison"]["distinguishable"] for row in swept[3:]} <= {True, False}


def test_the_champion_is_the_run_that_stands_for_the_best(home: Path, swept: list[dict]) -> None:
    champion = (home / "bundles" / "champion").readlink().name
    assert champion == Path(swept[0]["bundle"]).name
    manifest = json.loads((home / "bundles" / champion / "manifest.json").read_bytes())
    assert manifest["provenance"]["seed"] == swept[0]["seed"]


def test_rows_that_the_seed_changes_are_not_compared(run: Run, small_table: list[str]) -> None:
    words = ("model=logreg,tree", "seed=1,2", "bootstrap.resamples=50", "-m")
    done = run("train", *small_table, *words)
    assert done.code == 0, done.err
    rows = board(run)
    assert [row["comparison"] and row["comparison"]["distinguishable"] for row in rows] == [
        None
    ] * 4
    assert "?2" in done.out


def test_the_table_has_one_line_for_each_candidate(home: Path, run: Run, swept: list[dict]) -> None:
    lines = lines_of(run)
    assert "\n".join(lines) == (home / "out.txt").read_text().rstrip()
    assert sum(bool(re.match(r" *[≈?-]?\d? +(tree|logreg) ", line)) for line in lines) == 2
    assert re.search(r"# +model +seeds +AP +± std +ROC AUC", lines[1])
    best = swept[0]["seeds"]
    mean, std = (best[of]["validation"]["average_precision"] for of in ("metrics", "std"))
    assert re.search(rf" 3 +{mean:.4f} +±{std:.4f} ", lines[3])
    assert f"{best['metrics']['test']['roc_auc']:.4f}" in lines[4]
    assert f"seed {swept[0]['seed']} of the best, AP" in "\n".join(lines)
    assert swept[0]["run"] in "\n".join(lines)


def test_seeds_are_shown_when_asked_for(run: Run, swept: list[dict]) -> None:
    lines = lines_of(run, "show=seeds")
    shown = [line for line in lines if re.match(r" *\*? +seed \d ", line)]
    assert len(shown) == 6
    seeds = sorted(swept[:3], key=lambda row: row["seed"])
    for line, row in zip(shown, seeds, strict=False):
        assert f"seed {row['seed']} " in line
        assert f"{row['metrics']['validation']['average_precision']:.4f}" in line
        assert ("*" in line) is (row["run"] == swept[0]["run"])
    assert sum("*" in line for line in shown) == 2
    assert any(line.startswith("* what ships") for line in lines)


def test_csv_has_every_run_with_its_candidates_means(run: Run, swept: list[dict]) -> None:
    rows = list(csv.DictReader(io.StringIO(run("leaderboard", "format=csv").out)))
    for row, expected in zip(rows, swept, strict=True):
        seeds = expected["seeds"]
        assert (row["run"], int(row["seed"])) == (expected["run"], expected["seed"])
        assert row["ships"] == str(expected["run"] == seeds["run"]).lower()
        assert int(row["seeds"]) == 3
        for part in ("validation", "test"):
            name = f"{part}_recall_over_seeds"
            assert float(row[f"{part}_recall"]) == expected["metrics"][part]["recall"]
            assert float(row[name]) == seeds["metrics"][part]["recall"]
            assert float(row[f"{name}_std"]) == seeds["std"][part]["recall"]
            assert float(row[f"{name}_low"]) == seeds["intervals"][part]["recall"][0]
            assert float(row[f"{name}_high"]) == seeds["intervals"][part]["recall"][1]


def test_the_report_speaks_of_candidates(home: Path, run: Run, swept: list[dict]) -> None:
    assert run("report").code == 0
    (page,) = home.glob("outputs/sweeps/*/report.html")
    text = html.unescape(re.sub(r"<[^>]+>", "", page.read_text())).replace("\u00a0", " ")
    best = swept[0]
    assert "2 candidates, ranked by average_precision" in text
    assert f"{best['choices']['model']} won of 2 candidates" in text
    assert "(mean of 3 seeds, with other seeds " in text
    assert f"Its run of seed {best['seed']} ships" in text
    assert "Numbers are means over the seeds" in text
    table = re.search(r'class="board".*?</table>', page.read_text(), re.DOTALL)
    assert table is not None
    assert table[0].count("<tr") == 3
    assert table[0].count("3 seeds (standard deviation") == 2


# --- made-up results ------------------------------------------------------------------------------


def test_a_failed_seed_is_counted_in_the_table_and_named_below(home: Path, run: Run) -> None:
    record = finish_all(MADE_UP)
    write_run(RunRecord("a3", "failed", error="it broke"))
    lines = lines_of(run)
    assert re.search(r"1 +a +2 of 3 +0.7100 ", lines[3])
    assert re.match(r"a +3 +failed +it broke", lines[-1])
    assert len(record.candidates) == len(board(run))
    assert re.search(r"\*  seed 1 +0.7000 ", "\n".join(lines_of(run, "show=seeds")))


def test_one_finished_seed_has_no_deviation(run: Run) -> None:
    finish_all({"a": {1: 0.7}})
    sweep_of([planned("a", 1), planned("a", 2)])
    assert re.search(r"1 +a +1 of 2 +0.7000 +0.9000 ", lines_of(run)[3])


def test_a_candidate_that_no_seed_changes_says_so(run: Run) -> None:
    finish_all(MADE_UP)
    assert any(re.search(r"b +3 +0.6000 +±0 ", line) for line in lines_of(run))


def test_a_seed_that_may_not_ship_is_marked(run: Run) -> None:
    rule = ("average_precision", {"constraints": ["precision>=0.4"]})
    finish_all(MADE_UP, selection=rule)
    record = read_result("a3")
    assert record is not None
    record.metrics.validation["precision"] = 0.3
    write_run(record)
    assert any(re.match(r" -  seed 3 ", line) for line in lines_of(run, "show=seeds"))
    assert not any("may not win" in line for line in lines_of(run))
    record.metrics.validation["precision"] = -1.0
    write_run(record)
    lines = lines_of(run, "show=seeds")
    assert any(line.startswith("may not win: a: precision") for line in lines)
    marked = [line.split()[0] for line in lines if re.match(r" *[-*] +seed", line)]
    assert marked == ["*"]  # of the candidate that may win; the other ships with no seed


def test_warnings_of_other_seeds_are_counted_or_listed(run: Run) -> None:
    finish_all(MADE_UP)
    for name, text in (("a2", "of the one that ships"), ("a1", "of another")):
        record = read_result(name)
        assert record is not None
        write_run(msgspec.structs.replace(record, warnings=(text,)))
    lines = lines_of(run)
    assert "warning: a: of the one that ships" in lines
    assert "warning: a: 1 more with other seeds (show=seeds)" in lines
    assert not any("of another" in line for line in lines)
    lines = lines_of(run, "show=seeds")
    assert lines[-2:] == [
        "warning: a · seed=1: of another",
        "warning: a · seed=2: of the one that ships",
    ]


def test_test_of_every_candidate_is_of_its_means(run: Run) -> None:
    finish_all(MADE_UP)
    found = [
        line.split() for line in lines_of(run, "show=test") if line.strip().startswith("on test")
    ]
    assert [line[2] for line in found] == ["0.6300", "0.5000"]


def test_near_candidates_are_told_what_makes_them_near(run: Run) -> None:
    finish_all(MADE_UP)
    for name in ("a1", "a2", "a3", "b1", "b2", "b3"):
        write_draws(name, [0.5, 0.6, 0.7] if name[0] == "a" else [0.6, 0.5, 0.75])
    text = "\n".join(lines_of(run))
    assert "≈2" in text
    assert "of the means: few seeds" in text


@pytest.mark.parametrize("width", [40, 80, 120])
@pytest.mark.parametrize("seeds", [[1], [1, 2]])
def test_no_number_is_cut_off_where_room_is_short(
    run: Run, monkeypatch: pytest.MonkeyPatch, width: int, seeds: list[int]
) -> None:
    monkeypatch.setattr(fraudlab.board, "WIDTH", width)
    finish_all({model: dict.fromkeys(seeds, 0.7) for model in ("short", "of_a_longer_name")})
    lines = lines_of(run)
    end = next(n for n, line in enumerate(lines) if line.startswith('"on test"'))
    assert all(len(line) <= width for line in lines[:end])
    assert "…" not in "\n".join(lines)
    assert any("0.7000" in line for line in lines)
    assert ("no room for" in "\n".join(lines)) is (width == 40)
