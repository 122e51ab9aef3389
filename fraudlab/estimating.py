"""How long a sweep will take, judged by how long candidates like its own took before."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from fraudlab.config import Choice, Config, canonical
from fraudlab.runs import Planned, read_result, recent_candidates

SEED = "random_state"  # draws other rows, not more of them
LOOKED_AT = 200  # earlier sweeps
MINUTE, HOUR = 60, 3600


class Estimate(msgspec.Struct, frozen=True):
    """What training is expected to take.

    Attributes
    ----------
    seconds
        Wall time; None when nothing was trained before.
    at_once
        How many candidates are trained at a time.
    runs
        The earlier runs it is based on.
    unlike
        The candidates whose model no earlier run had; they count as the median of all runs.
    """

    seconds: float | None
    at_once: int
    runs: int = 0
    unlike: int = 0

    def __str__(self) -> str:
        if self.seconds is None:
            return "no estimate of the time: there are no earlier runs to go by"
        speed = f" with {self.at_once} at a time" if self.at_once > 1 else ""
        basis = f"from {self.runs:,} earlier run{'s' * (self.runs != 1)}"
        if self.unlike:
            have = ("candidate has", "it") if self.unlike == 1 else ("candidates have", "them")
            basis += (
                f"; {self.unlike:,} {have[0]} none like {have[1]}, counted as the median of all"
            )
        return f"{_duration(self.seconds)}{speed} ({basis})"


class Earlier(msgspec.Struct, frozen=True):
    """A finished run, and the seconds it took."""

    run: str
    config: Config
    seconds: float


def earlier_runs() -> Iterator[Earlier]:
    """Yield the finished runs that a readable plan of a sweep tells the configuration of."""
    met: set[str] = set()
    for planned in recent_candidates(LOOKED_AT):
        result = None if planned.run in met else read_result(planned.run)
        met.add(planned.run)
        if result is not None and result.status == "done" and result.seconds:
            yield Earlier(planned.run, planned.config, sum(result.seconds.values()))


def estimate(todo: Sequence[Planned], at_once: int) -> Estimate:
    """Return what training the candidates takes, `at_once` at a time.

    Each counts as the median of the runs most like it: of the same model and sampler on the same
    data, features and split; else of the same model on the same data and features; else of the
    same model; else of all. The sum is shared out, but nothing ends before its longest candidate.
    """
    groups: list[dict[bytes, list[Earlier]]] = [{} for _ in _LIKENESSES]
    for earlier in earlier_runs():
        for group, likeness in zip(groups, _LIKENESSES, strict=True):
            group.setdefault(canonical(likeness(earlier.config)), []).append(earlier)
    found = [_most_alike(planned.config, groups) for planned in todo]
    if not any(runs for _, runs in found):
        return Estimate(None, at_once)
    seconds = [statistics.median(each.seconds for each in runs) for _, runs in found]
    return Estimate(
        seconds=max(sum(seconds) / at_once, *seconds),
        at_once=at_once,
        runs=len({each.run for _, runs in found for each in runs}),
        unlike=sum(place == len(_LIKENESSES) - 1 for place, _ in found),
    )


def _most_alike(
    config: Config, groups: Sequence[dict[bytes, list[Earlier]]]
) -> tuple[int, list[Earlier]]:
    """Return the first likeness that earlier runs share with a config, and those runs."""
    for place, (group, likeness) in enumerate(zip(groups, _LIKENESSES, strict=True)):
        runs = group.get(canonical(likeness(config)))
        if runs:
            return place, runs
    return len(groups), []


def _rows(config: Config) -> list[Any]:
    return [_seedless(config.data), _seedless(config.features)]


def _seedless(choice: Choice) -> Any:
    return choice.name, {name: value for name, value in choice.params.items() if name != SEED}


_LIKENESSES: tuple[Callable[[Config], list[Any]], ...] = (
    lambda config: [
        config.model.name, config.sampler.name, *_rows(config), _seedless(config.split),
    ],
    lambda config: [config.model.name, *_rows(config)],
    lambda config: [config.model.name],
    lambda _: [],
)  # fmt: skip


def _duration(seconds: float) -> str:
    if seconds < 1:
        return "less than 1 s"
    if seconds < 1.5 * MINUTE:
        return f"about {seconds:.0f} s"
    if seconds < 1.5 * HOUR:
        return f"about {seconds / MINUTE:.0f} min"
    return f"about {seconds / HOUR:.1f} h"
