"""Charts as inline SVG: axes, lines, bands, bars. Colours are classes that the page's style knows.

Every text is escaped on its way in, for names come from users.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from markupsafe import Markup

from fraudlab.preprocess import Floats
from fraudlab.reporting.words import NO_BREAK, number

WIDTH, HEIGHT = 400, 290
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 20, 10, 42
_ODDS = (1e-6, 1e-5, 1e-4, 0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999, 1 - 1e-6)
_TICKS = 5
_MOST_POWERS = 6
_GRID = Markup('<path class="grid" d="M{}"/>')
_TEXT = Markup('<text class="{}" x="{}" y="{}" text-anchor="{}">{}</text>')
_TURNED = Markup(
    '<text class="axis" transform="translate(12 {}) rotate(-90)" text-anchor="middle">{}</text>'
)


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis: its ends, how it is stretched, what it is called and how its numbers are said."""

    label: str
    low: float
    high: float
    kind: Literal["linear", "log", "odds"] = "linear"
    percent: bool = False

    def place(self, values: Floats | float) -> Floats:
        """Return where values lie, 0 at the low end and 1 at the high; none beyond."""
        low, high = (self._stretched(np.array(end)) for end in (self.low, self.high))
        placed = (self._stretched(np.asarray(values, dtype=np.float64)) - low) / (high - low)
        result: Floats = np.clip(placed, 0.0, 1.0)
        return result

    def _stretched(self, values: Floats) -> Floats:
        if self.kind == "linear":
            return values
        inside = np.clip(values, min(self.low, self.high), max(self.low, self.high))
        result: Floats = np.log(inside) if self.kind == "log" else np.log(inside / (1 - inside))
        return result

    def ticks(self) -> list[tuple[float, str]]:
        """Return the values that are marked, and how they are written."""
        if self.kind == "odds":
            inside = [value for value in _ODDS if self.low <= value <= self.high]
            return [(value, f"{value:.6g}") for value in _thinned(inside)]
        if self.kind == "log":
            first, last = math.ceil(math.log10(self.low)), math.floor(math.log10(self.high))
            powers = [10.0**power for power in range(first, last + 1)]
            return [(value, self._text(value)) for value in _thinned(powers)]
        step = _round_step((self.high - self.low) / _TICKS)
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return [(place * step, self._text(place * step)) for place in range(first, last + 1)]

    def _text(self, value: float) -> str:
        if self.percent:
            return f"{100 * value:.4g}{NO_BREAK}%"
        return f"{value:.4g}" if abs(value) < 10_000 else number(value)  # noqa: PLR2004


def _thinned(values: Sequence[float]) -> Sequence[float]:
    return values if len(values) <= _MOST_POWERS else values[::2]


def _round_step(rough: float) -> float:
    power = 10.0 ** math.floor(math.log10(rough)) if rough > 0 else 1.0
    return next(power * nice for nice in (1, 2, 2.5, 5, 10) if power * nice >= rough * 0.999)


class Plot:
    """A chart that grows with the width of the page.

    Parameters
    ----------
    name
        What the page's script knows it by.
    title
        What it shows, for those who cannot see it.
    x, y
        Its axes.
    """

    def __init__(self, name: str, title: str, x: Axis, y: Axis) -> None:
        self._name, self._title, self.x, self.y = name, title, x, y
        self._drawn: list[Markup] = []

    def line(self, xs: Floats, ys: Floats, style: str) -> None:
        """Draw a line through points, in a CSS class."""
        points = self._points(xs, ys)
        self._add(Markup('<polyline class="line {}" points="{}"/>'), style, points)

    def band(self, xs: Floats, low: Floats, high: Floats, style: str) -> None:
        """Fill what lies between two lines."""
        there, back = self._points(xs, low), self._points(xs[::-1], high[::-1])
        self._add(Markup('<polygon class="band {}" points="{} {}"/>'), style, there, back)

    def whisker(self, x: float, low: float, high: float, style: str) -> None:
        """Draw an upright interval."""
        self.line(np.array([x, x]), np.array([low, high]), f"whisker {style}")

    def dot(self, x: float, y: float, style: str) -> None:
        """Draw a point."""
        across, down = self._at(x, y)
        self._add(Markup('<circle class="dot {}" cx="{}" cy="{}" r="4"/>'), style, across, down)

    def bars(self, edges: Floats, heights: Floats, style: str) -> None:
        """Draw a histogram as one outline."""
        xs = np.repeat(edges, 2)
        ys = np.concatenate([[0.0], np.repeat(heights, 2), [0.0]])
        self._add(Markup('<polygon class="bars {}" points="{}"/>'), style, self._points(xs, ys))

    def upright(self, x: float, style: str) -> None:
        """Draw a line from the bottom to the top."""
        self.line(np.array([x, x]), np.array([self.y.low, self.y.high]), style)

    def marker(self) -> None:
        """Leave a point that the page's script moves."""
        self._add(Markup('<circle class="marker" r="5" cx="-9" cy="-9"/>'))

    def render(self) -> Markup:
        """Return the chart."""
        x, y = ([of.kind, of.low, of.high] for of in (self.x, self.y))
        ends = {"left": _LEFT, "right": WIDTH - _RIGHT, "top": _TOP, "bottom": HEIGHT - _BOTTOM}
        place = ends | {"x": x, "y": y}
        head = Markup(
            '<svg class="plot" role="img" aria-label="{}" viewBox="0 0 {} {}" data-plot="{}"'
            ' data-axes="{}">'
        ).format(self._title, WIDTH, HEIGHT, self._name, json.dumps(place))
        return Markup("").join([head, *self._frame(), *self._drawn, Markup("</svg>")])

    def _frame(self) -> Iterable[Markup]:
        bottom, right = HEIGHT - _BOTTOM, WIDTH - _RIGHT
        for value, text in self.x.ticks():
            across, _ = self._at(value, self.y.low)
            yield _GRID.format(f"{across} {_TOP}V{bottom}")
            yield _TEXT.format("tick", across, bottom + 16, "middle", text)
        for value, text in self.y.ticks():
            _, down = self._at(self.x.low, value)
            yield _GRID.format(f"{_LEFT} {down}H{right}")
            yield _TEXT.format("tick", _LEFT - 6, float(down) + 4, "end", text)
        yield _TEXT.format("axis", (_LEFT + right) / 2, HEIGHT - 6, "middle", self.x.label)
        yield _TURNED.format((_TOP + bottom) / 2, self.y.label)

    def _points(self, xs: Floats, ys: Floats) -> str:
        known = np.isfinite(xs) & np.isfinite(ys)
        across, down = self._places(xs[known], ys[known])
        return " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(across, down, strict=True))

    def _at(self, x: float, y: float) -> tuple[str, str]:
        across, down = self._places(np.array([x]), np.array([y]))
        return f"{across[0]:.1f}", f"{down[0]:.1f}"

    def _places(self, xs: Floats, ys: Floats) -> tuple[Floats, Floats]:
        across = _LEFT + self.x.place(xs) * (WIDTH - _RIGHT - _LEFT)
        down = HEIGHT - _BOTTOM - self.y.place(ys) * (HEIGHT - _BOTTOM - _TOP)
        return across, down

    def _add(self, markup: Markup, *values: object) -> None:
        self._drawn.append(markup.format(*values))


def strip(
    low: float, high: float, value: float, interval: tuple[float, float] | None,
    *, zero: float = 0.0, limit: float | None = None,
) -> Markup:  # fmt: skip
    """Return one row of a dot plot: an interval and its value on a scale from `low` to `high`.

    Parameters
    ----------
    low, high
        The ends of the scale, the same in every row.
    value, interval
        What is drawn.
    zero
        Where the line of no difference lies.
    limit
        Where another mark lies.
    """

    def place(of: float) -> str:
        span = high - low or 1.0
        return f"{1 + 198 * min(1.0, max(0.0, (of - low) / span)):.1f}"

    parts = [Markup('<svg class="strip" viewBox="0 0 200 16" preserveAspectRatio="none"')]
    parts.append(
        Markup(' aria-hidden="true"><path class="zero" d="M{} 0V16"/>').format(place(zero))
    )
    if limit is not None:
        parts.append(Markup('<path class="limit" d="M{} 2V14"/>').format(place(limit)))
    if interval is None:
        parts.append(Markup('<path class="reach" d="M{} 8H{}"/>').format(place(zero), place(value)))
    else:
        ends = [place(end) for end in interval]
        parts.append(Markup('<path class="reach" d="M{} 8H{}"/>').format(*ends))
    parts.append(Markup('<path class="value" d="M{} 3V13"/></svg>').format(place(value)))
    return Markup("").join(parts)
