"""The leaderboard says what cannot be told from the best, what is simpler, and what may not win."""

from __future__ import annotations

import csv
import io
import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest

from fraudlab.evidence import BOOTSTRAP, read_replicates, read_scores
from fraudlab.home import bundles
from fraudlab.manifest import Metrics
from fraudlab.ranking import best_of, leaderboard
from fraudlab.runs import read_result, read_sweep, run_folder, write_run
from tests.conftest import Run, run_process
from tests.sweeps import board

Make = Callable[[str, Callable[[Path], None]], Path]


@pytest.fixture
def swept(home: Path, run: Run, small_table: list[str], make_once: Make) -> list[dict]:
    """Return the rows of a finished sweep of four candidates, in a home of the test's own."""

    def fill(folder: Path) -> None:
        words = (*small_table, "model=logreg,tree", "sampler=identity,random_under", "-m")
        done = run_process("fraudlab.train", *words, cwd=folder, FRAUDLAB_HOME=str(folder))
        assert done.code == 0, done.err

    shutil.copytree(make_once("comparing", fill), home, symlinks=True, dirs_exist_ok=True)
    return board(run)


def replace_replicates(run_id: str, values: np.ndarray, drawn: str | None = None) -> None:
    """Replace a run's average precision under every draw."""
    path = run_folder(run_id) / BOOTSTRAP
    with np.load(path) as arrays:
        content = dict(arrays)
    content["average_precision"] = values
    if drawn is not None:
        content["drawn"] = np.array(drawn)
    np.savez(path, **content)


def best_draws(rows: list[dict]) -> np.ndarray:
    found = read_replicates(rows[0]["run"], "average_precision")
    assert found is not None
    return found[1]


def test_every_metric_but_few_has_an_interval_around_it(swept: list[dict]) -> None:
    for row in swept:
        for part in ("validation", "test"):
            known = row["intervals"][part]
            assert {"average_precision", "recall", "savings", "brier"} <= set(known)
            for name in ("average_precision", "roc_auc", "recall", "brier", "mean_score"):
                low, high = known[name]
                assert low <= row["metrics"][part][name] <= high, (part, name)


def test_the_best_is_compared_with_nobody_and_the_others_with_it(swept: list[dict]) -> None:
    first, *others = swept
    assert first["comparison"] is None
    best = first["metrics"]["validation"]["average_precision"]
    for row in others:
        found = row["comparison"]
        assert found["metric"] == "average_precision"
        own = row["metrics"]["validation"]["average_precision"]
        assert found["difference"] == pytest.approx(best - own)
        low, high = found["interval"]
        assert low <= high
        assert found["distinguishable"] is not (low <= 0 <= high)


def test_a_clear_difference_is_told_and_noise_is_not(run: Run, swept: list[dict]) -> None:
    draws = best_draws(swept)
    noise = np.random.default_rng(0).normal(0, 0.01, len(draws))
    replace_replicates(swept[1]["run"], draws - 0.002 + noise)
    replace_replicates(swept[2]["run"], draws - 0.2 + noise)
    replace_replicates(swept[3]["run"], draws, drawn="other rows")
    found = [row["comparison"]["distinguishable"] for row in board(run)[1:]]
    assert found == [False, True, None]
    out = run("leaderboard").out
    assert "≈2" in out
    assert "?4" in out
    assert "cannot be told from the best" in out
    assert "judged on other rows" in out


def test_overlapping_intervals_do_not_hide_a_paired_difference(run: Run, swept: list[dict]) -> None:
    draws = best_draws(swept)
    step = draws.std() / 2  # far less than the width of either interval
    replace_replicates(swept[1]["run"], draws - step)
    assert board(run)[1]["comparison"]["distinguishable"] is True


def test_the_simplest_within_one_standard_error_is_offered(run: Run, swept: list[dict]) -> None:
    draws = best_draws(swept)
    noise = np.random.default_rng(0).normal(0, 0.5, len(draws))
    for row in swept[1:]:
        replace_replicates(row["run"], draws + noise)  # standard error far above any difference
    small = swept[2]["run"]
    for row in swept:
        record = read_result(row["run"])
        assert record is not None
        size = 100 if row["run"] == small else 9_000
        write_run(msgspec.structs.replace(record, size=size))
    assert [row["run"] for row in board(run) if row["simplest"]] == [small]
    out = run("leaderboard").out
    assert "simplest within one standard error" in out
    assert small in out


def test_without_a_bootstrap_nothing_is_claimed(run: Run, small_table: list[str]) -> None:
    words = (*small_table, "model=logreg,tree", "bootstrap.resamples=0", "-m")
    assert run("train", *words).code == 0
    first, second = board(run)
    assert first["intervals"] == {"validation": {}, "test": {}}
    assert second["comparison"]["interval"] is None
    assert second["comparison"]["distinguishable"] is None
    assert first["simplest"] is True
    assert "95 %" not in run("leaderboard").out


def test_damaged_evidence_is_as_good_as_none(run: Run, swept: list[dict]) -> None:
    (run_folder(swept[1]["run"]) / BOOTSTRAP).write_bytes(b"PK not a zip")
    (run_folder(swept[2]["run"]) / BOOTSTRAP).unlink()
    rows = board(run)
    assert [row["comparison"]["distinguishable"] for row in rows[1:3]] == [None, None]
    assert read_scores(swept[0]["run"]) is not None
    assert read_scores("no such run") is None


def test_bytes_that_rot_are_as_good_as_none(run: Run, swept: list[dict]) -> None:
    path = run_folder(swept[1]["run"]) / BOOTSTRAP
    content = bytearray(path.read_bytes())
    for place in range(200, len(content), 997):
        content[place] ^= 0xFF
    path.write_bytes(content)
    assert board(run)[1]["comparison"]["distinguishable"] is None


def spoil(row: dict, **metrics: float) -> None:
    record = read_result(row["run"])
    assert record is not None
    changed = Metrics(record.metrics.validation | metrics, record.metrics.test)
    write_run(msgspec.structs.replace(record, metrics=changed))


def test_a_candidate_that_alerts_every_row_stands_last_whatever_its_numbers(
    run: Run, swept: list[dict]
) -> None:
    spoil(swept[0], alert_rate=1.0, average_precision=1.0, recall=1.0)
    rows = board(run)
    assert rows[-1]["run"] == swept[0]["run"]
    assert "alerts every row" in rows[-1]["unmet"][0]
    assert rows[-1]["comparison"] is None
    out = run("leaderboard").out
    assert "may not win" in out


def test_a_constraint_decides_who_may_win(home: Path, run: Run, small_table: list[str]) -> None:
    words = ("model=logreg,tree", 'selection.params.constraints=["precision>=2"]', "-m")
    done = run("train", *small_table, *words)
    assert done.code == 0, done.err
    assert best_of(leaderboard(read_sweep("latest"))) is None
    assert "no candidate may win" in done.out
    assert "not >= 2" in done.out
    assert not (bundles() / "champion").is_symlink()


def test_csv_carries_intervals_and_the_comparison(run: Run, swept: list[dict]) -> None:
    rows = list(csv.DictReader(io.StringIO(run("leaderboard", "format=csv").out)))
    for row, expected in zip(rows, swept, strict=True):
        low, high = expected["intervals"]["test"]["recall"]
        assert (float(row["test_recall_low"]), float(row["test_recall_high"])) == (low, high)
    assert rows[0]["difference"] == ""
    assert float(rows[1]["difference_low"]) == swept[1]["comparison"]["interval"][0]


def test_scores_that_are_no_probabilities_are_warned_of(run: Run, home: Path) -> None:
    draw = np.random.default_rng(0)
    label = (draw.random(4000) < 0.02).astype(int)
    rows = [f"{draw.normal() + 2 * y:.3f},{y}" for y in label]
    (home / "rare.csv").write_text("\n".join(["signal,fraud", *rows]))
    words = ("data=table", f"data.path={home / 'rare.csv'}", "data.label=fraud", "model=logreg")
    more = ("sampler=random_under", "calibration=identity,sigmoid,prior", "tracking=disabled", "-m")
    done = run("train", *words, *more)
    assert done.code == 0, done.err
    warned = {row["choices"]["calibration"]: " ".join(row["warnings"]) for row in board(run)}
    assert "scores are not probabilities" in warned["identity"]
    assert "not probabilities" not in warned["sigmoid"] + warned["prior"]
    assert "scores are not probabilities" in done.out


def test_the_manifest_carries_intervals_of_metrics_and_threshold(
    home: Path, run: Run, swept: list[dict]
) -> None:
    manifest = msgspec.json.decode((home / swept[0]["bundle"] / "manifest.json").read_bytes())
    assert manifest["intervals"] == swept[0]["intervals"]
    low, high = manifest["threshold"]["interval"]
    assert low <= manifest["threshold"]["value"] <= high
    assert "95 % intervals" in (home / swept[0]["bundle"] / "card.md").read_text()
