"""Whatever launches a candidate, its result is the same, and a bad end costs nobody else."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fraudlab.launching.on_ray import shares
from tests import fake_slurm
from tests.conftest import INTERRUPTED, ROOT, Done, Run, run_process
from tests.outside import write_misbehaving
from tests.sweeps import board, results, visible_bundles, wait_until

SLOW = ("model=rf", "model.params.n_estimators=1200,1201", "slots=2", "-m")
RAY = pytest.param(
    "ray",
    marks=pytest.mark.skipif(not importlib.util.find_spec("ray"), reason="ray is not installed"),
)
SUBMITIT = pytest.param(
    "submitit",
    marks=pytest.mark.skipif(
        not importlib.util.find_spec("submitit"), reason="submitit is not installed"
    ),
)


@pytest.fixture
def outside(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Install a package of models that behave badly; return the variables it is found by."""
    folder = write_misbehaving(tmp_path_factory.mktemp("outside"))
    return {"PYTHONPATH": f"{folder}:{ROOT}"}


@pytest.fixture
def other_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("other")


def train(home: Path, *arguments: str, **variables: str) -> Done:
    settings = {"FRAUDLAB_HOME": str(home)} | variables
    return run_process("fraudlab.train", *arguments, "-m", cwd=home, **settings)


def trained(home: Path) -> dict[str, Any]:
    """Return the model's digest and all metrics of every finished run."""
    found = {}
    for run, content in results(home).items():
        record = json.loads(content)
        if record["status"] == "done":
            model = (home / record["bundle"] / "model.onnx").read_bytes()
            measured = (record["metrics"], record["intervals"], record["folds"])
            found[run] = (hashlib.sha256(model).hexdigest(), *measured)
    return found


def by_model(run: Run) -> dict[str, dict[str, Any]]:
    return {row["choices"]["model"]: row for row in board(run)}


def alive(home: Path) -> list[str]:
    """Return the commands of the processes that work for this home."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            known = (entry / "environ").read_bytes().split(b"\0")
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if f"FRAUDLAB_HOME={home}".encode() in known and int(entry.name) != os.getpid():
            found.append(command)
    return found


def wait_for_nobody(home: Path) -> None:
    end = time.monotonic() + 30
    while alive(home) and time.monotonic() < end:
        time.sleep(0.1)
    assert alive(home) == []


@pytest.fixture
def background(home: Path) -> Iterator[Any]:
    """Return a function that starts a sweep as a shell would: in a group of its own."""
    started: list[subprocess.Popen[str]] = []

    def begin(*arguments: str) -> subprocess.Popen[str]:
        with (home / "out.txt").open("w") as out, (home / "err.txt").open("w") as err:
            process = subprocess.Popen(
                [sys.executable, "-m", "fraudlab.train", *arguments],
                cwd=home,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdout=out,
                stderr=err,
                text=True,
                start_new_session=True,
            )
        started.append(process)
        return process

    yield begin
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def begun(home: Path) -> int:
    return len([p for p in home.glob("outputs/runs/*/running") if p.stat().st_size])


def test_inline_trains_what_local_trains(
    home: Path, run: Run, small_table: list[str], other_home: Path
) -> None:
    command = (*small_table, "model=logreg,tree", "-m")
    assert run("train", *command, "launcher=inline").code == 0
    assert train(other_home, *command).code == 0
    assert trained(home) == trained(other_home)
    assert len(trained(home)) == 2


@pytest.mark.slow
@pytest.mark.parametrize("launcher", [RAY, SUBMITIT])
def test_results_are_those_of_local_and_a_bad_end_costs_nobody_else(
    launcher: str,
    home: Path,
    run: Run,
    small_table: list[str],
    other_home: Path,
    outside: dict[str, str],
) -> None:
    models = "model=crashing,logreg,sleepy,hungry,dying"
    limits = ("slots=2", "launcher.timeout=15", "launcher.memory=900MB")
    done = train(home, *small_table, models, f"launcher={launcher}", *limits, **outside)
    assert done.code == 1, done.err
    rows = by_model(run)
    statuses = {name: row["status"] for name, row in rows.items()}
    assert statuses == {
        "logreg": "done",
        "crashing": "failed",
        "dying": "killed",
        "hungry": "failed",
        "sleepy": "timeout",
    }
    assert "crash" in rows["crashing"]["error"]
    assert "about to die" in rows["dying"]["error"]
    assert rows["hungry"]["error"].startswith("MemoryError")
    assert "launcher.timeout (15 s); its last line: about to sleep" in rows["sleepy"]["error"]
    for name in ("crashing", "dying", "hungry", "sleepy"):
        assert "about to" in (home / rows[name]["log"]).read_text()
    lines = [line for line in done.err.splitlines() if line.strip()]
    assert all(line[:5].replace(":", "").isdigit() for line in lines), done.err  # ours alone
    assert "raylet" not in done.out
    assert not list(home.glob("outputs/submitit/*"))
    wait_for_nobody(home)
    assert train(other_home, *small_table, "model=logreg", **outside).code == 0
    assert trained(home) == trained(other_home)
    again = train(home, *small_table, "model=logreg", **outside)
    assert again.code == 0, again.err
    assert "1 of 1 finished before and not changed" in again.err


@pytest.mark.slow
@pytest.mark.parametrize("launcher", [RAY, SUBMITIT])
def test_an_interrupt_ends_all_of_it(
    launcher: str, home: Path, run: Run, small_table: list[str], background: Any
) -> None:
    process = background(*small_table, *SLOW, f"launcher={launcher}")
    wait_until(lambda: begun(home) == 2, process)
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(timeout=60) in INTERRUPTED
    wait_for_nobody(home)
    assert [row["status"] for row in board(run)] == ["killed", "killed"]
    err = (home / "err.txt").read_text()
    assert "goes on where this one stopped" in err
    assert "Traceback" not in err
    assert not results(home)
    assert not list(home.glob("outputs/submitit/*"))


@pytest.mark.slow
@pytest.mark.parametrize("launcher", [SUBMITIT])
def test_a_job_outlives_its_driver_and_the_next_sweep_waits_for_it(
    launcher: str, home: Path, run: Run, small_table: list[str], background: Any
) -> None:
    slow = ("model=rf", "model.params.n_estimators=500,501", "slots=2", "-m")
    process = background(*small_table, *slow, f"launcher={launcher}")
    wait_until(lambda: begun(home) == 2, process)
    process.kill()
    process.wait()
    assert [row["status"] for row in board(run)] == ["running", "running"]
    done = train(home, *small_table, *slow[:-1])
    assert done.code == 0, done.err
    assert "another sweep is training" in done.err
    assert [row["status"] for row in board(run)] == ["done", "done"]
    assert len(visible_bundles(home)) == 2  # no candidate was trained twice
    left = home / "outputs" / "submitit"
    for folder in left.iterdir():
        os.utime(folder, (0, 0))  # long ago
    wait_for_nobody(home)
    again = train(home, *small_table, "model=tree", f"launcher={launcher}")
    assert again.code == 0, again.err
    assert list(left.iterdir()) == []


# Ray


@pytest.fixture
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start a Ray cluster as an administrator would; return its address."""
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
@pytest.mark.parametrize("launcher", [RAY])
def test_a_cluster_that_is_there_is_joined_and_stays(
    launcher: str, home: Path, run: Run, small_table: list[str], cluster: str
) -> None:
    where = (f"launcher={launcher}", f"launcher.address={cluster}")
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
    assert shares(machines, wanted, count) == expected


def test_threads_that_were_asked_for_are_each_candidates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRAUDLAB_THREADS", "4")
    assert shares([8, 8], None, 100) == (4, 4)
    assert shares([8, 8], 3, 100) == (3, 4)


# What cannot start


@pytest.mark.parametrize(
    ("launcher", "library", "extra"),
    [("ray", "ray", "fraudlab[ray]"), ("submitit", "submitit", "fraudlab[slurm]")],
)
def test_a_library_that_is_missing_is_named_before_data_is_read(
    launcher: str,
    library: str,
    extra: str,
    run: Run,
    small_table: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("fraudlab.launching.available.find_spec", lambda name: None)
    done = run("train", *small_table, f"launcher={launcher}")
    assert done.code == 2
    assert f"launcher={launcher} needs {library}, which is not installed" in done.err
    assert f"pip install '{extra}'" in done.err
    assert "reading" not in done.err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("{slurm_partion: cpu}", "Unknown argument 'partion' for executor 'slurm'"),
        ("{cluster: moon}", "launcher.options.cluster must be slurm or local, got 'moon'"),
        ("{cluster: debug}", "launcher=inline"),
        ("{cpus_per_task: two}", "must be a whole number of at least 1, got 'two'"),
        ("{timeout_min: soon}", "launcher.options"),
    ],
)
def test_options_that_submitit_refuses_are_named_before_data_is_read(
    options: str, said: str, run: Run, small_table: list[str]
) -> None:
    pytest.importorskip("submitit")
    done = run("train", *small_table, "launcher=submitit", f"launcher.options={options}")
    assert done.code == 2
    assert said in done.err
    assert "reading" not in done.err
    assert len(done.err.strip().splitlines()) == 1


# Slurm's side of submitit, with its commands played by small scripts


@pytest.fixture
def slurm(tmp_path_factory: pytest.TempPathFactory, outside: dict[str, str]) -> dict[str, str]:
    pytest.importorskip("submitit")
    variables = fake_slurm.install(tmp_path_factory.mktemp("slurm"))
    variables["PATH"] += f":{os.environ['PATH']}"
    return variables | outside


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
