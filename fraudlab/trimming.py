"""How large the cache may grow, and what leaves it first: what was not used for longest."""

from __future__ import annotations

import math
import os
import shutil
import time
import uuid
from contextlib import suppress
from pathlib import Path

from fraudlab.errors import ConfigError
from fraudlab.home import cache
from fraudlab.limits import SIZE_RULE, size
from fraudlab.locking import is_claimed

VARIABLE = "FRAUDLAB_CACHE_SIZE"
DEFAULT = "10GB"
ABANDONED = 3600  # seconds after which a temporary file belongs to nobody


def cache_limit() -> int:
    """Return FRAUDLAB_CACHE_SIZE in bytes, 10 GB where it is not set; 0 keeps nothing.

    Raises
    ------
    ConfigError
        If the variable is no size.
    """
    text = os.environ.get(VARIABLE, "").strip() or DEFAULT
    found = size(text)
    if found is None:
        raise ConfigError(f"{VARIABLE} {SIZE_RULE}, or 0 for no cache; got {text!r}")
    return found


def make_room(needed: int) -> None:
    """Remove what was used longest ago until `needed` more bytes fit.

    Whoever has mapped a removed entry keeps it until done: the files go when nobody holds them.
    """
    entries = sorted(_entries(), key=lambda entry: entry[0])
    total = needed + sum(bytes_ for _, bytes_, _ in entries)
    for _, bytes_, path in entries:
        if total <= cache_limit() or path.name.startswith("."):
            break
        remove(path)
        total -= bytes_


def _entries() -> list[tuple[float, int, Path]]:
    """Return when each entry was used last, its bytes and its path; drop what was abandoned."""
    found: list[tuple[float, int, Path]] = []
    if not cache().is_dir():
        return found
    for path in cache().iterdir():
        with suppress(OSError):
            used, bytes_ = _used(path), _bytes(path)
            if not path.name.startswith("."):
                found.append((used, bytes_, path))
            elif time.time() - used > ABANDONED and not is_claimed(path):
                remove(path)
            else:  # being written: it counts, and stays
                found.append((math.inf, bytes_, path))
    return found


def _used(path: Path) -> float:
    return max((each.stat().st_mtime for each in _files(path)), default=path.stat().st_mtime)


def _bytes(path: Path) -> int:
    return sum(each.stat().st_size for each in _files(path))


def _files(path: Path) -> list[Path]:
    return list(path.iterdir()) if path.is_dir() else [path]


def remove(path: Path) -> None:
    """Remove an entry so that a reader finds it whole or not at all."""
    with suppress(OSError):
        gone = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.gone")
        path.rename(gone)
        if gone.is_dir():
            shutil.rmtree(gone, ignore_errors=True)
        else:
            gone.unlink()
