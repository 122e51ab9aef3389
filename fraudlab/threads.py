"""How many threads a fit may use. Results must never depend on it."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager

from fraudlab.errors import ConfigError

VARIABLE = "FRAUDLAB_THREADS"


def budget() -> int:
    """Return FRAUDLAB_THREADS, or the processors this process may use where it is not set.

    Raises
    ------
    ConfigError
        If the variable is not a whole number of at least 1.
    """
    text = os.environ.get(VARIABLE, "").strip()
    if not text:
        return processors()
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise ConfigError(f"{VARIABLE} must be a whole number of at least 1, got {text!r}")
    return int(text)


def processors() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0))


def limit_threads(threads: int) -> None:
    """Keep OpenMP and the linear algebra of this process, from now on, to so many threads."""
    from threadpoolctl import threadpool_limits

    threadpool_limits(threads)


def one_blas_thread() -> AbstractContextManager[object]:
    """Return a context in which the linear algebra behind numpy and scipy uses one thread.

    With more, the order in which it adds up depends on their number, and the last bits with it. It
    reads variables of its own, which FRAUDLAB_THREADS does not set.
    """
    from threadpoolctl import threadpool_limits

    limits: AbstractContextManager[object] = threadpool_limits(1, user_api="blas")
    return limits
