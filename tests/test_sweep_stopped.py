"""Stopped, doubled and starved sweeps: nothing is lost, nothing is half-written."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import INTERRUPTED, Run, Start, run_on_full_disk
from tests.sweeps import board, results, visible_bundles, wait_until

SLOW = ("model=rf", "model.params.n_estimators=2,1200", "-m")  # the first is done in an instant


def second_is_training(home: Path) -> Callable[[], bool]:
    def ready() -> bool:
        marks = {p.parent.name for p in home.glob("outputs/runs/*/running") if p.stat().st_size}
        return len(results(home)) == 1 and bool(marks - set(results(home)))

    return ready


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_stopped_sweep_keeps_what_is_done_and_goes_on_from_there(
    how: signal.Signals, home: Path, run: Run, start: Start, small_table: list[str]
) -> None:
    process = start(*small_table, *SLOW)
    wait_until(second_is_training(home), process)
    first = results(home)
    assert [row["status"] for row in board(run)] == ["done", "running"]
    process.send_signal(how)
    out, err = process.communicate(timeout=60)
    assert process.returncode in (INTERRUPTED if how == signal.SIGINT else {-signal.SIGKILL})
    assert [row["status"] for row in board(run)] == ["done", "killed"]
    assert len(visible_bundles(home)) == 1
    if how == signal.SIGINT:
        assert "killed" in out
        assert "goes on where this one stopped" in err
        assert "Traceback" not in err
    done = run("train", *small_table, *SLOW)
    assert done.code == 0, done.err
    assert {row["status"] for row in board(run)} == {"done"}
    assert sorted(row["reused"] for row in board(run)) == [False, True]
    assert first.items() <= results(home).items()


def test_two_sweeps_at_once_share_the_work(
    home: Path, run: Run, start: Start, small_table: list[str]
) -> None:
    command = (*small_table, "model=rf", "model.params.n_estimators=200,300", "-m")
    both = [start(*command), start(*command)]
    printed = []
    for process in both:
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
        lines = [line.strip().removeprefix("≈") for line in out.splitlines()]
        printed.append([line.split() for line in lines if line[:1].isdigit()])
    sweeps = [path.name for path in (home / "outputs" / "sweeps").iterdir()]
    assert len(sweeps) == 2
    boards = [board(run, f"sweep={sweep}") for sweep in sweeps]
    assert [row["run"] for row in boards[0]] == [row["run"] for row in boards[1]]
    assert {row["status"] for rows in boards for row in rows} == {"done"}
    for lines in printed:  # each has printed all of it: place, trees, average precision
        for place, (line, row) in enumerate(zip(lines, boards[0], strict=True), 1):
            trees = row["overrides"]["model.params.n_estimators"]
            found = row["metrics"]["validation"]["average_precision"]
            assert line[:3] == [str(place), str(trees), f"{found:.4f}"]
    assert len(visible_bundles(home)) == 2  # no candidate was trained twice
    for row in boards[0]:
        assert run("promote", f"run={row['run']}").code == 0


def test_a_full_disk_leaves_nothing_half_written(home: Path, small_table: list[str]) -> None:
    done = run_on_full_disk(4096, "fraudlab.train", *small_table, "model=logreg", cwd=home)
    assert done.code == 1, done.err
    assert "Traceback" not in done.err
    assert list((home / "bundles").glob("*")) == []
    assert list(home.rglob("*.tmp")) == []


def test_what_a_killed_process_left_half_written_is_cleared(
    home: Path, run: Run, small_table: list[str]
) -> None:
    command = ("train", *small_table, "model=logreg")
    assert run(*command).code == 0
    (row,) = board(run)
    left = [
        home / "bundles" / f".20200101T000000Z-logreg-{row['run'][:8]}.12ab34cd.tmp",
        home / "outputs" / "runs" / row["run"] / ".result.json.12ab34cd.tmp",
    ]
    other = home / "bundles" / ".20200101T000000Z-logreg-00000000.12ab34cd.tmp"
    for path in (left[0], other):
        path.mkdir()
        (path / "model.onnx").touch()
    left[1].touch()
    assert run(*command, "resume=never").code == 0
    assert [path.exists() for path in (*left, other)] == [False, False, True]
