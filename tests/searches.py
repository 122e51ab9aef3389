"""What the tests of searches share: spaces written to a folder, and studies read back."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import optuna

QUICK = ("bootstrap.resamples=0", "launcher=inline")
TREE = """\
fixed: {model: tree}
space:
  model.params.max_depth: {low: 1, high: 8}
  model.params.min_samples_leaf: {low: 1, high: 60, log: true}
sampling: {n_startup_trials: 4}
"""


def write_space(home: Path, text: str, name: str = "own") -> list[str]:
    """Write a search; return the words that choose it."""
    folder = home / "conf" / "hparams_search"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.yaml").write_text(text)
    return ["--config-dir", str(home / "conf"), f"hparams_search={name}"]


def journals(home: Path) -> list[Path]:
    return sorted((home / "outputs" / "studies").glob("*.journal"))


def study_of(home: Path) -> optuna.Study:
    """Return the only study of a home."""
    (path,) = journals(home)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        backend = optuna.storages.journal.JournalFileBackend(str(path))
        storage = optuna.storages.JournalStorage(backend)
        return optuna.load_study(study_name=path.stem, storage=storage)


def proposals(home: Path) -> list[list[str]]:
    return notes(home, "words")


def states(home: Path) -> list[str]:
    return [trial.state.name for trial in study_of(home).trials]


def values(home: Path) -> list[float | None]:
    return [trial.value for trial in study_of(home).trials]


def notes(home: Path, name: str) -> list[Any]:
    return [trial.user_attrs.get("fraudlab", {}).get(name) for trial in study_of(home).trials]
