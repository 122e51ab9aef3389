"""Marks that say who is at work: files locked by a live process, left behind by a killed one."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path


@contextlib.contextmanager
def claimed(mark: Path, waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Hold `mark` while the block runs, after waiting for any other live process that holds it.

    A process that dies lets go of the lock, but its mark stays: that is how it is known as killed.
    """
    mark.parent.mkdir(parents=True, exist_ok=True)
    handle = _locked(mark, waiting)
    try:
        yield
        mark.unlink(missing_ok=True)
    finally:
        os.close(handle)


@contextlib.contextmanager
def claimed_now(mark: Path) -> Iterator[bool]:
    """Hold `mark` while the block runs if nobody holds it; yield whether it is held."""
    mark.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(mark, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        ours = _try_lock(handle, fcntl.LOCK_EX) and _is_same_file(handle, mark)
        yield ours
        if ours:
            mark.unlink(missing_ok=True)
    finally:
        os.close(handle)


def _locked(mark: Path, waiting: Callable[[], None]) -> int:
    while True:
        handle = os.open(mark, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            if not _try_lock(handle, fcntl.LOCK_EX):
                waiting()
                fcntl.flock(handle, fcntl.LOCK_EX)
            if _is_same_file(handle, mark):  # its last holder removed it while we were waiting
                return handle
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)


def _try_lock(handle: int, kind: int) -> bool:
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_same_file(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False


def begin(mark: Path) -> None:
    """Say that the holder of `mark` has found something to do; until then it only looks."""
    mark.write_text(str(os.getpid()))


def has_begun(mark: Path) -> bool:
    """Whether a holder of `mark`, alive or killed, had found something to do."""
    try:
        return mark.stat().st_size > 0
    except FileNotFoundError:
        return False


def is_claimed(mark: Path) -> bool:
    """Whether a live process holds `mark`."""
    try:
        handle = os.open(mark, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        return not _try_lock(handle, fcntl.LOCK_SH)  # shared: askers do not hold up each other
    finally:
        os.close(handle)
