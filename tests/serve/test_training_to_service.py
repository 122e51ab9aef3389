"""From a CSV to an answer over HTTP: trained by the command, served by the real process."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from fraudlab.bundle import read_bundle
from fraudlab.composition import Composer
from fraudlab.encoding import encode
from fraudlab.tables import Tables
from tests.conftest import run_process
from tests.serve.conftest import ULB_NAMES, pointers, problem

ROWS = 4000
ODD = ["data", "self", 'say "hi"', "Größe in €", "net.amount", "two words", "a/b~c", "class"]
METRICS = {
    "total_requests", "error_count", "error_rate", "total_predictions", "fraud_predictions",
    "fraud_prediction_rate", "avg_latency_ms",
}  # fmt: skip


@dataclass(frozen=True)
class Trained:
    """A bundle, the table it learned from, and the command's overrides that made it."""

    bundle: Path
    rows: list[dict[str, Any]]
    overrides: list[str]

    def scores(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the test rows and their scores as training computes them from its table."""
        config = Composer(None).plan(self.overrides, multirun=False).candidates[0].config
        tables = Tables(lambda _: None)
        judged = tables.split(config).folds[0].test.judge
        scorer = read_bundle(self.bundle).scorer()
        return judged, scorer.scores(
            encode(tables.table(config), judged, scorer.manifest.preprocess)
        )


def train(folder: Path, rows: list[dict[str, Any]], *overrides: str) -> None:
    with (folder / "table.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    words = [f"data.path={folder / 'table.csv'}", "tracking=disabled", *overrides]
    (folder / "given.json").write_text(json.dumps({"rows": rows, "overrides": words}))
    done = run_process("fraudlab.train", *words, cwd=folder, FRAUDLAB_HOME=str(folder))
    assert done.code == 0, done.err


def trained(folder: Path) -> Trained:
    given = json.loads((folder / "given.json").read_text())
    return Trained(folder / "bundles" / "champion", **given)


def card_rows() -> list[dict[str, Any]]:
    random = np.random.default_rng(5)
    label = (random.random(ROWS) < 0.02).astype(int)
    values = random.normal(size=(ROWS, 28)).round(6)
    values[label == 1, :6] += 1.5
    amounts = random.gamma(0.5, 180, ROWS).round(2)
    columns = np.column_stack([40.0 * np.arange(ROWS), values, amounts])
    rows = [dict(zip(ULB_NAMES, row, strict=True)) for row in columns.tolist()]
    return [{**row, "Class": fraud} for row, fraud in zip(rows, label.tolist(), strict=True)]


def odd_rows() -> list[dict[str, Any]]:
    """Return rows with odd names, categories and missing values."""
    random = np.random.default_rng(6)
    rows = []
    for number in range(ROWS):
        fraud = bool(random.random() < 0.03)
        values: list[Any] = (random.normal(size=7) + 1.5 * fraud).round(5).tolist()
        values[1] = None if random.random() < 0.1 else values[1]
        values[4] = abs(values[4])
        kinds = ["grocery", "travel", "fuel, and more", None]
        values.append(kinds[int(random.integers(4))])
        rows.append(
            {"when": 60 * number, **dict(zip(ODD, values, strict=True)), "fraud": fraud * 1}
        )
    return rows


@pytest.fixture(scope="session")
def card(make_once: Callable[[str, Callable[[Path], None]], Path]) -> Trained:
    return trained(make_once("ulb", lambda at: train(at, card_rows(), "data=ulb", "model=logreg")))


@pytest.fixture(scope="session")
def odd(make_once: Callable[[str, Callable[[Path], None]], Path]) -> Trained:
    overrides = ["data=table", "data.label=fraud", "data.time=when", "data.amount=net.amount"]
    return trained(make_once("odd", lambda at: train(at, odd_rows(), *overrides, "model=xgb")))


def body_of(row: dict[str, Any], label: str) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != label}


@pytest.fixture
def service(run_server: Callable[..., Any]) -> Callable[[Trained], httpx.Client]:
    return lambda what: httpx.Client(base_url=run_server(what.bundle).url, timeout=30)


def test_a_client_of_the_older_service_is_answered_unchanged(card, service):
    body = {**body_of(card.rows[0], "Class"), "Time": 0.0, "Amount": 149.62}
    with service(card) as client:
        single = client.post("/predict", json=body)
        assert single.status_code == 200
        assert isinstance(single.json()["is_fraud"], bool)
        assert 0 <= single.json()["fraud_probability"] <= 1
        assert single.json()["risk_level"] in {"low", "medium", "high"}
        batch = client.post("/predict/batch", json={"transactions": [body, body]}).json()
        assert [row["fraud_probability"] for row in batch["predictions"]] == [
            single.json()["fraud_probability"]
        ] * 2
        without = {name: value for name, value in body.items() if name != "V14"}
        assert pointers(client.post("/predict", json=without)) == ["/V14"]
        assert pointers(client.post("/predict", json={**body, "extra": 1})) == ["/extra"]
        assert pointers(client.post("/predict", json={**body, "Amount": -1})) == ["/Amount"]
        assert client.get("/health").json()["status"] == "ok"
        figures = client.get("/metrics").json()
    assert set(figures) == METRICS
    assert (figures["total_predictions"], figures["error_count"]) == (3, 3)


def answers(client: httpx.Client, bodies: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [client.post("/predict", json=body).raise_for_status().json() for body in bodies]


@pytest.mark.parametrize(
    ("name", "label", "most"), [("card", "Class", ROWS), ("odd", "fraud", 150)]
)
def test_the_service_gives_every_test_row_the_score_of_training(
    name, label, most, service, request
):
    what: Trained = request.getfixturevalue(name)
    judged, scores = what.scores()
    assert len(judged) >= ROWS // 5 - 1
    bodies = [body_of(what.rows[row], label) for row in judged.tolist()]
    with service(what) as client:
        single = answers(client, bodies[:most])
        batch = client.post("/predict/batch", json={"transactions": bodies}).json()["predictions"]
    assert [row["fraud_probability"] for row in single] == scores.tolist()[:most]
    assert [row["fraud_probability"] for row in batch] == scores.tolist()
    assert len(set(scores.tolist())) > 50
    truth = [what.rows[row][label] for row in judged.tolist()]
    caught = sum(a["is_fraud"] for a, t in zip(batch, truth, strict=True) if t)
    assert caught > sum(truth) / 3


def test_odd_names_nulls_and_unseen_categories_are_served(odd, service):
    body = body_of(odd.rows[0], "fraud")
    with service(odd) as client:
        fields = client.get("/openapi.json").json()["components"]["schemas"]["Transaction"]
        assert set(fields["properties"]) == {"when", *ODD}
        (one,) = answers(client, [{**body, "self": None, "class": None}])
        assert math.isfinite(one["fraud_probability"])
        unseen, other = answers(client, [{**body, "class": text} for text in ("new", "ничего")])
        assert unseen["fraud_probability"] == other["fraud_probability"]
        rows = {"transactions": [body, {**body, 'say "hi"': "1"}, {**body, "more": 1}]}
        places = ['/transactions/1/say "hi"', "/transactions/2/more"]
        assert pointers(client.post("/predict/batch", json=rows)) == places
        assert pointers(client.post("/predict", json={**body, "more": 1})) == ["/more"]
        without = {name: value for name, value in body.items() if name != "self"}
        assert pointers(client.post("/predict", json=without)) == ["/self"]
        for field in ("data", 'say "hi"', "Größe in €", "net.amount"):
            problem(client.post("/predict", json={**body, field: None}), 422)
            assert pointers(client.post("/predict", json={**body, field: "1"})) == [f"/{field}"]
