"""Golden rows are requests a client could send, like those of train, and copied from nobody."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import numpy as np
import pytest

from fraudlab.bundle import REFERENCE, Bundle
from fraudlab.golden import TEXT, UNSEEN
from fraudlab.preprocess import FLOAT32_MAX
from serve.schemas import transaction_type
from tests.candidates import make_config, make_table, split_of, train, transaction_table


@pytest.fixture(scope="module")
def table():
    return transaction_table(900)


@pytest.fixture(scope="module")
def bundle(table) -> Bundle:
    return train(make_config(model=("tree", {"max_depth": 4})), table).bundle


def rows_of(bundle: Bundle) -> list[dict[str, Any]]:
    return [row.features for row in bundle.golden()]


def test_there_are_at_least_fifty_rows_that_are_valid_requests(bundle):
    kind = transaction_type(bundle.manifest.features)
    rows = rows_of(bundle)
    assert len(rows) >= 50
    for row in rows:
        msgspec.json.decode(msgspec.json.encode(row), type=kind)
        assert list(row) == [field.name for field in bundle.manifest.features]


def test_the_first_row_is_a_normal_one(bundle):
    first, *others = bundle.golden()
    assert not first.is_fraud
    assert first.score <= np.median([row.score for row in others])


def test_the_rows_go_from_the_lowest_to_the_highest_scores_and_decide_both_ways(bundle):
    scores = [row.score for row in bundle.golden()[1:]]
    assert scores == sorted(scores)
    assert {row.is_fraud for row in bundle.golden()} == {True, False}


def test_the_scores_are_the_bundles_own_and_alone_the_same(bundle):
    scorer = bundle.scorer()
    for row in bundle.golden():
        values = [list(row.features.values())]
        assert scorer.score_rows(values)[0] == row.score
        assert row.is_fraud == (row.score >= scorer.row_thresholds(values)[0])


def test_no_row_of_the_data_is_copied(bundle, table):
    known = {
        tuple(None if value != value else value for value in row)  # noqa: PLR0124
        for row in table.frame.itertuples(index=False)
    }
    assert not [row for row in rows_of(bundle) if tuple(row.values()) in known]


def test_no_row_is_copied_from_a_coarse_table_unless_many_share_it():
    draw = np.random.default_rng(0)
    columns = {name: draw.integers(0, 5, 500) for name in ("a", "b", "c", "d")}
    columns["fraud"] = draw.integers(0, 2, 500)
    table = make_table(columns)
    fit = split_of(make_config(), table).folds[0].test.fit
    rows, counts = np.unique(table.frame.to_numpy()[fit], axis=0, return_counts=True)
    assert counts.max() < 20
    known = set(map(tuple, rows.tolist()))
    golden = rows_of(train(make_config(), table).bundle)
    assert not [row for row in golden if tuple(row.values()) in known]


def test_whole_numbers_stay_whole_and_bounds_are_kept(bundle):
    for row in rows_of(bundle):
        assert row["count"] == int(row["count"])
        assert row["constant"] == 1.0
        assert row["amount"] >= 0
    assert any(row["risk"] != int(row["risk"]) for row in rows_of(bundle))


def test_missing_values_and_unseen_levels_occur(bundle):
    rows = rows_of(bundle)
    assert any(row["signal"] is None for row in rows)
    assert any(row["shop"] is None for row in rows)
    assert {row["shop"] for row in rows} <= {"grocery", "travel", "jewels", UNSEEN, None}


def test_text_that_few_rows_share_is_never_shown():
    draw = np.random.default_rng(0)
    rows = 500
    columns = {
        "card": [f"card {n}" for n in range(rows)],
        "note": [f"note {n} of a customer" for n in range(rows)],
        "x": draw.normal(size=rows),
        "fraud": draw.integers(0, 2, rows),
    }
    bundle = train(make_config(), make_table(columns, entities=["card"])).bundle
    for row in rows_of(bundle):
        assert row["card"] == TEXT
        assert row["note"] == UNSEEN
    for name, content in bundle.files.items():
        assert b"of a customer" not in content, name


def test_rows_of_the_largest_numbers_are_requests_too():
    draw = np.random.default_rng(0)
    x = draw.uniform(-FLOAT32_MAX, FLOAT32_MAX, 300)
    columns = {"x": x, "y": draw.normal(size=300), "fraud": draw.integers(0, 2, 300)}
    bundle = train(make_config(scaler="identity"), make_table(columns)).bundle
    assert all(abs(row["x"]) <= FLOAT32_MAX for row in rows_of(bundle))


@pytest.mark.parametrize("levels", [2, 3])
def test_a_table_of_one_input_has_its_golden_rows(levels):
    draw = np.random.default_rng(0)
    columns = {
        "card": [f"card {n}" for n in range(400)],
        "shop": draw.choice(["a", "b", "c"][:levels], 400),
        "fraud": draw.integers(0, 2, 400),
    }
    bundle = train(make_config(), make_table(columns, entities=["card"])).bundle
    assert len(rows_of(bundle)) >= 50


def test_the_reference_is_the_histogram_of_train(bundle, table):
    reference = json.loads(bundle.files[REFERENCE])
    fit = split_of(make_config(), table).folds[0].test.fit
    assert reference["rows"] == len(fit)
    fields = {field["name"]: field for field in reference["fields"]}
    assert set(fields) == {"risk", "signal", "count", "constant", "shop", "amount"}
    signal = table.frame["signal"].to_numpy()[fit]
    assert fields["signal"]["missing"] == np.isnan(signal).mean()
    assert fields["risk"]["edges"][0] == table.frame["risk"].to_numpy()[fit].min()
    for field in fields.values():
        total = sum(field["shares"]) or sum(field["levels"].values()) + field["missing"]
        assert total == pytest.approx(1.0, abs=0.02)
    shops = table.frame["shop"].iloc[fit]
    assert fields["shop"]["levels"]["travel"] == (shops == "travel").mean()
    assert fields["shop"]["missing"] == shops.isna().mean()
    assert sum(reference["score_shares"]) == pytest.approx(1.0)
    assert reference["alert_rate"] == bundle.manifest.metrics.validation["alert_rate"]


def test_the_card_names_what_was_chosen_and_found(bundle):
    text = bundle.files["card.md"].decode()
    for word in ("max_fbeta", "average_precision", "amount", "standard", bundle.manifest.id):
        assert word in text
