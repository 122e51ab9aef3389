"""Card precision at 100 on the published transactions: the Handbook's own worked figures."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fraudlab import registry
from fraudlab.budgets import card_precision
from fraudlab.config import Choice
from fraudlab.encoding import encode
from fraudlab.experiment import truth_of
from fraudlab.metrics import evaluate
from fraudlab.protocols import Scores
from tests.candidates import fit, make_config, split_of
from tests.conftest import HANDBOOK, needs_handbook

PUBLISHED = (0.24, 0.32, 0.27, 0.25, 0.23, 0.26, 0.12)  # mean 0.2414


def rows_until(scores: Scores, day: int) -> Scores:
    kept = scores.day <= day
    return Scores(scores.score[kept], scores.label[kept], scores.day[kept], scores.card[kept])


def by_day(scores: Scores) -> list[float]:
    """Return the share of each day, from the means over ever more days."""
    days = np.unique(scores.day)
    sums = [card_precision(rows_until(scores, day), 100) * n for n, day in enumerate(days, 1)]
    return np.diff(sums, prepend=0.0).tolist()


@pytest.fixture(scope="module")
def scores() -> Scores:
    """Return the test week of a tree of depth two, unscaled."""
    raw = registry.build("data", Choice("handbook", {"path": str(HANDBOOK)})).read()
    table = registry.build("features", Choice("rfm")).build(raw)
    config = make_config(
        split=("temporal", {"start": "2018-07-25"}),
        scaler="identity",
        model=("tree", {"max_depth": 2, "random_state": 0}),
    )
    stage = split_of(config, table).folds[0].test
    assert (len(stage.fit), table.label[stage.fit].sum()) == (67_240, 598)
    assert (len(stage.judge), table.label[stage.judge].sum()) == (58_264, 385)
    detector = fit(config, table, stage.fit)
    matrix = encode(table, stage.judge, detector.preprocess)
    return truth_of(table, stage.judge, detector.model.score(matrix))


@needs_handbook
def test_the_worked_example_is_met_day_by_day(scores):
    assert by_day(scores) == pytest.approx(PUBLISHED, abs=0.0101)  # ties: one card a day
    assert card_precision(scores, 100) == pytest.approx(0.2414, abs=0.01)


@needs_handbook
def test_a_perfect_ranking_meets_the_ceiling(scores):
    perfect = replace(scores, score=scores.label.astype(float))
    assert card_precision(perfect, 100) == pytest.approx(0.397143, abs=5e-7)
    found = evaluate(scores, np.ones(len(scores.score)))
    assert found["card_precision_at_100_ceiling"] == pytest.approx(0.397143, abs=5e-7)
    assert round(found["roc_auc"], 3) == 0.763
    assert round(found["average_precision"], 3) == 0.496
