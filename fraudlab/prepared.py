"""A table and its split as arrays that can be kept, and back: the same to the last bit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from fraudlab.arrays import Array, Kept
from fraudlab.manifest import Field
from fraudlab.protocols import Fold, Split, Stage
from fraudlab.table import Table, TableReport

if TYPE_CHECKING:
    import pandas as pd

PLAIN = ("label", "time", "amount", "card", "duplicate")  # arrays of numbers, or None
TEXTS = ("ids", "segment")  # arrays of numbers or texts, or None


class _Told(msgspec.Struct, frozen=True):
    """What is known of a table beside its arrays; of texts, their levels."""

    fields: tuple[Field, ...]
    report: TableReport
    columns: tuple[str, ...]
    levels: dict[str, list[str]]


def keep_table(table: Table) -> Kept:
    """Return a table as arrays: numbers as they are, texts as codes of their levels."""
    arrays: dict[str, Array] = {}
    levels: dict[str, list[str]] = {}
    numbers = []
    for place, name in enumerate(table.frame.columns):
        column = table.frame[name].to_numpy()
        if column.dtype == object:
            arrays[f"column{place}"], levels[f"column{place}"] = _coded(column)
        else:
            numbers.append(column)
    arrays["numbers"] = np.stack(numbers) if numbers else np.empty((0, len(table)))
    for name in (*PLAIN, *TEXTS):
        values = getattr(table, name)
        if values is None:
            continue
        if values.dtype == object:
            arrays[name], levels[name] = _coded(values)
        else:
            arrays[name] = values
    told = _Told(table.fields, table.report, tuple(map(str, table.frame.columns)), levels)
    return Kept(arrays, msgspec.to_builtins(told))


def kept_table(kept: Kept) -> Table:
    """Return the table that `keep_table` made arrays of; its numbers stay in the files."""
    told = msgspec.convert(kept.meta, _Told)
    plain: dict[str, Any] = {name: kept.arrays.get(name) for name in PLAIN}
    texts: dict[str, Any] = {name: _texts(kept, told, name) for name in TEXTS}
    return Table(frame=_frame(kept, told), fields=told.fields, report=told.report, **plain, **texts)


def _frame(kept: Kept, told: _Told) -> pd.DataFrame:
    import pandas as pd

    numbers = iter(kept.arrays["numbers"])
    columns = {}
    for place, name in enumerate(told.columns):
        texts = _texts(kept, told, f"column{place}")
        values = next(numbers) if texts is None else texts
        columns[name] = pd.Series(values, dtype=values.dtype, copy=False)
    return pd.DataFrame(columns, copy=False)


def _coded(texts: Array) -> tuple[Array, list[str]]:
    """Return the code of each text and the levels they number; a missing one is -1."""
    import pandas as pd

    codes, levels = pd.factorize(texts)
    return codes.astype(np.int32), [str(level) for level in levels]


def _texts(kept: Kept, told: _Told, name: str) -> Array | None:
    if name not in told.levels:
        return kept.arrays.get(name)
    return np.array([*told.levels[name], None], dtype=object)[kept.arrays[name]]


def keep_split(split: Split) -> Kept:
    """Return a split as arrays; parts that are the same rows are kept once."""
    arrays: dict[str, Array] = {}
    names: dict[bytes, str] = {}

    def name_of(stage: Stage) -> list[str]:
        found = []
        for rows in (stage.fit, stage.judge):
            name = names.setdefault(rows.tobytes(), f"rows{len(names)}")
            arrays[name] = rows
            found.append(name)
        return found

    folds = [[name_of(fold.cut), name_of(fold.test)] for fold in split.folds]
    validation = [name_of(stage) for stage in split.validation]
    meta = {"folds": folds, "validation": validation, "whole_days": split.whole_days}
    return Kept(arrays, meta)


def kept_split(kept: Kept) -> Split:
    """Return the split that `keep_split` made arrays of."""

    def stage(names: Sequence[str]) -> Stage:
        fit, judge = (kept.arrays[name] for name in names)
        return Stage(fit, judge)

    return Split(
        folds=tuple(Fold(stage(cut), stage(test)) for cut, test in kept.meta["folds"]),
        validation=tuple(stage(names) for names in kept.meta["validation"]),
        whole_days=kept.meta["whole_days"],
    )
