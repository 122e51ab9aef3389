"""A card's habits and a terminal's streak, against a slow, obvious computation and the future."""

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
from fraudlab.features.habits import NEVER, Habit, habits
from tests.candidates import fit, make_config

DAY = 86_400
CARD = [
    "HABIT_NB_TX", "HABIT_AMOUNT", "HABIT_RATIO", "SUSPECT_NB_TX", "SUSPECT_DAYS", "FRAUD_NB_TX",
    "FRAUD_DAYS",
]  # fmt: skip
TERMINAL = [
    "KNOWN_NB_TX", "GENUINE_DAYS", "FRAUD_DAYS", "STREAK_NB_TX", "STREAK_DAYS",
    "STREAK_DAYS_AT_MOST", "AFTER_STREAK_NB_TX",
]  # fmt: skip
NAMES = [f"CUSTOMER_ID_{name}" for name in CARD] + [f"TERMINAL_ID_{name}" for name in TERMINAL]
Row = tuple[int, int, int, float, int]  # seconds, card, terminal, amount, label


def compute(rows: list[Row], **options: object) -> pl.DataFrame:
    time, card, terminal, amount, label = zip(*rows, strict=True)
    start = dt.datetime(2018, 4, 1)  # noqa: DTZ001
    frame = pl.DataFrame(
        {
            "when": [start + dt.timedelta(seconds=second) for second in time],
            "CUSTOMER_ID": card,
            "TERMINAL_ID": terminal,
            "paid": pl.Series(amount, dtype=pl.Float64),
            "fraud": pl.Series(label, dtype=pl.Int8),
        }
    )
    return habits(
        frame, time="when", amount="paid", card="CUSTOMER_ID", terminal="TERMINAL_ID",
        label="fraud", **options,
    )  # fmt: skip


class Slow:
    """The features of one row after another, read off their definitions."""

    def __init__(self, rows: list[Row], delay: int, habit: Habit) -> None:
        self.rows, self.delay, self.habit = rows, delay, habit
        order = sorted(range(len(rows)), key=lambda place: (rows[place][0], place))
        self.place = {row: number for number, row in enumerate(order)}
        self.ratio: dict[int, float] = {}
        self.found = {row: self._row(row) for row in order}

    def known(self, other: int, row: int) -> bool:
        age = self.rows[row][0] - self.rows[other][0]
        return age >= self.delay * DAY and age > 0

    def days(self, row: int, others: list[int], *, first: bool = False) -> float:
        if not others:
            return NEVER
        other = (min if first else max)(others, key=self.place.__getitem__)
        return float(self.rows[row][0] // DAY - self.rows[other][0] // DAY)

    def earlier(self, row: int, column: int) -> list[int]:
        same = [n for n, each in enumerate(self.rows) if each[column] == self.rows[row][column]]
        return sorted(
            (n for n in same if self.place[n] < self.place[row]), key=self.place.__getitem__
        )

    def within(self, other: int, row: int, days: int) -> bool:
        return self.rows[row][0] - self.rows[other][0] < days * DAY

    def _row(self, row: int) -> list[float]:
        habit, fraud = self.habit, [each[4] == 1 for each in self.rows]
        mine = self.earlier(row, 1)
        told = [n for n in mine if self.known(n, row) and fraud[n]]
        usual = [
            self.rows[n][3] for n in mine if self.within(n, row, habit.habit_days) and n not in told
        ]
        mean = float(np.mean(usual)) if usual else 0.0
        self.ratio[row] = self.rows[row][3] / mean if mean > 0 else 1.0
        suspect = [
            n
            for n in mine
            if self.within(n, row, habit.watch_days)
            and self.ratio[n] > habit.unusual_ratio
            and not (self.known(n, row) and not fraud[n])
        ]
        recent = [n for n in told if self.within(n, row, self.delay + habit.watch_days)]
        of_card = [
            len(usual), mean, self.ratio[row], len(suspect), self.days(row, suspect, first=True),
            len(recent), self.days(row, told),
        ]  # fmt: skip
        return of_card + self._terminal(row, fraud)

    def _terminal(self, row: int, fraud: list[bool]) -> list[float]:
        known = [n for n in self.earlier(row, 2) if self.known(n, row)]
        genuine = [n for n in known if not fraud[n]]
        plain = [n for n in known if fraud[n] and self.ratio[n] <= self.habit.plain_ratio]
        head = [len(known), self.days(row, genuine), self.days(row, plain)]
        if not plain:
            return [*head, 0, NEVER, NEVER, NEVER]
        last = known.index(plain[-1])
        before = [n for n in known[:last] if not fraud[n]]
        start = known.index(before[-1]) + 1 if before else 0
        streak = [n for n in known[start : last + 1] if n in plain]
        return [
            *head, len(streak), self.days(row, streak, first=True), self.days(row, before),
            len(known) - last - 1,
        ]  # fmt: skip


SECONDS = st.one_of(
    st.integers(0, 60 * DAY),
    st.integers(0, 60).map(lambda day: day * DAY),  # so that windows end exactly on a row
    st.sampled_from([0, 1, DAY, 7 * DAY, 14 * DAY, 21 * DAY, 21 * DAY - 1, 21 * DAY + 1]),
)
ROWS = st.lists(
    st.tuples(
        SECONDS,
        st.integers(0, 1),
        st.integers(0, 1),
        st.sampled_from([0.0, 10.0, 12.5, 20.0, 25.01, 60.0]),
        st.integers(0, 1),
    ),
    min_size=1,
    max_size=25,
)
HABITS = st.builds(
    Habit,
    habit_days=st.sampled_from([3, 10, 90]),
    unusual_ratio=st.sampled_from([1.5, 2.5]),
    plain_ratio=st.sampled_from([1.0, 2.2]),
    watch_days=st.sampled_from([2, 14, 30]),
)


@given(rows=ROWS, delay=st.sampled_from([0, 1, 7]), habit=HABITS)
@settings(max_examples=120, deadline=None, derandomize=True)
def test_any_table_has_the_features_of_the_definition(
    rows: list[Row], delay: int, habit: Habit
) -> None:
    slow = Slow(rows, delay, habit)
    found = compute(rows, delay_days=delay, habit=habit)
    assert found.columns == NAMES
    expected = [slow.found[row] for row in range(len(rows))]
    np.testing.assert_allclose(found.to_numpy(), expected, rtol=1e-12, atol=1e-9)


@given(rows=ROWS, delay=st.integers(0, 20), data=st.data())
@settings(max_examples=100, deadline=None, derandomize=True)
def test_no_feature_knows_a_label_younger_than_the_delay(
    rows: list[Row], delay: int, data: st.DataObject
) -> None:
    row = data.draw(st.integers(0, len(rows) - 1))
    moment = rows[row][0]
    changed = [
        (*each[:4], 1 - each[4]) if each[0] > moment - delay * DAY or each[0] == moment else each
        for each in rows
    ]
    before = compute(rows, delay_days=delay).row(row)
    assert compute(changed, delay_days=delay).row(row) == before


@given(rows=ROWS, later=ROWS, data=st.data())
@settings(max_examples=100, deadline=None, derandomize=True)
def test_no_feature_knows_a_later_row(
    rows: list[Row], later: list[Row], data: st.DataObject
) -> None:
    row = data.draw(st.integers(0, len(rows) - 1))
    moment = rows[row][0]
    past = [n for n, each in enumerate(rows) if (each[0], n) <= (moment, row)]
    future = [(each[0] + moment, *each[1:]) for each in later]  # the same second, and after
    before = compute([rows[n] for n in past]).row(past.index(row))
    assert compute(rows).row(row) == before
    assert compute([rows[n] for n in past] + future).row(past.index(row)) == before


def test_the_label_of_a_row_as_old_as_the_delay_is_known() -> None:
    rows = [(0, 1, 1, 10.0, 1), (7 * DAY - 1, 1, 1, 10.0, 0), (7 * DAY, 1, 1, 10.0, 0)]
    assert compute(rows)["TERMINAL_ID_STREAK_NB_TX"].to_list() == [0, 0, 1]
    assert compute(rows)["CUSTOMER_ID_FRAUD_NB_TX"].to_list() == [0, 0, 1]


def test_a_streak_is_counted_from_its_first_fraud_and_the_genuine_row_before() -> None:
    day = [0, 2, 3, 5, 6, 20]
    label = [0, 1, 1, 0, 0, 0]
    rows = [(d * DAY, 1, 1, 10.0, y) for d, y in zip(day, label, strict=True)]
    now = compute(rows).row(-1, named=True)
    assert [now[f"TERMINAL_ID_{name}"] for name in TERMINAL] == [5, 14, 17, 2, 18, 20, 2]


def test_a_fraud_that_its_amount_explains_does_not_count_against_the_terminal() -> None:
    cheap = [(n * DAY, 1, 2, 10.0, 0) for n in range(5)]
    for amount, frauds in ((22.0, 1), (22.01, 0)):
        rows = [*cheap, (5 * DAY, 1, 1, amount, 1), (20 * DAY, 2, 1, 10.0, 0)]
        assert compute(rows)["TERMINAL_ID_STREAK_NB_TX"][-1] == frauds


def test_a_known_fraud_leaves_the_habit_of_its_card() -> None:
    rows = [(0, 1, 1, 10.0, 0), (1, 1, 1, 100.0, 1)]
    for days, usual in ((6, 55.0), (7, 55.0), (8, 10.0)):
        found = compute([*rows, (days * DAY, 1, 1, 10.0, 0)])
        assert found["CUSTOMER_ID_HABIT_AMOUNT"][-1] == usual


def test_a_row_as_old_as_the_habit_is_forgotten() -> None:
    for second, usual in ((90 * DAY - 1, 20.0), (90 * DAY, 30.0)):
        rows = [(0, 1, 1, 10.0, 0), (DAY, 1, 1, 30.0, 0), (second, 1, 1, 10.0, 0)]
        assert compute(rows)["CUSTOMER_ID_HABIT_AMOUNT"][-1] == usual


def test_an_amount_must_exceed_the_unusual_ratio_to_be_suspect() -> None:
    for amount, suspects in ((25.0, 0), (25.01, 1)):
        rows = [(0, 1, 1, 10.0, 0), (DAY, 1, 1, amount, 0), (2 * DAY, 1, 1, 10.0, 0)]
        assert compute(rows)["CUSTOMER_ID_SUSPECT_NB_TX"][-1] == suspects


def test_an_amount_that_turned_out_genuine_is_no_longer_suspect() -> None:
    for label, found in ((0, (0, NEVER)), (1, (1, 8.0))):
        rows = [(0, 1, 1, 10.0, 0), (DAY, 1, 1, 90.0, label), (9 * DAY, 1, 1, 10.0, 0)]
        now = compute(rows).row(-1, named=True)
        assert (now["CUSTOMER_ID_SUSPECT_NB_TX"], now["CUSTOMER_ID_SUSPECT_DAYS"]) == found


def test_a_missing_amount_is_as_usual_and_has_no_part_in_the_habit() -> None:
    amounts = [10.0, None, 20.0, 30.0]
    found = compute([(n, 1, 1, amount, 0) for n, amount in enumerate(amounts)])
    assert found["CUSTOMER_ID_HABIT_NB_TX"].to_list() == [0, 1, 1, 2]
    assert found["CUSTOMER_ID_HABIT_RATIO"].to_list() == [1, 1, 2, 2]


def test_an_empty_table_has_all_columns_and_no_row() -> None:
    found = compute([(0, 1, 1, 1.0, 0)])
    frame = pl.DataFrame({name: [] for name in ("when", "CUSTOMER_ID", "TERMINAL_ID", "paid", "f")})
    empty = habits(
        frame.with_columns(pl.col("f").cast(pl.Int8)), time="when", amount="paid",
        card="CUSTOMER_ID", terminal="TERMINAL_ID", label="f",
    )  # fmt: skip
    assert (empty.columns, empty.height) == (found.columns, 0)


@pytest.mark.parametrize(
    ("overrides", "delay"),
    [([], 7), (["split.params.delay_days=14"], 14), (["split=stratified"], 7)],
)
def test_labels_are_known_no_earlier_than_the_split_says(overrides: list[str], delay: int) -> None:
    words = ["data=simulated_small", "features=habits", *overrides]
    (candidate,) = Composer().plan(words).candidates
    assert registry.build("features", candidate.config.features).delay_days == delay


@pytest.fixture
def own(tmp_path: Path) -> Callable[..., Choice]:
    """Return a function that names an own table of a card's transactions."""
    path = tmp_path / "own.csv"

    def choice(lowest: int = 0, **more: object) -> Choice:
        rows = [f"{n * 50_000},{n % 4},{n % 3},{n + lowest},{int(n % 4 == 0)}" for n in range(60)]
        path.write_text("\n".join(["t,card,shop,paid,fraud", *rows]))
        named = {"path": str(path), "label": "fraud", "time": "t", "entities": ["card", "shop"]}
        return Choice("table", named | more)

    return choice


@pytest.mark.parametrize(("lowest", "bounds"), [(-5, {"paid": [-10, 100]}), (0, {})])
def test_an_own_table_keeps_to_the_bounds_of_its_fields(
    own: Callable[..., Choice], lowest: int, bounds: dict[str, list[float]]
) -> None:
    raw = registry.build("data", own(lowest, amount="paid", bounds=bounds)).read()
    table = registry.build("features", Choice("habits")).build(raw)
    windowed = registry.build("features", Choice("rfm")).build(raw)
    names = [field.name for field in table.fields]
    assert names[: len(windowed.fields)] == list(windowed.frame)
    assert list(table.frame) == names
    pd.testing.assert_frame_equal(table.frame[list(windowed.frame)], windowed.frame)
    assert names[-14:] == [f"card_{name}" for name in CARD] + [f"shop_{name}" for name in TERMINAL]
    for field in table.fields:
        values = table.frame[field.name]
        assert np.isfinite(values).all()
        assert field.min is None or values.min() >= field.min
        assert field.max is None or values.max() <= field.max
    detector = fit(make_config(), table)
    assert not any(field.nullable for field in detector.fields)


def test_what_is_missing_or_contradictory_is_refused(own: Callable[..., Choice]) -> None:
    raw = registry.build("data", own()).read()
    with pytest.raises(DataError, match=r"features=habits needs .* amount=None"):
        registry.build("features", Choice("habits")).build(raw)
    for windows in ([], [7, 7]):
        with pytest.raises(ConfigError, match=r"features=habits needs .*windows_days"):
            registry.build("features", Choice("habits", {"windows_days": windows}))
    for params in ({"unusual_ratio": 0}, {"plain_ratio": -1}, {"habit_days": 0}):
        with pytest.raises(ConfigError, match=next(iter(params))):
            registry.build("features", Choice("habits", params))
