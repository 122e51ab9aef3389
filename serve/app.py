"""The application: settings in, the ASGI callable the server runs out."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor

from litestar import Litestar

from fraudlab.errors import BundleError
from serve.bodies import Limits
from serve.decoding import BodyRequest
from serve.edge import Edge, Live
from serve.errors import UnavailableError, answer_problem
from serve.model import Model, load_model
from serve.openapi import describe
from serve.routes import (
    BATCH,
    Serving,
    direct_answers,
    page_routes,
    scoring_routes,
    status_routes,
)
from serve.settings import Settings
from serve.telemetry import Telemetry

_log = logging.getLogger("serve")


def create_app(settings: Settings) -> Edge:
    """Return the service for `settings`.

    Without a usable bundle it starts all the same, and says on /health why it cannot score.
    """
    telemetry = Telemetry(settings)
    executor = ThreadPoolExecutor(settings.batch_threads, thread_name_prefix="batch")
    serving = load_serving(settings)
    return Edge(
        live=make_live(serving, telemetry, executor),
        limits=Limits(
            size=settings.body_limit,
            seconds=settings.body_seconds,
            sizes={BATCH: settings.batch_body_limit},
        ),
        telemetry=telemetry,
        on_close=executor.shutdown,
    )


def load_serving(settings: Settings) -> Serving:
    """Return the model of the settings' bundle, or the reason why there is none."""
    try:
        model = load_model(settings.bundle_path, settings.batch_rows)
    except BundleError as error:
        _log.error("%s", error)
        return UnavailableError(str(error))
    _log.info("bundle %s loaded, %d golden rows agree", model.id, len(model.golden))
    return model


def make_live(serving: Serving, telemetry: Telemetry, executor: ThreadPoolExecutor) -> Live:
    """Return what answers with `serving`."""
    app = build_app(serving, telemetry, executor)
    routes = frozenset(route.path for route in app.routes)
    return Live(app, routes, direct_answers(serving))


def build_app(serving: Serving, telemetry: Telemetry, executor: ThreadPoolExecutor) -> Litestar:
    """Return the Litestar application that answers with `serving`, whatever it is."""
    routes = [
        *scoring_routes(serving, executor),
        *status_routes(serving, telemetry),
    ]
    document = describe(routes, serving if isinstance(serving, Model) else None)
    return Litestar(
        route_handlers=[*routes, *page_routes(document)],
        request_class=BodyRequest,
        request_max_body_size=None,  # the edge has read the body, within its limits
        exception_handlers={Exception: answer_problem},
        openapi_config=None,
        logging_config=None,
    )
