"""Golden rows and reference statistics: what a bundle carries to test and watch itself.

Both come from train's quantiles and level frequencies; no row of the data is ever copied, nor any
text that too few rows have to be a category.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from fraudlab.bundle import GoldenRow
from fraudlab.manifest import Field
from fraudlab.preprocess import FLOAT32_MAX, Floats
from fraudlab.protocols import Rows
from fraudlab.scoring import Scorer, Value
from fraudlab.table import Table

ROWS = 60
CANDIDATES = 400
QUANTILES = np.linspace(0.02, 0.98, 49)
DECILES = np.linspace(0.0, 1.0, 11)
TEXT, UNSEEN = "example", "another"  # for fields no model reads, and for levels no model knows
NOBODYS = 20  # a combination that so many rows have in common is nobody's own


class FieldReference(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One input in train: what is usual, and how it is spread."""

    name: str
    typical: float | str | None
    missing: float
    edges: tuple[float, ...] = ()
    shares: tuple[float, ...] = ()
    levels: dict[str, float] = {}


class Reference(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """reference.json: the inputs in train, and the scores in validation, for drift and reasons."""

    rows: int
    fields: tuple[FieldReference, ...]
    score_edges: tuple[float, ...]
    score_shares: tuple[float, ...]
    alert_rate: float


def draw_rows(table: Table, fields: tuple[Field, ...], train: Rows, seed: int) -> list[list[Value]]:
    """Return rows that no model has been asked about yet: a normal one, then many like train's.

    They are drawn from the quantiles and levels of train, field by field, and none is a copy.
    """
    random = np.random.default_rng(seed)
    genuine = train[table.label[train] == 0]
    fraud = train[table.label[train] == 1]
    rows = [[_typical(table, field, genuine) for field in fields]]
    for source in (genuine, fraud):
        columns = [_draw(table, field, source, random) for field in fields]
        rows += [list(values) for values in zip(*columns, strict=True)]
    return _without_copies(rows, table, fields, train)


def golden_rows(scorer: Scorer, rows: Sequence[Sequence[Value]]) -> bytes:
    """Return golden.ndjson: the first line the first row, the others from low to high scores."""
    order = np.argsort(scorer.score_rows(rows[1:]), kind="stable") + 1
    spread = np.linspace(0, len(order) - 1, ROWS - 1).astype(int)
    return _lines(scorer, [rows[0], *(rows[at] for at in order[spread])])


def _lines(scorer: Scorer, rows: Sequence[Sequence[Value]]) -> bytes:
    scores, cuts = scorer.score_rows(rows), scorer.row_thresholds(rows)
    names = [field.name for field in scorer.fields]
    golden = [
        GoldenRow(dict(zip(names, row, strict=True)), float(score), bool(score >= cut))
        for row, score, cut in zip(rows, scores, cuts, strict=True)
    ]
    return msgspec.json.Encoder().encode_lines(golden)


def _without_copies(
    rows: list[list[Value]], table: Table, fields: tuple[Field, ...], train: Rows
) -> list[list[Value]]:
    """Return the rows that are nobody's; all of them where the table has nothing but copies."""
    import pandas as pd

    columns = [table.frame[field.name].to_numpy()[train] for field in fields]

    def is_copy(row: list[Value]) -> bool:
        same = np.arange(len(train))
        for field, value, column in zip(fields, row, columns, strict=True):
            if field.kind != "text":
                known = column[same]
                same = same[pd.isna(known) if value is None else known == value]
        return 0 < len(same) < NOBODYS

    fresh = [row for row in rows if not is_copy(row)]
    return fresh if len(fresh) > 1 else rows


def _present(table: Table, field: Field, rows: Rows) -> tuple[NDArray[Any], float]:
    """Return the values that are not missing, and the share that is."""
    import pandas as pd

    values = table.frame[field.name].to_numpy()[rows]
    missing = pd.isna(values)
    kind = np.float64 if field.kind == "number" else str
    return values[~missing].astype(kind), float(missing.mean())


def _typical(table: Table, field: Field, rows: Rows) -> Value:
    if field.kind == "text":
        return TEXT
    present, _ = _present(table, field, rows)
    if not len(present):
        return None
    if field.kind == "number":
        return _like(field, present, np.median(present, keepdims=True))[0]
    levels, counts = _levels(field, present)
    return levels[int(np.argmax(counts))]


def _draw(table: Table, field: Field, rows: Rows, random: np.random.Generator) -> list[Value]:
    if field.kind == "text":
        return [TEXT] * CANDIDATES
    present, missing = _present(table, field, rows)
    if not len(present):
        return [None] * CANDIDATES
    drawn: Sequence[Value]
    if field.kind == "number":
        places = random.uniform(QUANTILES[0], QUANTILES[-1], CANDIDATES)
        drawn = _like(field, present, np.interp(places, QUANTILES, np.quantile(present, QUANTILES)))
    else:
        levels, counts = _levels(field, present)
        picks = random.choice(len(levels), CANDIDATES, p=counts / counts.sum())
        drawn = [levels[at] for at in picks]
    absent = random.uniform(size=CANDIDATES) < missing
    return [None if gone else value for value, gone in zip(drawn, absent, strict=True)]


def _levels(field: Field, present: NDArray[Any]) -> tuple[list[str], NDArray[np.int64]]:
    """Return the levels a model knows, and one it does not, with their numbers of rows."""
    counts = [int((present == level).sum()) for level in field.categories]
    return [*field.categories, UNSEEN], np.array([*counts, len(present) - sum(counts)])


def _like(field: Field, present: Floats, values: Floats) -> list[float]:
    """Return `values` as the field could hold them: whole where train's are, within its bounds."""
    if np.array_equal(present, np.round(present)):
        values = np.round(values)
    low = -FLOAT32_MAX if field.min is None else field.min
    high = FLOAT32_MAX if field.max is None else field.max
    clipped: list[float] = np.clip(values, low, high).tolist()
    return clipped


def reference(
    fields: tuple[Field, ...], table: Table, train: Rows, scores: Floats, alert_rate: float
) -> bytes:
    """Return reference.json."""
    inputs = tuple(_field_reference(table, field, train) for field in fields if field.is_input)
    edges, shares = _histogram(scores)
    content = Reference(len(train), inputs, edges, shares, alert_rate)
    return msgspec.json.encode(content, order="deterministic")


def _field_reference(table: Table, field: Field, rows: Rows) -> FieldReference:
    typical = _typical(table, field, rows)
    present, missing = _present(table, field, rows)
    if field.kind == "number":
        edges, shares = _histogram(present) if len(present) else ((), ())
        return FieldReference(field.name, typical, missing, edges, shares)
    known = {level: float((present == level).sum()) / len(rows) for level in field.categories}
    return FieldReference(field.name, typical, missing, levels=known)


def _histogram(values: Floats) -> tuple[tuple[float, ...], tuple[float, ...]]:
    edges = np.unique(np.quantile(values, DECILES))
    counts = np.bincount(
        np.searchsorted(edges[1:-1], values, side="right"), minlength=max(len(edges) - 1, 1)
    )
    shares = counts / len(values)
    return tuple(map(float, edges)), tuple(map(float, shares))
