"""What is learned from train about each input, and what every value a request may hold becomes."""

from __future__ import annotations

import numpy as np
import pytest

from fraudlab.config import Config
from fraudlab.encoding import encode, fit_preprocess, learn_fields
from fraudlab.errors import DataError
from fraudlab.preprocess import FLOAT32_MAX, Encoder, Preprocess
from fraudlab.protocols import Rows
from fraudlab.table import Table
from tests.candidates import fit, make_config, make_table, train, transaction_table

SCALERS = ("identity", "standard", "robust", "minmax", "quantile", "power")


def preprocess_of(config: Config, table: Table, rows: Rows) -> Preprocess:
    return fit_preprocess(config, table, rows, learn_fields(table, rows))


def labels(rows: int) -> list[int]:
    return [row % 2 for row in range(rows)]


def levels_of(**counts: int) -> tuple[str, ...]:
    shop = [name for name, count in counts.items() for _ in range(count)]
    table = make_table({"shop": shop, "fraud": labels(len(shop))})
    return preprocess_of(make_config(), table, np.arange(len(table))).categorical[0].levels


def test_a_level_needs_twenty_rows_of_train():
    assert levels_of(often=30, just=20, seldom=19) == ("often", "just")


def test_sixty_four_levels_have_a_column_the_most_frequent_ones():
    counts = {f"shop{number:02d}": 20 + number for number in range(70)}
    kept = levels_of(**counts)
    assert kept == tuple(f"shop{number:02d}" for number in range(69, 5, -1))


def encoder() -> Encoder:
    shop = ["a"] * 25 + ["b"] * 21 + ["c"] * 4 + [None] * 10
    numbers = [float(row) for row in range(50)] + [None] * 10
    table = make_table({"shop": shop, "number": numbers, "fraud": labels(60)})
    return Encoder(preprocess_of(make_config(scaler="identity"), table, np.arange(60)))


def test_rare_and_unseen_levels_share_a_column_and_missing_has_its_own():
    found = encoder()
    assert found.spec.columns == (
        "number",
        "number=missing",
        "shop=a",
        "shop=b",
        "shop=other",
        "shop=missing",
    )
    codes = np.array([[found.code(0, level)] for level in ("a", "b", "c", "never seen", None)])
    matrix = found.encode(np.zeros((5, 1)), codes)
    assert matrix[:, 2:].argmax(axis=1).tolist() == [0, 1, 2, 2, 3]
    assert (matrix[:, 2:].sum(axis=1) == 1).all()


def test_a_missing_number_is_the_median_of_train_and_says_that_it_was_missing():
    matrix = encoder().encode(np.array([[np.nan], [3.0]]), np.array([[0], [0]]))
    assert matrix[:, 0].tolist() == [24.5, 3.0]
    assert matrix[:, 1].tolist() == [1.0, 0.0]


def only_missing_later() -> tuple:
    """Return a table whose first half has all values, and the rows of both halves."""
    number = [float(row % 7) for row in range(60)] + [None, 2.0] * 20
    shop = ["a", "b"] * 30 + [None, "a"] * 20
    table = make_table({"number": number, "shop": shop, "fraud": labels(100)})
    return table, np.arange(60), np.arange(60, 100)


@pytest.mark.parametrize("scaler", SCALERS)
def test_a_number_missing_only_after_train_is_the_median_and_never_nan(scaler):
    table, early, late = only_missing_later()
    preprocess = preprocess_of(make_config(scaler=scaler), table, early)
    assert preprocess.columns[0] == "number"
    assert "number=missing" not in preprocess.columns
    matrix = encode(table, late, preprocess)
    assert np.isfinite(matrix).all()
    at_median = Encoder(preprocess).encode(np.array([[3.0]]), np.array([[0]]))
    assert matrix[0, 0] == at_median[0, 0]


def test_a_field_may_be_null_when_train_had_missing_values_and_not_when_only_later_rows_have():
    table, early, late = only_missing_later()
    fields = {field.name: field for field in fit(make_config(), table, early).fields}
    assert not fields["number"].nullable
    assert not fields["shop"].nullable
    fields = {field.name: field for field in fit(make_config(), table, late).fields}
    assert fields["number"].nullable
    assert fields["shop"].nullable


def test_a_column_missing_everywhere_in_train_is_constant():
    numbers = [float(row) for row in range(60)]
    columns = {"x": [None] * 40 + numbers[:20], "y": numbers, "fraud": labels(60)}
    detector = fit(make_config(), make_table(columns), np.arange(40))
    assert np.isfinite(detector.train).all()
    assert {field.name: field.nullable for field in detector.fields} == {"x": True, "y": False}


def test_train_tells_the_range_that_was_seen_and_not_the_bounds():
    table = make_table({"x": [1.0, 2.0, 9.0, 4.0] * 5, "fraud": labels(20)})
    field = fit(make_config(), table).fields[0]
    assert field.seen == (1.0, 9.0)
    assert (field.min, field.max) == (None, None)


@pytest.mark.parametrize("times", [11.0, 1e39])
def test_train_outside_of_what_a_request_may_hold_is_refused(times):
    bounds = {"x": (0.0, 10.0)} if times == 11.0 else {}
    table = make_table({"x": [1.0, 0.5] * 5, "fraud": labels(10)}, bounds=bounds)
    table.frame["x"] *= times  # as a features plugin might
    with pytest.raises(DataError, match="'x' ranges from"):
        fit(make_config(), table)


@pytest.mark.parametrize("scaler", SCALERS)
def test_no_value_a_request_may_hold_reaches_the_graph_as_nan_or_infinity(scaler):
    table = transaction_table(400)
    detector = fit(make_config(scaler=scaler), table)
    sizes = [0.0, 5e-324, 1e-30, 1.0, 1e30, FLOAT32_MAX]
    numbers = np.array([[sign * size] * 5 for size in sizes for sign in (1, -1)] + [[np.nan] * 5])
    codes = np.zeros((len(numbers), 1), dtype=np.int64)
    assert np.isfinite(Encoder(detector.preprocess).encode(numbers, codes)).all()


@pytest.mark.parametrize("scaler", SCALERS)
@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_columns_of_any_scale_can_be_learned_from(scaler, scale):
    draw = np.random.default_rng(0)
    table = make_table({"x": draw.normal(size=200) * scale, "fraud": labels(200)})
    assert np.isfinite(fit(make_config(scaler=scaler), table).train).all()


def test_only_train_is_learned_from():
    table = transaction_table(400)
    changed = transaction_table(400)
    rows = np.arange(200)
    changed.frame.iloc[200:, changed.frame.columns.get_loc("risk")] = 1e6
    changed.frame.iloc[200:, changed.frame.columns.get_loc("shop")] = "new"
    config = make_config(scaler="power")
    assert preprocess_of(config, table, rows) == preprocess_of(config, changed, rows)


def test_a_matrix_is_the_same_read_by_the_table_or_by_the_row():
    table = transaction_table(600)
    bundle = train(make_config(scaler="quantile"), table).bundle
    rows = [
        [None if value is None or value != value else value for value in row]  # noqa: PLR0124
        for row in table.frame.itertuples(index=False)
    ]
    whole = encode(table, np.arange(len(table)), bundle.manifest.preprocess)
    np.testing.assert_array_equal(bundle.scorer().encode_rows(rows), whole)
