"""The simulator against what the Handbook publishes."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from fraudlab.simulator import digest, simulate
from tests.conftest import HANDBOOK, needs_handbook

PUBLISHED = "ba633a73532e0c0d9bbef517ae1745ef4aabf546525192471c6a6cf5475a976d"
ORDER_AS_PUBLISHED = "e5ddbe96eed5df1f056156c1f9ae3255aca48a8b9efa043492ccf61c919534d8"
SMALL = {"customers": 40, "terminals": 60, "days": 25, "radius": 20.0}


@pytest.fixture(scope="module")
def stream(simulated_cache: Path) -> pl.DataFrame:
    """Return the full stream, simulated once for all tests that need it."""
    (path,) = simulated_cache.glob("fraudlab/simulated-*.parquet")
    frame = pl.read_parquet(path)
    first = pl.datetime(2018, 4, 1)
    seconds = (pl.col("TX_DATETIME") - first).dt.total_seconds()
    return frame.with_columns(TX_TIME_SECONDS=seconds, TX_TIME_DAYS=seconds // 86_400)


def test_the_full_stream_has_the_published_digest(stream: pl.DataFrame) -> None:
    assert digest(stream) == PUBLISHED


def test_the_full_stream_has_the_published_figures(stream: pl.DataFrame) -> None:
    fraud = stream.filter(pl.col("TX_FRAUD") == 1)
    scenarios = dict(fraud.group_by("TX_FRAUD_SCENARIO").len().iter_rows())
    assert stream.height == 1_754_155
    assert fraud.height == 14_681
    assert scenarios == {1: 973, 2: 9_077, 3: 4_631}
    assert round(stream["TX_AMOUNT"].sum(), 2) == 94_079_370.08
    assert round(fraud["TX_AMOUNT"].sum(), 2) == 1_925_677.76
    assert stream["TX_AMOUNT"].max() == 2_628.0
    assert stream["CUSTOMER_ID"].n_unique() == 4_990
    assert stream["TERMINAL_ID"].n_unique() == 10_000
    assert round(stream.height / 183, 1) == 9_585.5
    later = fraud.filter(pl.col("TX_TIME_DAYS") >= 30)
    assert round(later.height / 153, 1) == 84.8


def test_the_full_stream_begins_with_the_published_rows(stream: pl.DataFrame) -> None:
    names = ["TX_TIME_SECONDS", "CUSTOMER_ID", "TERMINAL_ID", "TX_AMOUNT"]
    expected = [(31, 596, 3156, 57.16), (130, 4961, 3412, 81.51), (476, 2, 1365, 146.0)]
    assert stream.select(names).head(3).rows() == expected


@needs_handbook
def test_the_full_stream_equals_the_published_file_but_for_the_order_within_a_second(
    stream: pl.DataFrame,
) -> None:
    published = pl.read_parquet(HANDBOOK)
    ours = stream.select(published.columns).cast(dict(published.schema))
    assert ours.select("TRANSACTION_ID", "TX_DATETIME").equals(
        published.select("TRANSACTION_ID", "TX_DATETIME")
    )
    names = [name for name in published.columns if name != "TRANSACTION_ID"]
    assert ours.select(names).sort(names).equals(published.select(names).sort(names))


def test_ties_stand_as_published_when_asked_to(published_cache: Path) -> None:
    (path,) = published_cache.glob("fraudlab/simulated-*.parquet")
    frame = pl.read_parquet(path)
    order = frame["CUSTOMER_ID"].to_numpy().astype("<i8").tobytes()
    assert hashlib.sha256(order).hexdigest() == ORDER_AS_PUBLISHED
    if HANDBOOK.exists():
        published = pl.read_parquet(HANDBOOK)
        assert frame.cast(dict(published.schema)).equals(published)


def test_the_same_sizes_give_the_same_stream_and_leave_global_generators_alone() -> None:
    import random

    np.random.seed(5)  # noqa: NPY002
    random.seed(5)
    before = np.random.get_state()[1].copy(), random.getstate()  # noqa: NPY002
    first, second = simulate(**SMALL), simulate(**SMALL)
    assert first.equals(second)
    assert np.array_equal(before[0], np.random.get_state()[1])  # noqa: NPY002
    assert before[1] == random.getstate()


def reference(customers: int, terminals: int, days: int, radius: float) -> pl.DataFrame:
    """Simulate as the specification reads, with pandas and the global generators."""
    import random

    import pandas as pd

    np.random.seed(0)  # noqa: NPY002
    draw = np.random.uniform
    profiles = [(draw(0, 100), draw(0, 100), draw(5, 100), draw(0, 4)) for _ in range(customers)]
    np.random.seed(1)  # noqa: NPY002
    places = [(draw(0, 100), draw(0, 100)) for _ in range(terminals)]
    rows = []
    for number, (x, y, mean, frequency) in enumerate(profiles):
        near = [
            index
            for index, (a, b) in enumerate(places)
            if ((a - x) ** 2 + (b - y) ** 2) ** 0.5 < radius
        ]
        random.seed(number)
        np.random.seed(number)  # noqa: NPY002
        for day in range(days):
            for _ in range(np.random.poisson(frequency)):  # noqa: NPY002
                second = int(np.random.normal(43_200, 20_000))  # noqa: NPY002
                if 0 < second < 86_400:
                    amount = np.random.normal(mean, mean / 2)  # noqa: NPY002
                    if amount < 0:
                        amount = draw(0, mean * 2)
                    if near:
                        where = random.choice(near)
                        rows.append((second + day * 86_400, number, where, round(amount, 2)))
    frame = pd.DataFrame(rows, columns=["time", "card", "terminal", "amount"])
    frame = frame.sort_values("time", kind="stable").reset_index(drop=True)
    frame["day"] = frame["time"] // 86_400
    frame["scenario"] = 0
    frame.loc[frame["amount"] > 220, "scenario"] = 1
    for day in range(int(frame["day"].max())):
        chosen = pd.Series(range(terminals)).sample(n=2, random_state=day)
        hit = frame["terminal"].isin(chosen) & frame["day"].between(day, day + 27)
        frame.loc[hit, "scenario"] = 2
    for day in range(int(frame["day"].max())):
        chosen = pd.Series(range(customers)).sample(n=3, random_state=day)
        hit = frame.index[frame["card"].isin(chosen) & frame["day"].between(day, day + 13)]
        random.seed(day)
        taken = random.sample(list(hit), int(len(hit) / 3))
        frame.loc[taken, "amount"] *= 5
        frame.loc[taken, "scenario"] = 3
    return pl.from_pandas(frame)


@pytest.mark.parametrize("sizes", [SMALL, {**SMALL, "customers": 10, "radius": 9.0, "days": 40}])
def test_a_small_stream_equals_the_specification_written_out(sizes: dict[str, float]) -> None:
    ours = simulate(**sizes)
    theirs = reference(**sizes)
    assert ours["TX_TIME_SECONDS"].equals(theirs["time"], check_names=False)
    assert ours["CUSTOMER_ID"].equals(theirs["card"], check_names=False)
    assert ours["TERMINAL_ID"].equals(theirs["terminal"], check_names=False)
    assert ours["TX_AMOUNT"].equals(theirs["amount"], check_names=False)
    assert ours["TX_FRAUD_SCENARIO"].equals(theirs["scenario"], check_names=False)


def test_a_stream_without_any_transaction_is_empty() -> None:
    assert simulate(customers=3, terminals=2, days=1, radius=0.001).height == 0


def test_the_digest_covers_every_column_of_the_outcome() -> None:
    frame = simulate(**SMALL)
    whole = digest(frame)
    assert len(bytes.fromhex(whole)) == hashlib.sha256().digest_size
    for name in ("TX_TIME_SECONDS", "CUSTOMER_ID", "TERMINAL_ID", "TX_FRAUD", "TX_AMOUNT"):
        assert digest(frame.with_columns(pl.col(name) + 1)) != whole
