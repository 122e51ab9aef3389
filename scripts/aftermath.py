"""What a killed or misbehaving sweep may have left behind in a home, and must not have."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

NATURALLY_OTHER = ("seconds", "bundle", "reused", "mlflow_run_id", "log")
GRACE = 5.0  # seconds in which the processes of an ended command must be gone
TAGGED_TWICE = """
    SELECT t.value, count(*) FROM tags t JOIN runs r USING (run_uuid)
    WHERE t.key = 'fraudlab.run' AND r.lifecycle_stage = 'active'
    GROUP BY t.value HAVING count(*) > 1
"""


def comparable(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return a leaderboard without what differs between two runs of the same candidates."""
    return [{key: row[key] for key in row if key not in NATURALLY_OTHER} for row in rows]


def differences(
    rows: Sequence[Mapping[str, Any]], others: Sequence[Mapping[str, Any]]
) -> list[str]:
    """Return in what two leaderboards differ that should be the same, in words."""
    if [row["run"] for row in rows] != [row["run"] for row in others]:
        return [f"{len(rows)} rows in one order, {len(others)} in another, or other candidates"]
    return [
        f"{row['run']} {key}: {row[key]!r} and {other.get(key)!r}"
        for row, other in zip(comparable(rows), comparable(others), strict=True)
        for key in row
        if row[key] != other.get(key)
    ]


def mlflow_faults(home: Path) -> list[str]:
    """Return the MLflow runs that are still RUNNING, and the candidates that have two."""
    path = home / "mlflow.db"
    if not path.is_file():
        return ["there is no mlflow.db"]
    with contextlib.closing(sqlite3.connect(path)) as connection:
        running = connection.execute(
            "SELECT name FROM runs WHERE status = 'RUNNING' AND lifecycle_stage = 'active'"
        ).fetchall()
        twice = connection.execute(TAGGED_TWICE).fetchall()
    left = [f"run {name!r} is RUNNING" for (name,) in running]
    return left + [f"candidate {run} has {count} runs" for run, count in twice]


def processes(home: Path) -> Iterator[int]:
    """Yield the processes whose environment has this home."""
    ours = f"FRAUDLAB_HOME={home}".encode()
    for path in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):  # it has ended, or is somebody else's
            if ours in path.read_bytes().split(b"\0"):
                yield int(path.parent.name)


def left_processes(home: Path, grace: float = GRACE) -> list[str]:
    """Return the processes of `home` that have not ended after some seconds."""
    end = time.monotonic() + grace
    while (found := list(processes(home))) and time.monotonic() < end:
        time.sleep(0.05)
    return [f"process {number}" for number in found]


def left_files(home: Path) -> list[str]:
    """Return temporary files and folders, hidden ones too."""
    found = (path for pattern in ("*.tmp", "*.new") for path in home.rglob(pattern))
    return sorted(str(path.relative_to(home)) for path in found)


def orphans(home: Path, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the bundles that no row of the leaderboard has."""
    known = {Path(row["bundle"]).name for row in rows if row["bundle"]}
    folders = (path for path in (home / "bundles").glob("[!.]*") if path.is_dir())
    return sorted(p.name for p in folders if not p.is_symlink() and p.name not in known)
