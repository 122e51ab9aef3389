"""Nothing is shipped unless the graph scores as the fitted model, on hostile rows too."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from fraudlab.errors import ParityError
from fraudlab.parity import HOSTILE, check_parity, hostile_rows
from fraudlab.preprocess import FLOAT32_MAX
from fraudlab.protocols import Graph
from fraudlab.scoring import GraphRunner
from tests.candidates import fit, make_config, make_table, train, transactions

Change = Callable[[np.ndarray], None]


@pytest.fixture(scope="module")
def table():
    """Return a table with next to no missing values and rare levels: hostile rows have more."""
    columns = transactions(800)
    for name, value in (("signal", 0.5), ("shop", "travel")):
        columns[name] = [value if x is None or x == "rare" else x for x in columns[name]]
        columns[name][:8] = [None] * 8
    return make_table(columns, amount="amount", entities=["card"])


@pytest.fixture(scope="module")
def fitted(table):
    detector = fit(make_config(model=("tree", {"max_depth": 4})), table)
    return detector, detector.model.to_onnx()


@pytest.fixture(scope="module")
def hostile(table, fitted):
    return hostile_rows(*fitted, table, np.arange(len(table)), seed=42)


def column(fitted, name: str) -> int:
    return fitted[0].preprocess.columns.index(name)


def test_there_are_ten_thousand_hostile_rows_and_the_seed_decides_them(table, fitted, hostile):
    assert hostile.shape == (HOSTILE, len(fitted[0].preprocess.columns))
    assert HOSTILE == 10_000
    rows = np.arange(len(table))
    np.testing.assert_array_equal(hostile, hostile_rows(*fitted, table, rows, seed=42))
    assert (hostile != hostile_rows(*fitted, table, rows, seed=43)).any()


def test_hostile_rows_are_on_every_split_threshold_and_one_step_beside_it(fitted, hostile):
    thresholds = fitted[1].thresholds
    assert thresholds
    for place, values in thresholds.items():
        at = values.astype(np.float32)
        for step in (at, np.nextafter(at, -np.inf), np.nextafter(at, np.inf)):
            assert np.isin(step, hostile[:, place]).all()


def test_hostile_rows_hold_missing_values_and_levels_never_seen(fitted, hostile):
    train, names = fitted[0].train, ("signal=missing", "shop=missing", "shop=other")
    for name in names:
        place = column(fitted, name)
        assert (train[:, place] == 1).mean() <= 0.01
        assert (hostile[:, place] == 1).mean() > 0.04


def test_hostile_rows_hold_extremes_and_are_finite(fitted, hostile):
    assert np.isfinite(hostile).all()
    for place in range(hostile.shape[1]):
        for size in (0.0, 1e-45, 1e-35, 1e30, 3e38):
            for value in (np.float32(size), np.float32(-size)):
                assert value in hostile[:, place]
    scale = fitted[0].preprocess.scaler.scale[0]
    largest = np.float32(min(FLOAT32_MAX / scale, FLOAT32_MAX))
    assert (np.abs(hostile[:, 0]) >= largest * 0.999).any()


def tampered(graph: Graph, attribute: str, change: Change) -> Graph:
    """Return the graph with one of its tensors changed."""
    model = onnx.load_from_string(graph.onnx)
    ensemble = next(node for node in model.graph.node if node.op_type == "TreeEnsemble")
    found = next(each for each in ensemble.attribute if each.name == attribute)
    values = numpy_helper.to_array(found.t).copy()
    change(values)
    found.t.CopyFrom(numpy_helper.from_array(values))
    return replace(graph, onnx=model.SerializeToString())


def a_leaf_is_a_trifle_off(values: np.ndarray) -> None:
    values[len(values) // 2] += np.float64(1e-9)


def a_threshold_is_one_step_off(values: np.ndarray) -> None:
    values[1] = np.nextafter(np.float32(values[1]), np.float32(np.inf))  # 0 is xgboost's base


def a_leaf_is_one_bit_off(values: np.ndarray) -> None:
    values[-1] = np.nextafter(values[-1], np.float32(1))


def a_leaf_is_not_a_number(values: np.ndarray) -> None:
    values[0] = np.nan


FAULTS = [
    ("tree", "leaf_weights", a_leaf_is_a_trifle_off),
    ("tree", "nodes_splits", a_threshold_is_one_step_off),
    ("tree", "leaf_weights", a_leaf_is_not_a_number),
    ("lgbm", "leaf_weights", a_leaf_is_a_trifle_off),
    ("lgbm", "nodes_splits", a_threshold_is_one_step_off),
    ("xgb", "leaf_weights", a_leaf_is_one_bit_off),
    ("xgb", "nodes_splits", a_threshold_is_one_step_off),
]


@pytest.mark.parametrize(("model", "attribute", "change"), FAULTS)
def test_the_gate_sees_the_smallest_fault(model, attribute, change, table):
    small = {"tree": {"max_depth": 5}}.get(model, {"n_estimators": 5})
    detector = fit(make_config(model=(model, small)), table)
    graph = detector.model.to_onnx()
    rows = hostile_rows(detector, graph, table, np.arange(len(table)), seed=42)
    check_parity(detector.model, graph, rows, GraphRunner(graph.onnx).margins(rows))
    faulty = tampered(graph, attribute, change)
    with pytest.raises(ParityError, match="nothing was written"):
        check_parity(detector.model, faulty, rows, GraphRunner(faulty.onnx).margins(rows))


@pytest.fixture
def faulty_export(monkeypatch: pytest.MonkeyPatch) -> None:
    from fraudlab.graph import forest

    export = forest.export_tree
    monkeypatch.setattr(
        forest,
        "export_tree",
        lambda tree: tampered(export(tree), "leaf_weights", a_leaf_is_a_trifle_off),
    )


@pytest.mark.usefixtures("faulty_export")
def test_a_run_with_a_faulty_export_has_no_result(table):
    with pytest.raises(ParityError, match="does not score as the fitted one"):
        train(make_config(model=("tree", {"max_depth": 5})), table)


@pytest.mark.usefixtures("faulty_export")
def test_a_faulty_export_writes_no_bundle(run, home: Path):
    import polars as pl

    pl.DataFrame(transactions(800), strict=False).write_parquet(home / "table.parquet")
    done = run(
        "train",
        "data=table",
        f"data.path={home / 'table.parquet'}",
        "data.label=fraud",
        "model=tree",
        "model.params.max_depth=5",
        "tracking=disabled",
        "launcher=inline",
    )
    assert done.code == 1
    assert "nothing was written" in done.out + done.err
    assert not list((home / "bundles").glob("*"))


def test_the_gate_reports_the_largest_difference_it_met(table):
    assert 0.0 <= train(make_config(model=("tree", {"max_depth": 5})), table).parity <= 1e-12
    assert 0.0 < train(make_config(model=("xgb", {"n_estimators": 5})), table).parity <= 2e-7
