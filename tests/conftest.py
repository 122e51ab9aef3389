"""What every test stands on: a home of its own, and fraudlab's commands run in this process."""

from __future__ import annotations

import fcntl
import importlib
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from fraudlab.command import run_command

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared"
HANDBOOK = SHARED / "data" / "handbook_transactions.parquet"

os.environ.setdefault("OMP_NUM_THREADS", "1")

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
    monkeypatch.setenv("FRAUDLAB_THREADS", "1")  # the tests themselves run side by side
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


@pytest.fixture(scope="session")
def published_cache(make_once: Callable[[str, Callable[[Path], None]], Path]) -> Path:
    """Return a `.cache` that holds the full stream in the order of the published files."""

    def fill(folder: Path) -> None:
        done = run_process(
            "fraudlab.prepare",
            "data=simulated_published",
            "features=identity",
            f"output={folder / 'published.parquet'}",
            cwd=folder,
            FRAUDLAB_HOME=str(folder),
        )
        assert done.code == 0, done.err

    return make_once("published", fill) / ".cache"


@dataclass(frozen=True)
class Done:
    """How a command ended: its exit code, and what it wrote."""

    code: int
    out: str
    err: str


Run = Callable[..., Done]
Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
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


# 130, or what a shell shows as 130: Python ends itself by the signal when an extension that was
# just starting met the interrupt first.
INTERRUPTED = {130, -signal.SIGINT}


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


def run_on_full_disk(size: int, *arguments: str, cwd: Path) -> Done:
    """Run `python -m ARGUMENTS` where no file may grow beyond `size` bytes, coverage's neither."""
    limited = (
        f"import resource, runpy, sys; resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size}));"
        "sys.argv = sys.argv[1:]; runpy.run_module(sys.argv[0], run_name='__main__')"
    )
    kept = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
    done = subprocess.run(
        [sys.executable, "-c", limited, *arguments],
        cwd=cwd,
        env={**kept, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def start(home: Path) -> Iterator[Start]:
    """Return a function that starts a command, train unless named; what still runs is killed."""
    started: list[subprocess.Popen[str]] = []

    def begin(*arguments: str, command: str = "train") -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", f"fraudlab.{command}", *arguments],
            cwd=home,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def scripts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the scripts be imported, each test its own."""
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    for path in (ROOT / "scripts").glob("*.py"):
        monkeypatch.delitem(sys.modules, path.stem, raising=False)


@pytest.fixture
def small_table(home: Path) -> list[str]:
    """Write a table of 600 rows that a model can learn; return the overrides that train on it."""
    draw = random.Random(0)
    lines = ["amount,hour,kind,is_fraud"]
    for _ in range(600):
        fraud = draw.random() < 0.2
        amount = draw.gauss(80 if fraud else 50, 20)
        kind = draw.choice("ab" if fraud else "abc")
        lines.append(f"{abs(amount):.2f},{draw.randrange(24)},{kind},{int(fraud)}")
    path = home / "table.csv"
    path.write_text("\n".join(lines) + "\n")
    columns = ("data.label=is_fraud", "data.amount=amount")
    return ["data=table", f"data.path={path}", *columns, "tracking=disabled"]


@pytest.fixture
def tracked(small_table: list[str]) -> list[str]:
    """Return the overrides of `small_table` with tracking left on."""
    return [override for override in small_table if not override.startswith("tracking")]


@pytest.fixture
def database(home: Path, make_once: Callable[[str, Callable[[Path], None]], Path]) -> Path:
    """Return the home's mlflow.db with its tables made: MLflow takes seconds for them."""

    def fill(folder: Path) -> None:
        program = "import sys, mlflow; mlflow.MlflowClient(sys.argv[1]).search_experiments()"
        address = f"sqlite:///{folder / 'mlflow.db'}"
        subprocess.run([sys.executable, "-c", program, address], check=True, capture_output=True)

    path = home / "mlflow.db"
    path.write_bytes((make_once("mlflow", fill) / "mlflow.db").read_bytes())
    return path
