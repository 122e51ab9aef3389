"""The published stream as a table, read once."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from fraudlab.plugins.data.simulated import COLUMNS
from fraudlab.table import Table
from tests.plugins.split.tables import table_of


@pytest.fixture(scope="session")
def stream(simulated_cache: Path) -> Table:
    """Return the published stream without features: splits look at none."""
    (path,) = simulated_cache.glob("fraudlab/simulated-*.parquet")
    return table_of(pl.read_parquet(path), COLUMNS)
