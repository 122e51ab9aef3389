"""Ids, timing, limits and errors hold for every answer, whoever made it."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import re
import threading
from typing import Any

import msgspec
import pytest

import serve.model
from serve.app import create_app
from tests.serve.conftest import problem, ulb_rows

OWN_ID = re.compile(r"[0-9a-f]{32}")
CALLS = [
    ("GET", "/health", 200),
    ("GET", "/docs", 200),
    ("GET", "/nowhere", 404),
    ("GET", "/predict", 405),
    ("POST", "/health", 405),
    ("POST", "/nowhere", 404),
    ("BREW", "/predict", 405),
    ("HEAD", "/health", 200),
    ("OPTIONS", "/predict", 204),
    ("POST", "/predict", 400),
]


@pytest.mark.parametrize(("method", "path", "status"), CALLS)
def test_every_answer_has_an_id_and_its_time(client, method, path, status):
    answer = client.request(method, path)
    assert answer.status_code == status
    assert OWN_ID.fullmatch(answer.headers["x-request-id"])
    assert float(answer.headers["x-process-time-ms"]) >= 0
    if status >= 400:
        problem(answer, status)


@pytest.mark.parametrize("request_id", ["a", "A.b-c_9", "x" * 64])
@pytest.mark.parametrize("path", ["/health", "/nowhere"])
def test_the_callers_id_is_kept(client, request_id, path):
    answer = client.get(path, headers={"x-request-id": request_id})
    assert answer.headers["x-request-id"] == request_id


@pytest.mark.parametrize(
    "request_id", ["", "a b", "x" * 65, 'a"}\n{"level":"error', "a\n", "é", "a\u2028b", "../x"]
)
def test_another_id_is_replaced(client, request_id):
    answer = client.get("/health", headers={"x-request-id": request_id.encode()})
    assert OWN_ID.fullmatch(answer.headers["x-request-id"])


def test_a_405_says_what_is_allowed(client):
    assert "POST" in client.get("/predict").headers["allow"]
    assert "GET" in client.post("/metrics").headers["allow"]


def test_head_answers_like_get_without_a_body(client):
    answer = client.head("/livez")
    assert answer.content == b""
    assert answer.headers["content-type"] == "application/json"


def test_a_trailing_slash_is_the_same_address(client, ulb):
    assert client.post("/predict/", json=ulb.rows[0]).status_code == 200


def test_a_body_over_the_limit_is_a_413(ulb, serving):
    with serving(ulb, body_limit=1000, batch_body_limit=50_000) as client:
        assert client.post("/predict", json=ulb.rows[0]).status_code == 200
        answer = client.post("/predict", content=b" " * 1001)
        assert "1000" in problem(answer, 413)["detail"]
        assert answer.headers["connection"] == "close"
        problem(client.post("/nowhere", content=b" " * 1001), 413)
        rows = {"transactions": ulb_rows(60)}
        assert client.post("/predict/batch", json=rows).status_code == 200
        problem(client.post("/predict/batch", content=b" " * 50_001), 413)


def test_a_chunked_body_over_the_limit_is_a_413(ulb, serving):
    with serving(ulb, body_limit=1000) as client:
        chunks = (b" " * 300 for _ in range(5))
        problem(client.post("/predict", content=chunks), 413)


def call(app, messages: list[Any], headers: Any = (), path: str = "/predict") -> list[Any]:
    """Call `app` with `messages` as the request's body; nothing follows them."""
    sent: list[Any] = []
    waiting = iter(messages)

    async def receive() -> Any:
        for message in waiting:
            return message
        return await asyncio.Event().wait()

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http", "method": "POST", "path": path, "headers": list(headers),
        "query_string": b"", "asgi": {"version": "3.0"}, "http_version": "1.1",
        "scheme": "http", "server": ("test", 80), "client": ("test", 1), "root_path": "",
    }  # fmt: skip
    asyncio.run(asyncio.wait_for(app(scope, receive, send), 5))
    return sent


def app_with(ulb, **changes):
    return create_app(msgspec.structs.replace(ulb.settings, **changes))


def test_a_body_that_stalls_is_a_408(ulb):
    app = app_with(ulb, body_seconds=0.05)
    for messages in ([], [{"type": "http.request", "body": b"{", "more_body": True}]):
        start, body = call(app, messages)
        assert start["status"] == 408
        assert (b"connection", b"close") in start["headers"]
        assert "0.05 seconds" in json.loads(body["body"])["detail"]


def test_a_client_that_hangs_up_gets_nothing_and_is_no_error(ulb):
    app = app_with(ulb)
    assert call(app, [{"type": "http.disconnect"}]) == []
    app.telemetry.flush()
    assert ("fraudlab_http_requests", "POST", "/predict", "499") in app.telemetry.tally.counters
    assert app.telemetry.in_flight == 0


def test_a_large_announced_length_is_refused_unread(ulb):
    start, *_ = call(app_with(ulb), [], headers=[(b"content-length", b"9999999999")])
    assert start["status"] == 413


def test_a_failure_leaks_nothing(ulb, monkeypatch, caplog):
    app = app_with(ulb)

    def fail(*_: Any) -> Any:
        raise RuntimeError("secret 123.45")

    monkeypatch.setattr("serve.model.Model.predict", fail)
    body = json.dumps(ulb.rows[0]).encode()
    start, answer = call(app, [{"type": "http.request", "body": body, "more_body": False}])
    assert start["status"] == 500
    assert b"secret" not in answer["body"]
    assert b"RuntimeError" not in answer["body"]
    assert b"application/problem+json" in dict(start["headers"])[b"content-type"]


def test_a_failure_outside_litestar_leaks_nothing_either(ulb):
    app = app_with(ulb)

    async def fail(*_: Any) -> None:
        raise RuntimeError("secret")

    app.live = dataclasses.replace(app.live, app=fail)
    empty = [{"type": "http.request", "body": b"", "more_body": False}]
    start, answer = call(app, empty, path="/predict/batch")
    assert start["status"] == 500
    assert b"secret" not in answer["body"]


def test_the_loop_goes_on_while_a_large_batch_is_scored(ulb, monkeypatch, serving):
    names = []
    real = serve.model.Model.predict

    def predict(self, transactions):
        names.append(threading.current_thread().name)
        return real(self, transactions)

    with serving(ulb) as client:
        monkeypatch.setattr(serve.model.Model, "predict", predict)
        client.post("/predict/batch", json={"transactions": ulb_rows(65)})
        client.post("/predict/batch", json={"transactions": ulb_rows(64)})
    assert names[0].startswith("batch")
    assert not names[1].startswith("batch")


def test_what_is_live_is_one_value(ulb, strange):
    app = app_with(ulb)
    app.live = app_with(strange).live
    for path in ("/predict", "/predict/"):  # answered by the edge, and by Litestar
        body = json.dumps(strange.rows[0]).encode()
        message = {"type": "http.request", "body": body, "more_body": False}
        start, answer = call(app, [message], path=path)
        assert start["status"] == 200
        assert json.loads(answer["body"])["bundle"] == strange.bundle.manifest.id
