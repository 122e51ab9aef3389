"""The routes: a Struct in, one call, a Struct out."""

# No `from __future__ import annotations` here: Litestar reads the annotations of these functions,
# and those of a body are made from a bundle.

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
from litestar import MediaType, Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import JSONBody
from litestar.types import Scope

from serve.edge import DirectAnswer
from serve.errors import SCORED, UnavailableError
from serve.figures import expose, summarise
from serve.model import Model, Scored
from serve.negotiation import choose
from serve.openapi import answers
from serve.schemas import Alive, Figures, Health, Prediction, Predictions, Ready
from serve.telemetry import Telemetry

PREDICT, BATCH = "/predict", "/predict/batch"
INLINE_ROWS = 64  # a larger batch is scored beside the event loop
PROMETHEUS = "text/plain; version=0.0.4"  # Litestar adds the charset to text
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
_DOCS = Path(__file__).parent / "page" / "docs.html"
_POLICY = (
    "default-src 'none'; connect-src 'self'; script-src 'unsafe-inline';"
    " style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'"
)

Serving = Model | UnavailableError
"""A model, or the reason why there is none."""


def direct_answers(serving: Serving) -> dict[str, DirectAnswer]:
    """Return what the edge may answer itself: `_predict_route` once more, without Litestar."""
    if isinstance(serving, UnavailableError):
        return {}
    model, encode = serving, msgspec.json.encode

    def predict(body: bytes) -> tuple[bytes, Scored]:
        predictions, scored = model.predict((model.reader.read_transaction(body),))
        return encode(predictions[0]), scored

    return {PREDICT: predict}


def scoring_routes(serving: Serving, executor: Executor) -> list[HTTPRouteHandler]:
    """Return the routes that score transactions."""
    if isinstance(serving, UnavailableError):
        return _closed_routes(serving)
    return [_predict_route(serving), _batch_route(serving, executor)]


def _predict_route(model: Model) -> HTTPRouteHandler:
    async def predict(data: Any, scope: Scope) -> Prediction:
        predictions, scope[SCORED] = model.predict((data,))  # type: ignore[literal-required]
        return predictions[0]

    reader = model.reader
    return _body_route(PREDICT, predict, reader.transaction, reader.read_transaction)


def _batch_route(model: Model, executor: Executor) -> HTTPRouteHandler:
    async def predict_batch(data: Any, scope: Scope) -> Predictions:
        transactions = data.transactions
        if len(transactions) <= INLINE_ROWS:
            predictions, scored = model.predict(transactions)
        else:
            loop = asyncio.get_running_loop()
            predictions, scored = await loop.run_in_executor(executor, model.predict, transactions)
        scope[SCORED] = scored  # type: ignore[literal-required]
        return Predictions(predictions)

    reader = model.reader
    return _body_route(BATCH, predict_batch, reader.batch, reader.read_batch)


def _closed_routes(reason: UnavailableError) -> list[HTTPRouteHandler]:
    def refuse(_body: bytes) -> Any:
        raise UnavailableError(reason.detail)

    async def predict(data: Any) -> Prediction:
        raise AssertionError(data)

    async def predict_batch(data: Any) -> Predictions:
        raise AssertionError(data)

    return [
        _body_route(PREDICT, predict, dict[str, Any], refuse),
        _body_route(BATCH, predict_batch, dict[str, Any], refuse),
    ]


_SUMMARIES = {PREDICT: "Score one transaction", BATCH: "Score many transactions"}


def _body_route(
    path: str, answer: Callable[..., Any], body: Any, decode: Callable[[bytes], Any]
) -> HTTPRouteHandler:
    answer.__annotations__["data"] = JSONBody[body]  # type: ignore[misc]
    decorate = post(
        path,
        status_code=200,
        summary=_SUMMARIES[path],
        operation_id=answer.__name__,
        response_description="The decision.",
        responses=answers(400, 408, 413, 415, 422, 500, 503),
        opt={"decode": decode},
    )
    return decorate(answer)


def status_routes(serving: Serving, telemetry: Telemetry) -> list[HTTPRouteHandler]:
    """Return the routes that tell how the service is."""

    async def health() -> Health:
        model = _available(serving)
        manifest = model.manifest
        return Health(
            bundle=model.id,
            model=manifest.model.name,
            threshold=manifest.threshold.value,
            threshold_strategy=manifest.threshold.strategy,
            created=manifest.created,
            sha256=model.sha256,
        )

    async def livez() -> Alive:
        return Alive()

    async def readyz() -> Ready:
        model = _available(serving)
        return Ready(bundle=model.id, golden_rows=len(model.golden))

    read = partial(get, responses=answers(500))
    guarded = partial(get, responses=answers(500, 503))
    return [
        guarded("/health", summary="Is a bundle loaded, and which?", operation_id="health")(health),
        read("/livez", summary="Is the process alive?", operation_id="livez")(livez),
        guarded("/readyz", summary="May requests be sent here?", operation_id="readyz")(readyz),
        _metrics_route(serving, telemetry),
    ]


def _available(serving: Serving) -> Model:
    if isinstance(serving, UnavailableError):
        raise UnavailableError(serving.detail)
    return serving


def _metrics_route(serving: Serving, telemetry: Telemetry) -> HTTPRouteHandler:
    model = (serving.id, serving.sha256) if isinstance(serving, Model) else None
    kinds = (MediaType.JSON.value, OPENMETRICS, PROMETHEUS)

    async def metrics(scope: Scope) -> Response[Figures]:
        tally = await telemetry.read()
        kind = choose(scope["headers"], kinds)
        headers = {"vary": "accept", "cache-control": "no-store"}
        if kind == MediaType.JSON:
            return Response(summarise(tally), headers=headers)
        text: Any = expose(tally, model, as_openmetrics=kind == OPENMETRICS)
        return Response(text, media_type=kind, headers=headers)

    return get(
        "/metrics",
        summary="Figures as JSON, or as Prometheus or OpenMetrics text",
        operation_id="metrics",
        responses=answers(500),
    )(metrics)


def page_routes(document: bytes) -> list[HTTPRouteHandler]:
    """Return the documentation: `document` is the finished openapi.json."""
    page = _DOCS.read_bytes()

    async def docs() -> Response[bytes]:
        headers = {"content-security-policy": _POLICY, "x-content-type-options": "nosniff"}
        return Response(page, media_type=MediaType.HTML, headers=headers)

    async def openapi() -> Response[bytes]:
        return Response(document, media_type=MediaType.JSON)

    return [
        get("/docs", include_in_schema=False)(docs),
        get("/openapi.json", include_in_schema=False)(openapi),
    ]
