"""Anybody's table is read as it is meant, whatever its names, separators and types."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from fraudlab import registry
from fraudlab.config import Choice
from fraudlab.table import Table, fingerprint
from tests.conftest import Done

Read = Callable[..., Table]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Return a function that reads a file's content as data=table, features=identity."""

    def read_table(
        content: str | bytes | Mapping[str, Any], label: str = "fraud", **options: Any
    ) -> Table:
        path = tmp_path / ("own.parquet" if isinstance(content, Mapping) else "own.csv")
        if isinstance(content, Mapping):
            pl.DataFrame(content).write_parquet(path)
        else:
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        params = {"path": str(path), "label": label, **options}
        raw = registry.build("data", Choice("table", params)).read()
        return registry.build("features", Choice("identity")).build(raw)

    return read_table


def kinds(table: Table) -> dict[str, tuple[str, str]]:
    return {field.name: (field.kind, field.role) for field in table.fields}


def test_numbers_text_and_missing_values_are_told_apart(read: Read) -> None:
    table = read("a,b,c,flag,fraud\n1,x,,true,0\n,,2.5,false,1\nNA,y,3,,0\n-2,null,1e3,TRUE,1\n")
    assert kinds(table) == {
        "a": ("number", "input"),
        "b": ("category", "input"),
        "c": ("number", "input"),
        "flag": ("number", "input"),
    }
    np.testing.assert_array_equal(table.frame["a"], [1, np.nan, np.nan, -2])
    np.testing.assert_array_equal(table.frame["c"], [np.nan, 2.5, 3, 1000])
    np.testing.assert_array_equal(table.frame["flag"], [1, 0, np.nan, 1])
    assert table.frame["b"].tolist() == ["x", None, "y", None]
    assert table.label.tolist() == [0, 1, 0, 1]


@pytest.mark.parametrize(
    "content",
    [
        "x,k,fraud\n1.5,a,0\n-2.25,b,1\n",
        "\ufeffx,k,fraud\n1.5,a,0\n-2.25,b,1\n",
        "x,k,fraud\r\n1.5,a,0\r\n-2.25,b,1\r\n",
        "x,k,fraud\n1.5,a,0\n\n-2.25,b,1\n\n",
        "x,k,fraud\n1.5,a,0\n-2.25,b,1",
        "x;k;fraud\n1,5;a;0\n-2,25;b;1\n",
        "\ufeffx;k;fraud\r\n1,5;a;0\r\n-2,25;b;1\r\n",
        "x;k;fraud\n1.5;a;0\n-2.25;b;1\n",
        "x\tk\tfraud\n1.5\ta\t0\n-2.25\tb\t1\n",
        "x\tk\tfraud\n1,5\ta\t0\n-2,25\tb\t1\n",
        "x|k|fraud\n1.5|a|0\n-2.25|b|1\n",
        '"x","k","fraud"\n"1.5","a","0"\n"-2.25","b","1"\n',
    ],
)
def test_every_spelling_of_a_table_gives_the_same_numbers(read: Read, content: str) -> None:
    table = read(content)
    assert table.frame["x"].tolist() == [1.5, -2.25]
    assert table.frame["k"].tolist() == ["a", "b"]
    assert table.label.tolist() == [0, 1]


def test_decimal_commas_stand_beside_whole_numbers_points_and_text(read: Read) -> None:
    table = read("a;b;c;d;fraud\n1;2,5;0.5;x,y;0\n2;3;1.5;1,5 kg;1\n;;;;0\n")
    assert kinds(table) == {
        "a": ("number", "input"),
        "b": ("number", "input"),
        "c": ("number", "input"),
        "d": ("category", "input"),
    }
    assert table.frame["b"].tolist()[:2] == [2.5, 3.0]
    assert table.frame["c"].tolist()[:2] == [0.5, 1.5]


def test_quoted_cells_keep_separators_quotes_and_line_breaks(read: Read) -> None:
    table = read('k,x,fraud\n"a,b",1,0\n"say ""x""",2,1\n"two\nlines",3,0\n"ü 漢 🙂",4,1\n')
    assert table.frame["k"].tolist() == ["a,b", 'say "x"', "two\nlines", "ü 漢 🙂"]


NAMES = [
    "is fraud",
    "a.b.c",
    "größe €",
    "it's",
    'say "x"',
    "x[0]",
    "{y}",
    "a=b",
    "a,b",
    "漢字",
    "-x",
]


@pytest.mark.parametrize("name", NAMES)
def test_any_name_can_be_the_label_from_the_command_line(
    run: Callable[..., Done], tmp_path: Path, name: str
) -> None:
    path = tmp_path / "own.csv"
    rows = {name: [int(n % 4 == 0) for n in range(60)], f"t {name}": range(60), "x": range(60)}
    pl.DataFrame(rows).write_csv(path)
    quoted = [each.replace("'", "\\'") for each in (name, f"t {name}")]
    arguments = [f"data.label='{quoted[0]}'", f"data.time='{quoted[1]}'"]
    done = run("validate", "data=table", f"data.path={path}", *arguments)
    assert done.code == 0, done.err
    assert "60 rows, 15 frauds" in done.out


def test_bounds_entities_and_drops_can_be_set_from_the_command_line(
    run: Callable[..., Done], tmp_path: Path
) -> None:
    path = tmp_path / "own.csv"
    rows = {"fraud": [0, 0, 0, 1] * 15, "card": range(60), "a b": range(60), "note": ["x"] * 60}
    pl.DataFrame(rows | {"x": range(60)}).write_csv(path)
    arguments = ["data.bounds={x: [0, 59]}", "data.entities=[card]", 'data.drop=["a b",note]']
    done = run("validate", "data=table", f"data.path={path}", "data.label=fraud", *arguments)
    assert done.code == 0, done.err


@pytest.mark.parametrize(
    ("cells", "seconds"),
    [
        (["2024-03-01 12:00:00", "2024-03-01 12:00:01"], [1709294400, 1709294401]),
        (["2024-03-01T12:00:00Z", "2024-03-01T13:00:01+01:00"], [1709294400, 1709294401]),
        (["2024-03-01 12:00:00.25", "2024-03-01 12:00:01.75"], [1709294400, 1709294401]),
        (["2024-03-01 12:00", "2024-03-01 12:01"], [1709294400, 1709294460]),
        (["2024-03-01", "2024-03-02"], [1709251200, 1709337600]),
        (["5", "86400"], [5, 86400]),
        (["5.75", "86400.25"], [5, 86400]),
        (["-5", "5"], [-5, 5]),
    ],
)
def test_times_are_whole_seconds_however_they_are_written(
    read: Read, cells: list[str], seconds: list[int]
) -> None:
    table = read(f"t,x,fraud\n{cells[0]},1,0\n{cells[1]},2,1\n", time="t")
    assert table.time is not None
    assert table.time.tolist() == seconds
    assert kinds(table)["t"][1] == "time"


def test_times_written_as_text_in_parquet_are_read(read: Read) -> None:
    for cells in (["2024-03-01 12:00:00", "2024-03-02"], ["2024-03-01T12:00:00Z"] * 2):
        table = read({"t": cells, "x": [1, 2], "fraud": [0, 1]}, time="t")
        assert table.time is not None
        assert table.time[0] == 1709294400


def test_rows_are_put_in_time_order_and_ties_keep_theirs(read: Read) -> None:
    table = read("t,x,fraud\n30,1,0\n10,2,1\n30,3,0\n20,4,1\n10,5,0\n", time="t")
    assert table.frame["x"].tolist() == [2, 5, 4, 1, 3]
    assert table.label.tolist() == [1, 0, 1, 0, 0]


@pytest.mark.parametrize(
    ("cells", "positive"),
    [
        (["yes", "no"], "yes"),
        (["2", "1"], 2),
        (["2", "1"], "2"),
        (["2.0", "1.5"], 2),
        (["true", "false"], True),
        (["true", "false"], "true"),
        (["True", "False"], None),
        (["1", "0"], None),
        (["1.0", "0.0"], None),
        (["ja, Betrug", "nein"], "ja, Betrug"),
        (["1", "x"], 1),
    ],
)
def test_the_fraud_value_is_found_however_it_is_written(
    read: Read, cells: list[str], positive: object
) -> None:
    content = f'fraud,x\n"{cells[1]}",1\n"{cells[0]}",2\n"{cells[1]}",3\n'
    assert read(content, positive=positive).label.tolist() == [0, 1, 0]


def test_a_fraud_value_that_no_row_has_names_the_values_there_are(
    run: Callable[..., Done], tmp_path: Path
) -> None:
    path = tmp_path / "own.csv"
    path.write_text("fraud,x\nyes,1\nno,2\n")
    arguments = ("data=table", f"data.path={path}", "data.label=fraud", "data.positive=maybe")
    done = run("validate", *arguments)
    assert done.code == 2
    assert "data.positive='maybe'; its values are 'no', 'yes'" in done.err


def test_categories_of_numbers_stay_as_they_are_written(read: Read) -> None:
    table = read("zip,x,fraud\n007,1,0\n7,2,1\n,3,0\n", categorical=["zip"])
    assert table.frame["zip"].tolist() == ["007", "7", None]
    assert kinds(table)["zip"] == ("category", "input")
    table = read({"zip": [7, None, 9], "x": [1, 2, 3], "fraud": [0, 1, 0]}, categorical="zip")
    assert table.frame["zip"].tolist() == ["7", None, "9"]


def test_columns_with_a_role_are_what_the_role_says(read: Read) -> None:
    table = read(
        "id,t,card,shop,paid,country,x,junk,fraud\n"
        "a1,1,c1,s1,10,DE,1,,0\n"
        "a2,2,c2,s1,,FR,2,,1\n"
        "a3,3,c1,s2,5.5,DE,3,,0\n",
        id="id", time="t", entities=["card", "shop"], amount="paid", segment="country",
        drop=["junk"], bounds={"x": [0, 9]},
    )  # fmt: skip
    assert kinds(table) == {
        "t": ("number", "time"),
        "card": ("text", "id"),
        "shop": ("text", "id"),
        "paid": ("number", "amount"),
        "x": ("number", "input"),
    }
    fields = {field.name: field for field in table.fields}
    assert (fields["paid"].min, fields["paid"].max) == (0, None)
    assert (fields["x"].min, fields["x"].max) == (0, 9)
    assert table.ids.tolist() == ["a1", "a2", "a3"]
    assert table.card is not None
    assert table.card[0] == table.card[2] != table.card[1]
    assert table.amount is not None
    assert table.amount.tolist() == [10, 0, 5.5]
    assert table.segment is not None
    assert table.segment.tolist() == ["DE", "FR", "DE"]


def test_long_identifiers_stay_exact(read: Read) -> None:
    cards = [2**60, 2**60 + 1, 2**60]
    table = read({"card": cards, "x": [1, 2, 3], "fraud": [0, 1, 0]}, entities=["card"], id=None)
    assert table.card is not None
    assert table.card.tolist() == cards


def test_constant_columns_and_two_rows_are_read(read: Read) -> None:
    table = read("one,k,x,fraud\n1,a,1,0\n1,a,2,1\n")
    assert len(table) == 2
    assert table.frame["one"].tolist() == [1, 1]


def test_unusual_parquet_types_are_made_plain(read: Read) -> None:
    table = read(
        {
            "d": pl.Series(["1.50", None, "2.25"]).cast(pl.Decimal(10, 2)),
            "c": pl.Series(["a", "b", None], dtype=pl.Categorical),
            "f": pl.Series([1.5, float("nan"), None], dtype=pl.Float32),
            "u": pl.Series([1, 2, 3], dtype=pl.UInt8),
            "b": [True, None, False],
            "fraud": [0, 1, 0],
        }
    )
    np.testing.assert_array_equal(table.frame["d"], [1.5, np.nan, 2.25])
    assert table.frame["c"].tolist() == ["a", "b", None]
    np.testing.assert_array_equal(table.frame["f"], [1.5, np.nan, np.nan])
    np.testing.assert_array_equal(table.frame["b"], [1, np.nan, 0])
    assert {name for name, (kind, _) in kinds(table).items() if kind == "category"} == {"c"}


def test_the_report_tells_rows_classes_ranges_missing_and_duplicates(read: Read) -> None:
    table = read("id,x,k,fraud\n1,1.5,a,0\n2,1.5,a,0\n3,1.5,a,0\n4,,b,1\n5,7,,0\n", id="id")
    report = table.report
    assert (report.rows, report.frauds, report.fraud_rate) == (5, 1, 0.2)
    assert report.duplicate_rows == 2
    assert table.duplicate.tolist() == [0, 0, 0, -1, -1]
    columns = {column.name: column for column in report.columns}
    assert (columns["x"].missing, columns["x"].min, columns["x"].max) == (1, 1.5, 7.0)
    assert columns["x"].mean == pytest.approx(11.5 / 4)
    assert (columns["k"].missing, columns["k"].distinct, columns["k"].min) == (1, 3, "a")
    assert report.source.endswith("own.csv")


def test_the_fingerprint_depends_on_every_cell_and_name_and_not_on_the_file(read: Read) -> None:
    base = "x,k,fraud\n1,a,0\n2,b,1\n"
    found = {read(base).fingerprint}
    assert {read(base.replace("\n", "\r\n")).fingerprint} == found
    others = [
        "x,k,fraud\n1,a,0\n3,b,1\n",
        "x,k,fraud\n1,a,1\n2,b,0\n",
        "x,j,fraud\n1,a,0\n2,b,1\n",
        "x,k,fraud\n1,ab,0\n2,,1\n",
        "x,k,fraud\n2,b,1\n1,a,0\n",
    ]
    for other in others:
        found.add(read(other).fingerprint)
    assert len(found) == 6


def test_datetimes_keep_their_day_in_utc(read: Read) -> None:
    moments = [dt.datetime(2024, 3, 1, 23, 30), dt.datetime(2024, 3, 2, 0, 30)]  # noqa: DTZ001
    table = read({"t": moments, "x": [1, 2], "fraud": [0, 1]}, time="t")
    assert (table.day - table.day[0]).tolist() == [0, 1]
    shifted = pl.Series(moments).dt.replace_time_zone("Europe/Berlin")
    table = read({"t": shifted, "x": [1, 2], "fraud": [0, 1]}, time="t")
    assert (table.day - table.day[0]).tolist() == [0, 0]


def test_text_cannot_pass_for_text_cut_elsewhere() -> None:
    one, other = (pl.DataFrame({"x": cells}) for cells in (["a\x1fb", "c"], ["a", "b\x1fc"]))
    assert fingerprint(one) != fingerprint(other)


def test_rows_without_a_card_are_nobody_elses():
    import polars as pl

    from fraudlab.table import cards

    found = cards(pl.Series(["b", None, "a", None, "b"]))
    assert found[0] == found[4] != found[2]
    assert len({*found.tolist()}) == 4
    whole = cards(pl.Series([5, None, 7]))
    assert len({*whole.tolist()}) == 3
