"""`fraudlab.prepare` writes what training sees, whole or not at all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from fraudlab import registry
from fraudlab.config import Choice
from tests.conftest import INTERRUPTED, ROOT, Done, run_on_full_disk

Run = Callable[..., Done]
SIZES = ["data.customers=60", "data.terminals=90", "data.days=50", "data.radius=12"]
OWN = """when,card,shop,paid,kind,size,fraud
2024-01-02 10:00:00,9007199254740993,s1,5.25,a,1.5,0
2024-01-01 10:00:00,7,s2,,,2,1
2024-01-03 10:00:00,7,s1,7,b,,0
"""


@pytest.fixture
def own(tmp_path: Path) -> list[str]:
    """Return the arguments that name an own table with text, missing values and long ids."""
    path = tmp_path / "own.csv"
    path.write_text(OWN)
    return [
        "data=table", f"data.path={path}", "data.label=fraud", "data.time=when",
        "data.entities=[card,shop]", "data.amount=paid",
    ]  # fmt: skip


def test_the_simulated_stream_is_written_with_id_features_and_label(
    run: Run, tmp_path: Path
) -> None:
    output = tmp_path / "out.parquet"
    done = run("prepare", "data=simulated", *SIZES, f"output={output}")
    assert done.code == 0, done.err
    assert "17 columns" in done.out
    written = pl.read_parquet(output)
    sizes = {"customers": 60, "terminals": 90, "days": 50, "radius": 12.0}
    raw = registry.build("data", Choice("simulated", sizes)).read()
    table = registry.build("features", Choice("rfm")).build(raw)
    assert written.columns == ["TRANSACTION_ID", *table.frame.columns, "TX_FRAUD"]
    assert written["TRANSACTION_ID"].to_list() == table.ids.tolist()
    assert written["TX_FRAUD"].to_list() == table.label.tolist()
    assert written.select(table.frame.columns).equals(pl.from_pandas(table.frame))
    assert [entry.name for entry in tmp_path.iterdir() if entry.name.endswith(".tmp")] == []


def test_an_own_table_keeps_names_missing_values_times_and_long_ids(
    run: Run, tmp_path: Path, own: list[str]
) -> None:
    output = tmp_path / "out.parquet"
    done = run("prepare", *own, f"output={output}")
    assert done.code == 0, done.err
    written = pl.read_parquet(output)
    assert written.columns == ["ROW", "when", "card", "shop", "paid", "kind", "size", "fraud"]
    assert written["ROW"].to_list() == [0, 1, 2]
    assert written["kind"].to_list() == [None, "a", "b"]
    assert written["size"].to_list() == [2.0, 1.5, None]
    assert written["paid"].to_list() == [None, 5.25, 7.0]
    assert written["card"].to_list() == [7, 9007199254740993, 7]
    assert written["when"].dtype == pl.Datetime
    assert written["when"].is_sorted()
    assert written["fraud"].to_list() == [1, 0, 0]


def test_an_output_can_be_replaced_and_prepared_again(
    run: Run, tmp_path: Path, own: list[str]
) -> None:
    output = tmp_path / "out.parquet"
    assert run("prepare", *own, f"output={output}").code == 0
    first = output.read_bytes()
    assert run("prepare", *own, f"output={output}").code == 0
    assert output.read_bytes() == first
    again = ["data=table", f"data.path={output}", "data.label=fraud", "data.id=ROW"]
    more = ["data.time=when", "data.entities=[card,shop]", "data.amount=paid"]
    done = run("prepare", *again, *more, f"output={tmp_path / 'twice.parquet'}")
    assert done.code == 0, done.err
    assert pl.read_parquet(tmp_path / "twice.parquet").equals(pl.read_parquet(output))


def test_a_column_of_the_name_that_row_numbers_take_is_refused(run: Run, tmp_path: Path) -> None:
    (tmp_path / "own.csv").write_text("ROW,x,fraud\n5,1,0\n6,2,1\n")
    output = tmp_path / "out.parquet"
    arguments = ["data=table", f"data.path={tmp_path / 'own.csv'}", "data.label=fraud"]
    done = run("prepare", *arguments, f"output={output}")
    assert done.code == 2
    assert "two columns are named 'ROW'" in done.err
    assert not output.exists()


def test_a_label_of_a_features_name_is_refused(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text("t,c,s,paid,TX_DURING_NIGHT\n1,1,1,1,0\n2,1,1,1,1\n")
    arguments = ["data=table", f"data.path={path}", "data.label=TX_DURING_NIGHT", "features=rfm"]
    more = ["data.time=t", "data.entities=[c,s]", "data.amount=paid"]
    done = run("prepare", *arguments, *more, f"output={tmp_path / 'out.parquet'}")
    assert done.code == 2
    assert "two columns are named 'TX_DURING_NIGHT'" in done.err


def test_candidates_that_share_a_table_are_one_file(
    run: Run, tmp_path: Path, own: list[str]
) -> None:
    output = tmp_path / "out.parquet"
    done = run("prepare", *own, "model=logreg,xgb", "seed=1,2", f"output={output}")
    assert done.code == 0, done.err
    assert output.is_file()


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["data=simulated,ulb"], "differ in data: got simulated and ulb; choose one"),
        (["data=simulated", "features=identity,rfm"], "differ in features: got identity and rfm"),
        (["data=simulated", "data.days=50,60"], "differ in data: got {'customers': 5000"),
        (["experiment=demo,handbook_baseline"], "differ in data: got {'customers': 500,"),
    ],
)
def test_candidates_of_several_tables_are_refused(
    run: Run, tmp_path: Path, words: list[str], text: str
) -> None:
    done = run("prepare", *words, f"output={tmp_path / 'out.parquet'}")
    assert done.code == 2
    assert text in done.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("output", "words"),
    [
        (None, "output=FILE.parquet"),
        ("out.csv", "must end in .parquet"),
        ("", "must end in .parquet"),
        ("no/folder/out.parquet", "there is no folder"),
        ("folder.parquet", "is a folder"),
    ],
)
def test_an_impossible_output_is_refused_before_anything_is_read(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, output: str | None, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.parquet").mkdir()
    arguments = [] if output is None else [f"output={output}"]
    done = run("prepare", "data=simulated", *arguments)
    assert done.code == 2, done.err
    assert words in done.err
    assert [entry.name for entry in tmp_path.rglob("*")] == ["folder.parquet"]


def test_an_output_that_cannot_be_written_leaves_nothing_behind(
    tmp_path: Path, own: list[str]
) -> None:
    done = run_on_full_disk(100, "fraudlab.prepare", *own, "output=out.parquet", cwd=tmp_path)
    assert done.code == 1, done.err
    assert done.err.startswith("error: ")
    assert "Traceback" not in done.err
    assert [entry.name for entry in tmp_path.iterdir()] == ["own.csv"]


def test_an_interrupt_leaves_nothing_behind(tmp_path: Path) -> None:
    """Interrupted while it simulates: the full stream takes long enough to be met there."""
    process = subprocess.Popen(
        [sys.executable, "-m", "fraudlab.prepare", "data=simulated", "output=out.parquet"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT), "FRAUDLAB_HOME": str(tmp_path)},
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    time.sleep(4)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode in INTERRUPTED
    assert "Traceback" not in err
    assert list(tmp_path.rglob("*.parquet")) == []
    assert list(tmp_path.rglob("*.tmp")) == []
