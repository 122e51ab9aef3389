"""The same config, data and code give the same bytes; warnings and odd tables end no run."""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from pathlib import Path

import numpy as np
import pytest

from fraudlab.bundle import MODEL
from fraudlab.protocols import Fold, Split, Stage
from fraudlab.registry import names
from fraudlab.threads import VARIABLE, budget
from tests.candidates import make_config, make_table, split_of, train, transaction_table
from tests.conftest import run_process

CODE = """
import hashlib, json, sys
import msgspec
from fraudlab.bundle import MODEL
from tests.candidates import make_config, train, transaction_table
table = transaction_table(int(sys.argv[1]))
for model, params in json.loads(sys.argv[2]).items():
    split = ("stratified", {"train": 0.9, "validation": 0.05})
    config = make_config(model=(model, params), sampler="smote", split=split)
    bundle = train(config, table).bundle
    learned = [bundle.manifest.preprocess, bundle.manifest.calibration, bundle.manifest.threshold]
    content = bundle.files[MODEL] + msgspec.json.encode(learned)
    print(model, hashlib.sha256(content).hexdigest())
"""
ROWS = 35_000  # enough for the libraries, BLAS too, to share the rows between threads

THREADS = ("FRAUDLAB_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
MODELS = {
    "tree": {},
    "logreg": {},
    "rf": {"n_estimators": 10},
    "xgb": {"n_estimators": 10},
    "lgbm": {"n_estimators": 10},
}


@pytest.fixture
def script(home: Path) -> Path:
    (home / "fit_all.py").write_text(CODE)
    return home


def digests(folder: Path, **variables: str) -> dict[str, str]:
    variables["PYTHONHASHSEED"] = variables.get("PYTHONHASHSEED", "0")
    path = f"{folder}:{Path(__file__).parents[1]}"
    done = run_process(
        "fit_all", str(ROWS), json.dumps(MODELS), cwd=folder, PYTHONPATH=path, **variables
    )
    assert done.code == 0, done.err
    return dict(line.split() for line in done.out.splitlines())


def test_the_graph_is_the_same_bytes_in_every_process_and_with_any_number_of_threads(script):
    one = digests(script, **dict.fromkeys(THREADS, "1"))
    assert one == digests(script, **dict.fromkeys(THREADS, "2"), PYTHONHASHSEED="1")


@pytest.mark.parametrize("model", names("model"))
@pytest.mark.parametrize("scaler", ["identity", "power"])
def test_a_run_warns_of_nothing(model, scaler):
    params = {"tol": 1e-2} if model == "mlp" else {}  # on so few rows the defaults never converge
    result = train(make_config(model=(model, params), scaler=scaler), transaction_table(300))
    assert result.warnings == ()
    assert all(np.isfinite(value) for value in result.metrics.test.values())


def test_an_optimiser_that_gives_up_is_one_warning_of_the_run_that_says_what_to_do(capfd):
    config = make_config(model=("logreg", {"max_iter": 1}))
    table = transaction_table(300)
    fold = split_of(config, table).folds[0]
    later = Stage(fold.test.fit[:-20], fold.test.judge)  # a second fit that gives up as well
    split = Split(folds=(fold, Fold(fold.cut, later)), validation=(fold.cut,))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (warning,) = train(config, table, split).warnings
    assert "model.params.max_iter" in warning
    assert capfd.readouterr() == ("", "")


def test_what_a_process_may_not_use_is_not_in_the_budget(monkeypatch):
    monkeypatch.delenv(VARIABLE)
    allowed = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(allowed)})
        assert budget() == 1
    finally:
        os.sched_setaffinity(0, allowed)
    assert budget() == len(allowed)


@pytest.mark.parametrize("scaler", names("scaler"))
@pytest.mark.parametrize("model", ["tree", "logreg", "xgb", "lgbm", "rf"])
def test_columns_of_any_scale_are_fitted_and_exported(model, scaler):
    if model == "logreg" and scaler == "identity":
        pytest.skip("logistic regression wants its columns scaled")
    draw = np.random.default_rng(0)
    rows = 400
    columns = {f"x{n}": draw.normal(size=rows) * 10.0**n for n in (-30, -5, 0, 5, 30)}
    columns["fraud"] = (draw.random(rows) < 0.3).astype(int)
    small = {"n_estimators": 5} if model in {"xgb", "lgbm", "rf"} else {}
    result = train(make_config(model=(model, small), scaler=scaler), make_table(columns))
    assert result.parity <= 2e-7


def test_a_table_of_categories_alone_is_fitted():
    draw = np.random.default_rng(0)
    shop = draw.choice(["a", "b", "c"], 600)
    fraud = (draw.random(600) < np.where(shop == "a", 0.6, 0.1)).astype(int)
    columns = {"card": np.arange(600), "shop": shop, "fraud": fraud}
    result = train(make_config(), make_table(columns, entities=["card"]))
    assert result.metrics.test["roc_auc"] > 0.65


def test_each_step_of_a_run_is_timed_and_validation_is_scored_once():
    seconds = train(make_config(), transaction_table(300)).seconds
    steps = "prepare fit export parity calibrate score bootstrap pack"
    assert set(seconds) == set(steps.split())


def test_the_digest_in_the_manifest_is_that_of_the_graph():
    bundle = train(make_config(), transaction_table(300)).bundle
    assert bundle.sha256 == hashlib.sha256(bundle.files[MODEL]).hexdigest()


def test_scoring_imports_numpy_onnxruntime_and_msgspec_and_nothing_else(home: Path):
    # In a process of its own: the modules a service loads to score, and what they bring with them.
    (home / "loaded.py").write_text(
        "import json, sys\n"
        "import numpy, onnxruntime, msgspec\n"
        "before = set(sys.modules)\n"
        "import fraudlab.bundle, fraudlab.scoring, fraudlab.manifest, fraudlab.preprocess\n"
        "import fraudlab.links, fraudlab.errors, fraudlab.config\n"
        "new = {name.partition('.')[0] for name in set(sys.modules) - before}\n"
        "print(json.dumps(sorted(new - set(sys.stdlib_module_names))))\n"
        "print(sorted({name for name in sys.modules if name.startswith('fraudlab.')}))\n"
    )
    path = f"{home}:{Path(__file__).parents[1]}"
    done = run_process("loaded", cwd=home, PYTHONPATH=path)
    assert done.code == 0, done.err
    foreign, own = done.out.splitlines()
    assert set(json.loads(foreign)) <= {"fraudlab", "numpy", "onnxruntime", "msgspec"}
    assert "plugins" not in own
