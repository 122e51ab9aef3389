"""What the benches of sweeps share: commands run as processes, and figures told in lines.

Every command has a home of its own, and none of the caller's settings.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).resolve().parents[1]
SETTINGS = ("FRAUDLAB_", "MLFLOW_", "OMP_", "OPENBLAS_", "MKL_", "POLARS_MAX_THREADS")
LONGEST = 3600.0  # seconds after which a command counts as hung


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit code, what it wrote, and its wall seconds."""

    code: int
    out: str
    err: str
    seconds: float

    def or_exit(self) -> Ended:
        """Return this, or leave with what the command said: nothing can be measured then."""
        if self.code:
            sys.exit(f"a command that had to succeed ended with exit code {self.code}:\n{self.err}")
        return self


def environment(home: Path, **variables: str) -> dict[str, str]:
    """Return the environment of a command: the caller's without settings, and its home."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith(SETTINGS)}
    own = {"FRAUDLAB_HOME": str(home), "PYTHONPATH": str(ROOT), "MLFLOW_DISABLE_TELEMETRY": "true"}
    return {**kept, **own, **variables}


def start(
    home: Path,
    *words: str,
    out: IO[str] | None = None,
    err: IO[str] | None = None,
    **variables: str,
) -> subprocess.Popen[str]:
    """Start `python WORDS` in `home`; what it writes goes to files, or nowhere."""
    return subprocess.Popen(
        [sys.executable, *words],
        cwd=home,
        env=environment(home, **variables),
        stdout=out or subprocess.DEVNULL,
        stderr=err or subprocess.DEVNULL,
        text=True,
    )


def run(home: Path, *words: str, longest: float = LONGEST, **variables: str) -> Ended:
    """Run `python WORDS` in `home` to its end; one that hangs is killed, which its code shows.

    It writes to files: a process that it leaves behind would hold a pipe open.
    """
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        started = time.perf_counter()
        process = start(home, *words, out=out, err=err, **variables)
        try:
            process.wait(longest)
        except subprocess.TimeoutExpired:
            err.write(f"\nkilled after {longest:g} s")
        finally:
            process.kill()  # also when this bench is interrupted
            process.wait()
        seconds = time.perf_counter() - started
        out.seek(0)
        err.seek(0)
        return Ended(process.returncode, out.read(), err.read(), seconds)


def train(home: Path, *words: str, **options: Any) -> Ended:
    """Run `python -m fraudlab.train WORDS`."""
    return run(home, "-m", "fraudlab.train", *words, **options)


def board(home: Path, **variables: str) -> list[dict[str, Any]]:
    """Return the leaderboard of the latest sweep, none when there is no sweep."""
    ended = run(home, "-m", "fraudlab.leaderboard", "format=json", **variables)
    rows: list[dict[str, Any]] = json.loads(ended.out) if ended.code == 0 else []
    return rows


def tell(name: str, value: str, target: str = "", *, met: bool | None = None) -> None:
    """Print a figure with its target, and whether that is met; `met` is None without a target."""
    verdict = {None: "", True: "ok", False: "MISSED"}[met]
    print(f"{name:46}{value:>14}   {target:34}{verdict}".rstrip(), flush=True)


def tell_at_most(name: str, seconds: float, most: float, how: str = "") -> None:
    """Print wall seconds that have an upper bound; `how` is what the bound is made of."""
    made_of = f" ({how})" if how else ""
    tell(name, f"{seconds:.3f} s", f"<= {most:.1f} s{made_of}", met=seconds <= most)


def tell_none(name: str, found: list[str]) -> None:
    """Print how many there are of what must not be, and each."""
    tell(name, str(len(found)), "0", met=not found)
    for each in found:
        print(f"    {each}", flush=True)
