"""What every test stands on: a home of its own, and fraudlab's commands run in this process."""

from __future__ import annotations

import fcntl
import importlib
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from fraudlab.command import run_command

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared"
HANDBOOK = SHARED / "data" / "handbook_transactions.parquet"

needs_handbook = pytest.mark.skipif(
    not HANDBOOK.is_file(), reason=f"the published transactions are not at {HANDBOOK}"
)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the test a folder of its own to write to, and none of the caller's settings."""
    for name in [name for name in os.environ if name.startswith(("FRAUDLAB_", "MLFLOW_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("FRAUDLAB_HOME", str(tmp_path))
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    return tmp_path


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that all workers of this test run share."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base) / "shared"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def make_once(shared_folder: Path) -> Callable[[str, Callable[[Path], None]], Path]:
    """Return a function that fills a folder once for all workers: the others wait for the first."""

    def make(name: str, fill: Callable[[Path], None]) -> Path:
        folder, done = shared_folder / name, shared_folder / f"{name}.done"
        with (shared_folder / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not done.exists():
                folder.mkdir(exist_ok=True)
                fill(folder)
                done.touch()
        return folder

    return make


@pytest.fixture(scope="session")
def simulated_cache(make_once: Callable[[str, Callable[[Path], None]], Path]) -> Path:
    """Return a `.cache` that holds the full simulated stream: copy or link it into a home."""

    def fill(folder: Path) -> None:
        done = run_process(
            "fraudlab.prepare",
            "data=simulated",
            "features=identity",
            f"output={folder / 'simulated.parquet'}",
            cwd=folder,
            FRAUDLAB_HOME=str(folder),
        )
        assert done.code == 0, done.err

    return make_once("simulated", fill) / ".cache"


@dataclass(frozen=True)
class Done:
    """How a command ended: its exit code, and what it wrote."""

    code: int
    out: str
    err: str


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """Return a function that runs `python -m fraudlab.NAME ARGUMENTS` in this process."""

    def run_module(name: str, *arguments: str) -> Done:
        module = importlib.import_module(f"fraudlab.{name}")
        usage = getattr(module, "usage", None) or (lambda: module.USAGE)
        monkeypatch.setattr(sys, "argv", [name, *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            run_command(module.main, usage)
        written = capsys.readouterr()
        return Done(int(left.value.code or 0), written.out, written.err)

    return run_module


def run_process(*arguments: str, cwd: Path, **variables: str) -> Done:
    """Run `python -m ARGUMENTS` as a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), **variables},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)
