"""What the tests of launchers look at: commands apart, finished results, processes alive."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from fraudlab.launching.jobs import Ended, Job, Launcher
from fraudlab.locking import begin, claimed
from fraudlab.runs import Planned, run_folder, running_mark
from tests.candidates import make_config
from tests.conftest import Done, Run, run_process
from tests.sweeps import board, results

RUN, OTHER = "a" * 16, "b" * 16
NO_TIME = 1e-9  # seconds, that have passed at the second look


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


def begun(home: Path) -> int:
    return len([p for p in home.glob("outputs/runs/*/running") if p.stat().st_size])


def make_job(home: Path, run: str = RUN, seconds: float | None = None) -> Job:
    planned = Planned(run, make_config(), {}, {}, "fingerprint")
    job = Job(planned, "sweep", None, str(home), str(home), 1, "code", (None, None))
    return msgspec.structs.replace(job, seconds=seconds)


def mark_of(run: str = RUN) -> Path:
    run_folder(run).mkdir(parents=True, exist_ok=True)
    return running_mark(run_folder(run))


@contextmanager
def at_work() -> Iterator[None]:
    """Be a worker that has begun with RUN."""
    with claimed(mark_of()):
        begin(mark_of())
        yield


def ends(launcher: Launcher) -> list[Ended]:
    """Return what ends in two looks and a third, with some time between them."""
    found = launcher.ended(0)
    for _ in range(2):
        time.sleep(0.001)
        found += launcher.ended(0)
    return found
