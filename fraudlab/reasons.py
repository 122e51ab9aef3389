"""Why a candidate is trained although something like it was trained before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from fraudlab.config import SHARED_KEYS
from fraudlab.naming import asked_for, differing, name_of
from fraudlab.runs import Planned, read_run, recent_candidates
from fraudlab.wording import value_text

LOOKED_AT = 50  # earlier sweeps
NAMED = 3  # candidates that a line names


def why_trained(todo: Sequence[Planned]) -> list[str]:
    """Return a line per reason for which candidates are trained again; none for new ones."""
    if not todo:
        return []
    before = _asked_before()
    grouped: dict[str, list[Planned]] = {}
    for planned in todo:
        reason = _reason(planned, before.get(asked_for(planned)))
        if reason is not None:
            grouped.setdefault(reason, []).append(planned)
    names = differing(todo)
    return [f"trained again, {reason}: {_named(of, names)}" for reason, of in grouped.items()]


def _named(candidates: Sequence[Planned], names: Sequence[str]) -> str:
    shown = ", ".join(name_of(each, names) for each in candidates[:NAMED])
    more = len(candidates) - NAMED
    return f"{shown} and {more} more" if more > 0 else shown


def _asked_before() -> dict[bytes, Planned]:
    """Return the latest candidate that each way of asking gave: it may mean something else now."""
    found: dict[bytes, Planned] = {}
    for planned in recent_candidates(LOOKED_AT):
        found.setdefault(asked_for(planned), planned)
    return found


def _reason(planned: Planned, before: Planned | None) -> str | None:
    earlier = read_run(planned.run)
    if earlier is not None:
        if earlier.status == "done":
            return "as its bundle was removed"
        return f"as it {_ENDED.get(earlier.status, 'did not end')} before"
    if before is None:
        return None
    if before.data_fingerprint != planned.data_fingerprint:
        return "as the data has changed"
    changes = list(_changes("", _plain(before), _plain(planned)))
    if changes:
        return f"as its configuration has changed ({'; '.join(changes[:NAMED])})"
    return "as the code of fraudlab or of a plugin has changed"


_ENDED = {
    "failed": "failed",
    "timeout": "took too long",
    "killed": "was stopped",
    "running": "is being trained",
}


def _plain(planned: Planned) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(planned.config, str_keys=True)
    return {key: value for key, value in plain.items() if key not in SHARED_KEYS}


def _changes(path: str, before: Any, now: Any) -> Iterator[str]:
    """Yield what differs between two plain configurations."""
    if isinstance(before, dict) and isinstance(now, dict):
        for key in {**before, **now}:
            inside = key if not path else f"{path}.{key}"
            yield from _changes(inside, before.get(key), now.get(key))
    elif before != now:
        yield f"{path}: {value_text(before)} before, {value_text(now)} now"
