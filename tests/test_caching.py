"""The cache of the simulated stream costs time when it fails, never a result."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import pytest

from fraudlab import registry
from fraudlab.config import Choice
from tests.conftest import ROOT

SIZES = {"customers": 30, "terminals": 40, "days": 20, "radius": 20.0}


def read() -> pl.DataFrame:
    return registry.build("data", Choice("simulated", SIZES)).read().frame


@pytest.fixture
def expected(home: Path) -> pl.DataFrame:
    """Return the stream as it is when nothing was cached."""
    return read()


@pytest.fixture
def kept(home: Path, expected: pl.DataFrame) -> Path:
    """Return the one file the cache holds."""
    (path,) = (home / ".cache" / "fraudlab").iterdir()
    return path


def test_the_second_read_takes_the_kept_file(kept: Path, expected: pl.DataFrame) -> None:
    before = kept.stat()
    assert read().equals(expected)
    assert kept.stat() == before or kept.stat().st_ino == before.st_ino


def _emptied(content: bytes) -> bytes:
    return b""


def _cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def _one_bit(content: bytes) -> bytes:
    middle = len(content) // 3
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


def _nonsense(content: bytes) -> bytes:
    return b"PAR1 nonsense PAR1"


@pytest.mark.parametrize("damage", [_emptied, _cut, _one_bit, _nonsense])
def test_a_damaged_file_is_made_again(
    kept: Path, expected: pl.DataFrame, damage: Callable[[bytes], bytes]
) -> None:
    whole = kept.read_bytes()
    kept.write_bytes(damage(whole))
    assert read().equals(expected)
    assert kept.read_bytes() == whole


def test_every_bit_of_the_kept_file_is_watched(kept: Path, expected: pl.DataFrame) -> None:
    whole = kept.read_bytes()
    for place in range(0, len(whole), len(whole) // 20):
        kept.write_bytes(whole[:place] + bytes([whole[place] ^ 64]) + whole[place + 1 :])
        assert read().equals(expected)


def test_other_sizes_have_a_file_of_their_own(kept: Path) -> None:
    other = registry.build("data", Choice("simulated", SIZES | {"days": 21})).read().frame
    assert other.height > read().height
    assert len(list(kept.parent.iterdir())) == 2


def test_a_cache_that_is_no_folder_is_passed_over(home: Path) -> None:
    (home / ".cache").write_text("in the way")
    assert read().equals(read())
    assert (home / ".cache").read_text() == "in the way"


@contextmanager
def files_up_to(size: int) -> Iterator[None]:
    """Let no file grow beyond `size`, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_cache_is_passed_over_and_leaves_nothing(home: Path) -> None:
    with files_up_to(100):
        frame = read()
    assert list((home / ".cache" / "fraudlab").iterdir()) == []
    assert read().equals(frame)


def test_a_read_only_cache_is_passed_over(home: Path) -> None:
    cache = home / ".cache" / "fraudlab"
    cache.mkdir(parents=True)
    read_only = read_only_user(home)
    with read_only:
        frame = read()
    assert list(cache.iterdir()) == []
    assert read().equals(frame)


@contextmanager
def read_only_user(home: Path) -> Iterator[None]:
    """Act as a user who may read `home` and write nowhere."""
    user = os.geteuid()
    if user == 0:
        for folder in (home, *home.parents):
            if folder.stat().st_mode & 0o005 != 0o005:
                folder.chmod(0o755)
        read()  # what is imported late must be imported by root
        for path in (home / ".cache" / "fraudlab").iterdir():
            path.unlink()
        os.seteuid(65534)
    else:
        (home / ".cache" / "fraudlab").chmod(0o555)
    try:
        yield
    finally:
        os.seteuid(user)
        (home / ".cache" / "fraudlab").chmod(0o755)


def test_processes_at_once_agree_and_leave_one_file(home: Path, tmp_path: Path) -> None:
    code = (
        "from fraudlab import registry; from fraudlab.config import Choice;"
        f"print(registry.build('data', Choice('simulated', {SIZES!r})).read().report.fingerprint)"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONPATH": str(ROOT), "FRAUDLAB_HOME": str(home)},
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    outputs = {process.communicate(timeout=60)[0] for process in processes}
    assert len(outputs) == 1
    assert all(process.returncode == 0 for process in processes)
    assert len(list((home / ".cache" / "fraudlab").iterdir())) == 1
