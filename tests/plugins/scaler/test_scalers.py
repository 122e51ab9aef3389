"""A fitted scaler is plain numbers that give what scikit-learn's own object gives."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import preprocessing as sk

from fraudlab import registry
from fraudlab.config import Choice

PAIRS = [
    ("identity", {}, sk.FunctionTransformer),
    ("standard", {}, sk.StandardScaler),
    ("standard", {"with_mean": False}, lambda: sk.StandardScaler(with_mean=False)),
    ("standard", {"with_std": False}, lambda: sk.StandardScaler(with_std=False)),
    ("robust", {}, sk.RobustScaler),
    ("robust", {"quantile_range": (5.0, 95.0)}, lambda: sk.RobustScaler(quantile_range=(5, 95))),
    ("minmax", {}, sk.MinMaxScaler),
    ("minmax", {"feature_range": (-2.0, 3.0)}, lambda: sk.MinMaxScaler(feature_range=(-2, 3))),
    ("quantile", {"n_quantiles": 50}, lambda: sk.QuantileTransformer(n_quantiles=50)),
    ("power", {}, sk.PowerTransformer),
    ("power", {"standardize": False}, lambda: sk.PowerTransformer(standardize=False)),
]
NAMES = [f"{name}{params or ''}" for name, params, _ in PAIRS]


def columns(seed: int, rows: int) -> np.ndarray:
    """Return columns as tables have them: normal, skewed, counted, tied, of any scale."""
    draw = np.random.default_rng(seed)
    scale = 10.0 ** draw.integers(-3, 6, 5)
    content = np.column_stack(
        [
            draw.normal(size=rows),
            draw.gamma(1.0, 1.0, rows),
            draw.integers(0, 6, rows),
            np.where(draw.random(rows) < 0.7, 0.0, draw.random(rows)),
            -draw.lognormal(0.0, 1.0, rows),
        ]
    )
    return content * scale


@pytest.mark.parametrize(("name", "params", "make"), PAIRS, ids=NAMES)
@settings(max_examples=12, deadline=None, derandomize=True)
@given(st.integers(0, 2**32 - 1))
def test_a_scaler_gives_what_scikit_learn_gives(name, params, make, seed):
    train, later = columns(seed, 200), columns(seed + 1, 300)
    ours = registry.build("scaler", Choice(name, params)).fit(train)
    theirs = make().fit(train)
    for rows in (train, later, -10 * train, train[:1]):
        with np.errstate(over="ignore"):  # a power of 100 takes rows far from train to infinity
            expected, found = np.asarray(theirs.transform(rows)), ours.transform(rows)
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize(("name", "params", "make"), PAIRS, ids=NAMES)
def test_constant_columns_and_a_single_row_stay_finite(name, params, make):
    for train in (np.full((30, 2), 7.5), np.array([[1.0, -3.0]]), np.zeros((5, 1))):
        fitted = registry.build("scaler", Choice(name, params)).fit(train)
        for rows in (train, train + 1.0, train * 1e30):
            assert np.isfinite(fitted.transform(rows)).all()


@pytest.mark.parametrize(("name", "params", "make"), PAIRS, ids=NAMES)
def test_a_scaler_changes_no_argument(name, params, make):
    train = columns(0, 100)
    kept = train.copy()
    registry.build("scaler", Choice(name, params)).fit(train).transform(train)
    np.testing.assert_array_equal(train, kept)
