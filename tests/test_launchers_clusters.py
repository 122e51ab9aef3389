"""What is particular to Ray's clusters, and to Slurm with its commands played by small scripts."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from fraudlab import threads
from fraudlab.launching.opening import at_once
from fraudlab.launching.sharing import slots_and_threads
from fraudlab.limits import LauncherSettings
from tests import fake_slurm
from tests.candidates import make_config
from tests.conftest import ROOT, Run
from tests.launched import by_model, train, wait_for_nobody
from tests.outside import write_misbehaving
from tests.sweeps import board, visible_bundles


@pytest.fixture
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start a Ray cluster as an administrator would; return its address."""
    pytest.importorskip("ray")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = Path(f"/tmp/fl-test-{os.getpid()}")
    command = ["start", "--head", "--block", f"--port={port}", f"--temp-dir={folder}"]
    sizes = ["--num-cpus=2", f"--object-store-memory={80 << 20}", "--include-dashboard=false"]
    process = subprocess.Popen(
        [sys.executable, "-m", "ray.scripts.scripts", *command, *sizes],
        env={**os.environ, "RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    end = time.monotonic() + 60
    while not list(folder.glob("session_*/sockets/raylet")) and time.monotonic() < end:
        time.sleep(0.1)
    yield f"127.0.0.1:{port}"
    process.terminate()
    process.wait(timeout=30)
    subprocess.run(["rm", "-rf", str(folder)], check=True)


@pytest.mark.slow
def test_a_cluster_that_is_there_is_joined_and_stays(
    home: Path, run: Run, small_table: list[str], cluster: str
) -> None:
    where = ("launcher=ray", f"launcher.address={cluster}")
    for model in ("tree", "logreg"):
        done = train(home, *small_table, f"model={model}", *where, RAY_AUTH_MODE="disabled")
        assert done.code == 0, done.err
    assert [row["status"] for row in board(run)] == ["done"]
    assert len(visible_bundles(home)) == 2


def test_where_no_cluster_answers_is_said_at_once(run: Run, small_table: list[str]) -> None:
    pytest.importorskip("ray")
    done = run("train", *small_table, "launcher=ray", "launcher.address=127.0.0.1:1")
    assert done.code == 2
    assert "no Ray cluster can be reached at '127.0.0.1:1'" in done.err


@pytest.mark.parametrize(
    ("machines", "wanted", "count", "expected"),
    [
        ([4, 4], None, 100, (8, 1)),
        ([4, 4], 2, 100, (2, 4)),
        ([4, 4], 1, 100, (1, 4)),  # a fit is on one machine
        ([4, 4], None, 2, (2, 4)),
        ([2, 64], 2, 9, (2, 2)),  # and may come to the smaller
        ([4], 9, 100, (9, 1)),
        ([0.5, 0], None, 100, (16, 1)),  # a head that runs nothing
        ([], 3, 2, (2, 1)),
    ],
)
def test_a_cluster_is_shared_out(
    machines: list[float],
    wanted: int | None,
    count: int,
    expected: tuple[int, int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("FRAUDLAB_THREADS")
    assert slots_and_threads(wanted, count, machines) == expected


def test_threads_that_were_asked_for_are_each_candidates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRAUDLAB_THREADS", "4")
    assert slots_and_threads(None, 100, [8, 8]) == (4, 4)
    assert slots_and_threads(3, 100, [8, 8]) == (3, 4)


@pytest.mark.parametrize(
    ("cluster", "wanted", "count", "expected"),
    [
        ("slurm", None, 100, 16),
        ("slurm", 40, 100, 40),
        ("slurm", None, 3, 3),
        ("local", None, 100, 4),
        ("local", 3, 100, 3),
    ],
)
def test_a_dry_run_knows_how_many_jobs_run_at_a_time(
    cluster: str, wanted: int | None, count: int, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("submitit")
    monkeypatch.setattr(threads, "processors", lambda: 4)
    settings = LauncherSettings("submitit", options={"cluster": cluster})
    config = msgspec.structs.replace(make_config(), launcher=settings, slots=wanted)
    assert at_once(config, count) == expected


@pytest.fixture
def slurm(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    pytest.importorskip("submitit")
    outside = write_misbehaving(tmp_path_factory.mktemp("outside"))
    variables = fake_slurm.install(tmp_path_factory.mktemp("slurm"))
    variables["PATH"] += f":{os.environ['PATH']}"
    return variables | {"PYTHONPATH": f"{outside}:{ROOT}"}


@pytest.mark.slow
def test_slurm_is_asked_for_what_a_candidate_may_use_and_believed_how_it_ended(
    home: Path, run: Run, small_table: list[str], slurm: dict[str, str]
) -> None:
    limits = ("launcher.timeout=10m", "launcher.memory=900MB", "slots=3")
    asked = "launcher.options={slurm_partition: cpu, cpus_per_task: 2}"
    models = "model=crashing,dying,tree"
    done = train(home, *small_table, models, "launcher=submitit", asked, *limits, **slurm)
    assert done.code == 1, done.err
    rows = by_model(run)
    statuses = {name: row["status"] for name, row in rows.items()}
    assert statuses == {"tree": "done", "crashing": "failed", "dying": "killed"}
    assert "its Slurm job" in rows["crashing"]["error"]
    assert "ended as OUT_OF_MEMORY" in rows["dying"]["error"]
    scripts = [path.read_text() for path in Path(slurm["SLURM_FAKE"]).glob("*/script")]
    assert len(scripts) == 3
    for script in scripts:
        for line in ("partition=cpu", "cpus-per-task=2", "time=15", "mem=1884MB"):
            assert f"#SBATCH --{line}\n" in script
    assert not list(home.glob("outputs/submitit/*"))


@pytest.mark.slow
def test_slurm_is_told_when_a_candidate_has_used_up_its_time(
    home: Path, run: Run, small_table: list[str], slurm: dict[str, str]
) -> None:
    limits = ("launcher=submitit", "launcher.timeout=3")
    done = train(home, *small_table, "model=sleepy", *limits, **slurm)
    assert done.code == 1, done.err
    assert by_model(run)["sleepy"]["status"] == "timeout"
    assert "launcher.timeout (3 s)" in by_model(run)["sleepy"]["error"]
    states = [path.read_text() for path in Path(slurm["SLURM_FAKE"]).glob("*/state")]
    assert states == ["CANCELLED by 0\n"]
    wait_for_nobody(home)


def test_what_slurm_refuses_is_the_users_to_correct(
    home: Path, small_table: list[str], slurm: dict[str, str]
) -> None:
    asked = ("launcher=submitit", "launcher.options={slurm_partition: nowhere}")
    done = train(home, *small_table, "model=tree", *asked, **slurm)
    assert done.code == 2, done.err
    assert "invalid partition specified: nowhere; correct launcher.options" in done.err
