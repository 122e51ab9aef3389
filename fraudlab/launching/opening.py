"""The launcher that a configuration asks for, with its share of this machine."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from fraudlab.config import Config
from fraudlab.launching import sharing
from fraudlab.launching.jobs import Launcher
from fraudlab.tables import Tables

SPARED = 0.1  # of the memory that is free: for the driver, and for files that are read
MANY = sharing.MANY
_GROUP = Path("/sys/fs/cgroup")


def open_launcher(config: Config, count: int, tables: Tables) -> Launcher:
    """Return the launcher for `count` candidates; who opens it closes it.

    Raises
    ------
    ConfigError
        If the cluster it names cannot be reached.
    """
    name = config.launcher.name
    if name == "inline":
        from fraudlab.launching.inline import Inline

        return Inline(tables)
    if name == "ray":
        from fraudlab.launching.on_ray import OnRay

        return OnRay(config.launcher, config.slots, count)
    if name == "submitit":
        from fraudlab.launching.on_submitit import OnSubmitit

        return OnSubmitit(config.launcher, config.slots, count)
    from fraudlab.launching.local import Local

    slots, threads = sharing.slots_and_threads(config.slots, count)
    return Local(slots, threads)


def at_once(config: Config, count: int) -> int:
    """Return how many of `count` candidates the launcher would train at a time, without opening it.

    A cluster of Ray is taken for this machine: only a connection to it would tell its size.
    """
    if config.launcher.name == "inline":
        return 1
    if config.launcher.name == "submitit":
        from fraudlab.launching.submitting import share_of

        return share_of(config.launcher, config.slots, count)[0]
    return sharing.slots_and_threads(config.slots, count)[0]


def memory_of(config: Config, slots: int) -> int | None:
    """Return how many bytes of its own a candidate may hold: what was said, or its share.

    Only where candidates run on this machine is there a share to speak of.
    """
    if config.launcher.bytes is not None or config.launcher.name != "local":
        return config.launcher.bytes
    return int(free_memory() * (1 - SPARED) / slots)


def free_memory() -> int:
    """Return the bytes that this machine, or the container it pretends to be, has to spare."""
    free = [_free_of_machine()]
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


def _free_of_machine() -> int:
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return 0
