"""Bundles on disk with a small real graph, and services in this process that serve them."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import msgspec
import numpy as np
import onnx
import pytest
from litestar.testing import TestClient
from onnx import TensorProto, helper, numpy_helper

from fraudlab.bundle import FILES, Bundle, pack, write_bundle
from fraudlab.links import SigmoidLink
from fraudlab.manifest import Field, Manifest, ModelSpec, Threshold
from fraudlab.preprocess import AffineScaler, Categorical, Numeric, Preprocess
from fraudlab.scoring import Scorer
from serve.app import create_app
from serve.edge import Edge
from serve.settings import Settings

ROOT = Path(__file__).parents[2]
ULB_NAMES = ["Time", *(f"V{n}" for n in range(1, 29)), "Amount"]
STARTUP_SECONDS = 60


def linear_graph(width: int, bias: float = -1.0) -> bytes:
    """Return a graph of margin = X w + bias, in float64."""
    weights = np.linspace(-1.0, 1.0, width, dtype=np.float64).reshape(width, 1)
    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["x"], ["x64"], to=TensorProto.DOUBLE),
            helper.make_node("Gemm", ["x64", "w", "b"], ["margin"]),
        ],
        "linear",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", width])],
        [helper.make_tensor_value_info("margin", TensorProto.DOUBLE, ["N", 1])],
        [
            numpy_helper.from_array(weights, "w"),
            numpy_helper.from_array(np.array([bias], dtype=np.float64), "b"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    onnx.checker.check_model(model)
    return model.SerializeToString()


def ulb_manifest(name: str = "ulb-linear-1", **changes: Any) -> Manifest:
    """Return the manifest of a bundle with the older service's fields."""
    numeric = tuple(Numeric(column) for column in ULB_NAMES[1:])
    manifest = Manifest(
        format=1,
        id=name,
        created="2026-01-02T03:04:05Z",
        features=(
            Field("Time", role="time", min=0),
            *(Field(f"V{n}") for n in range(1, 29)),
            Field("Amount", role="amount", min=0),
        ),
        preprocess=Preprocess(
            numeric=numeric,
            scaler=AffineScaler(center=(0.0,) * 28 + (88.0,), scale=(1.0,) * 28 + (250.0,)),
        ),
        model=ModelSpec(name="logreg", link=SigmoidLink(), width=29, tolerance=1e-9),
        threshold=Threshold(strategy="max_fbeta", value=0.5),
    )
    return msgspec.structs.replace(manifest, **changes)


def strange_manifest() -> Manifest:
    """Return a manifest with categories, missing values and names that are no identifiers."""
    preprocess = Preprocess(
        numeric=(Numeric("Amount (EUR)"), Numeric("V 1", median=0.25), Numeric("a/b~c")),
        categorical=(Categorical("class", ("grocery", "travel")),),
    )
    return Manifest(
        format=1,
        id="strange-linear-1",
        created="2026-01-02T03:04:05Z",
        features=(
            Field("card", kind="text", role="id"),
            Field("Amount (EUR)", role="amount", min=0, max=10_000),
            Field("V 1", nullable=True),
            Field("class", kind="category", nullable=True, categories=("grocery", "travel")),
            Field("a/b~c"),
        ),
        preprocess=preprocess,
        model=ModelSpec(
            name="logreg", link=SigmoidLink(), width=len(preprocess.columns), tolerance=1e-9
        ),
        threshold=Threshold(strategy="fixed", value=0.4),
    )


def ulb_rows(count: int, seed: int = 7) -> list[dict[str, float]]:
    """Return `count` transactions of the older service's shape."""
    random = np.random.default_rng(seed)
    rows = []
    for number in range(count):
        values = random.normal(size=28).round(4).tolist()
        row = {"Time": float(number), **dict(zip(ULB_NAMES[1:29], values, strict=True))}
        rows.append({**row, "Amount": round(float(random.gamma(1.0, 90.0)), 2)})
    return rows


def strange_rows(count: int) -> list[dict[str, Any]]:
    """Return `count` transactions of the strange shape, with missing and unseen values."""
    classes = ["grocery", "travel", None, "never seen"]
    return [
        {
            "card": f"card {number}",
            "Amount (EUR)": number * 1.5,
            "V 1": None if number % 3 == 0 else number / 7,
            "class": classes[number % 4],
            "a/b~c": -number / 3,
        }
        for number in range(count)
    ]


def make_bundle(manifest: Manifest, rows: list[dict[str, Any]], bias: float = -1.0) -> Bundle:
    """Return the bundle of `manifest`, its golden rows scored by its own scorer."""
    graph = linear_graph(manifest.model.width, bias)
    scorer = Scorer(manifest, graph)
    values = [[row[field.name] for field in manifest.features] for row in rows]
    scores, cuts = scorer.score_rows(values).tolist(), scorer.row_thresholds(values).tolist()
    lines = [
        msgspec.json.encode({"features": row, "score": score, "is_fraud": score >= cut})
        for row, score, cut in zip(rows, scores, cuts, strict=True)
    ]
    contents = (graph, b"\n".join(lines) + b"\n", b"{}", b"# card\n")
    return pack(manifest, dict(zip(FILES, contents, strict=True)))


@dataclass(frozen=True)
class Served:
    """A bundle on disk, with the rows its golden file holds."""

    path: Path
    bundle: Bundle
    rows: list[dict[str, Any]]

    @property
    def settings(self) -> Settings:
        return Settings(bundle=str(self.path), log_target="none")


def write(
    folder: Path, manifest: Manifest, rows: list[dict[str, Any]], bias: float = -1.0
) -> Served:
    bundle = make_bundle(manifest, rows, bias)
    return Served(write_bundle(bundle, folder), bundle, rows)


@pytest.fixture(scope="session")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bundles")


@pytest.fixture(scope="session")
def ulb(bundles: Path) -> Served:
    return write(bundles, ulb_manifest(), ulb_rows(60))


@pytest.fixture(scope="session")
def strange(bundles: Path) -> Served:
    return write(bundles, strange_manifest(), strange_rows(60))


@pytest.fixture(scope="session")
def per_row(bundles: Path) -> Served:
    threshold = Threshold(strategy="amount_cost", value=0.01, alert_cost=20.0)
    return write(bundles, ulb_manifest("ulb-cost-1", threshold=threshold), ulb_rows(60))


@pytest.fixture
def app(ulb: Served) -> Edge:
    return create_app(ulb.settings)


@pytest.fixture
def client(app: Edge) -> Iterator[TestClient[Any]]:
    with TestClient(app, raise_server_exceptions=True) as client:
        yield client


@pytest.fixture
def serving() -> Callable[..., Any]:
    """Return a context manager: a client of the service for a bundle and changed settings."""

    @contextmanager
    def serve(served: Served, **changes: Any) -> Iterator[TestClient[Any]]:
        settings = msgspec.structs.replace(served.settings, **changes)
        with TestClient(create_app(settings)) as client:
            yield client

    return serve


def problem(response: httpx.Response, status: int) -> dict[str, Any]:
    """Return the problem in `response`, which must be one of `status`."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["x-request-id"]
    assert float(response.headers["x-process-time-ms"]) >= 0
    body = response.json()
    assert body["status"] == status
    assert isinstance(body["detail"], str)
    assert body["detail"]
    assert isinstance(body["errors"], list)
    assert all(set(entry) == {"pointer", "detail"} for entry in body["errors"])
    return body


def pointers(response: httpx.Response) -> list[str]:
    """Return the pointers of a 422."""
    return [entry["pointer"] for entry in problem(response, 422)["errors"]]


@dataclass
class Running:
    """A real server process."""

    process: subprocess.Popen[bytes]
    url: str
    port: int
    log: Path

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def stop(self, seconds: float = 15) -> int:
        self.process.terminate()
        return self.process.wait(seconds)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def service_environment(**variables: str) -> dict[str, str]:
    kept = {name: text for name, text in os.environ.items() if not name.startswith("FRAUDLAB_")}
    return {**kept, "PYTHONPATH": str(ROOT), **variables}


@pytest.fixture
def run_server(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """Return a function that starts `python -m serve` and waits until it answers."""
    started: list[subprocess.Popen[bytes]] = []

    def run(bundle: Path, **variables: str) -> Running:
        port, log = free_port(), tmp_path / f"log-{len(started)}.jsonl"
        environment = service_environment(
            FRAUDLAB_PORT=str(port), FRAUDLAB_BUNDLE=str(bundle), **variables
        )
        with log.open("wb") as stream:
            process = subprocess.Popen(
                [sys.executable, "-m", "serve"], cwd=tmp_path, env=environment, stdout=stream
            )
        started.append(process)
        url = f"http://127.0.0.1:{port}"
        end = time.monotonic() + STARTUP_SECONDS
        while True:
            try:
                httpx.get(f"{url}/livez")
                return Running(process, url, port, log)
            except httpx.TransportError:
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < end, "the server did not start"
                time.sleep(0.1)

    yield run
    for process in started:
        if process.poll() is None:
            process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
