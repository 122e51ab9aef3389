"""Golden rows and reference statistics: what a bundle carries to test and watch itself.

Both come from train's quantiles and level frequencies; no row of the data is ever copied.
"""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from fraudlab.bundle import GoldenRow
from fraudlab.manifest import Field
from fraudlab.preprocess import Floats
from fraudlab.protocols import Rows
from fraudlab.scoring import Scorer, Value
from fraudlab.table import Table

ROWS = 60
CANDIDATES = 400
QUANTILES = np.linspace(0.02, 0.98, 49)
DECILES = np.linspace(0.0, 1.0, 11)


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


def golden_rows(scorer: Scorer, table: Table, train: Rows, seed: int) -> bytes:
    """Return golden.ndjson: the first line a normal row, the others from low to high scores."""
    fields = scorer.fields
    random = np.random.default_rng(seed)
    genuine = train[table.label[train] == 0]
    fraud = train[table.label[train] == 1]
    normal = [_typical(table, field, genuine) for field in fields]
    rows = [normal]
    for source in (genuine, fraud):
        columns = [_draw(table, field, source, random) for field in fields]
        rows += [list(values) for values in zip(*columns, strict=True)]
    scores = scorer.score_rows(rows)
    order = np.argsort(scores[1:], kind="stable") + 1
    chosen = [0, *order[np.linspace(0, len(order) - 1, ROWS - 1).astype(int)].tolist()]
    picked = [rows[at] for at in chosen]
    return _lines(scorer, picked)


def _lines(scorer: Scorer, rows: list[list[Value]]) -> bytes:
    scores, cuts = scorer.score_rows(rows), scorer.row_thresholds(rows)
    names = [field.name for field in scorer.fields]
    golden = [
        GoldenRow(dict(zip(names, row, strict=True)), float(score), bool(score >= cut))
        for row, score, cut in zip(rows, scores, cuts, strict=True)
    ]
    return msgspec.json.Encoder().encode_lines(golden)


def _typical(table: Table, field: Field, rows: Rows) -> Value:
    values = table.frame[field.name].to_numpy()[rows]
    if field.kind == "number":
        present = values[~np.isnan(values.astype(np.float64))].astype(np.float64)
        return _within(field, float(np.median(present))) if len(present) else None
    if field.kind == "text":
        return "example"
    names, counts = np.unique(_present(values), return_counts=True)
    return str(names[np.argmax(counts)]) if len(names) else None


def _present(values: NDArray[Any]) -> NDArray[Any]:
    return values[[value is not None for value in values]].astype(str)


def _draw(table: Table, field: Field, rows: Rows, random: np.random.Generator) -> list[Value]:
    values = table.frame[field.name].to_numpy()[rows]
    if field.kind == "text":
        return ["example"] * CANDIDATES
    if field.kind == "number":
        numbers = values.astype(np.float64)
        missing = np.isnan(numbers)
        drawn: list[Value] = [None] * CANDIDATES
        if not missing.all():
            knots = np.quantile(numbers[~missing], QUANTILES)
            places = random.uniform(QUANTILES[0], QUANTILES[-1], CANDIDATES)
            drawn = [_within(field, float(v)) for v in np.interp(places, QUANTILES, knots)]
        return _with_missing(drawn, missing.mean(), field, random)
    names, counts = np.unique(_present(values), return_counts=True)
    missing_share = 1 - counts.sum() / max(len(values), 1)
    if not len(names):
        return [None] * CANDIDATES
    picks = random.choice(len(names), CANDIDATES, p=counts / counts.sum())
    return _with_missing([str(names[at]) for at in picks], missing_share, field, random)


def _with_missing(
    drawn: list[Value], share: float, field: Field, random: np.random.Generator
) -> list[Value]:
    absent = random.uniform(size=len(drawn)) < share
    if not field.nullable:
        return drawn
    return [None if gone else value for value, gone in zip(drawn, absent, strict=True)]


def _within(field: Field, value: float) -> float:
    value = value if field.min is None else max(value, field.min)
    return value if field.max is None else min(value, field.max)


def reference(
    fields: tuple[Field, ...], table: Table, train: Rows, scores: Floats, alert_rate: float
) -> bytes:
    """Return reference.json."""
    inputs = tuple(_field_reference(table, field, train) for field in fields if field.is_input)
    edges, shares = _histogram(scores)
    content = Reference(len(train), inputs, edges, shares, alert_rate)
    return msgspec.json.encode(content, order="deterministic")


def _field_reference(table: Table, field: Field, rows: Rows) -> FieldReference:
    values = table.frame[field.name].to_numpy()[rows]
    typical = _typical(table, field, rows)
    if field.kind == "number":
        numbers = values.astype(np.float64)
        present = numbers[~np.isnan(numbers)]
        edges, shares = _histogram(present) if len(present) else ((), ())
        return FieldReference(field.name, typical, float(np.isnan(numbers).mean()), edges, shares)
    present_values = _present(values)
    names, counts = np.unique(present_values, return_counts=True)
    known = {
        str(name): float(count) / len(values)
        for name, count in zip(names, counts, strict=True)
        if str(name) in field.categories
    }
    missing = 1 - len(present_values) / len(values)
    return FieldReference(field.name, typical, missing, levels=known)


def _histogram(values: Floats) -> tuple[tuple[float, ...], tuple[float, ...]]:
    edges = np.unique(np.quantile(values, DECILES))
    counts = np.bincount(
        np.searchsorted(edges[1:-1], values, side="right"), minlength=max(len(edges) - 1, 1)
    )
    shares = counts / len(values)
    return tuple(map(float, edges)), tuple(map(float, shares))
