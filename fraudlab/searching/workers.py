"""Who is at work on a study, and whether they still are."""

from __future__ import annotations

import os
import platform
import time
from pathlib import Path

import msgspec

BEAT = 30.0  # seconds between two signs of life
LOST = 600.0  # seconds without one after which a worker elsewhere counts as gone: clocks differ


class Worker(msgspec.Struct, frozen=True):
    """A command at work on a study.

    Attributes
    ----------
    host, pid, since
        The process; the ticks it was started at tell it from a later one of the same number.
    seen
        When it gave its last sign of life, in seconds since the epoch.
    """

    host: str
    pid: int
    since: int
    seen: float

    @property
    def name(self) -> str:
        """What tells it from all others."""
        return f"{self.host}-{self.pid}-{self.since}"

    def is_alive(self) -> bool:
        """Whether its process is there; of another machine's, whether it was heard of lately."""
        if self.host != platform.node():
            return time.time() - self.seen < LOST
        return _since(self.pid) == self.since


def myself() -> Worker:
    """Return this process."""
    return Worker(platform.node(), os.getpid(), _since(os.getpid()) or 0, time.time())


def _since(pid: int) -> int | None:
    """Return the tick at which a process was started (proc(5)), or None if there is none."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    state, *fields = text.rpartition(")")[2].split()
    return None if state in {"Z", "X"} else int(fields[18])
