"""Write the prepared table: `python -m fraudlab.prepare data=NAME output=FILE.parquet`."""

from __future__ import annotations

import os
from pathlib import Path

from fraudlab.command import parse_flags, run_command
from fraudlab.composition import Composer
from fraudlab.errors import UserError

USAGE = """\
python -m fraudlab.prepare data=NAME output=FILE.parquet [overrides of data and features]

Write the table as training sees it: the id (or row number), the features under their own names, the
label.

  python -m fraudlab.prepare data=simulated output=features.parquet
  python -m fraudlab.prepare data=table data.path=my.csv data.label=is_fraud output=prepared.parquet
"""


def main(arguments: list[str]) -> int:
    """Read, build the features, write."""
    flags = parse_flags(arguments)
    outputs = [each for each in flags.overrides if each.startswith("output=")]
    rest = [each for each in flags.overrides if not each.startswith("output=")]
    if len(outputs) != 1:
        raise UserError("name the file to write once: output=FILE.parquet")
    target = Path(outputs[0].partition("=")[2])
    if target.suffix != ".parquet":
        raise UserError(f"output must end in .parquet, got {str(target)!r}")
    if not target.absolute().parent.is_dir():
        raise UserError(f"output: there is no folder {str(target.absolute().parent)!r}")
    config = Composer(flags.config_dir).plan(rest).candidates[0].config
    rows = _write(config, target)
    print(f"{target}: {rows:,} rows")  # noqa: T201
    return 0


def _write(config: object, target: Path) -> int:
    import polars as pl

    from fraudlab import registry
    from fraudlab.config import Config

    assert isinstance(config, Config)
    raw = registry.build("data", config.data).read()
    table = registry.build("features", config.features).build(raw)
    id_name = raw.columns.id or "ROW"
    frame = pl.concat(
        [
            pl.DataFrame({id_name: table.ids}),
            pl.from_pandas(table.frame),
            raw.frame.select(raw.columns.label),
        ],
        how="horizontal",
    )
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        frame.write_parquet(temporary)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    return len(table)


if __name__ == "__main__":
    run_command(main, lambda: USAGE)
