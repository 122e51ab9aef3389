"""What the tests of splits stand on: splitters by name, tables of a frame, sizes of a stage."""

from __future__ import annotations

from typing import Any

import polars as pl

from fraudlab import registry
from fraudlab.config import Choice
from fraudlab.locating import Locator
from fraudlab.protocols import Stage
from fraudlab.table import Columns, Raw, Table
from fraudlab.table_report import check_table


def splitter(name: str, **params: object) -> Any:
    return registry.build("split", Choice(name, params))


def table_of(frame: pl.DataFrame, columns: Columns) -> Table:
    raw = Raw(frame, columns, check_table(frame, columns, Locator("rows")))
    table: Table = registry.build("features", Choice("identity")).build(raw)
    return table


def sizes(table: Table, stage: Stage) -> tuple[int, int, int, int]:
    """Return rows and frauds of the fitted part, then of the scored one."""
    fit, judge = table.label[stage.fit], table.label[stage.judge]
    return len(fit), int(fit.sum()), len(judge), int(judge.sum())
