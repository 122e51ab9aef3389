"""A trial: one proposal of a study, and what became of it."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

State = Literal["waiting", "running", "complete", "pruned", "left"]


class Trial(msgspec.Struct, frozen=True):
    """A trial as the study knows it; `left` ones ended without an answer.

    Attributes
    ----------
    stages
        The metric that is searched, by stage of validation.
    notes
        What was noted of it.
    """

    number: int
    state: State
    value: float | None
    stages: dict[int, float]
    notes: dict[str, Any]
