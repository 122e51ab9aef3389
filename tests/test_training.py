"""`train_candidate` needs a plan and a disk, no driver: what it returns is what it has written."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from fraudlab.bundle import read_bundle
from fraudlab.composition import Composer
from fraudlab.config import Candidate
from fraudlab.errors import DataError
from fraudlab.experiment import run_experiment
from fraudlab.outcomes import RunResult
from fraudlab.planning import plan_candidate
from fraudlab.provenance import provenance
from fraudlab.runs import Planned, RunRecord, read_result, run_folder
from fraudlab.tables import Tables
from fraudlab.training import train_candidate
from tests.conftest import Run
from tests.sweeps import board


def planned_of(*overrides: str) -> Planned:
    (candidate,) = Composer().plan(list(overrides), multirun=False).candidates
    assert isinstance(candidate, Candidate)
    return msgspec.structs.replace(plan_candidate(candidate, Tables(lambda _: None)), run="abc")


def trained(planned: Planned) -> RunRecord:
    return train_candidate(planned, Tables(lambda _: None), "a-sweep", "an-mlflow-run")


def test_what_came_of_it_is_written_and_returned(home: Path, small_table: list[str]) -> None:
    record = trained(planned_of(*small_table, "model=logreg"))
    assert (record.status, record.sweep, record.error) == ("done", "a-sweep", None)
    assert read_result("abc") == record
    assert record.bundle is not None
    bundle = read_bundle(home / record.bundle)
    assert bundle.manifest.provenance["mlflow_run_id"] == record.mlflow_run_id == "an-mlflow-run"
    assert (run_folder("abc") / "manifest.json").read_bytes() == (
        home / record.bundle / "manifest.json"
    ).read_bytes()
    assert msgspec.json.decode((run_folder("abc") / "table_report.json").read_bytes())


def test_the_scored_rows_are_kept_to_the_last_bit(home: Path, small_table: list[str]) -> None:
    planned = planned_of(*small_table, "model=logreg")
    record, result = trained(planned), run_experiment_of(planned)
    with np.load(run_folder("abc") / "scores.npz", allow_pickle=False) as kept:
        for part, scores in ((p, o.scores) for p, o in result.outcomes.items()):
            assert kept[f"{part}_score"].dtype == np.float64
            assert np.array_equal(kept[f"{part}_score"], scores.score)
            assert np.array_equal(kept[f"{part}_label"], scores.label)
            assert np.array_equal(kept[f"{part}_amount"], scores.amount)
            found = average_precision_score(kept[f"{part}_label"], kept[f"{part}_score"])
            if part == "test":  # validation ranks by the scores before calibration
                assert found == getattr(record.metrics, part)["average_precision"]
        assert {name.partition("_")[0] for name in kept.files} == {"validation", "test"}
        assert "test_day" not in kept.files  # the table has no time


def run_experiment_of(planned: Planned) -> RunResult:
    tables = Tables(lambda _: None)
    table = tables.table(planned.config)
    origin = provenance(planned.config, table.fingerprint, None)
    return run_experiment(planned.config, table, tables.split(planned.config), origin)


def test_warnings_reach_the_record_the_progress_and_the_leaderboard(
    run: Run, small_table: list[str]
) -> None:
    done = run("train", *small_table, "model=logreg", "model.params.max_iter=1")
    assert done.code == 0, done.err
    (row,) = board(run)
    (warning,) = row["warnings"]
    assert "model.params.max_iter" in warning
    assert f"; warning: {warning}" in done.err


def test_tables_that_were_read_are_not_read_again(home: Path, small_table: list[str]) -> None:
    planned, notes = planned_of(*small_table, "model=logreg"), []
    (home / "table.csv").unlink()
    assert train_candidate(planned, Tables(notes.append), "a-sweep", None).status == "done"
    assert notes == []


@pytest.mark.parametrize("error", [DataError("too\nfew rows"), SystemExit(3), ZeroDivisionError()])
def test_any_failure_becomes_a_record_with_its_log(
    home: Path, small_table: list[str], monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    def fail(*_: object) -> None:
        raise error

    planned = planned_of(*small_table, "model=logreg")
    monkeypatch.setattr(Tables, "table", fail)
    record = trained(planned)
    assert (record.status, record.bundle, record.mlflow_run_id) == ("failed", None, "an-mlflow-run")
    assert read_result("abc") == record
    assert record.log is not None
    assert type(error).__name__ in (home / record.log).read_text()
    told = {"DataError": "few rows", "SystemExit": "SystemExit: 3"}
    assert record.error == told.get(type(error).__name__, "ZeroDivisionError: no message")


def test_an_interrupt_passes_and_leaves_no_result(
    home: Path, small_table: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    planned = planned_of(*small_table, "model=logreg")
    monkeypatch.setattr(Tables, "table", stop)
    with pytest.raises(KeyboardInterrupt):
        trained(planned)
    assert read_result("abc") is None


def test_explicit_class_weights_are_trained_with(run: Run, small_table: list[str]) -> None:
    weights = "sampler.params.weights={0:1,1:50}"
    done = run("train", *small_table, "model=logreg", "sampler=class_weight", weights)
    assert done.code == 0, done.err
    again = run("train", *small_table, "model=logreg", "sampler=class_weight", weights)
    assert again.code == 0, again.err
    assert [row["reused"] for row in board(run)] == [True]
