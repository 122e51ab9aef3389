"""The kind of service that fraudlab's is measured against: FastAPI, pandas, a pickled pipeline.

It is written the ordinary way and kept fair: one pydantic model, one DataFrame, one transform of a
pickled preprocessor that scales Time and Amount and one predict_proba of a pickled model per
request; ids, timing and counters in a middleware, one JSON log line per request and prediction;
plain `def` handlers, as FastAPI advises for work that blocks, and uvicorn as it comes.

    python scripts/older_service.py creditcard.csv --port 8001
"""

from __future__ import annotations

import argparse
import json
import logging
import pickle
import sys
import tempfile
import time
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pandas as pd
import uvicorn
from fastapi import FastAPI, Request, Response
from pydantic import BaseModel, ConfigDict, Field, create_model
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

COLUMNS = ["Time", *(f"V{number}" for number in range(1, 29)), "Amount"]
THRESHOLD = 0.5
log = logging.getLogger("older")

Transaction: Any = create_model(
    "Transaction",
    __config__=ConfigDict(extra="forbid"),
    **{name: (float, ... if name.startswith("V") else Field(ge=0)) for name in COLUMNS},
)


class Batch(BaseModel):
    transactions: list[Transaction]


class Prediction(BaseModel):
    is_fraud: bool
    fraud_probability: float
    risk_level: str


class Predictions(BaseModel):
    predictions: list[Prediction]


def train(table: Path, target: Path) -> None:
    """Fit the pipeline on `table` and pickle it."""
    frame = pd.read_csv(table)
    scale = ColumnTransformer(
        [("scaled", StandardScaler(), ["Time", "Amount"])], remainder="passthrough"
    )
    pipeline = make_pipeline(scale, LogisticRegression(max_iter=1000, class_weight="balanced"))
    target.write_bytes(pickle.dumps(pipeline.fit(frame[COLUMNS], frame["Class"])))


def decide(probability: float) -> Prediction:
    if probability >= THRESHOLD:
        level = "high"
    else:
        level = "medium" if probability >= THRESHOLD / 2 else "low"
    return Prediction(
        is_fraud=probability >= THRESHOLD, fraud_probability=probability, risk_level=level
    )


def create_app(pipeline: Any) -> FastAPI:
    app = FastAPI(title="older service")
    counts = {"requests": 0, "errors": 0, "predictions": 0, "frauds": 0, "seconds": 0.0}

    @app.middleware("http")
    async def count(request: Request, answer: Callable[[Request], Awaitable[Response]]) -> Response:
        started = time.perf_counter()
        request_id = request.headers.get("X-Request-ID") or str(uuid.uuid4())
        response = await answer(request)
        seconds = time.perf_counter() - started
        counts["requests"] += 1
        counts["errors"] += response.status_code >= 400
        counts["seconds"] += seconds
        response.headers["X-Request-ID"] = request_id
        response.headers["X-Process-Time-Ms"] = f"{seconds * 1000:.2f}"
        line = {"event": "request", "id": request_id, "path": request.url.path}
        log.info(json.dumps({**line, "status": response.status_code, "seconds": seconds}))
        return response

    def score(rows: list[dict[str, float]]) -> list[Prediction]:
        frame = pd.DataFrame(rows, columns=COLUMNS)
        predictions = [decide(value) for value in pipeline.predict_proba(frame)[:, 1].tolist()]
        frauds = sum(prediction.is_fraud for prediction in predictions)
        counts["predictions"] += len(predictions)
        counts["frauds"] += frauds
        log.info(json.dumps({"event": "prediction", "rows": len(rows), "frauds": frauds}))
        return predictions

    @app.post("/predict")
    def predict(transaction: Transaction) -> Prediction:
        return score([transaction.model_dump()])[0]

    @app.post("/predict/batch")
    def predict_batch(batch: Batch) -> Predictions:
        return Predictions(predictions=score([row.model_dump() for row in batch.transactions]))

    @app.get("/health")
    def health() -> dict[str, Any]:
        return {"status": "ok", "model_loaded": True}

    @app.get("/metrics")
    def metrics() -> dict[str, float]:
        return counts

    return app


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("table", type=Path, help="a CSV with the columns of creditcard.csv")
    parser.add_argument("--port", type=int, default=8001)
    options = parser.parse_args()
    logging.basicConfig(stream=sys.stdout, level=logging.INFO, format="%(message)s")
    with tempfile.TemporaryDirectory(prefix="older-service-") as folder:
        model = Path(folder) / "model.pkl"
        train(options.table, model)
        pipeline = pickle.loads(model.read_bytes())
    uvicorn.run(create_app(pipeline), port=options.port)


if __name__ == "__main__":
    main()
