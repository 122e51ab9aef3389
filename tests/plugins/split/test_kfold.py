"""split=kfold: every row scored once out of its fold, in as many fits as folds."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from fraudlab import registry
from fraudlab.config import Choice
from fraudlab.errors import ConfigError, DataError
from fraudlab.splitting import split_table
from fraudlab.table import SECONDS_PER_DAY, Table
from tests.candidates import make_config, make_table, train
from tests.plugins.split.tables import splitter


def rows(count: int = 400, seed: int = 0, **meaning: object) -> Table:
    """Return rows of a day each on average, 20 % frauds, of 60 cards."""
    draw = np.random.default_rng(seed)
    columns = {
        "time": np.sort(draw.integers(0, count * SECONDS_PER_DAY, count)),
        "card": draw.integers(0, 60, count),
        "x": draw.normal(size=count),
        "fraud": (draw.random(count) < 0.2).astype(int),
    }
    named = {value[0] if isinstance(value, list) else value for value in meaning.values()}
    return make_table({k: v for k, v in columns.items() if k in {"x", "fraud", *named}}, **meaning)


CARDS = {"time": "time", "entities": ["card"]}


def test_the_folds_are_scikit_learns() -> None:
    table = rows()
    split = split_table(table, splitter("kfold", random_state=3))
    dealt = StratifiedKFold(5, shuffle=True, random_state=3).split(table.label, table.label)
    for stage, (fit, judge) in zip(split.validation, dealt, strict=True):
        assert np.array_equal(stage.fit, fit)
        assert np.array_equal(stage.judge, judge)


def test_grouped_folds_are_scikit_learns_and_keep_cards_whole() -> None:
    table = rows(entities=["card"])
    split = split_table(table, splitter("kfold", grouped=True, random_state=3))
    dealer = StratifiedGroupKFold(5, shuffle=True, random_state=3)
    dealt = dealer.split(table.label, table.label, table.card)
    for stage, (fit, judge) in zip(split.validation, dealt, strict=True):
        assert np.array_equal(stage.fit, fit)
        assert np.array_equal(stage.judge, judge)
        assert not np.isin(table.card[judge], table.card[fit]).any()


def test_no_fold_is_cut_on_itself_and_there_are_as_many_fits_as_folds() -> None:
    split = split_table(rows(), splitter("kfold", n_splits=4))
    assert len(split.folds) == len(split.validation) == 4
    for number, fold in enumerate(split.folds):
        assert fold.test is split.validation[number]
        assert fold.cut is split.validation[(number + 1) % 4]
    assert len({stage.fit.tobytes() for stage in split.validation}) == 4
    judged = np.concatenate([fold.test.judge for fold in split.folds])
    assert np.array_equal(np.sort(judged), np.arange(400))


def test_a_run_fits_once_per_fold(monkeypatch: pytest.MonkeyPatch) -> None:
    from fraudlab import exporting

    fitted: list[bytes] = []
    whole = exporting.fit_detector

    def counted(config, encoded, resampled):
        fitted.append(resampled.X.tobytes())
        return whole(config, encoded, resampled)

    monkeypatch.setattr(exporting, "fit_detector", counted)
    result = train(make_config(split=("kfold", {"n_splits": 3})), rows())
    assert len(fitted) == len(set(fitted)) == 3
    assert "average_precision_std" in result.metrics.test


def test_without_shuffling_and_time_the_folds_are_those_of_the_tables_order() -> None:
    table = rows()
    split = split_table(table, splitter("kfold", shuffle=False))
    dealt = StratifiedKFold(5).split(table.label, table.label)
    for stage, (_, judge) in zip(split.validation, dealt, strict=True):
        assert np.array_equal(stage.judge, judge)


@given(
    seed=st.integers(0, 30),
    n_splits=st.integers(2, 5),
    delay=st.sampled_from([0, 1, 9, 40]),
    coarse=st.sampled_from([1, SECONDS_PER_DAY, 30 * SECONDS_PER_DAY]),
)
@settings(max_examples=60, deadline=None, derandomize=True)
def test_blocks_of_time_keep_their_distance(
    seed: int, n_splits: int, delay: int, coarse: int
) -> None:
    draw = np.random.default_rng(seed)
    time = draw.integers(0, 300 * SECONDS_PER_DAY, 200) // coarse * coarse
    table = make_table({"time": time, "x": range(200), "fraud": [0, 1] * 100}, time="time")
    cutter = splitter("kfold", n_splits=n_splits, shuffle=False, delay_days=delay)
    stages = cutter.split(table).validation
    time, gap = table.time, delay * SECONDS_PER_DAY
    assert time is not None
    judged = np.concatenate([stage.judge for stage in stages])
    assert np.array_equal(np.sort(judged), np.arange(200))
    ends = [(time[stage.judge].min(), time[stage.judge].max()) for stage in stages]
    assert all(one[1] < two[0] for one, two in pairwise(ends))
    for stage, (first, last) in zip(stages, ends, strict=True):
        left_out = np.setdiff1d(np.arange(200), np.union1d(stage.fit, stage.judge))
        near = (time > first - gap) & (time < last + gap)
        assert not near[stage.fit].any()
        assert near[left_out].all()


def test_blocks_are_of_equal_size_where_no_instants_are_shared() -> None:
    stages = split_table(rows(time="time"), splitter("kfold", shuffle=False)).validation
    assert [len(stage.judge) for stage in stages] == [80] * 5


def test_grouped_blocks_fit_no_row_of_a_scored_card() -> None:
    number = np.arange(3000)  # a card pays forty times, and no more
    columns = {"time": number, "card": number // 40, "x": number, "fraud": number % 2}
    table = make_table(columns, **CARDS)
    split = split_table(table, splitter("kfold", shuffle=False, grouped=True))
    for stage in split.validation:
        assert not np.isin(table.card[stage.fit], table.card[stage.judge]).any()
        assert len(stage.fit) + len(stage.judge) > 2800
    steady = make_table(columns | {"card": number % 40}, **CARDS)
    with pytest.raises(DataError, match=r"grouped=true leaves 0 of 2400 train rows"):
        splitter("kfold", shuffle=False, grouped=True).split(steady)


@given(seed=st.integers(0, 100), n_splits=st.integers(2, 5), shuffle=st.booleans())
@settings(max_examples=100, deadline=None, derandomize=True)
def test_duplicates_stay_in_the_first_of_their_folds(
    seed: int, n_splits: int, shuffle: bool
) -> None:
    draw = np.random.default_rng(seed)
    table = make_table({"x": draw.integers(0, 12, 80), "fraud": [0, 1] * 40})
    cutter = splitter("kfold", n_splits=n_splits, shuffle=shuffle, random_state=seed)
    stages = cutter.split(table).validation
    seeded = seed if shuffle else None
    dealt = StratifiedKFold(n_splits, shuffle=shuffle, random_state=seeded)
    before = np.empty(80, dtype=int)
    for number, (_, judge) in enumerate(dealt.split(table.label, table.label)):
        before[judge] = number
    after = np.empty(80, dtype=int)
    for number, stage in enumerate(stages):
        after[stage.judge] = number
    for group in range(table.duplicate.max() + 1):
        twins = table.duplicate == group
        assert (after[twins] == before[twins].min()).all()
    alone = table.duplicate < 0
    assert np.array_equal(after[alone], before[alone])


def test_a_delay_between_shuffled_folds_is_refused_before_data() -> None:
    with pytest.raises(ConfigError, match=r"set split\.params\.shuffle=false") as told:
        registry.check("split", Choice("kfold", {"delay_days": 7}))
    assert told.value.key == "split.params.delay_days"


def test_what_the_table_lacks_is_said_with_what_to_do() -> None:
    with pytest.raises(
        DataError, match=r"data\.time=COLUMN, or set split\.params\.delay_days=null"
    ):
        splitter("kfold", shuffle=False, delay_days=7).split(rows())
    for shuffle in (True, False):
        with pytest.raises(DataError, match=r"data\.entities=\[COLUMN\], or set"):
            splitter("kfold", shuffle=shuffle, grouped=True).split(rows(time="time"))


def test_fewer_frauds_or_cards_than_folds_are_said_with_their_number() -> None:
    table = make_table({"x": range(40), "card": [0] * 20 + [1] * 20, "fraud": [1] * 3 + [0] * 37})
    with pytest.raises(DataError, match=r"n_splits=5 .*3 \(fraud\) and 37 \(genuine\)"):
        splitter("kfold").split(table)
    half = make_table(
        {"x": range(40), "card": [0] * 20 + [1] * 20, "fraud": [0, 1] * 20}, entities=["card"]
    )
    with pytest.raises(DataError, match=r"cards with such rows.*2 \(fraud\) and 2 \(genuine\)"):
        splitter("kfold", grouped=True).split(half)
