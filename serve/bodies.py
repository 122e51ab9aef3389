"""Reading a request's body within its limits of size and time."""

from __future__ import annotations

import asyncio
import types
from collections.abc import Coroutine, Generator, Mapping
from typing import Any

import msgspec
from litestar.types import Receive

from serve.errors import RequestError

TOO_LARGE = 413
_DRAIN_BYTES, _DRAIN_SECONDS = 64 << 20, 1.0
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


async def read_body(receive: Receive, length: int | None, limit: int, seconds: float) -> bytes:
    """Return the body that `receive` brings.

    A body nearly always comes together with its headers. Reading is therefore begun without a
    timer, which would cost more than the rest of this module; only one that has to wait gets it.

    Raises
    ------
    RequestError
        413 if it is larger than `limit` (it announces `length`), 408 if it takes over `seconds`.
    ClientGoneError
        If the client hung up.
    """
    if length is not None and length > limit:
        raise _too_large(limit)
    reading = _collect(receive, limit)
    try:
        awaited = reading.send(None)
    except StopIteration as done:
        body: bytes = done.value
        return body
    try:
        async with asyncio.timeout(seconds):
            return await _go_on(reading, awaited)
    except TimeoutError:
        detail = f"The body did not arrive within {seconds:g} seconds."
        raise RequestError(408, detail, headers=_CLOSE) from None
    finally:
        reading.close()


@types.coroutine
def _go_on(reading: Coroutine[Any, Any, bytes], awaited: Any) -> Generator[Any, Any, bytes]:
    """Finish a coroutine that was run by hand until it had to wait for `awaited`."""
    yield awaited
    return (yield from reading.__await__())


async def _collect(receive: Receive, limit: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while True:
        message: Any = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        chunk: bytes = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            raise _too_large(limit)
        if not message.get("more_body"):
            return chunk if not chunks else b"".join([*chunks, chunk])
        chunks.append(chunk)


async def drain(receive: Receive) -> None:
    """Let the client finish its body, for a moment.

    A connection that is closed with bytes unread is reset, and the answer in it lost.
    """
    left = _DRAIN_BYTES
    try:
        async with asyncio.timeout(_DRAIN_SECONDS):
            while left > 0:
                message: Any = await receive()
                if message["type"] == "http.disconnect" or not message.get("more_body"):
                    return
                left -= len(message.get("body", b""))
    except TimeoutError:
        return


def replay(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that brings `body`, read already, once more."""
    unread = True

    async def again() -> Any:
        nonlocal unread
        if unread:
            unread = False
            return {"type": "http.request", "body": body, "more_body": False}
        return await receive()

    return again


def _too_large(limit: int) -> RequestError:
    return RequestError(TOO_LARGE, f"The body is larger than {limit} bytes.", headers=_CLOSE)
