"""The outermost layer, in front of Litestar: what must hold for every answer, 404 and 413 included.

It gives each request its id, reads the body within its limits, and records the answer. Litestar's
own middleware does not run for requests that match no route, so none of this can live there.

A single prediction is answered right here, when it is asked for at its exact address: routing and
a handler would cost several times what decoding, scoring and encoding do. The Litestar route of
the same address is what the documentation describes, and answers its other spellings.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import msgspec
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from serve.bodies import TOO_LARGE, ClientGoneError, Limits, drain, read_body, replay
from serve.decoding import refuse_other_types
from serve.errors import PROBLEM_JSON, REQUEST_ID, SCORED, RequestError, refuse
from serve.model import Scored
from serve.telemetry import RequestEvent, Telemetry

UNMATCHED = "unmatched"
CLIENT_GONE = 499  # what the log says when nobody was left to answer
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_WITHOUT_BODY = frozenset({"GET", "HEAD", "OPTIONS"})
_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_JSON_TYPE = (b"content-type", b"application/json")

DirectAnswer: TypeAlias = Callable[[bytes], tuple[bytes, Scored]]
"""A body in; the JSON of its answer and the record of it out."""


class Exchange:
    """One request and its answer: stands between the application and the server's `send`."""

    __slots__ = (
        "_recorded", "_route", "_scope", "_send", "_size", "_telemetry",
        "content_type", "length", "method", "request_id", "started", "status",
    )  # fmt: skip

    def __init__(self, scope: Any, send: Send, route: str, telemetry: Telemetry) -> None:
        self.started = time.perf_counter()
        self.status = 0
        self.method = scope["method"] if scope["method"] in _METHODS else "OTHER"
        self._scope = scope
        self._route = route
        self._size = 0
        self._send = send
        self._telemetry = telemetry
        self._recorded = False
        self._read_headers(scope["headers"])
        scope[REQUEST_ID] = self.request_id

    def _read_headers(self, headers: Any) -> None:
        """Note the request's id, the caller's if it is harmless, and what is said of the body."""
        request_id, self.length, self.content_type = b"", None, None
        for name, value in headers:
            if name == b"x-request-id":
                request_id = value
            elif name == b"content-length" and value.isdigit():
                self.length = int(value)
            elif name == b"content-type":
                self.content_type = value.decode("latin-1")
        known = _ID.fullmatch(request_id)
        self.request_id: str = request_id.decode() if known else os.urandom(16).hex()

    async def send(self, message: Message) -> None:
        """Pass a message of the answer on, with our headers, and record the answer at its end.

        It is recorded before the last bytes leave, so whoever has an answer finds it counted.
        """
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [*message["headers"], *self._own_headers()]
        elif message["type"] == "http.response.body":
            if self.method == "HEAD":
                message["body"] = b""
            self._size += len(message["body"])
            if not message.get("more_body"):
                self.record()
        await self._send(message)

    async def answer(
        self, status: int, headers: Any, body: bytes, *, unread: Receive | None = None
    ) -> None:
        """Send a whole answer; of a request with more to come, take that before the end."""
        self.status, self._size = status, len(body)
        length = (b"content-length", b"%d" % self._size)
        headers = [*headers, length, *self._own_headers()]
        self.record()
        await self._send({"type": "http.response.start", "status": status, "headers": headers})
        if unread is not None:
            await self._send({"type": "http.response.body", "body": body, "more_body": True})
            await drain(unread)
            body = b""
        await self._send({"type": "http.response.body", "body": body, "more_body": False})

    def _own_headers(self) -> tuple[tuple[bytes, bytes], ...]:
        elapsed = (time.perf_counter() - self.started) * 1000
        return (
            (b"x-request-id", self.request_id.encode()),
            (b"x-process-time-ms", b"%.3f" % elapsed),
        )

    async def refuse(self, error: RequestError, receive: Receive) -> None:
        """Answer with the problem of `error`, unless an answer is already under way."""
        if self.status:
            return
        headers = {"content-type": PROBLEM_JSON, **error.headers}
        raw = [(name.encode(), value.encode()) for name, value in headers.items()]
        content = msgspec.json.encode(error.problem())
        unread = receive if error.status == TOO_LARGE else None
        await self.answer(error.status, raw, content, unread=unread)

    def record(self) -> None:
        """Tell telemetry about the answer, once."""
        if self._recorded:
            return
        self._recorded = True
        self._telemetry.append(
            RequestEvent(
                at=time.time(),
                request_id=self.request_id,
                method=self.method,
                route=self._route,
                status=self.status or CLIENT_GONE,
                seconds=time.perf_counter() - self.started,
                size=self._size,
                scored=self._scope.get(SCORED),
            )
        )


@dataclass(frozen=True, slots=True)
class Live:
    """What answers requests: all that depends on the bundle, in one value.

    Attributes
    ----------
    app
        The Litestar application.
    routes
        The addresses `app` knows; figures and logs name no others.
    direct
        What the edge answers itself when it is POSTed, by address.
    """

    app: ASGIApp
    routes: frozenset[str]
    direct: Mapping[str, DirectAnswer]

    def route_of(self, path: str) -> str:
        """Return the route that Litestar takes `path` for."""
        if path in self.routes:
            return path
        path = path.rstrip("/") or "/"
        return path if path in self.routes else UNMATCHED


class Edge:
    """The ASGI application the server runs.

    A request is answered to its end by what was live when it came.

    Parameters
    ----------
    live
        What answers.
    limits
        What a body may be.
    telemetry
        Where answers are recorded.
    on_close
        Called when the service stops.
    """

    def __init__(
        self,
        live: Live,
        limits: Limits,
        telemetry: Telemetry,
        on_close: Callable[[], None],
    ) -> None:
        self.live = live
        self.telemetry = telemetry
        self._limits = limits
        self._on_close = on_close

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer an HTTP request, or follow the server's start and stop."""
        kind: str = scope["type"]
        if kind == "http":
            await self._answer(scope, receive, send)
        elif kind == "lifespan":
            await self._follow_server(receive, send)

    async def _follow_server(self, receive: Receive, send: Send) -> None:
        await receive()
        self.telemetry.start()
        await send({"type": "lifespan.startup.complete"})  # type: ignore[typeddict-item]
        await receive()
        self._on_close()
        self.telemetry.close()
        await send({"type": "lifespan.shutdown.complete"})  # type: ignore[typeddict-item]

    async def _answer(self, scope: Any, receive: Receive, send: Send) -> None:
        live, path = self.live, scope["path"]
        route = live.route_of(path)
        exchange = Exchange(scope, send, route, self.telemetry)
        self.telemetry.in_flight += 1
        try:
            if scope["method"] == "HEAD":
                scope = {**scope, "method": "GET"}
            elif scope["method"] not in _WITHOUT_BODY:
                limits = self._limits
                size = limits.size_at(route)
                body = await read_body(receive, exchange.length, size, limits.seconds)
                if path in live.direct and scope["method"] == "POST":
                    await self._answer_directly(exchange, scope, live.direct[path], body)
                    return
                receive = replay(body, receive)
            await live.app(scope, receive, exchange.send)
        except ClientGoneError:
            pass
        except Exception as error:  # noqa: BLE001 - the last place where a leak can be prevented
            await exchange.refuse(refuse(error, exchange.request_id), receive)
        finally:
            self.telemetry.in_flight -= 1
            exchange.record()

    async def _answer_directly(
        self, exchange: Exchange, scope: Any, direct: DirectAnswer, body: bytes
    ) -> None:
        refuse_other_types(exchange.content_type)
        content, scope[SCORED] = direct(body)
        await exchange.answer(200, (_JSON_TYPE,), content)
