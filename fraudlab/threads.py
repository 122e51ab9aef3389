"""How many threads a fit may use. Results must never depend on it."""

from __future__ import annotations

import os

from fraudlab.errors import ConfigError

VARIABLE = "FRAUDLAB_THREADS"


def budget() -> int:
    """Return FRAUDLAB_THREADS, or the number of processors where it is not set.

    Raises
    ------
    ConfigError
        If the variable is not a whole number of at least 1.
    """
    text = os.environ.get(VARIABLE, "").strip()
    if not text:
        return os.cpu_count() or 1
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise ConfigError(f"{VARIABLE} must be a whole number of at least 1, got {text!r}")
    return int(text)
