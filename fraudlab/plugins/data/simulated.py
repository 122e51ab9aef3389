"""The Fraud Detection Handbook's simulated card transactions, generated here."""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from msgspec import Meta

from fraudlab.caching import cached_frame
from fraudlab.errors import ConfigError
from fraudlab.home import cache
from fraudlab.locating import Locator
from fraudlab.registry import register
from fraudlab.table import Columns, Raw
from fraudlab.table_report import check_table

if TYPE_CHECKING:
    import polars as pl

COLUMNS = Columns(
    label="TX_FRAUD",
    id="TRANSACTION_ID",
    time="TX_DATETIME",
    amount="TX_AMOUNT",
    entities=("CUSTOMER_ID", "TERMINAL_ID"),
    segment="TX_FRAUD_SCENARIO",
    bounds={"TX_AMOUNT": (0.0, None)},
)
RAW = (
    "TRANSACTION_ID",
    "TX_DATETIME",
    "CUSTOMER_ID",
    "TERMINAL_ID",
    "TX_AMOUNT",
    "TX_FRAUD",
    "TX_FRAUD_SCENARIO",
)


@register("data", "simulated")
def simulated(
    *,
    customers: Annotated[int, Meta(ge=3, le=100_000)] = 5000,
    terminals: Annotated[int, Meta(ge=2, le=1_000_000)] = 10_000,
    days: Annotated[int, Meta(ge=1, le=3650)] = 183,
    start: str = "2018-04-01",
    radius: Annotated[float, Meta(gt=0)] = 5.0,
    ties: Literal["customer", "published"] = "customer",
    train_from: str | None = "2018-07-25",
) -> Simulated:
    """Simulate card transactions exactly as the Handbook does (same bytes, every time).

    Parameters
    ----------
    customers, terminals
        How many there are.
    days, start
        Number of days and the first one.
    radius
        A customer pays at terminals closer than this, on a 100 x 100 map.
    ties
        How the rows of one second stand: by customer, or as in the published files, to which what
        is drawn by place (the bags of a forest, a share of the rows) comes out the same.
    train_from
        First day of the training window: conf/split/temporal.yaml takes it from here, reading
        the table does not.

    References
    ----------
    Le Borgne et al., Reproducible Machine Learning for Credit Card Fraud Detection, chapter 3.
    """
    return Simulated(customers, terminals, days, _first_day(start, days), radius, ties)


def _first_day(start: str, days: int) -> dt.date:
    try:
        first = dt.date.fromisoformat(start)
    except ValueError as error:
        raise ConfigError(
            f"data.start must be a day as YYYY-MM-DD, got {start!r}", "data.start"
        ) from error
    if (dt.date.max - first).days < days:
        raise ConfigError(
            f"data.start={start!r} and {days} days go beyond the calendar, which ends at"
            f" {dt.date.max}; start earlier",
            "data.start",
        )
    return first


@dataclass(frozen=True)
class Simulated:
    """The source; simulated once, then read from the cache."""

    customers: int
    terminals: int
    days: int
    start: dt.date
    radius: float
    ties: Literal["customer", "published"]

    def state(self) -> str:
        """Return nothing new: parameters and code decide what is drawn."""
        return ""

    def read(self) -> Raw:
        """Return the raw transactions in time order."""
        from fraudlab import simulator

        def make() -> pl.DataFrame:
            return simulator.simulate(
                customers=self.customers,
                terminals=self.terminals,
                days=self.days,
                start=self.start,
                radius=self.radius,
                ties=self.ties,
            ).select(RAW)

        code = Path(simulator.__file__).read_bytes()
        sizes = f"{self.customers}-{self.terminals}-{self.days}-{self.start}-{self.radius}"
        if self.ties != "customer":
            sizes += f"-{self.ties}"
        key = hashlib.sha256(sizes.encode() + code).hexdigest()[:16]
        frame = cached_frame(cache(), f"simulated-{key}", make)
        return Raw(frame, COLUMNS, check_table(frame, COLUMNS, Locator(f"simulated({sizes})")))
