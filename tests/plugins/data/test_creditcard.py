"""data=ulb takes a table of exactly the columns of creditcard.csv."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from fraudlab import registry
from fraudlab.config import Choice
from tests.conftest import Done

NAMES = ["Time", *(f"V{number}" for number in range(1, 29)), "Amount", "Class"]


@pytest.fixture
def creditcard() -> pl.DataFrame:
    """Return a table of that shape: two days, 1 % frauds, a few exact duplicates."""
    random = np.random.default_rng(0)
    rows = 2000
    columns = {f"V{number}": random.normal(size=rows).round(6) for number in range(1, 29)}
    frame = pl.DataFrame(
        {
            "Time": np.sort(random.integers(0, 172_792, rows)).astype(float),
            **columns,
            "Amount": random.exponential(80, rows).round(2),
            "Class": (np.arange(rows) % 100 == 0).astype(int),
        }
    )
    return pl.concat([frame, frame.head(3)]).sort("Time", maintain_order=True)


def quoted_class(frame: pl.DataFrame) -> str:
    """Return the table as the published file is written: the class in quotes."""
    lines = frame.write_csv().splitlines()
    return "\n".join(
        [
            ",".join(f'"{name}"' for name in NAMES),
            *(f'{line[:-1]}"{line[-1]}"' for line in lines[1:]),
        ]
    )


def test_the_published_file_is_read_with_time_as_a_field_no_model_reads(
    creditcard: pl.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("creditcard.csv").write_text(quoted_class(creditcard))
    raw = registry.build("data", Choice("ulb")).read()
    table = registry.build("features", Choice("identity")).build(raw)
    assert [field.name for field in table.fields] == NAMES[:-1]
    assert {field.name for field in table.fields if not field.is_input} == {"Time"}
    assert table.fields[0].role == "time"
    assert table.fields[-1].role == "amount"
    assert table.fields[-1].min == 0
    np.testing.assert_array_equal(table.label, creditcard["Class"].to_numpy())
    np.testing.assert_array_equal(table.frame["V28"], creditcard["V28"].to_numpy())
    assert table.report.duplicate_rows == 3


def test_parquet_is_read_alike(creditcard: pl.DataFrame, tmp_path: Path) -> None:
    creditcard.write_csv(tmp_path / "c.csv")
    creditcard.write_parquet(tmp_path / "c.parquet")
    read = [
        registry.build("data", Choice("ulb", {"path": str(tmp_path / name)})).read()
        for name in ("c.csv", "c.parquet")
    ]
    assert read[0].frame.equals(read[1].frame)
    assert read[0].report.fingerprint == read[1].report.fingerprint


FAULTS = {
    "missing column": (lambda frame: frame.drop("V7"), "no column 'V7'"),
    "extra column": (lambda frame: frame.with_columns(V29=1.0), "does not belong to it: 'V29'"),
    "no label": (lambda frame: frame.drop("Class"), "no column 'Class'"),
    "label of two": (lambda frame: frame.with_columns(Class=pl.col("Class") * 2), "0 or 1"),
    "negative amount": (lambda frame: frame.with_columns(Amount=-pl.col("Amount")), "'Amount'"),
    "missing time": (lambda frame: frame.with_columns(Time=pl.when(pl.col("V1") > 0).then("Time")),
                     "'Time' is empty"),
    "text": (lambda frame: frame.with_columns(V3=pl.lit("x")), "'V3' holds 'x'"),
}  # fmt: skip


@pytest.mark.parametrize(("change", "words"), FAULTS.values(), ids=FAULTS)
@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_any_other_table_is_refused(
    run: Callable[..., Done],
    creditcard: pl.DataFrame,
    tmp_path: Path,
    ending: str,
    change: Callable[[pl.DataFrame], pl.DataFrame],
    words: str,
) -> None:
    path = tmp_path / f"c.{ending}"
    getattr(change(creditcard), f"write_{ending}")(path)
    done = run("validate", "data=ulb", f"data.path={path}")
    assert done.code == 2
    assert words in done.err
    assert done.err.count("error: ") == 1
