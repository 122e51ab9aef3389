"""What the tests of launchers look at: commands apart, finished results, processes alive."""

from __future__ import annotations

import hashlib
import json
import os
import time
from pathlib import Path
from typing import Any

from tests.conftest import Done, Run, run_process
from tests.sweeps import board, results


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
