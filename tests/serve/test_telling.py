"""Figures are exact, log lines are whole and harmless, and no feature is ever written."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import os
import threading
import time
from typing import Any

import msgspec
import pytest
from litestar.testing import TestClient
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from fraudlab.errors import BundleError
from serve.app import create_app
from serve.figures import SCORE, Tally, add_up, summarise
from serve.logs import JsonFormatter, LogSink, _whole_lines, format_time
from serve.negotiation import choose
from serve.routes import OPENMETRICS
from serve.workers import WorkerFiles
from tests.serve.conftest import problem, ulb_rows

SCRAPER = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)


def work(client) -> None:
    for row in ulb_rows(10):
        assert client.post("/predict", json=row).status_code == 200
    client.post("/predict/batch", json={"transactions": ulb_rows(100)})
    problem(client.post("/predict", json={}), 422)
    problem(client.get("/nowhere/else?secret=1"), 404)
    problem(client.get("/predict"), 405)


def test_the_older_figures_are_exact(client):
    empty = client.get("/metrics").json()
    assert empty == {
        "total_requests": 0, "error_count": 0, "error_rate": 0.0, "total_predictions": 0,
        "fraud_predictions": 0, "fraud_prediction_rate": 0.0, "avg_latency_ms": 0.0,
    }  # fmt: skip
    work(client)
    figures = client.get("/metrics").json()
    assert figures["total_requests"] == 15  # the first look at the figures included
    assert figures["error_count"] == 3
    assert figures["error_rate"] == 3 / 15
    assert figures["total_predictions"] == 110
    assert 0 < figures["fraud_predictions"] < 110
    assert figures["fraud_prediction_rate"] == figures["fraud_predictions"] / 110
    assert figures["avg_latency_ms"] > 0


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (None, "application/json"),
        ("*/*", "application/json"),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "application/json"),
        ("text/plain", "text/plain; version=0.0.4; charset=utf-8"),
        ("application/openmetrics-text", OPENMETRICS),
        (SCRAPER, OPENMETRICS),
        ("text/plain;q=0.2, application/json;q=0.1", "text/plain; version=0.0.4; charset=utf-8"),
        ("text/plain;q=nonsense", "application/json"),
    ],
)  # fmt: skip
def test_the_accept_header_chooses(client, accept, kind):
    headers = {} if accept is None else {"accept": accept}
    client.headers.pop("accept", None)
    assert client.get("/metrics", headers=headers).headers["content-type"] == kind


def test_choose_takes_the_more_specific_range():
    headers = [(b"accept", b"text/*;q=0.9, text/plain;q=0.1, application/json;q=0.5")]
    assert choose(headers, ("application/json", "text/plain")) == "application/json"


def samples(text: str, parse: Any) -> dict[tuple[str, frozenset[Any]], float]:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in parse(text)
        for sample in family.samples
    }


@pytest.mark.parametrize(
    ("accept", "parse"),
    [("text/plain", parse_text), ("application/openmetrics-text", parse_openmetrics)],
)
def test_prometheus_reads_the_same_figures(client, ulb, accept, parse):
    work(client)
    found = samples(client.get("/metrics", headers={"accept": accept}).text, parse)

    def of(name: str, **labels: str) -> float:
        return found[name, frozenset(labels.items())]

    requests = "fraudlab_http_requests_total"
    assert of(requests, method="POST", route="/predict", status="200") == 10
    assert of(requests, method="POST", route="/predict", status="422") == 1
    assert of(requests, method="GET", route="unmatched", status="404") == 1
    assert of(requests, method="GET", route="/predict", status="405") == 1
    duration = "fraudlab_http_request_duration_seconds"
    assert of(f"{duration}_count", method="POST", route="/predict") == 11
    assert of(f"{duration}_bucket", method="POST", route="/predict", le="+Inf") == 11
    bundle = ulb.bundle.manifest.id
    decisions = [
        of("fraudlab_predictions_total", model=bundle, role="champion", decision=decision)
        for decision in ("fraud", "legitimate")
    ]
    assert sum(decisions) == 110
    assert of("fraudlab_score_count", model=bundle, role="champion") == 110
    assert of("fraudlab_inference_seconds_count", model=bundle, stage="score") == 11
    assert of("fraudlab_model_info", id=bundle, sha256=ulb.bundle.sha256) == 1
    assert of("fraudlab_http_in_flight") == 1
    assert "secret" not in str(found)


def test_addresses_and_methods_of_clients_make_no_labels(client, app):
    for number in range(50):
        client.get(f"/{number}")
        client.request(f"M{number}", "/health")
    app.telemetry.flush()
    assert len(app.telemetry.tally.counters) == 2


def test_histograms_agree_however_many_values_come_at_once():
    values = [0.0, 0.001, 0.0010001, 0.5, 0.99, 1.0] * 20
    one, many = Tally(), Tally()
    for value in values:
        one.observe(SCORE, "m", "r", values=(value,))
    many.observe(SCORE, "m", "r", values=values)
    assert one.histograms.keys() == many.histograms.keys()
    for a, b in zip(one.histograms.values(), many.histograms.values(), strict=True):
        assert a[:-1] == b[:-1]
        assert math.isclose(a[-1], b[-1])
    assert add_up([one, many]).histograms[SCORE.name, "m", "r"][0] == 80


def log_of(ulb, tmp_path, act, **changes) -> list[dict[str, Any]]:
    target = tmp_path / "log.jsonl"
    settings = msgspec.structs.replace(ulb.settings, log_target=str(target), **changes)
    with TestClient(create_app(settings)) as client:
        act(client)
    return [json.loads(line) for line in target.read_bytes().splitlines()]


def test_one_line_per_request_and_per_prediction(ulb, tmp_path):
    lines = log_of(ulb, tmp_path, work)
    requests = [line for line in lines if line["event"] == "request"]
    predictions = [line for line in lines if line["event"] == "prediction"]
    assert len(requests) == 14
    assert len(predictions) == 11
    assert set(requests[0]) == {
        "time", "level", "event", "request_id", "method", "route", "status", "duration_ms", "bytes"
    }  # fmt: skip
    assert [line["level"] for line in requests[-4:]] == ["info", "warning", "warning", "warning"]
    assert requests[-2]["route"] == "unmatched"
    single, batch = predictions[0], predictions[-1]
    assert single["request_id"] == requests[0]["request_id"]
    assert single["transactions"] == 1
    assert 0 < single["score"] < 1
    assert "score" not in batch
    assert batch["fraud"] + batch["legitimate"] == batch["transactions"] == 100
    assert batch["bundle"] == ulb.bundle.manifest.id
    assert requests[0]["bytes"] > 0


def test_no_feature_is_ever_written(ulb, tmp_path):
    def act(client):
        row = {**ulb.rows[0], "V3": 0.123456789, "Amount": 98765.4321}
        client.post("/predict", json=row)
        client.post("/predict", json={**row, "V4": "private"})
        client.post("/predict/private?private=1", json={"private": 1})
        client.post("/predict/batch", json={"transactions": [row] * 80})

    text = json.dumps(log_of(ulb, tmp_path, act))
    assert not any(word in text for word in ("123456789", "98765", "private"))


def test_a_client_cannot_write_log_lines(ulb, tmp_path):
    evil = b'x"}\r\n{"level":"error","event":"forged"}'

    def act(client):
        client.get("/health", headers={"x-request-id": evil})
        client.get("/%0a%7b%22event%22:%22forged%22%7d")
        client.request('GET"\n{"event":"forged"}', "/health")

    lines = log_of(ulb, tmp_path, act)
    assert [line["event"] for line in lines] == ["request"] * 3
    assert "forged" not in json.dumps(lines)


def test_the_level_and_none_are_obeyed(ulb, tmp_path):
    lines = log_of(ulb, tmp_path, work, log_level="warning")
    assert {line["status"] for line in lines} == {422, 404, 405}


def test_times_are_utc_with_milliseconds():
    assert format_time(0.0625) == "1970-01-01T00:00:00.062Z"


def test_a_reader_that_stopped_costs_lines_and_no_time(monkeypatch):
    monkeypatch.setattr("serve.logs._PENDING_LIMIT", 200_000)
    monkeypatch.setattr("serve.logs._CLOSE_SECONDS", 0.1)
    reading, writing = os.pipe()
    monkeypatch.setattr("serve.logs._open", lambda _: (writing, False))
    sink = LogSink("stdout")
    line = b"x" * 999 + b"\n"
    started = time.monotonic()
    for _ in range(100):
        sink.write(line * 10)
    assert time.monotonic() - started < 1
    assert sink.dropped >= 1000 - 200 - 66
    sink.close()  # the thread is stuck in its write; it is not waited for
    received = bytearray()

    def drain() -> None:
        while chunk := os.read(reading, 65536):
            received.extend(chunk)

    reader = threading.Thread(target=drain)
    reader.start()
    end = time.monotonic() + 10
    while len(received) < (1000 - sink.dropped) * 1000 and time.monotonic() < end:
        time.sleep(0.01)
    os.close(writing)
    reader.join(10)
    os.close(reading)
    assert len(received) == (1000 - sink.dropped) * 1000


def test_dropped_lines_are_counted(app):
    app.telemetry._sink.dropped = 7
    app.telemetry.flush()
    app.telemetry.flush()
    assert app.telemetry.tally.counters[("fraudlab_log_dropped",)] == 7


def test_a_target_that_fails_drops_its_lines():
    sink = LogSink("/dev/full")
    sink.write(b"a\nb\n")
    sink.close()
    assert sink.dropped == 2


def test_chunks_end_at_line_ends():
    lines = b"aa\n" + b"b" * 10 + b"\ncc\ndd\n"
    assert _whole_lines(lines, 6) == [b"aa\n", b"b" * 10 + b"\n", b"cc\ndd\n"]
    assert _whole_lines(b"a\n", 100) == [b"a\n"]


def test_logged_errors_tell_no_message_but_our_own():
    def line(error: Exception) -> dict[str, Any]:
        info = (type(error), error, error.__traceback__)
        record = logging.LogRecord("serve", 40, "here", 1, "a %s", ("b",), info)
        record.request_id = "r"
        return json.loads(JsonFormatter().format(record))

    told = line(ValueError("V1=3"))
    assert told["error"] == "ValueError"
    assert told["reason"] is None
    assert told["request_id"] == "r"
    assert told["message"] == "a b"
    assert "V1=3" not in json.dumps(told)
    assert line(BundleError("no bundle"))["reason"] == "no bundle"


def test_a_dead_workers_figures_stay_and_its_gauge_goes(tmp_path, monkeypatch):
    tally = Tally({("fraudlab_http_requests", "GET", "/health", "200"): 3.0}, {}, in_flight=2)
    monkeypatch.setattr("os.getpid", lambda: 2**22 + 1)  # beyond the largest process id
    WorkerFiles(tmp_path).publish(tally)
    monkeypatch.undo()
    others = asyncio.run(WorkerFiles(tmp_path).read_others())
    assert summarise(others[0]).total_requests == 3
    assert others[0].in_flight == 0


def test_a_stuck_worker_delays_a_scrape_only_so_long(tmp_path, monkeypatch):
    monkeypatch.setattr("serve.workers._PATIENCE", 0.1)
    monkeypatch.setattr("os.getpid", os.getppid)
    WorkerFiles(tmp_path).publish(Tally())
    monkeypatch.undo()
    monkeypatch.setattr("serve.workers._PATIENCE", 0.1)
    assert len(asyncio.run(WorkerFiles(tmp_path).read_others())) == 1
