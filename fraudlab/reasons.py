"""Why a candidate is trained although something like it was trained before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from fraudlab.config import SHARED_KEYS
from fraudlab.errors import UserError
from fraudlab.naming import differing, name_of
from fraudlab.runs import Planned, read_run, read_sweep, recent_sweeps
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
        reason = _reason(planned, before.get(_asked(planned)))
        if reason is not None:
            grouped.setdefault(reason, []).append(planned)
    names = differing(todo)
    return [f"trained again, {reason}: {_named(of, names)}" for reason, of in grouped.items()]


def _named(candidates: Sequence[Planned], names: Sequence[str]) -> str:
    shown = ", ".join(name_of(each, names) for each in candidates[:NAMED])
    more = len(candidates) - NAMED
    return f"{shown} and {more} more" if more > 0 else shown


def _asked(planned: Planned) -> bytes:
    """Return how a candidate was asked for: the same words may come to mean something else."""
    plain = msgspec.to_builtins([planned.options, planned.overrides], str_keys=True)
    return msgspec.json.encode(plain, order="sorted")


def _asked_before() -> dict[bytes, Planned]:
    """Return the latest candidate that each way of asking gave."""
    found: dict[bytes, Planned] = {}
    for sweep in recent_sweeps(LOOKED_AT):
        try:
            candidates = read_sweep(sweep).candidates
        except UserError:  # of another version
            continue
        for planned in candidates:
            found.setdefault(_asked(planned), planned)
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
