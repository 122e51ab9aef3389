"""Where fraudlab writes: the current folder, or FRAUDLAB_HOME."""

from __future__ import annotations

import os
from pathlib import Path


def home() -> Path:
    """Return the folder that outputs, bundles, the MLflow database and the cache live in."""
    return Path(os.environ.get("FRAUDLAB_HOME") or ".").absolute()


def outputs() -> Path:
    """Return the folder of runs and sweeps."""
    return home() / "outputs"


def bundles() -> Path:
    """Return the folder of bundles."""
    return home() / "bundles"


def cache() -> Path:
    """Return the folder of what can be computed again: ours alone, wherever home is."""
    return home() / ".cache" / "fraudlab"
