"""One key that a search varies: a range of numbers, or a list of choices."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from fraudlab.errors import ConfigError
from fraudlab.wording import misfit, value_text

DIGITS = 4  # significant ones of a proposed number: nobody wants to type seventeen
EXAMPLE = "{low: 2, high: 10}"
Number = int | float
Shape = TypeVar("Shape", bound=msgspec.Struct)


class Range(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Numbers from `low` to `high`, both of them allowed.

    Attributes
    ----------
    low, high, step
        Whole numbers vary as whole numbers, all others do not; a step makes a grid from `low`.
    log
        Whether each power of ten is as likely as the next.
    """

    low: Number
    high: Number
    step: Number | None = None
    log: bool = False

    @property
    def is_whole(self) -> bool:
        """Whether only whole numbers are meant."""
        said = (self.low, self.high) if self.step is None else (self.low, self.high, self.step)
        return all(isinstance(each, int) for each in said)

    @property
    def last(self) -> Number:
        """The largest number that can be proposed."""
        if self.step is None:
            return self.high
        count = math.floor((self.high - self.low) / self.step + 1e-9)
        return self.on_grid(count)

    def on_grid(self, count: int) -> Number:
        """Return the number `count` steps from `low`, without the dust of binary fractions."""
        assert self.step is not None
        value = self.low + count * self.step
        return value if isinstance(value, int) else self._inside(float(f"{value:.12g}"))

    def rounded(self, value: Number) -> Number:
        """Return a proposed number as it is tried: whole, on the grid, or with a few digits."""
        if self.step is not None:
            return self.on_grid(round((value - self.low) / self.step))
        if self.is_whole:
            return int(value)
        return self._inside(float(f"{value:.{DIGITS}g}"))

    def _inside(self, value: float) -> float:
        return float(min(max(value, self.low), self.high))

    def fits(self, value: Any) -> bool:
        """Whether a value can be proposed."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        if self.is_whole and value != int(value):
            return False
        inside = self.low <= value <= self.last
        return inside and (self.step is None or math.isclose(self.rounded(value), value))

    def fault(self) -> str | None:
        """Return what is wrong with it; None when nothing is."""
        for name in ("low", "high", "step"):
            value = getattr(self, name)
            if value is not None and not math.isfinite(value):
                return f"{name} must be a finite number, got {value!r}"
        if self.low >= self.high:
            return f"low must be less than high, got {self.low!r} and {self.high!r}"
        if self.step is not None and not 0 < self.step <= self.high - self.low:
            return f"step must be more than 0 and fit between low and high, got {self.step!r}"
        if self.log and self.low <= 0:
            return f"log needs a low above 0, got {self.low!r}"
        if self.log and self.step is not None:
            return "log and step do not go together: leave one out"
        return None


class Dimension(msgspec.Struct, frozen=True):
    """What one key may be.

    Attributes
    ----------
    name
        Tells it from the same key under another condition.
    key
        A dotted key, or a group.
    range
        The numbers, or None where there are choices.
    choices
        The values, if it is no range.
    """

    name: str
    key: str
    range: Range | None = None
    choices: tuple[Any, ...] = ()

    def probe(self, place: int) -> Any:
        """Return the values at its ends, or its choices, in turn."""
        if self.range is not None:
            return self.range.low if place % 2 == 0 else self.range.last
        return self.choices[place % len(self.choices)]

    @property
    def probes(self) -> int:
        """How many probes there are."""
        return 2 if self.range is not None else len(self.choices)

    def fits(self, value: Any) -> bool:
        """Whether a value is one of those it may be."""
        if self.range is not None:
            return self.range.fits(value)
        # A configuration as plain values has text for keys, YAML has numbers, too.
        return value in self.choices or value in msgspec.to_builtins(self.choices, str_keys=True)

    def __str__(self) -> str:
        """Return what it may be, for errors."""
        if self.range is not None:
            return f"{self.range.low} to {self.range.last}"
        return ", ".join(map(value_text, self.choices))


def read_shape(
    plain: Any, shape: type[Shape], where: str, example: str, *, lax: bool = False
) -> Shape:
    """Return a Struct of plain values; `where` says whose they are, `example` how they may look.

    `lax` reads numbers out of text too: to YAML 1e-3, which lacks a point, is text.

    Raises
    ------
    ConfigError
        If a key does not exist or is missing, or a value has the wrong type or is out of bounds.
    """
    try:
        return msgspec.convert(plain, shape, strict=not lax)
    except msgspec.ValidationError as error:
        why, _ = misfit(error, shape, plain, f", such as {example}")
        raise ConfigError(f"{where}: {why}") from error


Pick = Callable[[Dimension], Any]


def read_dimension(name: str, key: str, written: Any, where: str) -> Dimension:
    """Return what a key may be, as YAML says it: low and high, or a list.

    Raises
    ------
    ConfigError
        If it is neither, or nothing can vary within it.
    """
    if isinstance(written, list):
        return Dimension(name, key, choices=_choices(written, where))
    if not isinstance(written, dict):
        raise ConfigError(
            f"{where} must be a range such as {EXAMPLE} or a list of choices, got"
            f" {value_text(written)}"
        )
    found = read_shape(written, Range, where, EXAMPLE, lax=True)
    fault = found.fault()
    if fault is not None:
        raise ConfigError(f"{where}: {fault}")
    return Dimension(name, key, found)


def _choices(written: list[Any], where: str) -> tuple[Any, ...]:
    for place, each in enumerate(written):
        if each in written[:place]:
            raise ConfigError(f"{where} lists {value_text(each)} twice: keep one")
    if len(written) < 2:  # noqa: PLR2004 (what varies is two or more)
        raise ConfigError(
            f"{where} needs two values or more to choose from, got {written!r}; a single one stands"
            " under fixed"
        )
    return tuple(written)
