"""The outermost layer, in front of Litestar: what must hold for every answer, 404 and 413 included.

It gives each request its id, reads the body within its limits, and records the answer. Litestar's
own middleware does not run for requests that match no route, so none of this can live there.
"""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections.abc import Callable, Collection, Mapping
from typing import Any

import msgspec
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from serve.errors import PROBLEM_JSON, REQUEST_ID, RequestError, refuse
from serve.telemetry import RequestEvent, Telemetry

UNMATCHED = "unmatched"
CLIENT_GONE = 499  # what the log says when nobody was left to answer
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_WITHOUT_BODY = frozenset({"GET", "HEAD", "OPTIONS"})
_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_CLOSE = {"connection": "close"}  # the rest of the body is still coming: do not wait for it


class ClientGoneError(Exception):
    """The client hung up before its request was complete."""


class Limits(msgspec.Struct, frozen=True):
    """How large a body may be, by address, and how long it may take."""

    size: int
    seconds: float
    sizes: Mapping[str, int] = {}

    def size_at(self, path: str) -> int:
        """Return the largest body that `path` takes."""
        return self.sizes.get(path, self.size)


class Exchange:
    """One request and its answer: stands between the application and the server's `send`."""

    def __init__(self, scope: Any, send: Send, route: str, telemetry: Telemetry) -> None:
        self.started = time.perf_counter()
        self.status = 0
        self.request_id, self.length = _read_headers(scope["headers"])
        self.method = scope["method"] if scope["method"] in _METHODS else "OTHER"
        self._route = route
        self._size = 0
        self._send = send
        self._telemetry = telemetry
        self._recorded = False

    async def send(self, message: Message) -> None:
        """Pass a message of the answer on, with our headers, and record the answer at its end.

        It is recorded before the last bytes leave, so whoever has an answer finds it counted.
        """
        if message["type"] == "http.response.start":
            self.status = message["status"]
            elapsed = f"{(time.perf_counter() - self.started) * 1000:.3f}"
            message["headers"] = [
                *message["headers"],
                (b"x-request-id", self.request_id.encode()),
                (b"x-process-time-ms", elapsed.encode()),
            ]
        elif message["type"] == "http.response.body":
            if self.method == "HEAD":
                message["body"] = b""
            self._size += len(message["body"])
            if not message.get("more_body"):
                self.record()
        await self._send(message)

    async def refuse(self, error: RequestError) -> None:
        """Answer with the problem of `error`, unless an answer is already under way."""
        if self.status:
            return
        body = msgspec.json.encode(error.problem())
        headers = {"content-type": PROBLEM_JSON, "content-length": str(len(body)), **error.headers}
        raw = [(name.encode(), value.encode()) for name, value in headers.items()]
        await self.send({"type": "http.response.start", "status": error.status, "headers": raw})
        await self.send({"type": "http.response.body", "body": body, "more_body": False})

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
            )
        )


class Edge:
    """The ASGI application the server runs.

    Parameters
    ----------
    app
        The Litestar application behind it.
    routes
        The addresses `app` knows; figures and logs name no others.
    limits
        What a body may be.
    telemetry
        Where answers are recorded.
    on_close
        Called when the service stops.
    """

    def __init__(
        self,
        app: ASGIApp,
        routes: Collection[str],
        limits: Limits,
        telemetry: Telemetry,
        on_close: Callable[[], None],
    ) -> None:
        self.app = app
        self.telemetry = telemetry
        self._routes = frozenset(routes)
        self._limits = limits
        self._on_close = on_close

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer an HTTP request, or follow the server's start and stop."""
        kind: str = scope["type"]
        if kind == "http":
            await self._answer(scope, receive, send)
        elif kind == "lifespan":
            await self._live(receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        self.telemetry.start()
        await send({"type": "lifespan.startup.complete"})  # type: ignore[typeddict-item]
        await receive()
        self._on_close()
        self.telemetry.close()
        await send({"type": "lifespan.shutdown.complete"})  # type: ignore[typeddict-item]

    async def _answer(self, scope: Any, receive: Receive, send: Send) -> None:
        path = scope["path"].rstrip("/") or "/"
        route = path if path in self._routes else UNMATCHED
        exchange = Exchange(scope, send, route, self.telemetry)
        scope[REQUEST_ID] = exchange.request_id
        self.telemetry.in_flight += 1
        try:
            if scope["method"] == "HEAD":
                scope = {**scope, "method": "GET"}
            elif scope["method"] not in _WITHOUT_BODY:
                body = await self._read_body(receive, exchange.length, self._limits.size_at(path))
                receive = _replay(body, receive)
            await self.app(scope, receive, exchange.send)
        except ClientGoneError:
            pass
        except Exception as error:  # noqa: BLE001 - the last place where a leak can be prevented
            await exchange.refuse(refuse(error, exchange.request_id))
        finally:
            self.telemetry.in_flight -= 1
            exchange.record()

    async def _read_body(self, receive: Receive, length: int | None, limit: int) -> bytes:
        if length is not None and length > limit:
            raise _too_large(limit)
        try:
            async with asyncio.timeout(self._limits.seconds):
                return await _collect(receive, limit)
        except TimeoutError:
            seconds = self._limits.seconds
            detail = f"The body did not arrive within {seconds:g} seconds."
            raise RequestError(408, detail, headers=_CLOSE) from None


async def _collect(receive: Receive, limit: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while True:
        message: Any = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            raise _too_large(limit)
        if not message.get("more_body"):
            return chunk if not chunks else b"".join([*chunks, chunk])
        chunks.append(chunk)


def _replay(body: bytes, receive: Receive) -> Receive:
    unread = True

    async def replay() -> Any:
        nonlocal unread
        if unread:
            unread = False
            return {"type": "http.request", "body": body, "more_body": False}
        return await receive()

    return replay


def _too_large(limit: int) -> RequestError:
    return RequestError(413, f"The body is larger than {limit} bytes.", headers=_CLOSE)


def _read_headers(headers: Any) -> tuple[str, int | None]:
    """Return the request's id (the caller's if it is harmless) and the announced body length."""
    request_id, length = b"", None
    for name, value in headers:
        if name == b"x-request-id":
            request_id = value
        elif name == b"content-length" and value.isdigit():
            length = int(value)
    if _ID.fullmatch(request_id):
        return request_id.decode(), length
    return os.urandom(16).hex(), length
