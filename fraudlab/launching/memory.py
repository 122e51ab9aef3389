"""How much memory a candidate may hold: its share of what is free, and the limit that keeps it."""

from __future__ import annotations

import resource
from contextlib import suppress
from pathlib import Path

from fraudlab.config import Config

SPARED = 0.1  # of the memory that is free: for the driver, and for files that are read
_GROUP = Path("/sys/fs/cgroup")


def memory_of(config: Config, slots: int) -> int | None:
    """Return how many bytes of its own a candidate may hold: what was said, or its share.

    Only where candidates run on this machine is there a share to speak of.
    """
    if config.launcher.bytes is not None or config.launcher.name != "local":
        return config.launcher.bytes
    return int(free_memory() * (1 - SPARED) / slots)


def free_memory() -> int:
    """Return the bytes that this machine, or the container it pretends to be, has to spare."""
    free = [_bytes(Path("/proc/meminfo"), "MemAvailable")]
    with suppress(OSError, ValueError):  # "max" is no number: there is no limit
        limit = int((_GROUP / "memory.max").read_text())
        used = int((_GROUP / "memory.current").read_text()) - _of_files()
        free.append(limit - used)
    return max(0, min(free))


def _of_files() -> int:
    """Return the bytes of files that a container holds in memory only while nobody wants it."""
    lines = (_GROUP / "memory.stat").read_text().splitlines()
    stat = dict(line.split() for line in lines)
    return int(stat.get("inactive_file", 0)) + int(stat.get("active_file", 0))


def limit_memory(memory: int | None) -> None:
    """Let this process hold `memory` more bytes of its own; None leaves it as it is.

    Beyond that the system refuses, which Python knows as MemoryError. Files that are mapped to be
    read do not count; those that may be written to, each process for itself, do.
    """
    if memory is not None:
        hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
        soft = _bytes(Path("/proc/self/status"), "VmData") + memory
        resource.setrlimit(resource.RLIMIT_DATA, (min(soft, hard) if hard >= 0 else soft, hard))


def _bytes(file: Path, name: str) -> int:
    """Return a figure of the system's, which it gives in kB; 0 where it gives none."""
    for line in file.read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    return 0
