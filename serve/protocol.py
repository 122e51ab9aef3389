"""uvicorn's HTTP protocol, with refusals in the service's own words.

What is no HTTP never becomes a request, so the edge does not see it; uvicorn's own answer would be
plain text without an id. It also bounds the head of a request, which uvicorn does not.
"""

from __future__ import annotations

import os
import time
from http import HTTPStatus
from typing import TYPE_CHECKING

import msgspec
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from serve.errors import PROBLEM_JSON, RequestError
from serve.telemetry import RequestEvent

if TYPE_CHECKING:
    from serve.edge import Edge

HEAD_LIMIT = 64 << 10
_ANSWER = """\
HTTP/1.1 {status} {phrase}\r
content-type: {kind}\r
content-length: {size}\r
x-request-id: {request_id}\r
x-process-time-ms: 0.000\r
connection: close\r
\r
"""


class Protocol(HttpToolsProtocol):
    """One connection."""

    _in_head = False
    _head_size = 0

    def on_message_begin(self) -> None:
        """Start to measure a head."""
        self._in_head, self._head_size = True, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Let the body go unmeasured: the edge limits it."""
        self._in_head = False
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        """Take bytes; a head that does not end is refused before it fills the memory."""
        super().data_received(data)
        if self._in_head:
            self._head_size += len(data)
            if self._head_size > HEAD_LIMIT and not self.transport.is_closing():
                self._refuse(431, f"The request's head is larger than {HEAD_LIMIT} bytes.")

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP; `msg` are uvicorn's words for it."""
        self._refuse(400, msg)

    def _refuse(self, status: int, detail: str) -> None:
        app: Edge = self.config.loaded_app
        request_id = os.urandom(16).hex()
        body = msgspec.json.encode(RequestError(status, detail).problem())
        head = _ANSWER.format(
            status=status,
            phrase=HTTPStatus(status).phrase,
            kind=PROBLEM_JSON,
            size=len(body),
            request_id=request_id,
        )
        if self.cycle is None or self.cycle.response_complete:  # the edge records a request it has
            now, size = time.time(), len(body)
            app.telemetry.append(
                RequestEvent(now, request_id, "OTHER", "unmatched", status, 0.0, size)
            )
        self.transport.write(head.encode() + body)
        self.transport.close()
