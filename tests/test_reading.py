"""A file that cannot be used is refused in one paragraph that names the place, exit code 2."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from tests.conftest import Done

Run = Callable[..., Done]
HEADER = "time,card,amount,kind,fraud"


def _line(number: int) -> str:
    day, hour = divmod(number, 24)
    fraud = int(number % 5 == 0)
    return (
        f"2024-01-{day + 1:02d} {hour:02d}:00:00,{number % 7},{number}.5,{'ab'[number % 2]},{fraud}"
    )


def lines(count: int = 100) -> list[str]:
    """Return a good table as lines: the header, then rows that start on line 2."""
    return [HEADER, *(_line(number) for number in range(count))]


def changed(line: int, text: str) -> str:
    """Return the good table with one line (counted from 1) replaced."""
    all_lines = lines()
    all_lines[line - 1] = text
    return "\n".join(all_lines) + "\n"


@pytest.fixture
def validate(run: Run, tmp_path: Path) -> Callable[..., Done]:
    def validate_file(content: str | bytes, *more: str, name: str = "own.csv") -> Done:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return run("validate", "data=table", f"data.path={path}", "data.label=fraud", *more)

    return validate_file


def refused(done: Done, *words: str) -> None:
    """Assert exit code 2 and one paragraph on standard error that holds the words."""
    assert done.code == 2, done
    message = [line for line in done.err.splitlines() if line.startswith("error: ")]
    assert len(message) == 1, done.err
    assert done.err.rstrip().endswith(message[0]), done.err
    assert "Traceback" not in done.err
    for word in words:
        assert word in message[0], f"{word!r} is not in {message[0]!r}"


def test_a_good_table_is_accepted(validate: Callable[..., Done]) -> None:
    content = "\n".join(lines())
    done = validate(content, "data.time=time", "data.amount=amount", "data.entities=[card]")
    assert done.code == 0, done.err
    assert "100 rows, 20 frauds; the split fits" in done.out


CELLS = {
    "label of two": ("2024-01-01 00:00:00,1,1.5,a,2", ("line 30", "'fraud'", "2", "0 or 1")),
    "label of minus one": ("2024-01-01 00:00:00,1,1.5,a,-1", ("line 30", "'fraud'", "-1")),
    "label in words": ("2024-01-01 00:00:00,1,1.5,a,yes", ("line 30", "'yes'", "data.positive")),
    "label of one half": ("2024-01-01 00:00:00,1,1.5,a,0.5", ("line 30", "'fraud'", "0.5")),
    "empty label": ("2024-01-01 00:00:00,1,1.5,a,", ("line 30", "'fraud' is empty")),
    "NaN label": ("2024-01-01 00:00:00,1,1.5,a,NaN", ("line 30", "'fraud' is empty")),
    "text in a number column": ("2024-01-01 00:00:00,1,x1,a,0", ("line 30", "'amount'", "'x1'")),
    "thousands": ('2024-01-01 00:00:00,1,"1,234.5",a,0', ("line 30", "'amount'", "1,234.5")),
    "infinity": ("2024-01-01 00:00:00,1,inf,a,0", ("line 30", "'amount'", "finite")),
    "minus infinity": ("2024-01-01 00:00:00,1,-Infinity,a,0", ("line 30", "'amount'", "-inf")),
    "beyond float64": ("2024-01-01 00:00:00,1,1e999,a,0", ("line 30", "'amount'", "finite")),
    "beyond float32": ("2024-01-01 00:00:00,1,1e39,a,0", ("line 30", "'amount'", "1e+39")),
    "beyond 2^53": ("2024-01-01 00:00:00,9007199254740993,1,a,0", ("line 30", "'card'", "2^53")),
    "too few cells": ("2024-01-01 00:00:00,1,1.5,a", ("line 30", "4 cells", "5")),
    "too many cells": ("2024-01-01 00:00:00,1,1.5,a,0,9", ("line 30", "6 cells", "5")),
    "open quote": ('2024-01-01 00:00:00,1,1.5,"a,0', ("quote is not closed",)),
}


@pytest.mark.parametrize(("line", "words"), CELLS.values(), ids=CELLS)
def test_a_faulty_cell_is_named_by_its_line(
    validate: Callable[..., Done], line: str, words: tuple[str, ...]
) -> None:
    refused(validate(changed(30, line), "data.drop=[time]"), "own.csv", *words)


ROLES = {
    "unreadable time": ("soon,1,1.5,a,0", "data.time=time", ("'time'", "'soon'", "is not a time")),
    "impossible day": ("2024-02-31 00:00:00,1,1,a,0", "data.time=time", ("'time'", "2024-02-31")),
    "a zone in one row": ("2024-01-01T00:00:00Z,1,1,a,0", "data.time=time", ("'time'", "zone")),
    "missing time": (",1,1.5,a,0", "data.time=time", ("'time' is empty", "needs a time")),
    "negative amount": ("2024-01-01,1,-3,a,0", "data.amount=amount", ("'amount'", "-3.0", "[0, ")),
    "amount in words": ("2024-01-01,1,much,a,0", "data.amount=amount", ("'much'", "not a number")),
    "missing card": ("2024-01-01,,1.5,a,0", "data.entities=[card]", ("'card' is empty",)),
    "out of bounds": ("2024-01-01,99,1.5,a,0", "data.bounds={card: [0, 9]}", ("'card'", "[0, 9]")),
}


@pytest.mark.parametrize(("line", "role", "words"), ROLES.values(), ids=ROLES)
def test_a_column_with_a_role_is_held_to_it(
    validate: Callable[..., Done], line: str, role: str, words: tuple[str, ...]
) -> None:
    drop = [] if "time" in role else ["data.drop=[time]"]
    refused(validate(changed(30, line), role, *drop), "line 30", *words)


def test_lines_are_counted_as_an_editor_does(validate: Callable[..., Done]) -> None:
    content = lines()
    content[3] = '2024-01-01,1,1.5,"two\nlines",0'  # lines 4 and 5 of the file
    content[6] = content[6] + "\n"  # line 8, and the blank line 9
    content[20] = "2024-01-01,1,1.5,a,7"
    refused(validate("\r\n".join(content), "data.drop=[time]"), "line 23,", "'fraud' holds 7")


def test_sorting_by_time_does_not_change_what_a_row_is_called(
    validate: Callable[..., Done],
) -> None:
    content = lines()
    content[1:] = reversed(content[1:])
    content[9] = "2024-01-01 00:00:00,1,-5,a,0"
    done = validate("\n".join(content), "data.time=time", "data.amount=amount")
    refused(done, "line 10,", "'amount' holds -5.0")


WHOLE = {
    "empty file": ("", ("own.csv", "0 bytes")),
    "blank lines": ("\n\n", ("own.csv", "not even a header")),
    "header only": (f"{HEADER}\n", ("own.csv", "no rows")),
    "header without line end": (HEADER, ("own.csv", "no rows")),
    "one row": ("\n".join(lines(1)), ("is 1", "both classes")),
    "genuine only": (f"{HEADER}\n{_line(1)}\n{_line(2)}\n", ("is 0", "both classes")),
    "duplicate column": ("a,fraud,a\n1,0,2\n", ("two columns are named 'a' (column 1 and 3)",)),
    "column without name": (",x,fraud\n0,1,0\n1,2,1\n", ("column 1 has no name",)),
    "no such label": ("x,frauds\n1,0\n2,1\n", ("no column 'fraud'", "did you mean 'frauds'?")),
    "not UTF-8": ("größe,fraud\n1,0\n2,1\n".encode("latin-1"), ("line 1 is not UTF-8",)),
    "not UTF-8 below": ("x,fraud\na,0\nä,1\n".encode("latin-1"), ("line 3 is not UTF-8",)),
    "UTF-16": ("x,fraud\n1,0\n2,1\n".encode("utf-16"), ("not UTF-8",)),
    "gzip": (gzip.compress(b"x,fraud\n1,0\n2,1\n"), ("gzip", "decompress")),
    "Parquet inside": (b"PAR1....PAR1", ("Parquet file by its content",)),
    "column always missing": ("x,y,fraud\n1,,0\n2,,1\n", ("'y' is empty in every row",)),
    "no input": ("fraud\n0\n1\n", ("no input",)),
    "dates as input": ("d,x,fraud\n2024-01-01,1,0\n2024-01-02,2,1\n", ("'d'", "data.time=d")),
    "clock times": ("d,x,fraud\n10:00:00,1,0\n11:00:00,2,1\n", ("'d'", "data.drop")),
}


@pytest.mark.parametrize(("content", "words"), WHOLE.values(), ids=WHOLE)
def test_a_faulty_file_is_refused(
    validate: Callable[..., Done], content: str | bytes, words: tuple[str, ...]
) -> None:
    refused(validate(content), *words)


def test_a_truncated_csv_is_refused(validate: Callable[..., Done]) -> None:
    content = "\n".join(lines())
    refused(validate(content[:-4], "data.drop=[time]"), "line 101", "cut short")
    refused(validate(content[:-1], "data.drop=[time]"), "line 101", "'fraud' is empty")


def test_a_csv_cut_inside_its_last_quoted_cell_is_refused(validate: Callable[..., Done]) -> None:
    rows = [f'{int(number % 4 == 0)},"note {number}"' for number in range(60)]
    content = "\n".join(["fraud,note", *rows])
    assert validate(content).code == 0
    refused(validate(content[:-3]), "cut short", "quote is not closed")


@pytest.mark.parametrize("name", ["own.xlsx", "own.csv.bak", "own"])
def test_a_wrong_ending_is_refused(validate: Callable[..., Done], name: str) -> None:
    refused(validate("\n".join(lines()), name=name), name, ".csv", ".parquet")


def test_a_csv_named_parquet_is_refused(validate: Callable[..., Done]) -> None:
    refused(validate("\n".join(lines()), name="own.parquet"), "not a Parquet file by its content")


def test_a_file_that_is_not_there_names_its_neighbour(run: Run, tmp_path: Path) -> None:
    (tmp_path / "transactions.csv").write_text("x\n")
    path = tmp_path / "transaction.csv"
    done = run("validate", "data=table", f"data.path={path}", "data.label=fraud")
    refused(done, "no file", f"did you mean {str(tmp_path / 'transactions.csv')!r}?")
    done = run("validate", "data=table", f"data.path={tmp_path / 'no' / 'x.csv'}", "data.label=y")
    refused(done, "folder", "does not exist either")
    refused(run("validate", "data=table", f"data.path={tmp_path}", "data.label=y"), "is a folder")
    refused(run("validate", "data=table", "data.label=y"), "data.path=FILE.csv")
    refused(run("validate", "data=ulb"), "no file 'creditcard.csv'")


def test_a_relative_path_starts_in_the_current_folder(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "own.csv").write_text("\n".join(lines()))
    monkeypatch.chdir(tmp_path / "elsewhere")
    arguments = ("data=table", "data.path=own.csv", "data.label=fraud", "data.time=time")
    assert run("validate", *arguments).code == 0


@pytest.fixture
def as_nobody(tmp_path: Path) -> Path:
    """Return a readable folder; files in it that root owns alone cannot be read in the test."""
    if os.geteuid() == 0:
        for folder in (tmp_path, *tmp_path.parents):
            if folder.stat().st_mode & 0o005 != 0o005:
                folder.chmod(0o755)
    return tmp_path


def test_a_file_without_permission_is_refused(
    validate: Callable[..., Done], run: Run, as_nobody: Path
) -> None:
    validate("\n".join(lines()))  # everything that is imported late is imported now
    path = as_nobody / "own.csv"
    path.chmod(0)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        done = run("validate", "data=table", f"data.path={path}", "data.label=fraud")
    finally:
        os.seteuid(user)
    refused(done, str(path), "Permission denied")


@pytest.mark.parametrize("command", ["train", "prepare"])
def test_nothing_is_written_when_the_table_is_refused(
    run: Run, tmp_path: Path, home: Path, command: str
) -> None:
    path = tmp_path / "own.csv"
    path.write_text(changed(30, "2024-01-01,1,1.5,a,2"))
    more = [f"output={tmp_path / 'out.parquet'}"] if command == "prepare" else []
    refused(run(command, "data=table", f"data.path={path}", "data.label=fraud", *more), "line 30")
    assert [entry.name for entry in home.rglob("*")] == ["own.csv"]


def parquet(tmp_path: Path, **columns: object) -> Path:
    path = tmp_path / "own.parquet"
    frame = {"x": [1.0, 2.0, 3.0, 4.0], "fraud": [0, 1, 0, 1]} | columns
    pl.DataFrame(frame).write_parquet(path)
    return path


PARQUET = {
    "NaN label": ({"fraud": [0.0, 1.0, float("nan"), 1.0]}, ("row 3", "'fraud' is empty")),
    "missing label": ({"fraud": [0, None, 0, 1]}, ("row 2", "'fraud' is empty")),
    "infinity": ({"x": [1.0, 2.0, 3.0, float("-inf")]}, ("row 4", "'x'", "-inf")),
    "lists": ({"y": [[1], [2], [3], [4]]}, ("'y'", "list", "data.drop")),
    "all NaN": ({"y": [float("nan")] * 4}, ("'y' is empty in every row",)),
    "long whole number": ({"y": [1, 2, 3, 2**60]}, ("row 4", "'y'", str(2**60), "2^53")),
    "bytes": ({"y": [b"a", b"b", b"c", b"d"]}, ("'y'", "binary")),
}


@pytest.mark.parametrize(("columns", "words"), PARQUET.values(), ids=PARQUET)
def test_a_parquet_file_is_checked_alike_and_its_rows_count_from_one(
    run: Run, tmp_path: Path, columns: dict[str, object], words: tuple[str, ...]
) -> None:
    path = parquet(tmp_path, **columns)
    refused(run("validate", "data=table", f"data.path={path}", "data.label=fraud"), *words)


def test_a_truncated_parquet_file_is_refused(run: Run, tmp_path: Path) -> None:
    path = parquet(tmp_path)
    whole = path.read_bytes()
    for length in (4, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        done = run("validate", "data=table", f"data.path={path}", "data.label=fraud")
        refused(done, "own.parquet", "cannot be read as Parquet", "cut short")


def test_a_parquet_file_with_two_columns_of_one_name_is_refused(run: Run, tmp_path: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet as arrow

    table = pa.table([pa.array([1, 2]), pa.array([0, 1]), pa.array([3, 4])], ["x", "fraud", "x"])
    arrow.write_table(table, tmp_path / "own.parquet")
    path = tmp_path / "own.parquet"
    done = run("validate", "data=table", f"data.path={path}", "data.label=fraud")
    refused(done, "two columns are named 'x'")


def test_two_options_for_one_column_are_refused(run: Run, tmp_path: Path) -> None:
    path = parquet(tmp_path)
    arguments = ("validate", "data=table", f"data.path={path}", "data.label=fraud")
    refused(run(*arguments, "data.time=fraud"), "data.time", "'fraud'", "data.label")
    refused(run(*arguments, "data.drop=[fraud]"), "data.drop", "'fraud'", "data.label")
    refused(run(*arguments, "data.entities=[x]", "data.amount=x"), "'x'", "data.amount")
    refused(run(*arguments, "data.bounds={fraud: [0, 1]}"), "data.bounds", "data.label")
    refused(run(*arguments, "data.bounds={x: [2, 1]}"), "data.bounds", "above")


@pytest.mark.parametrize("frauds", [(0,), (60,), (60, 70), (90,)])
def test_a_part_without_fraud_is_named_with_the_remedy(
    validate: Callable[..., Done], frauds: tuple[int, ...]
) -> None:
    rows = [f"{number},{number % 9},{int(number in frauds)}" for number in range(100)]
    done = validate("\n".join(["when,x,fraud", *rows]), "data.time=when")
    parts = [range(60), range(60, 80), range(80, 100)]
    empty = [not any(row in part for row in frauds) for part in parts]
    name = ("train", "validation", "test")[empty.index(True)]
    refused(done, f"the {name} rows", "(0 of", "split.params")
