"""The table of a run, read again: for what a report asks of the rows themselves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fraudlab.errors import FraudlabError
from fraudlab.protocols import Rows
from fraudlab.reporting.gathering import RunFacts
from fraudlab.table import Table
from fraudlab.tables import Tables


@dataclass(frozen=True, slots=True)
class Material:
    """The table as it was, the rows the shipped model was fitted on, and those of its test."""

    table: Table
    train: Rows
    test: Rows


def rebuild(facts: RunFacts, note: Callable[[str], None]) -> Material | str:
    """Return the run's table and rows, or a sentence that says why they cannot be had any more."""
    tables = Tables(note)
    try:
        table = tables.table(facts.config)
        if table.fingerprint != facts.manifest.provenance.get("data_fingerprint"):
            return "the data have changed since the run"
        fold = tables.split(facts.config).folds[0].test
    except (FraudlabError, OSError) as error:
        return f"the data cannot be read again: {str(error).rstrip('.')}"
    scores = facts.shipped.get("test")
    if scores is not None and scores.row is not None and not np.array_equal(scores.row, fold.judge):
        return "the split gives other rows than it gave the run"
    return Material(table, fold.fit, fold.judge)
