"""Figures of several workers: each keeps a file of its own, a scrape adds all of them up.

A worker replaces its file whenever its figures changed and touches it otherwise, twenty times a
second; a scrape waits until every living worker's file is younger than the scrape, so sums are
exact. The file of a worker that died stays, so counters never go back. The first process makes the
folder new and empty.
"""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import msgspec

from serve.figures import Tally

_SUFFIX = ".figures"
_PATIENCE = 1.0
_POLL = 0.005


class WorkerFiles:
    """The file of this worker among its siblings' in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._mine = folder / f"{os.getpid()}{_SUFFIX}"

    def publish(self, tally: Tally) -> None:
        """Let the others see `tally`, all of it or the one before."""
        temporary = self._mine.with_suffix(".new")
        temporary.write_bytes(msgspec.msgpack.encode(tally))
        temporary.replace(self._mine)

    def touch(self) -> None:
        """Say that what was published last still holds."""
        os.utime(self._mine)

    async def read_others(self) -> list[Tally]:
        """Return the other workers' tallies, none older than this call unless a worker is stuck."""
        now, end = time.time_ns(), time.monotonic() + _PATIENCE
        while any(self._is_late(path, now) for path in self._others()):
            if time.monotonic() > end:
                break
            await asyncio.sleep(_POLL)
        return [_read(path) for path in self._others()]

    def _others(self) -> list[Path]:
        return [path for path in self._folder.glob(f"*{_SUFFIX}") if path != self._mine]

    def _is_late(self, path: Path, now: int) -> bool:
        return path.stat().st_mtime_ns < now and _is_alive(path)


def _is_alive(path: Path) -> bool:
    try:
        os.kill(int(path.stem), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _read(path: Path) -> Tally:
    tally = msgspec.msgpack.decode(path.read_bytes(), type=Tally)
    if not _is_alive(path):
        tally.in_flight = 0
    return tally
