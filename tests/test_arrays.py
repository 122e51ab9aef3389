"""Arrays kept in files: the same to the last bit, or made again; bounded, and safe to share."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from fraudlab.arrays import Kept, kept_arrays, key_of_parts, read_kept
from fraudlab.errors import ConfigError
from tests.conftest import ROOT

NUMBERS = np.arange(12.0).reshape(3, 4)


def keep(key: str, size: int = 12) -> Kept:
    return kept_arrays(key, lambda: Kept({"x": np.arange(float(size))}, {"size": size}))


@settings(derandomize=True, deadline=None, max_examples=30)
@given(
    arrays_of.arrays(
        st.sampled_from([np.float32, np.float64, np.int8, np.int64, np.dtype("<U3")]),
        arrays_of.array_shapes(min_dims=1, max_dims=2, min_side=0),
    )
)
def test_what_is_kept_comes_back_bit_by_bit(array: np.ndarray) -> None:
    key = key_of_parts("any", array.tolist(), str(array.dtype), array.shape)
    made = kept_arrays(key, lambda: Kept({"a": array}, {"n": 1}))
    again = kept_arrays(key, lambda: pytest.fail("made twice"))
    for kept in (made, again):
        assert kept.meta == {"n": 1}
        assert kept.arrays["a"].dtype == array.dtype
        assert kept.arrays["a"].shape == array.shape
        assert kept.arrays["a"].tobytes() == array.tobytes()


def test_arrays_are_mapped_not_read(home: Path) -> None:
    keep("k")
    found = read_kept("k")
    assert found is not None
    assert isinstance(found.arrays["x"].base, np.memmap)
    assert not found.arrays["x"].flags.writeable


def test_who_writes_into_a_mapped_array_changes_it_for_nobody_else() -> None:
    keep("k")
    mine = read_kept("k", writable=True)
    assert mine is not None
    mine.arrays["x"][:] = -1
    other = read_kept("k", writable=True)
    assert other is not None
    assert other.arrays["x"][3] == 3


@pytest.mark.parametrize("file", ["x.npy", "entry.json"])
def test_a_damaged_entry_is_made_again(home: Path, file: str) -> None:
    keep("k")
    path = home / ".cache" / "fraudlab" / "k" / file
    content = bytearray(path.read_bytes())
    content[-10] ^= 1
    path.write_bytes(content)
    assert keep("k").arrays["x"].tolist() == list(range(12))
    assert read_kept("k") is not None


def test_a_cut_entry_is_made_again(home: Path) -> None:
    keep("k")
    path = home / ".cache" / "fraudlab" / "k" / "x.npy"
    path.write_bytes(path.read_bytes()[:-1])
    assert len(keep("k").arrays["x"]) == 12


def test_the_cache_stays_within_its_bound_and_drops_what_was_not_used_for_longest(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FRAUDLAB_CACHE_SIZE", "32kB")
    for place, key in enumerate("abc"):
        keep(key, 1200)  # 9,600 bytes each
        for path in (home / ".cache" / "fraudlab" / key).iterdir():
            os.utime(path, (place, place))
    assert read_kept("a") is not None  # used: now b is the oldest
    keep("d", 1200)
    keep("e", 1200)
    names = {path.name for path in (home / ".cache" / "fraudlab").iterdir()}
    assert names == {"a", "d", "e"}
    total = sum(
        path.stat().st_size for path in (home / ".cache" / "fraudlab").rglob("*") if path.is_file()
    )
    assert total <= 33_000


@pytest.mark.parametrize("size", ["0", "1kB"])
def test_what_does_not_fit_is_not_kept(
    home: Path, monkeypatch: pytest.MonkeyPatch, size: str
) -> None:
    monkeypatch.setenv("FRAUDLAB_CACHE_SIZE", size)
    assert len(keep("k", 1200).arrays["x"]) == 1200
    assert read_kept("k") is None
    assert not list((home / ".cache" / "fraudlab").glob("*"))


def test_a_size_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRAUDLAB_CACHE_SIZE", "much")
    with pytest.raises(ConfigError, match=r"FRAUDLAB_CACHE_SIZE.*'much'"):
        keep("k")


def test_a_full_disk_costs_time_only(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    assert len(keep("k").arrays["x"]) == 12
    assert not list((home / ".cache" / "fraudlab").iterdir())


def test_a_cache_that_cannot_be_there_costs_time_only(home: Path) -> None:
    (home / ".cache").write_text("not a folder")
    assert len(keep("k").arrays["x"]) == 12


def test_processes_at_once_make_it_once(home: Path) -> None:
    program = (
        "import numpy as np, os, time\n"
        "from fraudlab.arrays import Kept, kept_arrays\n"
        "def make():\n"
        "    open(os.environ['FRAUDLAB_HOME'] + f'/made-{os.getpid()}', 'w').close()\n"
        "    time.sleep(0.3)\n"
        "    return Kept({'x': np.arange(1000.0)})\n"
        "print(kept_arrays('k', make).arrays['x'].sum())\n"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    assert {process.communicate(timeout=60)[0] for process in processes} == {"499500.0\n"}
    assert len(list(home.glob("made-*"))) == 1
    assert [path.name for path in (home / ".cache" / "fraudlab").iterdir()] == ["k"]


def test_an_entry_that_cannot_be_mapped_just_now_is_not_taken_for_damaged(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep("k")

    def exhausted(*_: object, **__: object) -> None:
        raise OSError(errno.ENOMEM, "Cannot allocate memory")

    with monkeypatch.context() as patch:
        patch.setattr(np, "load", exhausted)
        assert read_kept("k") is None
    assert read_kept("k") is not None
