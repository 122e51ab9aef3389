"""Wrong values end with 2 before any data is read, whichever part would stumble over them."""

from __future__ import annotations

from pathlib import Path

import pytest

from fraudlab import registry
from fraudlab.config import GROUPS, Choice
from fraudlab.errors import ConfigError, DataError
from fraudlab.simulator import simulate
from tests.conftest import Run, run_process

SEEDED = [
    (group, name)
    for group in GROUPS
    for name in registry.names(group)
    if "random_state" in {parameter.name for parameter, _ in registry.signature(group, name)}
]
WRONG = {
    "model.params.max_depth": [
        ["model=xgb", "model.params.max_depth=100000000000"],
        ["model=lgbm", "model.params.max_depth=1e20"],
        ["model=tree", "model.params.max_depth=1e20"],
        ["model=rf", "model.params.max_depth=1e20"],
    ],
    "model.params.max_bin": [
        ["model=xgb", "model.params.max_bin=2147483648"],
        ["model=lgbm", "model.params.max_bin=2147483648"],
    ],
    "model.params.max_leaf_nodes": [
        ["model=tree", "model.params.max_leaf_nodes=1e10"],
        ["model=rf", "model.params.max_leaf_nodes=1e10"],
    ],
    "model.params.n_estimators": [
        [f"model={name}", "model.params.n_estimators=100000000000"]
        for name in ("xgb", "lgbm", "rf")
    ],
    "model.params.min_samples_split": [
        [f"model={name}", "model.params.min_samples_split=1e20"] for name in ("tree", "rf")
    ],
    "model.params.min_samples_leaf": [
        [f"model={name}", "model.params.min_samples_leaf=1e20"] for name in ("tree", "rf")
    ],
    "model.params.max_features": [
        [f"model={name}", "model.params.max_features=1e20"] for name in ("tree", "rf")
    ],
    "model.params.min_child_samples": [["model=lgbm", "model.params.min_child_samples=1e20"]],
    "model.params.subsample_freq": [["model=lgbm", "model.params.subsample_freq=1e20"]],
    "model.params.max_iter": [["model=logreg", "model.params.max_iter=1e20"]],
    "scaler.params.n_quantiles": [
        ["scaler=quantile", "scaler.params.n_quantiles=1000", "scaler.params.subsample=10"]
    ],
    "scaler.params.subsample": [["scaler=quantile", "scaler.params.subsample=1e20"]],
    "sampler.params.under": [["sampler=smote_under", "sampler.params.under=0.1"]],
    "split.params.train": [["split=stratified", "split.params.train=0.9"]],
    "split.params.start": [["split.params.start=2018-13-45"]],
    "data.start": [
        ["data.start=2018-13-45"],
        ["data.start=9999-12-31"],
        ["data.start=9999-07-01", "data.days=300"],
    ],
    "data.customers": [["data.customers=2"]],
    "tracking.uri": [["tracking=server"]],
}
CASES = [(key, words) for key, cases in WRONG.items() for words in cases]


@pytest.mark.parametrize("command", ["train", "validate"])
@pytest.mark.parametrize(("key", "words"), CASES, ids=[" ".join(words) for _, words in CASES])
def test_a_wrong_value_is_refused_by_its_key_before_data_is_read(run, home, command, key, words):
    done = run(command, *words)
    assert (done.code, done.out) == (2, "")
    (paragraph,) = done.err.splitlines()
    assert paragraph.startswith("error: ")
    assert key in paragraph
    assert list(home.iterdir()) == []


@pytest.mark.parametrize("seed", [-1, 2**32])
@pytest.mark.parametrize(("group", "name"), SEEDED)
def test_a_seed_that_no_generator_takes_is_refused(group, name, seed):
    with pytest.raises(ConfigError, match=r"random_state must be int in \[0, 4294967295\]") as told:
        registry.check(group, Choice(name, {"random_state": seed}))
    assert told.value.key == registry.dotted(group, "random_state")


def test_every_library_with_draws_is_asked_for_its_seed():
    assert {group for group, _ in SEEDED} == {"data", "split", "scaler", "sampler", "model"}
    assert len(SEEDED) == 26


@pytest.mark.parametrize("command", ["train", "validate"])
@pytest.mark.parametrize("text", ["abc", "0", "-1", "1.5"])
def test_a_wrong_number_of_threads_is_refused_before_data_is_read(
    run, home, monkeypatch, command, text
):
    monkeypatch.setenv("FRAUDLAB_THREADS", text)
    done = run(command, "tracking=disabled")
    assert (done.code, done.out) == (2, "")
    assert (
        done.err == f"error: FRAUDLAB_THREADS must be a whole number of at least 1, got {text!r}\n"
    )
    assert list(home.iterdir()) == []


def test_a_server_with_an_address_is_not_refused(run, small_table, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    done = run("validate", *small_table[:-1], "tracking=server")
    assert done.code == 0


@pytest.mark.parametrize(
    ("start", "shown"),
    [("0001-01-01", "before 0001-01-01"), ("9999-12-31", "after 9999-12-31")],
)
def test_windows_beyond_the_calendar_are_refused_with_the_days_there_are(start, shown):
    source = registry.build(
        "data", Choice("simulated", {"customers": 20, "days": 60, "radius": 50})
    )
    table = registry.build("features", Choice("identity")).build(source.read())
    split = registry.build("split", Choice("temporal", {"start": start}))
    with pytest.raises(DataError, match=f"{shown}.*2018-04-01 to 2018-05-30"):
        split.split(table)


@pytest.mark.parametrize("start", ["0001-01-01", "9999-12-01"])
def test_a_stream_may_begin_anywhere_in_the_calendar(start):
    params = {"customers": 20, "days": 30, "radius": 50.0, "start": start}
    rows = registry.build("data", Choice("simulated", params)).read().frame
    assert str(rows["TX_DATETIME"].min().date()) == start
    usual = simulate(customers=20, days=30, radius=50.0)
    assert rows["TX_AMOUNT"].equals(usual["TX_AMOUNT"])


def test_a_refusal_imports_no_library_that_takes_seconds(home):
    (home / "refused.py").write_text(
        "import sys\n"
        "from fraudlab.errors import ConfigError\n"
        "from fraudlab.train import main\n"
        "for words in (['tracking=server'], ['model.params.random_state=-1']):\n"
        "    try:\n"
        "        main(words)\n"
        "    except ConfigError as error:\n"
        "        print(error.key)\n"
        "heavy = ['sklearn', 'imblearn', 'xgboost', 'lightgbm', 'mlflow', 'pandas', 'scipy']\n"
        "print([name for name in heavy if name in sys.modules])\n"
    )
    done = run_process("refused", cwd=home)
    assert done.out.splitlines() == ["tracking.uri", "model.params.random_state", "[]"], done.err


@pytest.mark.parametrize(
    ("strategy", "said"),
    [
        ("alert_budget", "data.time=COLUMN"),
        ("amount_cost", "data.amount=COLUMN"),
        ("min_cost", "data.amount=COLUMN"),
    ],
)
def test_a_strategy_whose_column_the_table_lacks_is_refused_before_training(
    home: Path, run: Run, small_table: list[str], strategy: str, said: str
) -> None:
    words = [word for word in small_table if not word.startswith("data.amount")]
    done = run("train", *words, "model=logreg", f"threshold_strategy={strategy}")
    assert done.code == 2
    assert said in done.err
    assert f"threshold_strategy={strategy} needs" in done.err
    assert not (home / "outputs").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["selection=card_precision"], "needs a time"),
        (["selection.params.constraints=alerts_per_day<=50"], "which reads alerts_per_day, needs"),
        (["costs.false_negative=.nan"], "costs.false_negative must be"),
        (["costs.false_positive=.inf"], "costs.false_positive must be"),
    ],
)
def test_a_selection_or_cost_that_nothing_can_meet_is_refused_before_training(
    home: Path, run: Run, small_table: list[str], words: list[str], said: str
) -> None:
    done = run("train", *small_table, "model=logreg", *words)
    assert done.code == 2
    assert said in done.err
    assert not (home / "outputs").exists()


def test_what_counts_days_is_refused_where_folds_have_no_whole_ones(home: Path, run: Run) -> None:
    words = ["data=simulated_small", "features=identity", "split=kfold", "tracking=disabled"]
    done = run("train", *words, "threshold_strategy=alert_budget")
    assert done.code == 2
    assert "counts whole days" in done.err
    assert run("train", *words, "selection=card_precision").code == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["costs.false_positive=-5"], "costs.false_positive must be more than"),
        (["threshold_strategy=amount_cost", "costs.false_positive=20"], "use min_cost"),
        (["threshold_strategy=amount_cost", "costs.false_negative=100"], "use min_cost"),
    ],
)
def test_costs_that_contradict_a_choice_are_refused(
    run: Run, small_table: list[str], words: list[str], said: str
) -> None:
    done = run("train", *small_table, "model=logreg", *words)
    assert done.code == 2
    assert said in done.err
