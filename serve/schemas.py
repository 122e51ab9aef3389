"""The Structs that go in and out. A request's Struct is made from the bundle's own fields."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from fraudlab.manifest import Field, RiskLevel
from fraudlab.preprocess import FLOAT32_MAX

Share = Annotated[float, Meta(ge=0, le=1)]
_ESCAPED = re.compile(r'[\\"\x00-\x1f]')


class Prediction(msgspec.Struct, frozen=True, gc=False):
    """The answer for one transaction."""

    is_fraud: Annotated[bool, Meta(description="fraud_probability >= threshold")]
    fraud_probability: Annotated[Share, Meta(description="the calibrated score")]
    risk_level: Annotated[RiskLevel, Meta(description="high exactly when is_fraud")]
    threshold: Annotated[float, Meta(description="the cut this transaction was held against")]
    prediction_id: Annotated[str, Meta(description="unique to this answer")]
    bundle: Annotated[str, Meta(description="the id of the bundle that scored it")]


class Predictions(msgspec.Struct, frozen=True):
    """The answers for a batch, in its order."""

    predictions: list[Prediction]


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """A service that can score."""

    status: Literal["ok"] = "ok"
    model_loaded: Literal[True] = True
    bundle: str
    model: str
    threshold: float
    threshold_strategy: str
    created: str
    sha256: str


class Alive(msgspec.Struct, frozen=True):
    """The event loop answers."""

    status: Literal["ok"] = "ok"


class Ready(msgspec.Struct, frozen=True, kw_only=True):
    """The bundle is loaded and gave the expected score for each of its golden rows."""

    status: Literal["ready"] = "ready"
    bundle: str
    golden_rows: int


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """What the service has done since it started; errors are answers of status 400 and above."""

    total_requests: int
    error_count: int
    error_rate: float
    total_predictions: int
    fraud_predictions: int
    fraud_prediction_rate: float
    avg_latency_ms: float


def field_type(field: Field) -> Any:
    """Return the type a value of `field` must have."""
    if field.kind == "number":
        low = -FLOAT32_MAX if field.min is None else field.min
        high = FLOAT32_MAX if field.max is None else field.max
        kind: Any = Annotated[float, Meta(ge=low, le=high)]
    else:
        kind = str
    return kind | None if field.nullable else kind


def is_plain(name: str) -> bool:
    """Return whether msgspec can have `name` in a Struct: JSON writes it without escapes."""
    return _ESCAPED.search(name) is None


def transaction_type(fields: tuple[Field, ...]) -> type[msgspec.Struct]:
    """Return the Struct of a transaction: every field required, in order, and no other.

    Names of columns need not be identifiers, so attributes are numbered and renamed (but for those
    that are not plain). Structs hold numbers and text only, so the garbage collector need not look
    at them.
    """
    prefix = "field_"
    while any(field.name.startswith(prefix) for field in fields):
        prefix = f"a_{prefix}"
    names = [f"{prefix}{place}" for place in range(len(fields))]
    wire = {n: field.name for n, field in zip(names, fields, strict=True) if is_plain(field.name)}
    return msgspec.defstruct(
        "Transaction",
        [(name, field_type(field)) for name, field in zip(names, fields, strict=True)],
        rename=wire,
        namespace={"__doc__": "One transaction, as the bundle's manifest declares its fields."},
        forbid_unknown_fields=True,
        frozen=True,
        gc=False,
    )


def batch_type(transaction: Any, rows: int) -> type[msgspec.Struct]:
    """Return the Struct of a batch of 1 to `rows` transactions."""
    many = Annotated[list[transaction], Meta(min_length=1, max_length=rows)]
    return msgspec.defstruct(
        "Batch",
        [("transactions", many)],
        namespace={"__doc__": f"1 to {rows} transactions."},
        forbid_unknown_fields=True,
        frozen=True,
    )
