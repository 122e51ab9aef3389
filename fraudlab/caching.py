"""Frames that can be computed again, kept in files that are trusted only when intact."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from fraudlab.trimming import cache_limit, make_room

if TYPE_CHECKING:
    import polars as pl


def cached_frame(folder: Path, key: str, make: Callable[[], pl.DataFrame]) -> pl.DataFrame:
    """Return the frame kept under `key` in `folder`, making (and keeping) it when needed.

    A cache that is damaged, or cannot be read or written, costs time and never a result: the file's
    name holds the digest of its bytes, and any failure to keep it is passed over.
    """
    with suppress(OSError):
        for path in sorted(folder.glob(f"{key}-*.parquet")):
            frame = _read_intact(path)
            if frame is not None:
                return frame
    frame = make()
    with suppress(OSError):
        _keep(frame, folder, key)
    return frame


def _read_intact(path: Path) -> pl.DataFrame | None:
    import polars as pl

    with suppress(OSError):
        content = path.read_bytes()
        if path.stem.endswith(_digest(content)):
            os.utime(path)  # what was used last is removed last
            return pl.read_parquet(io.BytesIO(content))
        path.unlink()
    return None


def _keep(frame: pl.DataFrame, folder: Path, key: str) -> None:
    from fraudlab.bundle import write_atomic

    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    content = buffer.getvalue()
    if len(content) > cache_limit():
        return
    make_room(len(content))
    write_atomic(folder / f"{key}-{_digest(content)}.parquet", content)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]
