"""openapi.json: written once per bundle by Litestar from the routes, then completed here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from litestar import Litestar
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.datastructures import ResponseSpec

from serve.errors import PROBLEM_JSON, Problem, UnavailableProblem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from litestar.handlers import HTTPRouteHandler

    from fraudlab.manifest import Field
    from serve.model import Model

_MEANINGS = {
    400: "The body is not JSON.",
    408: "The body did not arrive in time.",
    413: "The body is too large.",
    415: "The body is not declared as JSON.",
    422: "A field is missing, unknown, of the wrong type, not finite or out of bounds.",
    500: "The service failed; its log has the cause.",
    503: "No bundle is loaded; the detail says what to do.",
}
_ROLES = {
    "input": "read by the model",
    "amount": "the amount, read by the model",
    "time": "the time, not read by the model",
    "id": "travels along, not read by the model",
}
_HEADERS = {
    "X-Request-ID": {"schema": {"type": "string"}, "description": "The request's id."},
    "X-Process-Time-Ms": {"schema": {"type": "number"}, "description": "Time to the answer."},
}
_DESCRIPTION = (
    "Scores transactions with the bundle that is loaded. Of a field that a body names twice each"
    " value must be valid, and the last one counts."
)
_SCRAPES = ("text/plain", "application/openmetrics-text")


def answers(*statuses: int) -> dict[int, ResponseSpec]:
    """Return the documentation of the problems a route may answer with."""
    return {
        status: ResponseSpec(
            UnavailableProblem if status == 503 else Problem,  # noqa: PLR2004
            generate_examples=False,
            description=_MEANINGS[status],
            media_type=PROBLEM_JSON,
        )
        for status in statuses
    }


def describe(routes: Sequence[HTTPRouteHandler], model: Model | None) -> bytes:
    """Return openapi.json for `routes`, its examples and hints taken from the bundle."""
    config = OpenAPIConfig(
        title="fraudlab",
        version=model.id if model else "no bundle",
        description=_DESCRIPTION,
    )
    # A second application, only to be described: the one that serves has no routes for schemas.
    document: dict[str, Any] = Litestar(
        route_handlers=routes, openapi_config=config, logging_config=None
    ).openapi_schema.to_schema()
    for operations in document["paths"].values():
        for operation in operations.values():
            _complete_answers(operation)
    _document_scrapes(document)
    if model is not None:
        _document_fields(document, model)
    return msgspec.json.encode(document)


def _complete_answers(operation: dict[str, Any]) -> None:
    for answer in operation["responses"].values():
        answer["headers"] = {**answer.get("headers", {}), **_HEADERS}


def _document_scrapes(document: dict[str, Any]) -> None:
    content = document["paths"]["/metrics"]["get"]["responses"]["200"]["content"]
    content.update({kind: {"schema": {"type": "string"}} for kind in _SCRAPES})


def _document_fields(document: dict[str, Any], model: Model) -> None:
    schemas, fields = document["components"]["schemas"], model.manifest.features
    transaction = schemas["Transaction"]
    transaction["properties"] = {
        field.name: _document_field(schema, field)
        for schema, field in zip(transaction["properties"].values(), fields, strict=True)
    }
    transaction["required"] = [field.name for field in fields]
    transaction["additionalProperties"] = schemas["Batch"]["additionalProperties"] = False
    first = model.golden[0].features
    _example(document, "/predict", first)
    _example(document, "/predict/batch", {"transactions": [first]})


def _document_field(schema: dict[str, Any], field: Field) -> dict[str, Any]:
    described = {name: content for name, content in schema.items() if name != "oneOf"}
    kind = "number" if field.kind == "number" else "string"
    described["type"] = [kind, "null"] if field.nullable else kind
    described["description"] = _ROLES["id" if field.kind == "text" else field.role]
    if field.categories:
        described["examples"] = list(field.categories)
    return described


def _example(document: dict[str, Any], path: str, example: object) -> None:
    body = document["paths"][path]["post"]["requestBody"]
    body["content"]["application/json"]["example"] = example
