"""Write the prepared table: `python -m fraudlab.prepare data=NAME output=FILE.parquet`."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import TYPE_CHECKING

from fraudlab import registry
from fraudlab.command import CONFIG_DIR, parse_flags, run_command
from fraudlab.composition import Composer, Plan
from fraudlab.config import Config
from fraudlab.errors import UserError
from fraudlab.reading import check_names

if TYPE_CHECKING:
    import polars as pl

USAGE = """\
python -m fraudlab.prepare data=NAME output=FILE.parquet [overrides of data and features]

Write the table as training sees it: the id (or row number), the features under their own names, the
label.

  python -m fraudlab.prepare data=simulated output=features.parquet
  python -m fraudlab.prepare data=table data.path=my.csv data.label=is_fraud output=prepared.parquet
  python -m fraudlab.prepare experiment=demo output=demo.parquet

A recipe may list several candidates as long as their data and features are the same. Flags:
--config-dir FOLDER, -v. Exit codes: 0 done, 1 it failed, 2 asked wrongly.
"""


def main(arguments: list[str]) -> int:
    """Read, build the features, write."""
    flags = parse_flags(arguments, (CONFIG_DIR,))
    outputs = [each for each in flags.overrides if each.startswith("output=")]
    rest = [each for each in flags.overrides if not each.startswith("output=")]
    if len(outputs) != 1:
        raise UserError("name the file to write once: output=FILE.parquet")
    target = _target(outputs[0].partition("=")[2])
    plan = Composer(flags.config_dir).plan(rest, multirun=True)
    frame = prepared(_one_table(plan))
    _write(frame, target)
    print(f"{target}: {frame.height:,} rows, {frame.width} columns")  # noqa: T201
    return 0


def _target(path: str) -> Path:
    target = Path(path).expanduser()
    folder = target.absolute().parent
    if target.suffix != ".parquet":
        raise UserError(f"output must end in .parquet, got {path!r}")
    if not folder.is_dir():
        raise UserError(f"output: there is no folder {str(folder)!r}; make it first")
    if target.is_dir():
        raise UserError(f"output: {path!r} is a folder; name a file")
    if not os.access(folder, os.W_OK):
        raise UserError(f"output: the folder {str(folder)!r} cannot be written to")
    return target


def _one_table(plan: Plan) -> Config:
    """Return a config of the plan, when all its candidates are trained on the same table."""
    first, *others = (candidate.config for candidate in plan.candidates)
    for other in others:
        for group in ("data", "features"):
            one, two = first.choice(group), other.choice(group)
            if one != two:
                got = [one.name, two.name] if one.name != two.name else [one.params, two.params]
                raise UserError(
                    f"one file holds one table, but the candidates differ in {group}: got"
                    f" {got[0]} and {got[1]}; choose one"
                )
    return first


def prepared(config: Config) -> pl.DataFrame:
    """Return id (or row number), the request's fields and the label.

    What a model reads is as training sees it; times and entities keep the source's own values.
    """
    import polars as pl

    raw = registry.build("data", config.data).read()
    table = registry.build("features", config.features).build(raw)
    columns = raw.columns
    rows = pl.Series(columns.id or "ROW", range(len(table)))
    number = rows if columns.id is None else raw.frame[columns.id]
    check_names([number.name, *table.frame.columns, columns.label], "output")
    carried = [field.name for field in table.fields if not field.is_input]
    fields: pl.DataFrame = pl.from_pandas(table.frame)
    fields = fields.with_columns(raw.frame.select(carried))
    return fields.insert_column(0, number).with_columns(raw.frame[columns.label])


def _write(frame: pl.DataFrame, target: Path) -> None:
    from fraudlab.bundle import write_atomic

    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    write_atomic(target, buffer.getvalue())


if __name__ == "__main__":
    run_command(main, lambda: USAGE)
