"""The real server process: it starts, answers, adds up its workers, and stops."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.serve.conftest import ROOT, problem, service_environment, ulb_rows

FORBIDDEN = (
    "hydra", "omegaconf", "mlflow", "sklearn", "pandas", "polars", "xgboost", "lightgbm", "onnx",
    "imblearn", "scipy", "pyarrow", "matplotlib",
)  # fmt: skip


def test_it_starts_answers_and_stops_with_0(run_server, ulb):
    server = run_server(ulb.path)
    answer = httpx.post(f"{server.url}/predict", json=ulb.rows[0])
    assert answer.status_code == 200
    assert "server" not in answer.headers
    assert "date" not in answer.headers
    assert answer.headers["x-request-id"]
    problem(httpx.get(f"{server.url}/nowhere"), 404)
    started = time.monotonic()
    assert server.stop() == 0
    assert time.monotonic() - started < 5
    lines = server.lines()
    assert [line["route"] for line in lines if line["event"] == "request"][-1] == "unmatched"
    assert sum(line["event"] == "prediction" for line in lines) == 1
    assert all({"time", "level", "event"} <= set(line) for line in lines)


def test_without_a_bundle_it_serves_503(run_server, tmp_path):
    server = run_server(tmp_path / "none")
    assert "make demo" in problem(httpx.get(f"{server.url}/health"), 503)["detail"]
    problem(httpx.post(f"{server.url}/predict", json={}), 503)
    assert server.stop() == 0


def test_interrupt_stops_it_with_0(run_server, ulb):
    server = run_server(ulb.path)
    server.process.send_signal(signal.SIGINT)
    assert server.process.wait(10) == 0


def test_a_taken_port_ends_with_1_and_one_paragraph(ulb):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            [sys.executable, "-m", "serve"],
            cwd=ROOT,
            env=service_environment(FRAUDLAB_PORT=port, FRAUDLAB_BUNDLE=str(ulb.path)),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 1
    assert port in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def raw(port: int, content: bytes, seconds: float = 10) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as connection:
        connection.sendall(content)
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
    return received


def test_a_stalled_body_is_a_408_and_the_connection_closes(run_server, ulb):
    server = run_server(ulb.path, FRAUDLAB_BODY_SECONDS="0.3")
    head = b"POST /predict HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{"
    answer = raw(server.port, head)
    assert answer.startswith(b"HTTP/1.1 408")
    assert b"application/problem+json" in answer


def test_a_body_too_large_is_a_413_and_the_connection_closes(run_server, ulb):
    server = run_server(ulb.path, FRAUDLAB_BODY_LIMIT="2000")
    head = b"POST /predict HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\n"
    assert raw(server.port, head).startswith(b"HTTP/1.1 413")
    chunk = b"400\r\n" + b" " * 1024 + b"\r\n"
    chunked = b"POST /predict HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk * 3
    assert raw(server.port, chunked).startswith(b"HTTP/1.1 413")


def test_head_and_pipelined_requests_over_a_socket(run_server, ulb):
    server = run_server(ulb.path)
    head = b"HEAD /livez HTTP/1.1\r\nHost: a\r\n\r\n"
    last = b"GET /livez HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    answer = raw(server.port, head + head + last)
    assert answer.count(b"HTTP/1.1 200") == 3
    assert answer.count(b'{"status":"ok"}') == 1


def test_requests_under_way_are_answered_at_the_stop(run_server, ulb):
    server = run_server(ulb.path)
    body = json.dumps(ulb.rows[0]).encode()
    head = b"POST /predict HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
    head += f"Content-Length: {len(body)}\r\n\r\n".encode()
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(head + body[:10])
        time.sleep(0.3)
        server.process.terminate()
        time.sleep(0.3)
        connection.sendall(body[10:])
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")
    assert server.process.wait(10) == 0


@pytest.mark.slow
def test_two_workers_add_up_exactly_and_stop(run_server, ulb):
    server = run_server(ulb.path, FRAUDLAB_WORKERS="2")

    def send(number: int) -> int:
        # A connection each, so that both workers get some.
        row = ulb_rows(1, seed=number)[0]
        return httpx.post(
            f"{server.url}/predict", json=row, verify=False
        ).status_code  # no CA file to load

    total = httpx.get(f"{server.url}/metrics").json()["total_requests"] + 1
    with ThreadPoolExecutor(8) as pool:
        for round_ in range(1, 4):
            assert set(pool.map(send, range(100))) == {200}
            figures = httpx.get(f"{server.url}/metrics").json()
            assert figures["total_predictions"] == 100 * round_
            assert figures["total_requests"] == total + 100 * round_ + (round_ - 1)
    children = children_of(server.process.pid)
    assert server.stop() == 0
    lines = server.lines()
    assert sum(line["event"] == "prediction" for line in lines) == 300
    assert len({line["request_id"] for line in lines if line["event"] == "request"}) >= 303
    wait_until_gone(children)


@pytest.mark.slow
def test_workers_do_not_outlive_the_first_process(run_server, ulb):
    server = run_server(ulb.path, FRAUDLAB_WORKERS="2")
    children = children_of(server.process.pid)
    assert len(children) >= 2
    server.process.kill()
    server.process.wait()
    wait_until_gone(children)


def wait_until_gone(processes: list[int]) -> None:
    """Wait for processes to end by themselves, as multiprocessing's resource tracker does."""
    end = time.monotonic() + 15
    while any(is_running(process) for process in processes) and time.monotonic() < end:
        time.sleep(0.1)
    assert not any(is_running(process) for process in processes)


def children_of(process: int) -> list[int]:
    with Path(f"/proc/{process}/task/{process}/children").open() as stream:
        return [int(child) for child in stream.read().split()]


def is_running(process: int) -> bool:
    try:
        with Path(f"/proc/{process}/stat").open() as stream:
            return stream.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_the_service_imports_nothing_of_training(ulb):
    code = (
        "import sys\n"
        "from serve.app import create_app\n"
        "from serve.settings import Settings\n"
        "import serve.server\n"
        f"app = create_app(Settings(bundle={str(ulb.path)!r}, log_target='none'))\n"
        f"print([name for name in {FORBIDDEN!r} if name in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.strip() == "[]", done.stderr


def test_port_0_is_told_in_the_log(ulb, tmp_path):
    log = tmp_path / "log"
    environment = service_environment(
        FRAUDLAB_PORT="0", FRAUDLAB_BUNDLE=str(ulb.path), FRAUDLAB_LOG_TARGET=str(log)
    )
    process = subprocess.Popen([sys.executable, "-m", "serve"], cwd=ROOT, env=environment)
    try:
        end = time.monotonic() + 30
        port = ""
        while not port and time.monotonic() < end:
            lines = log.read_text().splitlines() if log.exists() else []
            told = [json.loads(line)["message"] for line in lines if "listening on" in line]
            port = told[0].rpartition(" ")[2] if told else ""
            time.sleep(0.05)
        assert int(port) > 0
        while True:
            try:
                assert httpx.get(f"http://127.0.0.1:{port}/livez").status_code == 200
                break
            except httpx.TransportError:
                assert time.monotonic() < end
                time.sleep(0.05)
    finally:
        process.terminate()
        assert process.wait(15) == 0
