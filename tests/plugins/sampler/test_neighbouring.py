"""Samplers that look at neighbours: what each adds or drops, and when it cannot."""

from __future__ import annotations

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from fraudlab import registry
from fraudlab.composition import Composer
from fraudlab.config import Choice
from fraudlab.errors import DataError, NotApplicableError
from fraudlab.protocols import Resampled

INVENTING = ["borderline_smote", "adasyn", "smote_enn", "smote_tomek"]
CLEANING = ["enn", "smote_enn", "smote_tomek"]
NEIGHBOURING = sorted({*INVENTING, *CLEANING})


def rows(
    frauds: int = 60, genuine: int = 400, columns: int = 3, gap: float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(0)
    y = np.array([1] * frauds + [0] * genuine, dtype=np.int8)
    X = draw.normal(size=(len(y), columns)) + gap * y[:, None]
    return X.astype(np.float32), y


def resample(name: str, X: np.ndarray, y: np.ndarray, **params: object) -> Resampled:
    found: Resampled = registry.build("sampler", Choice(name, params)).resample(X, y)
    return found


def library(name: str) -> object:
    """Return what imbalanced-learn itself makes of the rows."""
    from imblearn.combine import SMOTEENN, SMOTETomek
    from imblearn.over_sampling import ADASYN, BorderlineSMOTE
    from imblearn.under_sampling import EditedNearestNeighbours

    return {
        "borderline_smote": BorderlineSMOTE(random_state=7),
        "adasyn": ADASYN(random_state=7),
        "enn": EditedNearestNeighbours(sampling_strategy="majority"),
        "smote_enn": SMOTEENN(random_state=7),
        "smote_tomek": SMOTETomek(random_state=7),
    }[name]


@pytest.mark.parametrize("name", NEIGHBOURING)
def test_the_defaults_are_the_librarys(name: str) -> None:
    X, y = rows()
    params = {} if name == "enn" else {"random_state": 7}
    found = resample(name, X, y, **params)
    new_X, new_y = library(name).fit_resample(X, y)
    np.testing.assert_array_equal(found.X, new_X)
    np.testing.assert_array_equal(found.y, new_y)
    assert found.prior_ratio is None


@pytest.mark.parametrize("columns", [3, 20])  # searched in a tree, and one by one
@pytest.mark.parametrize("name", NEIGHBOURING)
def test_threads_change_no_row(name: str, columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    draw = np.random.default_rng(1)
    X = draw.integers(0, 4, (2000, columns)).astype(np.float32)  # many equally near
    X[:, 2:] //= 3
    y = (draw.random(2000) < 0.1 + 0.6 * (X[:, 0] > 2)).astype(np.int8)
    params = {"kind_sel": "mode"} if name.endswith("enn") else {}
    found = []
    for threads in (1, 2, 3):
        monkeypatch.setenv("FRAUDLAB_THREADS", str(threads))
        with threadpool_limits(threads):
            found.append(resample(name, X, y, **params))
    for other in found[1:]:
        np.testing.assert_array_equal(found[0].X, other.X)
        np.testing.assert_array_equal(found[0].y, other.y)


def test_enn_drops_genuine_rows_next_to_frauds_and_no_fraud() -> None:
    X = np.array([[0.0], [0.1], [0.2], [5.0], [5.1], [5.2], [5.3], [9.0]], dtype=np.float32)
    y = np.array([1, 0, 1, 0, 0, 0, 0, 0], dtype=np.int8)
    found = resample("enn", X, y, n_neighbors=2)
    assert found.X.ravel().tolist() == pytest.approx([5.0, 5.1, 5.2, 5.3, 9.0, 0.0, 0.2])
    assert found.y.tolist() == [0] * 5 + [1] * 2


def test_enn_with_mode_drops_fewer_rows_and_all_drops_frauds_too() -> None:
    X, y = rows()
    kept = {
        name: np.bincount(resample("enn", X, y, **params).y)
        for name, params in {
            "usual": {},
            "mode": {"kind_sel": "mode"},
            "both": {"sampling_strategy": "all"},
        }.items()
    }
    assert kept["usual"][0] < kept["mode"][0] < 400
    assert kept["usual"][1] == kept["mode"][1] == 60
    assert kept["both"][1] < 60


def test_borderline_frauds_start_at_the_border_only() -> None:
    draw = np.random.default_rng(0)
    safe, danger = draw.normal(50, 1, (30, 2)), draw.normal(0, 1, (30, 2))
    genuine = draw.normal(0, 1, (60, 2))
    X = np.vstack([safe, danger, genuine]).astype(np.float32)
    y = np.array([1] * 60 + [0] * 60, dtype=np.int8)
    X = np.vstack([X, draw.normal(-30, 1, (60, 2))]).astype(np.float32)
    y = np.append(y, np.zeros(60, dtype=np.int8))
    invented = resample("borderline_smote", X, y).X[len(X) :]
    assert len(invented) == 60
    assert (np.abs(invented) < 10).all()


def test_adasyn_invents_most_where_genuine_rows_are_near() -> None:
    draw = np.random.default_rng(0)
    easy, hard = draw.normal(50, 1, (30, 2)), draw.normal(0, 1, (30, 2))
    X = np.vstack([easy, hard, draw.normal(0, 1, (200, 2))]).astype(np.float32)
    y = np.array([1] * 60 + [0] * 200, dtype=np.int8)
    found = resample("adasyn", X, y)
    assert (found.X[len(X) :] < 25).all()
    assert int(found.y.sum()) == pytest.approx(200, abs=30)


def test_tomek_links_are_dropped_in_pairs() -> None:
    X, y = rows()
    plain = resample("smote", X, y, random_state=42)
    found = resample("smote_tomek", X, y)
    assert len(found.y) < len(plain.y)
    dropped = len(plain.y) - len(found.y)
    assert dropped % 2 == 0  # one of each class
    assert np.bincount(plain.y).tolist() == [400, 400]
    assert np.bincount(found.y).tolist() == [400 - dropped // 2] * 2


@pytest.mark.parametrize("name", INVENTING)
def test_too_few_frauds_are_said_with_their_number(name: str) -> None:
    with pytest.raises(DataError, match="3 frauds, 400 genuine"):
        resample(name, *rows(frauds=3))


def test_frauds_far_from_genuine_rows_are_no_work_for_adasyn_or_the_border() -> None:
    X, y = rows(gap=50.0)
    with pytest.raises(DataError, match=r"ADASYN cannot work on .*60 frauds.*Use SMOTE instead"):
        resample("adasyn", X, y)
    with pytest.raises(DataError, match=r"none of 60 frauds .*m_neighbors=10.*sampler=smote"):
        resample("borderline_smote", X, y)


def test_a_sampler_that_leaves_one_class_is_named() -> None:
    y = np.array([0, 1] * 30, dtype=np.int8)
    X = np.arange(60, dtype=np.float32)[:, None]  # everybody's neighbours are of the other class
    with pytest.raises(DataError, match="EditedNearestNeighbours leaves 30 frauds in 30 rows"):
        resample("enn", X, y)


@pytest.mark.parametrize("name", NEIGHBOURING)
def test_the_closed_form_of_the_prior_has_no_meaning_with_neighbours(name: str) -> None:
    with pytest.raises(NotApplicableError, match="calibration"):
        Composer().plan([f"sampler={name}", "calibration=prior", "data=toy"])


def test_enn_gives_the_published_figures_of_the_toy_table() -> None:
    """The Handbook, chapter 6: AUC .879, AP .474, balanced accuracy .857, std .038, .080, .041."""
    from sklearn.metrics import get_scorer
    from sklearn.tree import DecisionTreeClassifier

    raw = registry.build("data", Choice("toy")).read()
    table = registry.build("features", Choice("identity")).build(raw)
    split = registry.build("split", Choice("kfold", {"random_state": 0})).split(table)
    X, y = table.frame.to_numpy(dtype=np.float32), table.label
    found: dict[str, list[float]] = {}
    for stage in split.validation:
        train = resample("enn", X[stage.fit], y[stage.fit])
        tree = DecisionTreeClassifier(max_depth=5, random_state=0).fit(train.X, train.y)
        for name in ("roc_auc", "average_precision", "balanced_accuracy"):
            score = get_scorer(name)(tree, X[stage.judge], y[stage.judge])
            found.setdefault(name, []).append(round(float(score), 3))
    means = [round(np.mean(values), 3) for values in found.values()]
    spreads = [round(np.std(values, ddof=1), 3) for values in found.values()]
    assert means == [0.879, 0.474, 0.857]
    assert spreads == [0.038, 0.08, 0.041]
