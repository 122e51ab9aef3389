"""/openapi.json is valid and says what the service does; /docs needs no network."""

from __future__ import annotations

import json
import re

import pytest
from openapi_spec_validator import validate

from fraudlab.preprocess import FLOAT32_MAX
from tests.serve.conftest import ULB_NAMES

PROBLEM = "application/problem+json"


def document(client):
    answer = client.get("/openapi.json")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    return answer.json()


@pytest.mark.parametrize("name", ["ulb", "strange", "nothing"])
def test_the_document_is_valid(name, serving, request, ulb, tmp_path):
    served = ulb if name == "nothing" else request.getfixturevalue(name)
    changes = {"bundle": str(tmp_path)} if name == "nothing" else {}
    with serving(served, **changes) as client:
        found = document(client)
    validate(found)
    assert set(found["paths"]) == {
        "/predict", "/predict/batch", "/health", "/livez", "/readyz", "/metrics"
    }  # fmt: skip


def test_the_body_is_the_bundles_own_fields(client):
    schemas = document(client)["components"]["schemas"]
    transaction = schemas["Transaction"]
    assert list(transaction["properties"]) == ULB_NAMES == transaction["required"]
    assert transaction["additionalProperties"] is False
    assert transaction["properties"]["Amount"]["minimum"] == 0
    assert transaction["properties"]["V1"]["minimum"] == -FLOAT32_MAX
    assert transaction["properties"]["V1"]["type"] == "number"
    transactions = schemas["Batch"]["properties"]["transactions"]
    assert (transactions["minItems"], transactions["maxItems"]) == (1, 10_000)
    assert transactions["items"] == {"$ref": "#/components/schemas/Transaction"}


def test_strange_names_nulls_bounds_and_categories(strange, serving):
    with serving(strange) as client:
        properties = document(client)["components"]["schemas"]["Transaction"]["properties"]
    assert list(properties) == ["card", "Amount (EUR)", "V 1", "class", "a/b~c"]
    assert properties["Amount (EUR)"]["maximum"] == 10_000
    assert properties["V 1"]["type"] == ["number", "null"]
    assert properties["class"]["type"] == ["string", "null"]
    assert properties["class"]["examples"] == ["grocery", "travel"]


def test_every_error_is_documented_as_a_problem(client):
    for operations in document(client)["paths"].values():
        for operation in operations.values():
            assert "200" in operation["responses"]
            for status, answer in operation["responses"].items():
                assert {"X-Request-ID", "X-Process-Time-Ms"} <= set(answer["headers"])
                if status >= "400":
                    assert list(answer["content"]) == [PROBLEM]
    predict = document(client)["paths"]["/predict"]["post"]["responses"]
    assert set(predict) == {"200", "400", "408", "413", "415", "422", "500", "503"}


def test_it_says_that_the_last_of_duplicate_fields_counts(client):
    assert "the last one counts" in document(client)["info"]["description"]


def test_the_examples_can_be_sent(client):
    paths = document(client)["paths"]
    for path in ("/predict", "/predict/batch"):
        body = paths[path]["post"]["requestBody"]["content"]["application/json"]
        assert client.post(path, json=body["example"]).status_code == 200


def test_the_page_refers_to_no_network(client):
    answer = client.get("/docs")
    assert answer.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert not re.search(r"https?:|//[a-z]|@import|\bcdn\b", re.sub(r"\n\s*//.*", "", answer.text))
    assert "openapi.json" in answer.text
    assert not re.search(r"https?://", json.dumps(document(client)))
