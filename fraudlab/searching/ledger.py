"""What is known of a study without Optuna: where it is kept, who is at work on it, its trials."""

from __future__ import annotations

import os
import platform
import re
import time
from pathlib import Path
from typing import Any, Literal

import msgspec

from fraudlab.errors import UserError
from fraudlab.home import outputs
from fraudlab.provenance import masked

JOURNAL = ".journal"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_DATABASE = re.compile(r"(sqlite|postgresql)(\+\w+)?://.+")
BEAT = 30.0  # seconds between two signs of life
LOST = 600.0  # seconds without one after which a worker elsewhere counts as gone: clocks differ
State = Literal["waiting", "running", "complete", "pruned", "left"]


class Address(msgspec.Struct, frozen=True):
    """A journal file, or a database."""

    kind: Literal["journal", "database"]
    place: str

    def __str__(self) -> str:
        return str(masked(self.place))


def folder() -> Path:
    """Return where studies leave their files."""
    return outputs() / "studies"


def address_of(storage: str | None, study: str) -> Address:
    """Return where a study is kept: what the user said, or a journal of its own.

    Raises
    ------
    UserError
        If it is neither a database that is known nor a journal.
    """
    if storage is None:
        return Address("journal", str(folder() / f"{study}{JOURNAL}"))
    if storage.endswith(JOURNAL) and "://" not in storage:
        return Address("journal", str(Path(storage).absolute()))
    if _DATABASE.fullmatch(storage):
        return Address("database", storage)
    raise UserError(
        f"storage must be sqlite:///FILE, postgresql://..., or a FILE{JOURNAL}, got"
        f" {masked(storage)!r}"
    )


def check_name(study: str) -> None:
    """Refuse a name that could not be a file's.

    Raises
    ------
    UserError
        If it is not made of letters, digits, dots, dashes and underscores.
    """
    if not _NAME.fullmatch(study):
        raise UserError(
            f"study must be letters, digits, '.', '-' and '_', at most 100 of them, got {study!r}"
        )


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


class Trial(msgspec.Struct, frozen=True):
    """A trial as the study knows it; `left` ones ended without an answer.

    Attributes
    ----------
    stages
        The metric that is searched, by stage of validation.
    notes
        What was noted of it.
    """

    number: int
    state: State
    value: float | None
    stages: dict[int, float]
    notes: dict[str, Any]
