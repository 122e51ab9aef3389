"""Scores and decisions over HTTP are the bundle's own, one by one and in batches."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fraudlab.scoring import Scorer
from serve.errors import ScoreError
from tests.serve.conftest import Served, problem, strange_rows, ulb_rows


def expected(served: Served, rows: list[dict[str, Any]]) -> tuple[list[float], list[float]]:
    scorer: Scorer = served.bundle.scorer()
    values = [[row[field.name] for field in scorer.fields] for row in rows]
    return scorer.score_rows(values).tolist(), scorer.row_thresholds(values).tolist()


@pytest.mark.parametrize("name", ["ulb", "strange", "per_row"])
def test_single_answers_equal_the_scorer(name, serving, request):
    served = request.getfixturevalue(name)
    rows = strange_rows(40) if name == "strange" else ulb_rows(40, seed=11)
    scores, cuts = expected(served, rows)
    with serving(served) as client:
        answers = [client.post("/predict", json=row) for row in rows]
    for answer, score, cut in zip(answers, scores, cuts, strict=True):
        body = answer.json()
        assert answer.status_code == 200
        assert set(body) == {
            "is_fraud", "fraud_probability", "risk_level", "threshold", "prediction_id", "bundle"
        }  # fmt: skip
        assert body["fraud_probability"] == score
        assert body["threshold"] == cut
        assert body["is_fraud"] == (score >= cut)
        assert (body["risk_level"] == "high") == body["is_fraud"]
        assert body["bundle"] == served.bundle.manifest.id


def test_both_decisions_occur(client):
    answers = client.post("/predict/batch", json={"transactions": ulb_rows(200, seed=3)}).json()
    levels = {row["risk_level"] for row in answers["predictions"]}
    assert levels == {"low", "medium", "high"}


@pytest.mark.parametrize("size", [1, 2, 64, 65, 1000])
def test_batches_answer_in_order_with_the_single_answers(size, ulb, client):
    rows = ulb_rows(size, seed=size)
    answer = client.post("/predict/batch", json={"transactions": rows})
    assert answer.status_code == 200
    predictions = answer.json()["predictions"]
    scores, _ = expected(ulb, rows)
    assert [row["fraud_probability"] for row in predictions] == scores
    assert len({row["prediction_id"] for row in predictions}) == size


def test_prediction_ids_are_unique_across_requests_and_services(ulb, serving):
    seen = set()
    for _ in range(2):
        with serving(ulb) as client:
            for row in ulb_rows(20):
                seen.add(client.post("/predict", json=row).json()["prediction_id"])
    assert len(seen) == 40


def test_a_row_of_its_own_threshold(per_row, serving):
    rows = [{**row, "Amount": amount} for row in ulb_rows(1) for amount in (0, 10, 20, 40, 2000)]
    with serving(per_row) as client:
        predictions = client.post("/predict/batch", json={"transactions": rows}).json()
    cuts = [row["threshold"] for row in predictions["predictions"]]
    assert cuts == [1.0, 1.0, 1.0, 0.5, 0.01]


def test_integers_are_numbers(client, ulb):
    row = dict.fromkeys(ulb.rows[0], 1)
    floats = dict.fromkeys(row, 1.0)
    answers = [client.post("/predict", json=body).json() for body in (row, floats)]
    assert answers[0]["fraud_probability"] == answers[1]["fraud_probability"]


def test_null_and_unseen_categories_score(strange, serving):
    row = {"card": "c", "Amount (EUR)": 1, "V 1": None, "class": None, "a/b~c": 0}
    with serving(strange) as client:
        answers = [
            client.post("/predict", json={**row, "class": category})
            for category in (None, "grocery", "unheard of", "")
        ]
    assert [answer.status_code for answer in answers] == [200] * 4
    unseen = answers[2].json()["fraud_probability"]
    assert unseen == answers[3].json()["fraud_probability"]


def test_a_score_that_is_no_number_is_a_500_and_never_null(app, ulb, monkeypatch, serving):
    monkeypatch.setattr(Scorer, "scores", lambda *_: np.array([0.5]))
    with serving(ulb_with_any_golden(ulb, monkeypatch)) as client:
        monkeypatch.setattr(Scorer, "scores", lambda *_: np.array([np.nan]))
        answer = client.post("/predict", json=ulb.rows[0])
    body = problem(answer, 500)
    assert ScoreError.__name__ not in str(body)
    assert "finite" not in str(body)


def ulb_with_any_golden(ulb, monkeypatch):
    monkeypatch.setattr("serve.model.Model.self_test", lambda _: None)
    return ulb


def test_a_client_of_the_older_service_needs_no_change(client, ulb):
    row = ulb.rows[0]
    single = client.post("/predict", json=row)
    assert single.status_code == 200
    assert set(single.json()) >= {"is_fraud", "fraud_probability", "risk_level"}
    batch = client.post("/predict/batch", json={"transactions": [row, row]})
    assert len(batch.json()["predictions"]) == 2
    for wrong in (
        {name: value for name, value in row.items() if name != "V7"},
        {**row, "merchant": 1},
        {**row, "Amount": -1},
    ):
        assert isinstance(problem(client.post("/predict", json=wrong), 422)["detail"], str)
    assert client.get("/health").json()["status"] == "ok"
    assert set(client.get("/metrics").json()) == {
        "total_requests", "error_count", "error_rate", "total_predictions",
        "fraud_predictions", "fraud_prediction_rate", "avg_latency_ms",
    }  # fmt: skip
