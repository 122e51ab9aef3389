"""split=repeated: temporal's windows, each repeat fitted on a draw of its own."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from fraudlab.errors import DataError
from fraudlab.splitting import split_table
from fraudlab.table import Table
from tests.candidates import make_table
from tests.plugins.split.tables import splitter

START = "2018-07-25"


def test_what_is_scored_is_temporals_and_the_same_in_every_repeat(stream: Table) -> None:
    once = splitter("temporal", start=START).split(stream).folds[0]
    split = split_table(stream, splitter("repeated", start=START))
    assert len(split.folds) == len(split.validation) == 4
    for fold, stage in zip(split.folds, split.validation, strict=True):
        assert fold.cut is stage
        assert np.array_equal(fold.test.judge, once.test.judge)
        assert np.array_equal(fold.cut.judge, once.cut.judge)
        assert np.isin(fold.test.fit, once.test.fit).all()
        assert np.isin(fold.cut.fit, once.cut.fit).all()


def test_a_repeat_is_fitted_on_the_rows_that_pandas_would_sample(stream: Table) -> None:
    once = splitter("temporal", start=START).split(stream).folds[0].cut.fit
    frame = pd.DataFrame({"fraud": stream.label[once]}, index=once)
    split = splitter("repeated", start=START, random_state=3).split(stream)
    for number, stage in enumerate(split.validation):
        drawn = [
            part.sample(frac=0.7, random_state=3 + number).index
            for _, part in frame.groupby("fraud")
        ]
        assert stage.fit.tolist() == sorted(drawn[0].append(drawn[1]).tolist())


def test_the_share_holds_for_frauds_and_genuine_rows_and_draws_differ(stream: Table) -> None:
    split = splitter("repeated", start=START, repeats=3, fraction=0.5).split(stream)
    counts = {(len(fold.test.fit), int(stream.label[fold.test.fit].sum())) for fold in split.folds}
    assert counts == {(round(0.5 * (67240 - 598)) + 299, 299)}
    drawn = {fold.test.fit.tobytes() for fold in split.folds}
    assert len(drawn) == 3


def test_the_whole_share_is_temporal_and_the_largest_seed_has_a_next_one(stream: Table) -> None:
    once = splitter("temporal", start=START).split(stream).folds[0]
    split = splitter(
        "repeated", start=START, fraction=1.0, repeats=2, random_state=2**32 - 1
    ).split(stream)
    for fold in split.folds:
        assert np.array_equal(fold.test.fit, once.test.fit)


def test_errors_name_this_split(stream: Table) -> None:
    with pytest.raises(DataError, match="split=repeated: training from 2018-04-02"):
        splitter("repeated", start="2018-04-02").split(stream)
    table = make_table({"x": range(40), "fraud": [0, 1] * 20})
    with pytest.raises(DataError, match="split=repeated needs a time column"):
        splitter("repeated").split(table)
