"""What candidates are called among their like: by what tells them apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from fraudlab.config import canonical


class Named(Protocol):
    """Whatever carries a candidate's options and overrides: a row, or a planned candidate."""

    @property
    def options(self) -> dict[str, str]:
        """YAML stems by group."""

    @property
    def overrides(self) -> dict[str, Any]:
        """Values by dotted key."""


def asked_for(candidate: Named, *, but: str | None = None) -> bytes:
    """Return how a candidate was asked for, alike in all that were; `but` names a key left out."""
    others = {key: value for key, value in candidate.overrides.items() if key != but}
    return canonical(candidate.options, others)


def differing(candidates: Sequence[Named]) -> list[str]:
    """Return the groups and keys in which the candidates differ: what names them."""

    def several(name: str) -> bool:
        return len({value_of(candidate, name) for candidate in candidates}) > 1

    groups = [group for group in candidates[0].options if several(group)]
    keys = sorted({key for candidate in candidates for key in candidate.overrides})
    return groups + [key for key in keys if several(key)] or ["model"]


def value_of(candidate: Named, name: str) -> str:
    """Return a candidate's option or key by a name of `differing`."""
    options, overrides = candidate.options, candidate.overrides
    return str(options[name] if name in options else overrides.get(name, ""))


def short(name: str, names: Sequence[str]) -> str:
    """Return the last part of a dotted key, unless another of `names` ends in it too."""
    last = name.rpartition(".")[2]
    return name if sum(other.rpartition(".")[2] == last for other in names) > 1 else last


def name_of(candidate: Named, names: Sequence[str]) -> str:
    """Return a candidate's name among its like, such as 'xgb · smote · max_depth=3'."""
    told = " · ".join(
        value_of(candidate, name)
        if name in candidate.options
        else f"{short(name, names)}={value_of(candidate, name)}"
        for name in names
        if name in candidate.options or name in candidate.overrides
    )
    return told or "defaults"
