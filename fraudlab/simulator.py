"""The Fraud Detection Handbook's transaction simulator, regenerated draw for draw.

Customers live and terminals stand on a 100 x 100 map; a customer pays at terminals nearby, with a
typical amount and frequency. Three kinds of fraud are laid over that: amounts above 220 (scenario
1), compromised terminals for 28 days (2), and compromised cards whose amounts are multiplied (3).

The published data come from numpy's legacy Mersenne generator and Python's `random`, so the order
of the draws is the specification. Nothing here touches their global state.

References
----------
Le Borgne et al., Reproducible Machine Learning for Credit Card Fraud Detection, chapter 3.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import random
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray

from fraudlab.errors import ConfigError
from fraudlab.table import SECONDS_PER_DAY

Ties: TypeAlias = Literal["customer", "published"]

MAP = 100.0
NOON, SPREAD = 43_200, 20_000
HIGH_AMOUNT = 220.0
TERMINALS_A_DAY, TERMINAL_DAYS = 2, 28
CARDS_A_DAY, CARD_DAYS, FACTOR = 3, 14, 5


@dataclass(slots=True)
class Stream:
    """Transactions as they are drawn, customer by customer."""

    customer: list[int] = field(default_factory=list)
    terminal: list[int] = field(default_factory=list)
    amount: list[float] = field(default_factory=list)
    time: list[int] = field(default_factory=list)


def simulate(
    *,
    customers: int = 5000,
    terminals: int = 10_000,
    days: int = 183,
    start: dt.date = dt.date(2018, 4, 1),
    radius: float = 5.0,
    ties: Ties = "customer",
) -> pl.DataFrame:
    """Return simulated transactions in time order.

    Parameters
    ----------
    customers, terminals
        How many there are.
    days
        Length of the stream.
    start
        Its first day.
    radius
        A customer pays at terminals nearer than this.
    ties
        How rows of one second stand: in the order of their customers, or "published", as numpy's
        unstable sort of datetimes left them in the published files.

    Returns
    -------
    DataFrame
        TRANSACTION_ID, TX_DATETIME, CUSTOMER_ID, TERMINAL_ID, TX_AMOUNT, TX_TIME_SECONDS,
        TX_TIME_DAYS, TX_FRAUD and TX_FRAUD_SCENARIO (0 = genuine).

    Raises
    ------
    ConfigError
        If a size is too small for the scenarios.
    """
    if customers < CARDS_A_DAY or terminals < TERMINALS_A_DAY or days < 1:
        raise ConfigError(
            f"the simulator needs at least {CARDS_A_DAY} customers, {TERMINALS_A_DAY} terminals and"
            f" 1 day, got {customers}, {terminals} and {days}"
        )
    stream = _draw(customers, terminals, days, radius)
    time = np.array(stream.time, dtype=np.int64)
    order = _in_time_order(time, ties)
    time = time[order]
    card = np.array(stream.customer, dtype=np.int64)[order]
    terminal = np.array(stream.terminal, dtype=np.int64)[order]
    amount = np.array(stream.amount, dtype=np.float64)[order]
    scenario = _commit_frauds(card, terminal, amount, time // SECONDS_PER_DAY, customers, terminals)
    epoch = int(dt.datetime.combine(start, dt.time(), dt.UTC).timestamp())
    return pl.DataFrame(
        {
            "TRANSACTION_ID": np.arange(len(time), dtype=np.int64),
            "TX_DATETIME": pl.Series((time + epoch) * 1_000_000).cast(pl.Datetime("us")),
            "CUSTOMER_ID": card,
            "TERMINAL_ID": terminal,
            "TX_AMOUNT": amount,
            "TX_TIME_SECONDS": time,
            "TX_TIME_DAYS": time // SECONDS_PER_DAY,
            "TX_FRAUD": (scenario > 0).astype(np.int8),
            "TX_FRAUD_SCENARIO": scenario,
        }
    )


def _in_time_order(time: NDArray[np.int64], ties: Ties) -> NDArray[np.intp]:
    """Return the order of the rows; as published, it is that of numpy's introsort of datetimes."""
    if ties == "published":
        return np.argsort(time.astype("datetime64[s]"), kind="quicksort")
    return np.argsort(time, kind="stable")


def _draw(customers: int, terminals: int, days: int, radius: float) -> Stream:
    """Draw all customers' transactions; every customer re-seeds both generators with its number."""
    legacy = np.random.RandomState(0)
    uniform = legacy.uniform
    profiles = [
        (uniform(0, MAP), uniform(0, MAP), uniform(5, 100), uniform(0, 4)) for _ in range(customers)
    ]
    places = np.random.RandomState(1).uniform(0, MAP, size=(terminals, 2))
    eastward = np.argsort(places[:, 0], kind="stable")
    ascending = places[eastward, 0]
    pick = random.Random(0)  # noqa: S311 (the specification names it)
    stream = Stream()
    for number, (x, y, mean, frequency) in enumerate(profiles):
        strip = eastward[slice(*np.searchsorted(ascending, [x - radius, x + radius]))]
        distance = np.hypot(places[strip, 0] - x, places[strip, 1] - y)
        near = np.sort(strip[distance < radius]).tolist()
        legacy.seed(number)
        pick.seed(number)
        if near:
            before = len(stream.time)
            _draw_customer(stream, legacy, pick, near, mean, frequency, days)
            stream.customer += [number] * (len(stream.time) - before)
    return stream


def _draw_customer(
    stream: Stream,
    legacy: np.random.RandomState,
    pick: random.Random,
    near: list[int],
    mean: float,
    frequency: float,
    days: int,
) -> None:
    poisson, normal, uniform, choice = legacy.poisson, legacy.normal, legacy.uniform, pick.choice
    deviation = mean / 2
    for day in range(days):
        for _ in range(poisson(frequency)):
            second = int(normal(NOON, SPREAD))
            if not 0 < second < SECONDS_PER_DAY:
                continue
            amount = normal(mean, deviation)
            if amount < 0:
                amount = uniform(0, mean * 2)
            stream.amount.append(round(amount, 2))
            stream.terminal.append(choice(near))
            stream.time.append(second + day * SECONDS_PER_DAY)


def _commit_frauds(
    card: NDArray[np.int64],
    terminal: NDArray[np.int64],
    amount: NDArray[np.float64],
    day: NDArray[np.int64],
    customers: int,
    terminals: int,
) -> NDArray[np.int64]:
    """Return each row's scenario, a later one over an earlier; multiplies `amount` in place."""
    scenario = np.where(amount > HIGH_AMOUNT, 1, 0).astype(np.int64)
    last = int(day[-1]) if len(day) else 0
    for today in range(last):
        chosen = np.random.RandomState(today).choice(terminals, TERMINALS_A_DAY, replace=False)
        window = slice(*np.searchsorted(day, [today, today + TERMINAL_DAYS]))
        scenario[window][np.isin(terminal[window], chosen)] = 2
    for today in range(last):
        chosen = np.random.RandomState(today).choice(customers, CARDS_A_DAY, replace=False)
        begin, end = np.searchsorted(day, [today, today + CARD_DAYS])
        rows = begin + np.flatnonzero(np.isin(card[begin:end], chosen))
        taken = random.Random(today).sample(rows.tolist(), len(rows) // 3)  # noqa: S311
        amount[taken] *= FACTOR
        scenario[taken] = 3
    return scenario


def digest(frame: pl.DataFrame) -> str:
    """Return the canonical sha256 of simulated transactions.

    Over little-endian int64 arrays, concatenated: seconds, customer, terminal, fraud, scenario and
    round(amount * 100).
    """
    cents = np.round(frame["TX_AMOUNT"].to_numpy() * 100).astype("<i8")
    names = ("TX_TIME_SECONDS", "CUSTOMER_ID", "TERMINAL_ID", "TX_FRAUD", "TX_FRAUD_SCENARIO")
    found = hashlib.sha256()
    for name in names:
        found.update(frame[name].to_numpy().astype("<i8").tobytes())
    found.update(cents.tobytes())
    return found.hexdigest()
