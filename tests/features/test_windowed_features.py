"""The fifteen features against a slow, obvious computation, and against the future."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fraudlab import registry
from fraudlab.composition import Composer
from fraudlab.config import Choice
from fraudlab.errors import ConfigError, DataError
from fraudlab.features.rfm import rfm
from tests.candidates import fit, make_config

DAY = 86_400
NAMES = [
    "TX_AMOUNT", "TX_DURING_WEEKEND", "TX_DURING_NIGHT",
    "CUSTOMER_ID_NB_TX_1DAY_WINDOW", "CUSTOMER_ID_AVG_AMOUNT_1DAY_WINDOW",
    "CUSTOMER_ID_NB_TX_7DAY_WINDOW", "CUSTOMER_ID_AVG_AMOUNT_7DAY_WINDOW",
    "CUSTOMER_ID_NB_TX_30DAY_WINDOW", "CUSTOMER_ID_AVG_AMOUNT_30DAY_WINDOW",
    "TERMINAL_ID_NB_TX_1DAY_WINDOW", "TERMINAL_ID_RISK_1DAY_WINDOW",
    "TERMINAL_ID_NB_TX_7DAY_WINDOW", "TERMINAL_ID_RISK_7DAY_WINDOW",
    "TERMINAL_ID_NB_TX_30DAY_WINDOW", "TERMINAL_ID_RISK_30DAY_WINDOW",
]  # fmt: skip


def compute(frame: pl.DataFrame, **options: object) -> pl.DataFrame:
    return rfm(
        frame, time="TX_DATETIME", amount="TX_AMOUNT", card="CUSTOMER_ID",
        terminal="TERMINAL_ID", label="TX_FRAUD", **options,
    )  # fmt: skip


def frame_of(rows: list[tuple[int, int, int, float, int]]) -> pl.DataFrame:
    """Return transactions of (seconds, card, terminal, amount, label)."""
    time, card, terminal, amount, label = zip(*rows, strict=True)
    start = dt.datetime(2018, 4, 1)  # noqa: DTZ001
    return pl.DataFrame(
        {
            "TX_DATETIME": [start + dt.timedelta(seconds=second) for second in time],
            "CUSTOMER_ID": card,
            "TERMINAL_ID": terminal,
            "TX_AMOUNT": [float(each) for each in amount],
            "TX_FRAUD": pl.Series(label, dtype=pl.Int8),
        }
    )


def slow_row(frame: pd.DataFrame, row: int) -> list[float]:
    """Return the features of one row, read off their definitions."""
    now = frame.iloc[row]
    moment = now.TX_DATETIME
    features = [now.TX_AMOUNT, float(moment.weekday() >= 5), float(moment.hour <= 6)]
    place = np.arange(len(frame))
    card = frame[
        (frame.CUSTOMER_ID == now.CUSTOMER_ID)
        & ((moment > frame.TX_DATETIME) | ((moment == frame.TX_DATETIME) & (place <= row)))
    ]
    for days in (1, 7, 30):
        window = card[moment - pd.Timedelta(days=days) < card.TX_DATETIME].TX_AMOUNT
        features += [float(len(window)), float(window.mean())]
    known = moment - pd.Timedelta(days=7)
    terminal = frame[(frame.TERMINAL_ID == now.TERMINAL_ID) & (known >= frame.TX_DATETIME)]
    for days in (1, 7, 30):
        window = terminal[known - pd.Timedelta(days=days) < terminal.TX_DATETIME].TX_FRAUD
        features += [float(len(window)), float(window.mean()) if len(window) else 0.0]
    return features


DAYS = 45 * DAY
SECONDS = st.one_of(
    st.integers(0, DAYS),
    st.integers(0, 45).map(lambda day: day * DAY),  # so that windows end exactly on a row
    st.sampled_from([0, 1, DAY, 7 * DAY, 8 * DAY - 1, 8 * DAY, 14 * DAY, 37 * DAY, 37 * DAY - 1]),
)
ROWS = st.lists(
    st.tuples(
        SECONDS,
        st.integers(0, 2),
        st.integers(0, 2),
        st.integers(0, 300_000).map(lambda cents: cents / 100),
        st.integers(0, 1),
    ),
    min_size=1,
    max_size=25,
)


@given(rows=ROWS)
@settings(max_examples=120, deadline=None)
def test_any_table_has_the_features_of_the_definition(
    rows: list[tuple[int, int, int, float, int]],
) -> None:
    frame = frame_of(rows)
    expected = [slow_row(frame.to_pandas(), row) for row in range(len(rows))]
    found = compute(frame)
    assert found.columns == NAMES
    np.testing.assert_allclose(found.to_numpy(), expected, rtol=0, atol=1e-9)


def test_the_stream_has_the_features_of_pandas_rolling(simulated_cache: Path) -> None:
    (path,) = simulated_cache.glob("fraudlab/simulated-*.parquet")
    stream = pl.read_parquet(path)
    ours = compute(stream)
    assert ours.columns == NAMES
    assert ours.height == 1_754_155
    random = np.random.default_rng(0)
    for card in random.choice(5000, 40, replace=False):
        mine = stream["CUSTOMER_ID"] == card
        history = stream.filter(mine).to_pandas().set_index("TX_DATETIME").TX_AMOUNT
        found = ours.filter(mine)
        for days in (1, 7, 30):
            window = history.rolling(f"{days}D")
            count = found[f"CUSTOMER_ID_NB_TX_{days}DAY_WINDOW"].to_numpy()
            average = found[f"CUSTOMER_ID_AVG_AMOUNT_{days}DAY_WINDOW"].to_numpy()
            np.testing.assert_array_equal(count, window.count().to_numpy())
            np.testing.assert_allclose(average, window.mean().to_numpy(), rtol=0, atol=1e-9)
    for terminal in random.choice(10_000, 40, replace=False):
        mine = stream["TERMINAL_ID"] == terminal
        history = stream.filter(mine)
        moment = history["TX_DATETIME"].dt.epoch("s").to_numpy()
        fraud = history["TX_FRAUD"].to_numpy()
        for days in (1, 7, 30):
            known = moment[:, None] - 7 * DAY
            inside = (moment > known - days * DAY) & (moment <= known)  # [row, earlier row]
            count = inside.sum(axis=1)
            risk = (inside * fraud).sum(axis=1) / np.maximum(count, 1)
            names = [f"TERMINAL_ID_{name}_{days}DAY_WINDOW" for name in ("NB_TX", "RISK")]
            found = ours.filter(mine).select(names).to_numpy()
            np.testing.assert_allclose(found, np.column_stack([count, risk]), rtol=0, atol=1e-12)


@given(rows=ROWS, delay=st.integers(1, 20), data=st.data())
@settings(max_examples=150, deadline=None)
def test_no_feature_knows_a_label_younger_than_the_delay(
    rows: list[tuple[int, int, int, float, int]], delay: int, data: st.DataObject
) -> None:
    row = data.draw(st.integers(0, len(rows) - 1))
    moment = rows[row][0]
    flipped = [
        (*each[:4], 1 - each[4]) if each[0] > moment - delay * DAY else each for each in rows
    ]
    before = compute(frame_of(rows), delay_days=delay).row(row)
    assert compute(frame_of(flipped), delay_days=delay).row(row) == before


@given(rows=ROWS, later=ROWS, data=st.data())
@settings(max_examples=150, deadline=None)
def test_no_feature_knows_a_later_row(
    rows: list[tuple[int, int, int, float, int]],
    later: list[tuple[int, int, int, float, int]],
    data: st.DataObject,
) -> None:
    row = data.draw(st.integers(0, len(rows) - 1))
    moment = rows[row][0]
    past = [(place, each) for place, each in enumerate(rows) if each[0] <= moment]
    new_place = [place for place, _ in past].index(row)
    future = [(each[0] + moment + 1, *each[1:]) for each in later]
    before = compute(frame_of([each for _, each in past])).row(new_place)
    assert compute(frame_of(rows)).row(row) == before
    assert compute(frame_of([each for _, each in past] + future)).row(new_place) == before


@pytest.mark.parametrize(
    ("overrides", "delay"),
    [
        ([], 7),
        (["split.params.delay_days=14"], 14),
        (["split.params.delay_days=0"], 0),
        (["split=stratified"], 7),
        (["split.params.delay_days=9", "features.params.delay_days=12"], 12),
    ],
)
def test_features_know_labels_no_earlier_than_the_split_says(
    overrides: list[str], delay: int
) -> None:
    words = ["data=simulated_small", "features=rfm", *overrides]
    (candidate,) = Composer().plan(words).candidates
    assert registry.build("features", candidate.config.features).delay_days == delay


@given(rows=ROWS, data=st.data())
@settings(max_examples=100, deadline=None)
def test_without_a_delay_no_feature_knows_a_label_of_its_own_second(
    rows: list[tuple[int, int, int, float, int]], data: st.DataObject
) -> None:
    row = data.draw(st.integers(0, len(rows) - 1))
    flipped = [(*each[:4], 1 - each[4]) if each[0] >= rows[row][0] else each for each in rows]
    before = compute(frame_of(rows), delay_days=0).row(row)
    assert compute(frame_of(flipped), delay_days=0).row(row) == before


def test_without_a_delay_the_label_of_the_second_before_is_known() -> None:
    found = compute(frame_of([(5, 1, 1, 1.0, 1), (6, 2, 1, 1.0, 0)]), delay_days=0)
    assert found["TERMINAL_ID_RISK_1DAY_WINDOW"].to_list() == [0.0, 1.0]


def test_a_missing_amount_stays_missing_and_adds_nothing_to_a_sum() -> None:
    rows = [(n * 1000, 1, 1, amount, 0) for n, amount in enumerate([10.0, 0.0, 20.0])]
    frame = frame_of(rows)
    missing = frame.with_columns(TX_AMOUNT=pl.Series([10.0, None, 20.0]))
    found = compute(missing)
    assert found["TX_AMOUNT"].is_nan().to_list() == [False, True, False]
    assert found.drop("TX_AMOUNT").equals(compute(frame).drop("TX_AMOUNT"))


def test_rows_of_one_second_count_in_the_order_of_the_table() -> None:
    found = compute(frame_of([(5, 1, 1, 10.0, 0), (5, 1, 1, 20.0, 0), (5, 1, 1, 60.0, 0)]))
    assert found["CUSTOMER_ID_NB_TX_1DAY_WINDOW"].to_list() == [1.0, 2.0, 3.0]
    assert found["CUSTOMER_ID_AVG_AMOUNT_1DAY_WINDOW"].to_list() == [10.0, 15.0, 30.0]


def test_text_entities_give_the_same_features_as_numbers() -> None:
    rows = [(n * 40_000, n % 3, n % 2, n + 0.25, n % 2) for n in range(60)]
    frame = frame_of(rows)
    text = frame.with_columns(
        pl.format("c{}", "CUSTOMER_ID").alias("CUSTOMER_ID"),
        pl.format("t {}", "TERMINAL_ID").alias("TERMINAL_ID"),
    )
    assert compute(text).equals(compute(frame))


def test_other_windows_give_other_columns_and_a_window_given_twice_is_refused() -> None:
    found = compute(frame_of([(0, 1, 1, 1.0, 0)]), windows_days=[2])
    assert found.columns[3:] == [
        "CUSTOMER_ID_NB_TX_2DAY_WINDOW", "CUSTOMER_ID_AVG_AMOUNT_2DAY_WINDOW",
        "TERMINAL_ID_NB_TX_2DAY_WINDOW", "TERMINAL_ID_RISK_2DAY_WINDOW",
    ]  # fmt: skip
    for windows in ([], [7, 7]):
        with pytest.raises(ConfigError, match="windows_days"):
            registry.build("features", Choice("rfm", {"windows_days": windows}))


@pytest.fixture
def own(tmp_path: Path) -> Callable[..., Choice]:
    """Return a function that names an own table of a card's transactions."""
    rows = [f"{n * 50_000},{n % 4},{n % 3},{n - 5},{int(n % 4 == 0)}" for n in range(60)]
    path = tmp_path / "own.csv"
    path.write_text("\n".join(["t,card,shop,paid,fraud", *rows]))

    def choice(**more: object) -> Choice:
        named = {"path": str(path), "label": "fraud", "time": "t", "entities": ["card", "shop"]}
        return Choice("table", named | more)

    return choice


def test_an_own_table_has_windowed_features_under_its_own_names(
    own: Callable[..., Choice],
) -> None:
    raw = registry.build("data", own(amount="paid", bounds={"paid": [-10, 100]})).read()
    table = registry.build("features", Choice("rfm")).build(raw)
    fields = {field.name: field for field in table.fields}
    assert list(table.frame) == [field.name for field in table.fields]
    assert fields["paid"].role == "amount"
    for name in ("paid", "card_AVG_AMOUNT_7DAY_WINDOW"):
        assert (fields[name].min, fields[name].max) == (-10, 100)
    for name, field in fields.items():
        values = table.frame[name]
        assert field.min is None or values.min() >= field.min
        assert field.max is None or values.max() <= field.max


def test_windowed_features_need_time_amount_and_two_entities(own: Callable[..., Choice]) -> None:
    raw = registry.build("data", own()).read()
    with pytest.raises(DataError, match=r"amount=None"):
        registry.build("features", Choice("rfm")).build(raw)


def test_amounts_too_large_to_be_summed_exactly_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text("t,card,shop,paid,fraud\n1,1,1,6e14,0\n2,1,1,6e14,1\n")
    params = {"path": str(path), "label": "fraud", "time": "t", "amount": "paid"}
    raw = registry.build("data", Choice("table", params | {"entities": ["card", "shop"]})).read()
    with pytest.raises(DataError, match=r"'paid' add up to 1.2e\+15"):
        registry.build("features", Choice("rfm")).build(raw)


def test_a_missing_amount_of_an_own_table_is_a_missing_input(tmp_path: Path) -> None:
    rows = [f"{n * 50_000},{n % 4},{n % 3},{n or ''},{n % 2}" for n in range(60)]
    path = tmp_path / "gaps.csv"
    path.write_text("\n".join(["t,card,shop,paid,fraud", *rows]))
    params = {"path": str(path), "label": "fraud", "time": "t", "amount": "paid"}
    raw = registry.build("data", Choice("table", params | {"entities": ["card", "shop"]})).read()
    detector = fit(make_config(), registry.build("features", Choice("rfm")).build(raw))
    (paid,) = (field for field in detector.fields if field.name == "paid")
    assert paid.nullable
    assert "paid=missing" in detector.preprocess.columns
    assert detector.preprocess.numeric[0].median == 30.0
