"""The table's own columns as inputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fraudlab.errors import DataError
from fraudlab.manifest import Field, Kind, Role
from fraudlab.registry import register
from fraudlab.table import Raw, Table, assemble

if TYPE_CHECKING:
    import polars as pl


@register("features", "identity")
def identity() -> Identity:
    """Every column that is not the label, id or segment is a field of the request.

    The time and the entities are fields too, as a client has them, but no model reads them.
    """
    return Identity()


@dataclass(frozen=True)
class Identity:
    """Columns as they are: numbers, and text as categories."""

    def build(self, raw: Raw) -> Table:
        """Return the table of the raw columns."""
        columns = raw.columns
        left_out = {columns.label, columns.id, columns.segment}
        names = [name for name in raw.frame.columns if name not in left_out]
        fields = tuple(_field(raw, name) for name in names)
        if not any(field.is_input for field in fields):
            raise DataError(f"{raw.report.source} has no input column beside its label")
        return assemble(raw, raw.frame.select(names), fields)


def _field(raw: Raw, name: str) -> Field:
    series, columns = raw.frame[name], raw.columns
    role: Role = "input"
    if name == columns.time:
        role = "time"
    elif name in columns.entities:
        role = "id"
    elif name == columns.amount:
        role = "amount"
    low, high = columns.bounds.get(name, (None, None))
    kind = _kind(series, role, raw.report.source)
    return Field(name=name, kind=kind, role=role, min=low, max=high)


def _kind(series: pl.Series, role: Role, source: str) -> Kind:
    import polars as pl

    if series.dtype.is_numeric() or series.dtype in (pl.Boolean, pl.Null):
        return "number"
    if role in {"time", "id"}:
        return "text"
    if series.dtype.is_temporal():
        raise DataError(
            f"{source}: column {series.name!r} holds dates, which no model reads as they are;"
            f" name it data.time={series.name}, or leave it out with data.drop=[{series.name}]"
        )
    return "category"
