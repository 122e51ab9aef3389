"""The progress of a sweep: what a line says of a candidate, and by which rule one is the best."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from fraudlab.manifest import Metrics
from fraudlab.runs import Planned, RunRecord
from fraudlab.terminal import Progress
from tests.candidates import make_config

SHARP = {"average_precision": 0.9, "roc_auc": 0.9, "recall": 0.1, "precision": 1.0}
KEEN = {"average_precision": 0.5, "roc_auc": 0.8, "recall": 0.7, "precision": 0.2}


def lines(
    capsys: pytest.CaptureFixture[str],
    selection: str,
    *found: dict[str, float],
    warnings: Sequence[str] = (),
) -> list[str]:
    config = make_config(selection=selection)
    plans = [
        Planned(f"{place}", config, {"model": f"m{place}"}, {}, "") for place in range(len(found))
    ]
    progress = Progress()
    progress.names(plans)
    progress.expect(len(plans))
    for planned, metrics in zip(plans, found, strict=True):
        progress.started(planned)
        validation = {"alert_rate": 0.1, **metrics}
        record = RunRecord(
            planned.run, "done", metrics=Metrics(validation), warnings=tuple(warnings)
        )
        progress.finished(planned, record)
    return capsys.readouterr().err.splitlines()


def test_the_best_so_far_is_the_one_that_the_selection_would_rank_first(capsys):
    _, last = lines(capsys, "average_precision", SHARP, KEEN)
    assert last.endswith("2/2 m1  AP 0.5000, 0.0 s; best: m0")
    _, last = lines(capsys, "recall_first", SHARP, KEEN)
    assert last.endswith("2/2 m1  recall 0.7000, 0.0 s; best so far")


def test_a_candidate_without_the_metric_that_ranks_is_never_the_best(capsys):
    _, last = lines(capsys, "average_precision", SHARP, {"recall": 1.0})
    assert last.endswith("2/2 m1  AP not measured, 0.0 s; best: m0")


def test_the_first_warning_is_shown_and_the_others_are_counted(capsys):
    (line,) = lines(capsys, "average_precision", SHARP)
    assert "warning" not in line
    (line,) = lines(capsys, "average_precision", SHARP, warnings=["did not converge"])
    assert line.endswith("; warning: did not converge")
    (line,) = lines(capsys, "average_precision", SHARP, warnings=["a [b]", "c", "d"])
    assert line.endswith("; warning: a [b] (and 2 more)")
