"""Splits: exact sizes on the published stream, and the rules no table may break."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fraudlab import registry
from fraudlab.config import Choice
from fraudlab.errors import ConfigError, DataError, FraudlabError
from fraudlab.protocols import Fold, Split, Stage
from fraudlab.splitting import split_table
from fraudlab.table import SECONDS_PER_DAY, Columns, Table
from tests.plugins.split.tables import sizes, splitter, table_of

P1 = "2018-07-25"
SMALL = {"customers": 500, "terminals": 1000, "days": 90}


PUBLISHED = {
    "2018-07-25": (67240, 598, 58264, 385),
    "2018-07-11": (66928, 633, 58505, 374),
    "2018-08-15": (67049, 594, 57604, 422),
    "2018-08-08": (67080, 568, 58337, 408),
    "2018-08-01": (66975, 626, 57937, 387),
    "2018-07-04": (66954, 600, 57931, 351),
    "2018-06-27": (67574, 611, 57800, 411),
    "2018-06-20": (66864, 633, 57182, 416),
}


@pytest.mark.parametrize("start", PUBLISHED)
def test_the_stream_is_cut_into_the_published_windows(stream: Table, start: str) -> None:
    split = split_table(stream, splitter("temporal", start=start))
    assert sizes(stream, split.folds[0].test) == PUBLISHED[start]


def test_the_validation_of_p1_is_the_same_procedure_two_weeks_earlier(stream: Table) -> None:
    split = split_table(stream, splitter("temporal", start=P1))
    assert split.validation == (split.folds[0].cut,)
    assert sizes(stream, split.folds[0].cut) == PUBLISHED["2018-07-11"]


def test_known_cards_leave_nothing_out_when_nothing_is_known(stream: Table) -> None:
    split = split_table(stream, splitter("temporal", start=P1, known_days=0, delay_days=7))
    assert sizes(stream, split.folds[0].test)[2] > 58264


def test_test_rows_do_not_change_with_the_length_of_training(stream: Table) -> None:
    rows = []
    for days, start in ((7, "2018-07-25"), (14, "2018-07-18"), (28, "2018-07-04")):
        split = split_table(stream, splitter("temporal", start=start, train_days=days))
        rows.append(split.folds[0].test.judge)
    assert np.array_equal(rows[0], rows[1])
    assert np.array_equal(rows[0], rows[2])


def test_without_a_start_the_latest_windows_are_taken(stream: Table) -> None:
    split = split_table(stream, splitter("temporal"))
    assert stream.day[split.folds[0].test.judge].max() == stream.day.max()


def test_windows_beyond_the_table_are_refused_with_the_days_there_are(stream: Table) -> None:
    with pytest.raises(DataError, match="2018-04-01 to 2018-09-30"):
        splitter("temporal", start="2018-04-02").split(stream)
    with pytest.raises(DataError, match="2018-04-01 to 2018-09-30"):
        splitter("temporal", start="2018-09-15").split(stream)


DAYS = 24 * SECONDS_PER_DAY
ROWS = st.lists(
    st.tuples(
        st.integers(0, 24 * SECONDS_PER_DAY - 1) | st.sampled_from(range(0, DAYS, SECONDS_PER_DAY)),
        st.integers(0, 4),
        st.integers(0, 2),
        st.integers(0, 1),
    ),
    min_size=4,
    max_size=80,
)  # fmt: skip
DIVISION = Columns(label="fraud", time="time", entities=("card",))


def random_table(rows: list[tuple[int, int, int, int]], columns: Columns = DIVISION) -> Table:
    """Return the rows, each third of them twice, with both classes."""
    rows = [*rows, *rows[::3], (0, 0, 0, 0), (0, 0, 0, 1)]
    frame = pl.DataFrame(rows, ["time", "card", "x", "fraud"], orient="row").sort("time")
    if columns.time is None:
        frame = frame.drop("time", "card")
    return table_of(frame, columns)


def straddling(table: Table, stage: Stage) -> np.ndarray:
    twins = table.duplicate
    return np.intersect1d(twins[stage.fit][twins[stage.fit] >= 0], twins[stage.judge])


@given(
    rows=ROWS,
    train=st.integers(1, 5),
    delay=st.integers(0, 4),
    test=st.integers(1, 5),
    known=st.integers(0, 8),
)
@settings(max_examples=200, deadline=None)
def test_temporal_keeps_train_before_the_delay_before_test(
    rows: list[tuple[int, int, int, int]], train: int, delay: int, test: int, known: int
) -> None:
    table = random_table([*rows, (24 * SECONDS_PER_DAY - 1, 0, 0, 0)])
    cutter = splitter(
        "temporal", train_days=train, delay_days=delay, test_days=test, known_days=known
    )
    split = cutter.split(table)
    day, card = table.day, table.card
    assert card is not None
    for stage in (split.folds[0].cut, split.folds[0].test):
        assert not len(np.intersect1d(stage.fit, stage.judge))
        assert not len(straddling(table, stage))
        assert np.all(np.diff(stage.fit) > 0)
        assert np.all(np.diff(stage.judge) > 0)
        if len(stage.fit) and len(stage.judge):
            assert day[stage.fit].max() + delay < day[stage.judge].min()
            assert day[stage.fit].max() - day[stage.fit].min() < train
            assert day[stage.judge].max() - day[stage.judge].min() < test
    start = 24 - train - delay - test  # the latest windows
    for row in split.folds[0].test.judge:
        told = (day < day[row] - delay) & (day >= start + train - known)
        assert not np.any((table.label == 1) & told & (card == card[row]))
    kept = set(split.folds[0].test.judge.tolist())
    for row in np.flatnonzero(day >= start + train + delay):
        told = (day < day[row] - delay) & (day >= start + train - known)
        is_known = np.any((table.label == 1) & told & (card == card[row]))
        assert is_known != (row in kept)


@given(rows=ROWS, train=st.floats(0.1, 0.7), validation=st.floats(0.1, 0.25))
@settings(max_examples=200, deadline=None)
def test_shares_in_time_order_keep_instants_and_duplicates_together(
    rows: list[tuple[int, int, int, int]], train: float, validation: float
) -> None:
    table = random_table(rows)
    split = splitter("stratified", train=train, validation=validation).split(table)
    fold = split.folds[0]
    parts = [fold.cut.fit, fold.cut.judge, fold.test.judge]
    assert fold.cut.fit is fold.test.fit
    assert np.array_equal(np.sort(np.concatenate(parts)), np.arange(len(table)))
    time = table.time
    assert time is not None
    filled = [part for part in parts if len(part)]
    for earlier, later in pairwise(filled):
        assert time[earlier].max() < time[later].min()
    for stage in (fold.cut, fold.test):
        assert not len(straddling(table, stage))


@given(rows=ROWS, seed=st.integers(0, 5))
@settings(max_examples=200, deadline=None)
def test_shares_without_a_time_keep_duplicates_on_the_earlier_side(
    rows: list[tuple[int, int, int, int]], seed: int
) -> None:
    table = random_table(rows, Columns(label="fraud"))
    fold = splitter("stratified", random_state=seed).split(table).folds[0]
    parts = [fold.cut.fit, fold.cut.judge, fold.test.judge]
    assert np.array_equal(np.sort(np.concatenate(parts)), np.arange(len(table)))
    twins = [set(table.duplicate[part][table.duplicate[part] >= 0].tolist()) for part in parts]
    assert not twins[0] & twins[1]
    assert not twins[0] & twins[2]
    assert not twins[1] & twins[2]
    again = splitter("stratified", random_state=seed).split(table).folds[0]
    for stage, repeated in ((fold.cut, again.cut), (fold.test, again.test)):
        assert np.array_equal(stage.fit, repeated.fit)
        assert np.array_equal(stage.judge, repeated.judge)


@pytest.fixture(scope="module")
def single_rows() -> Table:
    """Return 1,000 rows without time or duplicates, 5 % frauds."""
    frame = pl.DataFrame({"x": range(1000), "fraud": [int(n % 20 == 0) for n in range(1000)]})
    return table_of(frame, Columns(label="fraud"))


def test_without_a_time_each_class_is_shuffled_into_sixty_twenty_twenty(single_rows: Table) -> None:
    fold = split_table(single_rows, splitter("stratified")).folds[0]
    assert sizes(single_rows, fold.cut) == (600, 30, 200, 10)
    assert sizes(single_rows, fold.test) == (600, 30, 200, 10)
    assert not np.array_equal(fold.cut.fit, np.arange(600))
    other = split_table(single_rows, splitter("stratified", random_state=7)).folds[0]
    assert not np.array_equal(fold.cut.fit, other.cut.fit)


def test_a_duplicate_moves_to_the_earliest_side_of_its_group() -> None:
    time = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
    frame = pl.DataFrame({"time": time, "x": [0] * 10, "fraud": [0, 1] * 5})
    table = table_of(frame.drop("time"), Columns(label="fraud"))  # only two distinct rows
    fold = splitter("stratified").split(table).folds[0]
    assert len(fold.cut.fit) == 10


@pytest.mark.parametrize("part", ["train rows of validation", "validation", "test"])
def test_a_part_of_one_class_is_named(single_rows: Table, part: str) -> None:
    frauds, genuine = np.arange(0, 1000, 20), np.setdiff1d(np.arange(1000), np.arange(0, 1000, 20))
    mixed = [np.concatenate([frauds[n::3], genuine[n::3]]) for n in range(3)]
    places = {"train rows of validation": 0, "validation": 1, "test": 2}
    mixed[places[part]] = genuine[places[part] :: 3]

    class Fixed:
        def split(self, table: Table) -> Split:
            cut = Stage(mixed[0], mixed[1])
            return Split((Fold(cut, Stage(mixed[0], mixed[2])),), (cut,))

    with pytest.raises(DataError, match=f"the {part}.* hold one class only"):
        split_table(single_rows, Fixed())


def test_a_splitter_that_scores_what_it_fits_is_a_fault(single_rows: Table) -> None:
    class Leaking:
        def split(self, table: Table) -> Split:
            cut = Stage(np.arange(600), np.arange(580, 1000))
            return Split((Fold(cut, cut),), (cut,))

    with pytest.raises(FraudlabError, match="20 rows are both fitted and scored"):
        split_table(single_rows, Leaking())


def test_a_splitter_that_divides_duplicates_is_a_fault() -> None:
    frame = pl.DataFrame({"x": [1, 2, 1, 2], "fraud": [0, 1, 0, 1]})
    table = table_of(frame, Columns(label="fraud"))

    class Dividing:
        def split(self, table: Table) -> Split:
            cut = Stage(np.array([0, 1]), np.array([2, 3]))
            return Split((Fold(cut, cut),), (cut,))

    with pytest.raises(FraudlabError, match="2 duplicates are both fitted and scored"):
        split_table(table, Dividing())


def test_shares_that_leave_no_test_and_days_that_are_none_are_refused() -> None:
    with pytest.raises(ConfigError, match="must leave rows for test"):
        splitter("stratified", train=0.8, validation=0.2)
    with pytest.raises(ConfigError, match="YYYY-MM-DD"):
        splitter("temporal", start="25.07.2018")


def test_calendar_windows_of_a_table_without_time_are_refused(single_rows: Table) -> None:
    with pytest.raises(DataError, match=r"data\.time=COLUMN"):
        splitter("temporal").split(single_rows)


def test_the_small_stream_has_windows_that_fit() -> None:
    raw = registry.build("data", Choice("simulated", SMALL)).read()
    table = registry.build("features", Choice("rfm")).build(raw)
    split = split_table(table, splitter("temporal", start="2018-06-06"))
    for stage in (split.folds[0].cut, split.folds[0].test):
        assert min(sizes(table, stage)) > 0
