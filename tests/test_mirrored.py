"""A home is told from others by an id that it keeps."""

from __future__ import annotations

import shutil
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from fraudlab.mirrored import here

AT_ONCE = 8


def test_those_who_come_first_at_the_same_time_agree(home: Path) -> None:
    together = Barrier(AT_ONCE)

    def ask(_: int) -> str:
        together.wait()
        return here()

    with ThreadPoolExecutor(AT_ONCE) as pool:
        (found,) = set(pool.map(ask, range(AT_ONCE)))
    assert [path.name for path in (home / "outputs").iterdir()] == ["home.id"]
    assert here() == found


def test_it_is_the_folders_own(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = here()
    monkeypatch.setenv("FRAUDLAB_HOME", str(home / "another"))
    assert here() != found
    (home / "outputs").rename(home / "another" / "moved")
    shutil.rmtree(home / "another" / "outputs")
    (home / "another" / "moved").rename(home / "another" / "outputs")
    assert here() == found


def test_an_empty_file_gets_an_id(home: Path) -> None:
    (home / "outputs").mkdir()
    (home / "outputs" / "home.id").touch()
    found = here()
    assert found
    assert here() == found


def test_others_who_share_the_folder_can_read_it(home: Path) -> None:
    here()
    assert (home / "outputs" / "home.id").stat().st_mode & stat.S_IROTH
