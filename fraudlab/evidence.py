"""What a run leaves so that it can be compared later: its scored rows and its bootstrap draws."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np

from fraudlab.bundle import write_atomic
from fraudlab.outcomes import Outcome
from fraudlab.preprocess import Floats
from fraudlab.protocols import Scores
from fraudlab.runs import run_folder

SCORES, BOOTSTRAP = "scores.npz", "bootstrap.npz"
PARTS = ("validation", "test")
_DRAWN = "drawn"
_UNREADABLE = (
    OSError,
    EOFError,
    ValueError,
    KeyError,
    zipfile.BadZipFile,
    zlib.error,
)  # not there, or damaged


def write_evidence(run: str, outcomes: Mapping[str, Outcome]) -> None:
    """Write the scored rows of both parts, and validation's metrics under every draw."""
    arrays = {
        f"{part}_{field.name}": values
        for part, outcome in outcomes.items()
        for field in fields(outcome.scores)
        if (values := getattr(outcome.scores, field.name)) is not None
    }
    write_atomic(run_folder(run) / SCORES, _encoded(arrays))
    replicates = outcomes["validation"].replicates
    if replicates is None:
        (run_folder(run) / BOOTSTRAP).unlink(missing_ok=True)
    else:
        drawn = {_DRAWN: np.array(replicates.drawn), **replicates.values}
        write_atomic(run_folder(run) / BOOTSTRAP, _encoded(drawn))


def _encoded(arrays: Mapping[str, Any]) -> bytes:
    stream = io.BytesIO()
    np.savez_compressed(stream, allow_pickle=False, **arrays)
    return stream.getvalue()


def read_scores(run: str) -> dict[str, Scores] | None:
    """Return the scored rows of a run by part; None when they are not there."""
    names = [field.name for field in fields(Scores)]
    try:
        with np.load(run_folder(run) / SCORES) as arrays:
            return {part: _scores(arrays, part, names) for part in PARTS}
    except (*_UNREADABLE, TypeError):
        return None


def _scores(arrays: Mapping[str, Any], part: str, names: list[str]) -> Scores:
    known = {name: f"{part}_{name}" for name in names if f"{part}_{name}" in arrays}
    missing: dict[str, Any] = {"day": None, "card": None}
    return Scores(**missing | {name: arrays[key] for name, key in known.items()})


def read_replicates(run: str, metric: str) -> tuple[str, Floats] | None:
    """Return what was drawn, and a validation metric under each draw; None when it is not there."""
    try:
        with np.load(run_folder(run) / BOOTSTRAP) as arrays:
            return str(arrays[_DRAWN]), arrays[metric]
    except _UNREADABLE:
        return None
