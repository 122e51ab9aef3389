"""Whatever bytes come over a real socket: a 4xx that is a problem with an id, and never a 5xx."""

from __future__ import annotations

import json
import re
import socket
from typing import Any

import httpx
import msgspec
import pytest
from litestar.testing import TestClient

from serve.app import create_app
from tests.serve.conftest import Running, Served, problem

HOST = b"Host: a\r\nConnection: close\r\n"
MALFORMED = {
    "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n",
    "an unknown method": b"BREW /predict HTTP/1.1\r\n" + HOST + b"\r\n",
    "a tunnel": b"CONNECT a:1 HTTP/1.1\r\n" + HOST + b"\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "bytes in the address": b"GET /\xff\xfe HTTP/1.1\r\n" + HOST + b"\r\n",
    "a space in the address": b"GET /a b HTTP/1.1\r\n" + HOST + b"\r\n",
    "a header on two lines": b"GET /livez HTTP/1.1\r\n" + HOST + b"X-Request-ID: a\r\n b\r\n\r\n",
    "a header split by LF": b"GET /livez HTTP/1.1\r\n" + HOST + b"X-Request-ID: a\nb: c\r\n\r\n",
    "a NUL in a header": b"GET /livez HTTP/1.1\r\n" + HOST + b"X-Request-ID: a\x00b\r\n\r\n",
    "a negative length": b"POST /predict HTTP/1.1\r\n" + HOST + b"Content-Length: -3\r\n\r\n{}",
    "two lengths": b"POST /predict HTTP/1.1\r\n" + HOST + b"Content-Length: 2\r\n" * 2 + b"\r\n{}",
    "a length and chunks": b"POST /predict HTTP/1.1\r\n" + HOST
    + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a chunk without a size": b"POST /predict HTTP/1.1\r\n" + HOST
    + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
}  # fmt: skip
REFUSED = {
    "TRACE": (b"TRACE /predict HTTP/1.1\r\n" + HOST + b"\r\n", 405),
    "HEAD": (b"HEAD /predict HTTP/1.1\r\n" + HOST + b"\r\n", 405),
    "PUT": (b"PUT /predict HTTP/1.1\r\n" + HOST + b"Content-Length: 2\r\n\r\n{}", 405),
    "DELETE": (b"DELETE /predict HTTP/1.1\r\n" + HOST + b"\r\n", 405),
    "OPTIONS *": (b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n", 404),
    "dots": (b"GET /docs/../predict HTTP/1.1\r\n" + HOST + b"\r\n", 404),
    "bad percents": (b"GET /%zz%ff%00 HTTP/1.1\r\n" + HOST + b"\r\n", 404),
    "a very long address": (b"GET /" + b"a" * 60_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 404),
    "an empty body": (b"POST /predict HTTP/1.1\r\n" + HOST + b"Content-Length: 0\r\n\r\n", 400),
    "no body": (b"POST /predict HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "chunked nonsense": (
        b"POST /predict HTTP/1.1\r\n" + HOST
        + b"Transfer-Encoding: chunked\r\n\r\n1\r\n[\r\n0\r\n\r\n",
        400,
    ),
}  # fmt: skip


def exchange(port: int, content: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(content)
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
    return received


def check(name: str, answer: bytes, status: int) -> None:
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.decode().lower().split("\r\n")
    assert lines[0].startswith(f"http/1.1 {status} "), (name, answer[:200])
    headers = dict(line.split(": ", 1) for line in lines[1:])
    assert headers["content-type"] == "application/problem+json", name
    assert re.fullmatch("[0-9a-f]{32}", headers["x-request-id"]), name
    assert float(headers["x-process-time-ms"]) >= 0, name
    assert name == "HEAD" or json.loads(body)["status"] == status, name
    assert name == "HEAD" or len(body) == int(headers["content-length"]), name


def test_hostile_requests_are_refused_as_problems(run_server, ulb):
    server: Running = run_server(ulb.path)
    for name, content in MALFORMED.items():
        check(name, exchange(server.port, content), 400)
    for name, (content, status) in REFUSED.items():
        check(name, exchange(server.port, content), status)
    endless = b"GET /livez HTTP/1.1\r\n" + HOST + b"X: " + b"a" * 70_000
    check("a head without end", exchange(server.port, endless), 431)
    for path in ("/%70redict", "//predict", "/predict/"):
        answer = httpx.post(f"{server.url}{path}", json=ulb.rows[0])
        assert answer.status_code == 200, path
    figures = httpx.get(f"{server.url}/metrics").json()
    assert figures["error_count"] == len(MALFORMED) + len(REFUSED) + 1
    assert server.stop() == 0
    assert not any(line["level"] == "error" for line in server.lines())


@pytest.mark.parametrize("framing", ["length", "chunks"])
def test_a_client_that_sends_all_first_still_reads_the_413(run_server, ulb, framing):
    server: Running = run_server(ulb.path)
    head, body = b"POST /predict HTTP/1.1\r\n" + HOST, b" " * 10_000_000
    if framing == "length":
        content = head + b"Content-Length: 10000000\r\n\r\n" + body
    else:
        content = head + b"Transfer-Encoding: chunked\r\n\r\n989680\r\n" + body + b"\r\n0\r\n\r\n"
    check(framing, exchange(server.port, content), 413)


def test_a_single_prediction_is_the_same_at_every_spelling_of_its_address(ulb: Served):
    """`/predict` is answered by the edge, `/predict/` by its Litestar route."""
    good = json.dumps(ulb.rows[0]).encode()
    bodies = [
        good, b"", b"{", b"[]", b"null", b"{}", good.replace(b'"V1"', b'"V1": "x", "V0"'),
        good + b"x", b"\xff", b"[" * 20_000, b'{"V1": NaN}',
    ]  # fmt: skip
    kinds = ["application/json", "application/json; charset=utf-8", "text/plain", "é", ""]
    with TestClient(create_app(ulb.settings)) as client:
        for body in bodies:
            for kind in kinds:
                headers = {"content-type": kind.encode("latin-1"), "x-request-id": "same"}
                direct, routed = (
                    client.post(path, content=body, headers=headers)
                    for path in ("/predict", "/predict/")
                )
                assert comparable(direct) == comparable(routed), (body[:80], kind)
        problem(client.get("/predict"), 405)
        figures = client.get("/metrics").json()
    assert figures["total_predictions"] == 4
    assert figures["total_requests"] == 2 * len(bodies) * len(kinds) + 1


def comparable(answer: httpx.Response) -> tuple[int, Any, Any]:
    content = msgspec.json.decode(answer.content)
    content.pop("prediction_id", None)
    changing = ("x-process-time-ms", "content-length")
    headers = {name: text for name, text in answer.headers.items() if name not in changing}
    return answer.status_code, content, headers
