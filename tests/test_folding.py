"""What candidates share: made once, from the fitted rows alone, and the same for each of them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fraudlab import registry
from fraudlab.composition import Composer
from fraudlab.experiment import run_experiment
from fraudlab.folding import Folds
from fraudlab.outcomes import RunResult
from fraudlab.planning import plan_candidate
from fraudlab.plugins.data import table as table_plugin
from fraudlab.prepared import keep_split, keep_table, kept_split, kept_table
from fraudlab.provenance import provenance
from fraudlab.tables import Tables
from tests.candidates import make_config, one_thread, split_of, transaction_table
from tests.conftest import ROOT, Run
from tests.sweeps import board

TABLE = transaction_table()
MODELS = sorted(set(registry.names("model")) - {"easy_ensemble", "mlp"})


def entries(home: Path, kind: str) -> int:
    return len(list((home / ".cache" / "fraudlab").glob(f"{kind}-*")))


def test_a_kept_table_is_the_table() -> None:
    back = kept_table(keep_table(TABLE))
    assert back.fields == TABLE.fields
    assert back.report == TABLE.report
    assert list(back.frame.columns) == list(TABLE.frame.columns)
    for name in TABLE.frame.columns:
        assert back.frame[name].dtype == TABLE.frame[name].dtype
        assert [str(v) for v in back.frame[name]] == [str(v) for v in TABLE.frame[name]]
    for name in ("label", "ids", "time", "amount", "card", "duplicate", "segment"):
        ours, theirs = getattr(back, name), getattr(TABLE, name)
        assert (ours is None) == (theirs is None)
        assert theirs is None or (ours.dtype == theirs.dtype and (ours == theirs).all())


@pytest.mark.parametrize("name", ["stratified", "kfold"])
def test_a_kept_split_is_the_split(name: str) -> None:
    split = split_of(make_config(split=name), TABLE)
    back = kept_split(keep_split(split))
    assert back.whole_days == split.whole_days
    pairs: list[tuple[Any, Any]] = list(zip(back.validation, split.validation, strict=True))
    for ours, theirs in zip(back.folds, split.folds, strict=True):
        pairs += [(ours.cut, theirs.cut), (ours.test, theirs.test)]
    for ours, theirs in pairs:
        np.testing.assert_array_equal(ours.fit, theirs.fit)
        np.testing.assert_array_equal(ours.judge, theirs.judge)


def result(config: Any, *, share: bool) -> RunResult:
    origin = provenance(config, TABLE.fingerprint, None)
    with one_thread():
        return run_experiment(config, TABLE, split_of(config, TABLE), origin, share=share)


@pytest.mark.parametrize("model", MODELS)
def test_shared_rows_give_the_same_bundle(home: Path, model: str) -> None:
    config = make_config(model=model, scaler="robust")
    if registry.excludes("model", model).get("sampler"):
        pytest.skip("takes no sampler")
    alone = result(config, share=False)
    assert not (home / ".cache" / "fraudlab").exists()
    for _ in ("made", "mapped"):
        shared = result(config, share=True)
        assert shared.bundle.files["model.onnx"] == alone.bundle.files["model.onnx"]
        assert shared.metrics == alone.metrics
        assert shared.warnings == alone.warnings
    assert entries(home, "encoded") == 1


def test_rows_are_shared_by_those_that_agree_and_by_no_others(home: Path) -> None:
    rows = split_of(make_config(), TABLE).folds[0].test.fit
    seen: list[tuple[str, Any]] = []
    for scaler, sampler in (
        ("standard", "random_under"),
        ("standard", "random_under"),
        ("robust", "random_under"),
        ("standard", "smote"),
        ("standard", ("smote", {"k_neighbors": 3})),
    ):
        folds = Folds(make_config(scaler=scaler, sampler=sampler), TABLE, ["code 1"])
        seen.append((scaler, folds.resampled(rows).X))
    assert entries(home, "encoded") == 2
    assert entries(home, "resampled") == 4
    np.testing.assert_array_equal(seen[0][1], seen[1][1])
    Folds(make_config(), TABLE, ["code 2"]).encoded(rows)
    assert entries(home, "encoded") == 3


def test_a_sampler_is_shown_the_fitted_rows_only_and_once(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = split_of(make_config(), TABLE).folds[0].test.fit
    shown: list[np.ndarray] = []
    build = registry.build

    def spy(group: str, choice: Any) -> Any:
        made = build(group, choice)
        if group == "sampler":
            inner = made.resample

            class Spy:
                def resample(self, X: Any, y: Any) -> Any:
                    shown.append(np.array(y))
                    return inner(X, y)

            return Spy()
        return made

    monkeypatch.setattr(registry, "build", spy)
    config = make_config(sampler="random_under")
    for _ in range(3):
        Folds(config, TABLE, ["code"]).resampled(rows)
    assert len(shown) == 1
    np.testing.assert_array_equal(shown[0], TABLE.label[rows])


def test_reading_features_and_split_are_done_once_per_sweep(
    home: Path, run: Run, small_table: list[str]
) -> None:
    done = run("train", *small_table, "model=logreg,tree", "scaler=standard,robust", "-m")
    assert done.code == 0, done.err
    assert done.err.count("reading data=table") == 1
    kept = {kind: entries(home, kind) for kind in ("table", "split", "encoded")}
    assert kept == {"table": 1, "split": 1, "encoded": 2}
    another = run("train", *small_table, "model=rf")
    assert another.code == 0
    assert "reading" not in another.err


def test_a_table_that_changes_in_a_sweep_changes_nothing(
    home: Path, small_table: list[str]
) -> None:
    (candidate,) = Composer().plan(small_table, multirun=False).candidates
    planned = plan_candidate(candidate, Tables(lambda _: None))
    with (home / "table.csv").open("a") as file:
        file.write("12.5,3,a,1\n")
    notes: list[str] = []
    table = Tables(notes.append).table(planned.config, planned.data_fingerprint)
    assert (len(table), notes) == (600, [])
    now = Tables(notes.append).table(planned.config)
    assert (len(now), len(notes)) == (601, 1)


def test_make_clean_cache_empties_it_and_nothing_else(
    home: Path, run: Run, small_table: list[str]
) -> None:
    assert run("train", *small_table, "model=tree").code == 0
    assert entries(home, "encoded") == 1
    subprocess.run(["make", "-s", "clean-cache"], cwd=ROOT, check=True)
    assert not (home / ".cache" / "fraudlab").exists()
    assert run("train", *small_table, "model=tree").code == 0
    assert board(run)[0]["reused"]


def test_a_file_that_changes_while_it_is_read_is_not_known_by_what_it_was(
    home: Path, small_table: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (candidate,) = Composer().plan(small_table, multirun=False).candidates
    path, read = home / "table.csv", table_plugin.read_file
    before = path.read_text()

    def replaced(*given: Any, **more: Any) -> Any:
        path.write_text(before + "12.5,3,a,1\n")
        return read(*given, **more)

    with monkeypatch.context() as patch:
        patch.setattr(table_plugin, "read_file", replaced)
        assert len(Tables(lambda _: None).table(candidate.config)) == 601
    path.write_text(before)
    assert len(Tables(lambda _: None).table(candidate.config)) == 600


@pytest.mark.parametrize("known", [True, False])
def test_a_damaged_table_is_read_anew_by_who_plans(
    home: Path, small_table: list[str], known: bool
) -> None:
    (candidate,) = Composer().plan(small_table, multirun=False).candidates
    Tables(lambda _: None).table(candidate.config)
    cache = home / ".cache" / "fraudlab"
    for entry in [] if known else cache.glob("source-*"):  # what the file held is known no more
        shutil.rmtree(entry)
    (file,) = cache.glob("table-*/amount.npy")
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    notes: list[str] = []
    table = Tables(notes.append).table(candidate.config)
    assert len(notes) == 1
    assert table.amount is not None
    np.testing.assert_array_equal(table.amount, table.frame["amount"])
