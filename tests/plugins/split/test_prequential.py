"""split=prequential: the published folds to the row, validated before any of them is tested."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fraudlab.errors import ConfigError, DataError
from fraudlab.protocols import Stage
from fraudlab.splitting import split_table
from fraudlab.table import Columns, Table
from tests.candidates import make_table
from tests.plugins.split.tables import sizes, splitter

START = "2018-08-29"
TEST = [
    (67049, 594, 57604, 422),
    (67080, 568, 58337, 408),
    (66975, 626, 57937, 387),
    (67240, 598, 58264, 385),
]
VALIDATION = [
    (66928, 633, 58505, 374),
    (66954, 600, 57931, 351),
    (67574, 611, 57800, 411),
    (66864, 633, 57182, 416),
]
DAY = 86_400


def test_four_weeks_are_the_published_folds_of_test_and_validation(stream: Table) -> None:
    split = split_table(stream, splitter("prequential", test_start=START))
    assert [sizes(stream, fold.test) for fold in split.folds] == TEST
    assert [sizes(stream, stage) for stage in split.validation] == VALIDATION


def test_a_fold_is_cut_on_the_procedure_whose_labels_have_just_become_known(stream: Table) -> None:
    split = split_table(stream, splitter("prequential", test_start=START))
    cuts = [sizes(stream, fold.cut) for fold in split.folds]
    assert cuts[0] == TEST[2]
    assert cuts[1] == TEST[3]
    assert cuts[3] == VALIDATION[0]
    for fold in split.folds:
        assert stream.day[fold.cut.judge].max() + 8 == stream.day[fold.test.judge].min()


def test_no_row_of_test_is_scored_in_validation_or_known_there(stream: Table) -> None:
    split = split_table(stream, splitter("prequential", test_start=START))
    first_tested = min(stream.day[fold.test.judge].min() for fold in split.folds)
    for stage in split.validation:
        assert stream.day[stage.judge].max() + 7 < first_tested


@pytest.mark.parametrize("days", [1, 21, 60])
def test_the_scored_rows_are_the_same_whatever_the_length_of_training(
    stream: Table, days: int
) -> None:
    usual = splitter("prequential", test_start=START).split(stream)
    other = splitter("prequential", test_start=START, train_days=days).split(stream)
    for one, two in zip(stages(usual), stages(other), strict=True):
        assert np.array_equal(one.judge, two.judge)
        assert one.fit[-1] == two.fit[-1]
        assert np.unique(stream.day[two.fit]).tolist() == list(
            range(stream.day[one.fit].max() + 1 - days, stream.day[one.fit].max() + 1)
        )


def stages(split: object) -> list[Stage]:
    return [*(f.test for f in split.folds), *(f.cut for f in split.folds), *split.validation]


def test_without_a_start_the_latest_week_is_tested(stream: Table) -> None:
    split = splitter("prequential").split(stream)
    assert stream.day[split.folds[0].test.judge].max() == stream.day.max()
    assert stream.day[split.folds[0].test.judge].min() == stream.day.max() - 6


def daily(days: int, **columns: object) -> Table:
    """Return a table of two rows a day, one of them a fraud of a card of its own."""
    rows = np.arange(2 * days)
    return make_table(
        {"time": rows // 2 * DAY + rows % 2, "card": rows, "fraud": rows % 2, "x": rows} | columns,
        time="time",
        entities=["card"],
    )


def test_a_table_just_long_enough_is_split_and_a_day_less_is_refused_in_full() -> None:
    params = {"folds": 2, "train_days": 3, "delay_days": 2, "test_days": 4}
    needed = 2 * 2 * 4 + 2 * 2 + 3
    split = split_table(daily(needed), splitter("prequential", **params))
    assert len(split.folds) == len(split.validation) == 2
    assert split.validation[-1].fit[0] == 0
    with pytest.raises(DataError) as told:
        splitter("prequential", **params).split(daily(needed - 1))
    assert "2 x folds x test_days + 2 x delay_days + train_days = 23 are needed" in str(told.value)
    assert "22 days" in str(told.value)
    assert "read more days, or lower folds or shorten train_days" in str(told.value)


def test_a_start_outside_is_refused_by_name_and_what_is_no_day_before_data(stream: Table) -> None:
    with pytest.raises(DataError, match=r"2018-04-01 to 2018-09-30.*set split\.params\.test_start"):
        splitter("prequential", test_start="2018-09-25").split(stream)
    with pytest.raises(ConfigError, match="YYYY-MM-DD") as told:
        splitter("prequential", test_start="29.08.2018")
    assert told.value.key == "split.params.test_start"


def test_a_table_without_time_is_told_what_to_do() -> None:
    table = make_table({"x": range(40), "fraud": [0, 1] * 20})
    with pytest.raises(DataError, match=r"split=prequential needs a time.*data\.time=COLUMN"):
        splitter("prequential").split(table)


@given(
    folds=st.integers(1, 3),
    train=st.integers(1, 9),
    delay=st.integers(0, 5),
    test=st.integers(1, 4),
    known=st.integers(0, 9),
    seed=st.integers(0, 5),
)
@settings(max_examples=100, deadline=None, derandomize=True)
def test_every_fold_is_temporals_with_the_same_windows(
    folds: int, train: int, delay: int, test: int, known: int, seed: int
) -> None:
    days = 2 * (train + delay) + 2 * folds * (test + delay) + test
    card = np.random.default_rng(seed).integers(0, 4, 2 * days)
    table = daily(days, card=card)
    lengths = {"train_days": train, "delay_days": delay, "test_days": test, "known_days": known}
    split = splitter("prequential", folds=folds, **lengths).split(table)
    for stage in stages(split):
        assert not len(np.intersect1d(stage.fit, stage.judge))
        start = np.datetime64(int(table.day[stage.fit].min()), "D")
        if table.day[stage.fit].min() < train + delay:
            continue  # temporal would validate before the table begins
        same = splitter("temporal", start=str(start), **lengths).split(table).folds[0].test
        assert np.array_equal(stage.fit, same.fit)
        assert np.array_equal(stage.judge, same.judge)


def test_columns_need_no_card() -> None:
    columns = Columns(label="fraud", time="time")
    assert columns.entities == ()
    rows = np.arange(80)
    table = make_table({"time": rows // 2 * DAY, "fraud": rows % 2, "x": rows}, time="time")
    params = {"folds": 2, "train_days": 2, "delay_days": 1, "test_days": 3}
    split = split_table(table, splitter("prequential", **params))
    assert [len(fold.test.judge) for fold in split.folds] == [6, 6]
