"""Recency, frequency and monetary features of the Handbook, from the past alone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from fraudlab.errors import ConfigError, DataError
from fraudlab.features.rfm import NIGHT, WEEKEND
from fraudlab.manifest import Field
from fraudlab.registry import register
from fraudlab.table import Raw, Table, assemble

LARGEST_SUM = 9e14
UNTOLD = 7  # days that labels take where nobody says


@register("features", "rfm")
def rfm(
    *,
    windows_days: list[Annotated[int, Meta(ge=1, le=3650)]] = [1, 7, 30],  # noqa: B006
    delay_days: Annotated[int, Meta(ge=0, le=3650)] | None = 7,
) -> Rfm:
    """Amount, weekend, night, and per window the card's habits and the terminal's risk.

    Parameters
    ----------
    windows_days
        Lengths of the windows; each gives four features.
    delay_days
        How long it takes until a label is known: the risk of a terminal is counted that much
        earlier, so no feature ever uses a label that was not there yet. Unless set, the split's;
        null, as of a split that names none, is 7.

    References
    ----------
    Le Borgne et al., Reproducible Machine Learning for Credit Card Fraud Detection, chapter 3.
    """
    return windowed("rfm", windows_days, delay_days)


def windowed(name: str, windows_days: Sequence[int], delay_days: int | None) -> Rfm:
    """Return the windows of the features option `name`.

    Raises
    ------
    ConfigError
        If there is no window, or one twice.
    """
    if not windows_days or len(set(windows_days)) < len(windows_days):
        raise ConfigError(
            f"features={name} needs one window or more, each once, in"
            f" features.params.windows_days; got {windows_days!r}",
            "features.params.windows_days",
        )
    return Rfm(tuple(windows_days), UNTOLD if delay_days is None else delay_days, name)


@dataclass(frozen=True)
class Rfm:
    """Windowed features over the whole stream, computed before any split (they look back only)."""

    windows_days: tuple[int, ...]
    delay_days: int
    name: str = "rfm"

    def build(self, raw: Raw) -> Table:
        """Return the table with the features as its request fields."""
        from fraudlab.features.rfm import rfm as compute

        columns = raw.columns
        if columns.time is None or columns.amount is None or len(columns.entities) < 2:  # noqa: PLR2004
            raise DataError(
                f"features={self.name} needs data.time, data.amount and two data.entities (card,"
                f" terminal); got time={columns.time!r}, amount={columns.amount!r},"
                f" entities={list(columns.entities)!r}"
            )
        _check_sums(raw, columns.amount, self.name)
        features = compute(
            raw.frame,
            time=columns.time,
            amount=columns.amount,
            card=columns.entities[0],
            terminal=columns.entities[1],
            label=columns.label,
            windows_days=self.windows_days,
            delay_days=self.delay_days,
        )
        low, high = columns.bounds.get(columns.amount, (None, None))
        fields = tuple(
            _field(name, Field(name=columns.amount, role="amount", min=low, max=high))
            for name in features.columns
        )
        return assemble(raw, features, fields)


def _check_sums(raw: Raw, amount: str, name: str) -> None:
    """Refuse amounts whose exact sums (whole ten-thousandths in 64 bits) would overflow."""
    total = float(raw.frame[amount].abs().sum())
    if total > LARGEST_SUM:
        raise DataError(
            f"{raw.report.source}: the amounts in column {amount!r} add up to {total:g};"
            f" features={name} sums up to {LARGEST_SUM:g}: use a larger unit"
        )


def _field(name: str, amount: Field) -> Field:
    if name == amount.name:
        return amount
    if re.search(
        r"_AVG_AMOUNT_\d+DAY_WINDOW$", name
    ):  # an average keeps the bounds of what is averaged
        return Field(name=name, min=amount.min, max=amount.max)
    share = name in {WEEKEND, NIGHT} or re.search(r"_RISK_\d+DAY_WINDOW$", name)
    return Field(name=name, min=0.0, max=1.0 if share else None)
