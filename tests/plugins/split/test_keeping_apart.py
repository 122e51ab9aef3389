"""What splits keep apart when asked to: cards, and rows whose labels are not known yet."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fraudlab import registry
from fraudlab.composition import Composer
from fraudlab.errors import DataError
from fraudlab.protocols import Stage
from fraudlab.splitting import split_table
from fraudlab.table import SECONDS_PER_DAY, Table
from tests.candidates import make_table
from tests.plugins.split.tables import splitter

CALENDAR = ["temporal", "prequential", "repeated"]
WINDOWS = {"train_days": 3, "delay_days": 1, "test_days": 3, "known_days": 0}


def rows(days: int = 60, cards: int = 400, seed: int = 0, *, time: bool = True) -> Table:
    """Return twenty rows a day, 30 % frauds, each card's within some days of each other."""
    draw = np.random.default_rng(seed)
    moment = np.sort(draw.integers(0, days * SECONDS_PER_DAY, 20 * days))
    where = moment / (days * SECONDS_PER_DAY) * cards + draw.normal(0, 10, len(moment))
    columns = {
        "time": moment,
        "card": np.clip(where, 0, cards).astype(int),
        "x": draw.normal(size=len(moment)),
        "fraud": (draw.random(len(moment)) < 0.3).astype(int),
    }
    if time:
        return make_table(columns, time="time", entities=["card"])
    del columns["time"]
    return make_table(columns, entities=["card"])


def stages(split: object) -> list[Stage]:
    return [*(f.test for f in split.folds), *(f.cut for f in split.folds), *split.validation]


@pytest.mark.parametrize("name", CALENDAR)
def test_calendar_splits_score_all_rows_of_cards_that_train_does_not_have(name: str) -> None:
    table = rows()
    usual = stages(split_table(table, splitter(name, **WINDOWS)))
    apart = stages(split_table(table, splitter(name, **WINDOWS, grouped=True)))
    dropped = 0
    for one, two in zip(usual, apart, strict=True):
        assert np.array_equal(one.fit, two.fit)
        left_out = np.setdiff1d(one.judge, two.judge)
        assert np.isin(two.judge, one.judge).all()
        assert not np.isin(table.card[two.judge], table.card[two.fit]).any()
        if name != "repeated":  # there the cards are those of all rows of the window
            assert np.isin(table.card[left_out], table.card[two.fit]).all()
        dropped += len(left_out)
    assert dropped > 0


def test_every_repeat_scores_the_same_rows_of_unseen_cards() -> None:
    split = split_table(rows(), splitter("repeated", **WINDOWS, grouped=True))
    assert len({fold.test.judge.tobytes() for fold in split.folds}) == 1
    assert len({fold.test.fit.tobytes() for fold in split.folds}) == 4


@given(seed=st.integers(0, 50), cards=st.integers(30, 300), random_state=st.integers(0, 3))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_shares_without_a_time_deal_whole_cards(seed: int, cards: int, random_state: int) -> None:
    table = rows(40, cards, seed, time=False)
    split = splitter("stratified", grouped=True, random_state=random_state).split(table)
    fold = split.folds[0]
    parts = [fold.cut.fit, fold.cut.judge, fold.test.judge]
    assert np.array_equal(np.sort(np.concatenate(parts)), np.arange(len(table)))
    assert fold.cut.fit is fold.test.fit
    cards_of = [set(table.card[part].tolist()) for part in parts]
    assert not cards_of[0] & (cards_of[1] | cards_of[2])
    assert not cards_of[1] & cards_of[2]
    for part, share in zip(parts, (0.6, 0.2, 0.2), strict=True):
        frauds = table.label[part].sum() / table.label.sum()
        largest = np.bincount(table.card).max() / len(table)
        assert frauds == pytest.approx(share, abs=0.02 + 2 * largest)
        assert len(part) / len(table) == pytest.approx(share, abs=0.06 + 2 * largest)


@pytest.mark.parametrize("random_state", range(10))
def test_whole_cards_are_cut_by_their_frauds_however_many_rows_they_have(random_state: int) -> None:
    card = np.concatenate([np.repeat(np.arange(40), 30), np.repeat(np.arange(40, 80), 10)])
    fraud = np.concatenate([np.tile([1] + [0] * 29, 40), np.ones(400, dtype=int)])
    table = make_table({"card": card, "x": range(1600), "fraud": fraud}, entities=["card"])
    fold = splitter("stratified", grouped=True, random_state=random_state).split(table).folds[0]
    for part, share in ((fold.cut.fit, 264), (fold.cut.judge, 88), (fold.test.judge, 88)):
        assert abs(table.label[part].sum() - share) <= 10  # a card's


def test_shares_in_time_order_score_only_cards_that_train_does_not_have() -> None:
    table = rows()
    usual = split_table(table, splitter("stratified")).folds[0]
    apart = split_table(table, splitter("stratified", grouped=True)).folds[0]
    for one, two in ((usual.cut, apart.cut), (usual.test, apart.test)):
        assert np.array_equal(one.fit, two.fit)
        seen = np.isin(table.card[one.judge], table.card[one.fit])
        assert np.array_equal(two.judge, one.judge[~seen])
    assert len(apart.cut.judge) < len(usual.cut.judge)


@given(
    seed=st.integers(0, 50),
    delay=st.integers(0, 12),
    coarse=st.sampled_from([1, SECONDS_PER_DAY]),
)
@settings(max_examples=60, deadline=None, derandomize=True)
def test_shares_leave_out_exactly_the_rows_whose_labels_come_too_late(
    seed: int, delay: int, coarse: int
) -> None:
    draw = np.random.default_rng(seed)
    time = draw.integers(0, 60 * SECONDS_PER_DAY, 300) // coarse * coarse
    table = make_table({"time": time, "x": range(300), "fraud": [0, 1] * 150}, time="time")
    usual = splitter("stratified").split(table).folds[0]
    late = splitter("stratified", delay_days=delay).split(table).folds[0]
    time, gap = table.time, delay * SECONDS_PER_DAY
    assert time is not None
    before = [usual.cut.fit, usual.cut.judge, usual.test.judge]
    after = [late.cut.fit, late.cut.judge, late.test.judge]
    assert np.array_equal(before[2], after[2])
    for number in (0, 1):
        begins = time[before[number + 1]].min()
        in_time = before[number][time[before[number]] + gap <= begins]
        assert np.array_equal(after[number], in_time)
    assert late.cut.fit is late.test.fit


@pytest.mark.parametrize("name", [*CALENDAR, "stratified", "kfold"])
def test_cards_that_are_not_there_cannot_be_kept_apart(name: str) -> None:
    table = make_table(
        {"time": np.arange(6000) * 3600 * 4, "x": range(6000), "fraud": [0, 1] * 3000}, time="time"
    )
    with pytest.raises(DataError, match=r"has none: name the column with data\.entities=\[COLUMN"):
        splitter(name, grouped=True).split(table)


@pytest.mark.parametrize("name", CALENDAR)
def test_cards_that_all_come_back_leave_nothing_and_are_told_so(name: str) -> None:
    number = np.arange(6000)
    table = make_table(
        {"time": number * 3600 * 4, "card": number % 2, "x": number, "fraud": number // 2 % 2},
        time="time",
        entities=["card"],
    )
    with pytest.raises(DataError, match=r"leaves 0 of 6 scored rows \(0 of \d frauds\)"):
        splitter(name, known_days=0, grouped=True).split(table)


def test_a_delay_needs_a_time() -> None:
    table = make_table({"x": range(40), "fraud": [0, 1] * 20})
    with pytest.raises(
        DataError, match=r"data\.time=COLUMN, or set split\.params\.delay_days=null"
    ):
        splitter("stratified", delay_days=3).split(table)


FEATURES = [
    name
    for name in Composer().options("features")
    if "delay_days" in Composer().plan([f"features={name}"]).candidates[0].config.features.params
]


def delay_of_features(*words: str) -> int:
    (candidate,) = Composer().plan(["data=simulated_small", *words]).candidates
    delay: int = registry.build("features", candidate.config.features).delay_days
    return delay


@pytest.mark.parametrize("features", FEATURES)
@pytest.mark.parametrize("split", Composer().options("split"))
def test_no_split_lets_features_know_labels_at_once_unless_that_is_said(
    features: str, split: str
) -> None:
    words = [f"features={features}", f"split={split}"]
    assert delay_of_features(*words) == 7
    assert delay_of_features(*words, "features.params.delay_days=9") == 9


def test_features_follow_the_delay_of_a_split_that_has_one() -> None:
    words = ["features=rfm", "split=stratified"]
    assert delay_of_features(*words, "split.params.delay_days=14") == 14
    assert delay_of_features(*words, "split.params.delay_days=0") == 0


def test_features_are_refused_labels_that_the_split_calls_unknown(run: object) -> None:
    words = ["data=simulated_small", "split=stratified", "split.params.delay_days=14"]
    done = run("validate", *words, "features.params.delay_days=7")
    assert done.code == 2
    assert "set features.params.delay_days to 14 or more" in done.err
    assert run("validate", *words).code == 0
