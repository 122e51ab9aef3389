"""How the processors of one or more machines are shared out among candidates."""

from __future__ import annotations

import os
from collections.abc import Sequence

from fraudlab import threads

MANY = 16  # jobs at a time that a cluster is given, where nobody says


def slots_and_threads(
    wanted: int | None, count: int, machines: Sequence[float] | None = None
) -> tuple[int, int]:
    """Return how many candidates run at a time, and how many threads each may use.

    Parameters
    ----------
    wanted
        How many at a time were asked for; None for as many as there are processors for.
    count
        How many there are to run.
    machines
        The processors of each machine; None for this one. Where none has any, machines come when
        they are asked for, and are given MANY.
    """
    own = threads.budget() if os.environ.get(threads.VARIABLE, "").strip() else None
    sizes = [threads.processors()] if machines is None else machines
    able = [int(size) for size in sizes if size >= 1]
    most = max(1, sum(able) // (own or 1)) if able else MANY
    slots = min(wanted or most, max(count, 1))
    # a fit is on one machine, and may come to the smallest
    return slots, own or max(1, min([sum(able) // slots, *able]))
