"""How a report writes numbers, and the sentences that it is made of."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from fraudlab.bootstrap import Interval
from fraudlab.seeding import Seeds

Tone = Literal["good", "note", "bad"]
NO_BREAK = "\u00a0"
_WHOLE = 100.0  # from here on the digits behind the point say nothing


@dataclass(frozen=True, slots=True)
class Statement:
    """A sentence of a verdict, and whether it is good news, bad news, or worth knowing."""

    tone: Tone
    text: str


def share(value: float) -> str:
    """Return a share in percent, with as many digits as it needs.

    Examples
    --------
    >>> share(0.6489).replace(NO_BREAK, " "), share(0.0066).replace(NO_BREAK, " ")
    ('64.9 %', '0.66 %')
    """
    percent = 100 * value
    digits = 1 if abs(percent) >= 1 or percent == 0 else 2
    return f"{percent:.{digits}f}{NO_BREAK}%"


def number(value: float) -> str:
    """Return a number that may be of any size.

    Examples
    --------
    >>> number(5042.8), number(18.71), number(7.714), number(0.5721), number(7.0)
    ('5,043', '18.7', '7.71', '0.572', '7')
    """
    if not math.isfinite(value):
        return "∞" if value > 0 else "-∞" if value < 0 else ""
    if float(value).is_integer() and abs(value) < 1e15:  # noqa: PLR2004 (exact in float64)
        return f"{int(value):,}"
    if abs(value) >= _WHOLE:
        return f"{value:,.0f}"
    for least, digits in ((10, 1), (1, 2), (0.001, 3)):
        if abs(value) >= least:
            return f"{value:.{digits}f}"
    return f"{value:.2g}"


def cut_text(value: float) -> str:
    """Return a threshold with the digits that tell it from its neighbours."""
    return f"{value:.4g}"


def times(value: float) -> str:
    """Return a factor."""
    return f"{value:.2f}" if value < 10 else f"{value:.0f}"  # noqa: PLR2004


def count(value: int, one: str, many: str | None = None) -> str:
    """Return how many of something there are.

    Examples
    --------
    >>> count(1, "candidate"), count(2000, "candidate")
    ('1 candidate', '2,000 candidates')
    """
    return f"{value:,} {one if value == 1 else many or one + 's'}"


def seeds_counted(seeds: Seeds) -> str:
    """Return how many seeds have a result, and of how many if not all."""
    if seeds.count < seeds.asked:
        return f"{seeds.count:,} of {seeds.asked:,} seeds"
    return count(seeds.count, "seed")


def span(interval: Interval, *, percent: bool = False) -> str:
    """Return an interval, with its unit once.

    Examples
    --------
    >>> span((0.4, 0.5), percent=True).replace(NO_BREAK, " ")
    '40.0 to 50.0 %'
    """
    low, high = (share(end) if percent else number(end) for end in interval)
    return f"{low.removesuffix(f'{NO_BREAK}%')} to {high}"


def between(interval: Interval | None, *, percent: bool = False) -> str:
    """Return ' (95 %: low to high)' for an interval, nothing without one."""
    if interval is None:
        return ""
    return f" (95{NO_BREAK}%: {span(interval, percent=percent)})"


def listed(names: Sequence[str], most: int = 3) -> str:
    """Return names as a list in words, the first few by name.

    Examples
    --------
    >>> listed(["a"]), listed(["a", "b"]), listed(list("abcde"))
    ('a', 'a and b', 'a, b, c and 2 more')
    """
    shown = list(names[:most])
    rest = len(names) - len(shown)
    if rest:
        return f"{', '.join(shown)} and {rest:,} more"
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
