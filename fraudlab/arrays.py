"""Arrays that can be computed again, kept in files that processes map into memory and share.

An entry is a folder `.cache/fraudlab/<key>/` of .npy files and an `entry.json` with their digests.
It appears by one rename and is never changed, so that readers need no lock; a lock only keeps two
processes from computing the same thing at the same time. A cache that is damaged, full or cannot be
written costs time and never a result.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import uuid
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from fraudlab.config import canonical
from fraudlab.home import cache
from fraudlab.locking import claimed
from fraudlab.trimming import cache_limit, make_room, remove

ENTRY = "entry.json"
Array = NDArray[Any]
_DAMAGED = (ValueError, msgspec.MsgspecError, UnicodeDecodeError, KeyError)


@dataclass(frozen=True, slots=True)
class Kept:
    """Arrays by name, and what else is to be known of them as JSON values.

    Arrays that come from files are mapped, and loaded page by page when they are used.
    """

    arrays: Mapping[str, Array]
    meta: Any = field(default_factory=dict)


class _Entry(msgspec.Struct, frozen=True):
    meta: Any
    digests: dict[str, str]


def key_of_parts(kind: str, *parts: Any) -> str:
    """Return the name of the entry that `parts` (JSON values) determine."""
    return f"{kind}-{hashlib.sha256(canonical(*parts)).hexdigest()[:24]}"


def kept_arrays(
    key: str, make: Callable[[], Kept], *, verify: bool = True, writable: bool = False
) -> Kept:
    """Return the entry `key`, making and keeping it when there is none that is intact.

    Parameters
    ----------
    key
        Determines the content, code included.
    make
        Computes it; runs in one process at a time.
    verify
        Whether the digests are compared. Who opens a large entry that another process of the same
        sweep has just compared may do without.
    writable
        Whether the arrays can be written to: each process then sees its own changes only.
    """
    found = read_kept(key, verify=verify, writable=writable)
    if found is not None:
        return found
    if not cache_limit():
        return make()
    with ExitStack() as held:
        with suppress(OSError):  # a cache that nobody can write into needs no lock either
            held.enter_context(claimed(cache() / f".{key}.lock"))
        found = read_kept(key, verify=verify, writable=writable)
        return found or _written(key, make(), writable=writable)


def read_kept(key: str, *, verify: bool = True, writable: bool = False) -> Kept | None:
    """Return the entry `key` if it is there and intact."""
    folder = cache() / key
    try:
        entry = msgspec.json.decode((folder / ENTRY).read_bytes(), type=_Entry)
        arrays = {name: _mapped(folder, name, "c" if writable else "r") for name in entry.digests}
        intact = not verify or {name: _digest(of) for name, of in arrays.items()} == entry.digests
        if not intact:
            raise ValueError(key)
    except OSError:  # not there; or there, and this process may open or map no more
        return None
    except _DAMAGED:
        remove(folder)
        return None
    with suppress(OSError):
        os.utime(folder / ENTRY)  # what was used last is removed last
    return Kept(arrays, entry.meta)


def _mapped(folder: Path, name: str, mode: Literal["r", "c"]) -> Array:
    path = folder / f"{name}.npy"
    try:
        mapped: Array = np.load(path, mmap_mode=mode, allow_pickle=False)
    except ValueError:  # an empty array cannot be mapped
        mapped = np.load(path, allow_pickle=False)
    return mapped.view(np.ndarray)


def _written(key: str, kept: Kept, *, writable: bool) -> Kept:
    """Write an entry, and return it as the others will see it; itself if that cannot be."""
    size = sum(array.nbytes for array in kept.arrays.values())
    if size > cache_limit():
        return kept
    folder = cache() / key
    temporary = cache() / f".{key}.{uuid.uuid4().hex[:8]}.tmp"
    try:
        make_room(size)
        temporary.mkdir()
        for name, array in kept.arrays.items():
            np.save(temporary / f"{name}.npy", array, allow_pickle=False)
        digests = {name: _digest(np.asarray(of)) for name, of in kept.arrays.items()}
        content = msgspec.json.encode(_Entry(kept.meta, digests))
        (temporary / ENTRY).write_bytes(content)
        temporary.rename(folder)
    except OSError:
        return kept
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return read_kept(key, verify=False, writable=writable) or kept


def _digest(array: Array) -> str:
    digest = hashlib.blake2b(f"{array.dtype.str}{array.shape}".encode(), digest_size=16)
    digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return digest.hexdigest()
