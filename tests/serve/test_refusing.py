"""What is no valid transaction is refused with a status, a place and words, never with a 5xx."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from litestar.testing import TestClient

from fraudlab.manifest import Field
from serve.app import create_app
from serve.decoding import Reader
from tests.serve.conftest import pointers, problem

JSON = {"content-type": "application/json"}


def post(client, body: bytes, path: str = "/predict"):
    return client.post(path, content=body, headers=JSON)


@pytest.mark.parametrize(
    ("change", "pointer", "words"),
    [
        ({"V1": "1"}, "/V1", "Expected `float`, got `str`"),
        ({"V1": True}, "/V1", "Expected `float`, got `bool`"),
        ({"V1": None}, "/V1", "Expected `float`, got `null`"),
        ({"V1": [1]}, "/V1", "Expected `float`, got `array`"),
        ({"V1": 1e39}, "/V1", "Expected `float` <= 3.4028234663852886e+38"),
        ({"V1": 10**400}, "/V1", "Number out of range"),
        ({"Amount": -0.01}, "/Amount", "Expected `float` >= 0.0"),
        ({"V99": 1}, "/V99", "unknown field"),
        ({"a/b~": 1}, "/a~1b~0", "unknown field"),
        ({"x` - at `$.V1": 1}, "/x` - at `$.V1", "unknown field"),
    ],
)
def test_a_wrong_field_is_named(client, ulb, change, pointer, words):
    answer = client.post("/predict", json={**ulb.rows[0], **change})
    assert problem(answer, 422)["errors"] == [{"pointer": pointer, "detail": words}]
    assert pointer in answer.json()["detail"]


def test_every_wrong_field_is_named(client, ulb):
    row = {**ulb.rows[0], "V1": "a", "V2": None, "stray": 1}
    del row["V3"]
    assert pointers(client.post("/predict", json=row)) == ["/V1", "/V2", "/V3", "/stray"]


def test_bounds_and_nulls_of_strange_names(strange, serving):
    good = {"card": "c", "Amount (EUR)": 1, "V 1": None, "class": None, "a/b~c": 0}
    with serving(strange) as client:
        for change, pointer in [
            ({"Amount (EUR)": 10_001}, "/Amount (EUR)"),
            ({"Amount (EUR)": None}, "/Amount (EUR)"),
            ({"V 1": "x"}, "/V 1"),
            ({"class": 3}, "/class"),
            ({"card": None}, "/card"),
            ({"a/b~c": None}, "/a~1b~0c"),
        ]:
            assert pointers(client.post("/predict", json={**good, **change})) == [pointer]
        missing = {name: value for name, value in good.items() if name != "V 1"}
        assert pointers(client.post("/predict", json=missing)) == ["/V 1"]


@pytest.mark.parametrize("literal", [b"NaN", b"Infinity", b"-Infinity", b"1e999", b"-1e999"])
def test_numbers_that_are_not_finite_are_named(client, ulb, literal):
    body = json.dumps({**ulb.rows[0], "V5": "HERE"}).encode().replace(b'"HERE"', literal)
    assert pointers(post(client, body)) == ["/V5"]
    batch = b'{"transactions": [' + json.dumps(ulb.rows[0]).encode() + b"," + body + b"]}"
    assert pointers(post(client, batch, "/predict/batch")) == ["/transactions/1/V5"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"   ",
        b"{",
        b"nonsense",
        b"\xef\xbb\xbf{}",
        b'{"V1": "\xff"}',
        b'{"\xff": 1}',
        b'{"V1": "\\ud800"}',
        b'{"\\ud800": 1}',
        b"[" * 20_000,
        b'{"V1":' + b"[" * 20_000 + b"]" * 20_000 + b"}",
        b'{"zz":' + b'{"a":' * 20_000,
        b"{'V1': 1}",
        b"\x00",
        b'{"V1": 01}',
        b'{"V1": "NaN',
    ],
)
@pytest.mark.parametrize("path", ["/predict", "/predict/batch"])
def test_a_body_that_is_no_json_is_a_400(client, body, path):
    assert problem(post(client, body, path), 400)["errors"] == []


def test_trailing_bytes_are_a_400(client, ulb):
    problem(post(client, json.dumps(ulb.rows[0]).encode() + b"x"), 400)


@pytest.mark.parametrize("body", [b"null", b"[]", b"3", b'"text"', b"true"])
def test_another_json_value_is_a_422_at_the_root(client, body):
    assert pointers(post(client, body)) == [""]
    assert pointers(post(client, body, "/predict/batch")) == [""]


def test_the_last_of_duplicate_keys_wins_and_each_is_checked(client, ulb):
    text = json.dumps(ulb.rows[0])
    twice = text[:-1] + ', "V1": 2.5}'
    once = json.dumps({**ulb.rows[0], "V1": 2.5})
    answers = [post(client, body.encode()) for body in (twice, once)]
    assert answers[0].json()["fraud_probability"] == answers[1].json()["fraud_probability"]
    problem(post(client, ('{"V1": "x", ' + text[1:]).encode()), 422)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, ["/transactions"]),
        ({"transactions": []}, ["/transactions"]),
        ({"transactions": {}}, ["/transactions"]),
        ({"transactions": None}, ["/transactions"]),
        ({"rows": []}, ["/transactions", "/rows"]),
        ({"transactions": [3]}, ["/transactions/0"]),
    ],
)
def test_the_envelope_of_a_batch(client, body, expected):
    assert pointers(client.post("/predict/batch", json=body)) == expected


def test_the_row_and_field_of_a_batch_are_named(client, ulb):
    rows = [dict(row) for row in ulb.rows]
    rows[3]["Amount"] = -1
    rows[5] = "no row"
    rows[9]["stray"] = None
    body = {"transactions": rows, "more": 1}
    expected = ["/transactions/3/Amount", "/transactions/5", "/transactions/9/stray"]
    assert pointers(client.post("/predict/batch", json={"transactions": rows})) == expected
    assert pointers(client.post("/predict/batch", json=body)) == expected
    extra = {"transactions": ulb.rows, "more": 1}
    assert pointers(client.post("/predict/batch", json=extra)) == ["/more"]


def test_a_batch_has_a_most(ulb, serving):
    with serving(ulb, batch_rows=5) as client:
        assert client.post("/predict/batch", json={"transactions": ulb.rows[:5]}).status_code == 200
        over = client.post("/predict/batch", json={"transactions": ulb.rows[:6]})
        assert pointers(over) == ["/transactions"]


def test_many_errors_are_cut_short(client, ulb):
    rows = [{**row, "V1": "x"} for row in ulb.rows]
    assert len(pointers(client.post("/predict/batch", json={"transactions": rows}))) == 50


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/xml", "application/x-www-form-urlencoded", "json", "", "é"]
)
def test_another_content_type_is_a_415(client, kind):
    answer = client.post("/predict", content=b"{}", headers={"content-type": kind.encode()})
    problem(answer, 415)


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "application/ld+json", None])
def test_json_content_types_are_read(client, ulb, kind):
    headers = {"content-type": kind} if kind else {}
    body = json.dumps(ulb.rows[0]).encode()
    assert client.post("/predict", content=body, headers=headers).status_code == 200


def test_a_client_text_is_not_echoed_without_end(client, ulb):
    answer = client.post("/predict", json={**ulb.rows[0], "x" * 100_000: 1})
    assert len(answer.content) < 2000


@pytest.fixture(scope="module")
def long_lived(ulb):
    with TestClient(create_app(ulb.settings)) as client:
        yield client


json_values: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=20,
)


@settings(max_examples=150, deadline=None, database=None)
@given(value=json_values, path=st.sampled_from(["/predict", "/predict/batch"]))
def test_no_json_value_is_a_5xx(long_lived, value, path):
    answer = post(long_lived, json.dumps(value).encode(), path)
    assert answer.status_code in {400, 422}
    problem(answer, answer.status_code)


@settings(max_examples=150, deadline=None, database=None)
@given(data=st.data())
def test_no_change_of_a_transaction_is_a_5xx(long_lived, ulb, data):
    row = dict(ulb.rows[0])
    name = data.draw(st.sampled_from([*row, "stray"]))
    row[name] = data.draw(json_values)
    answer = post(long_lived, json.dumps(row).encode())
    assert answer.status_code in {200, 400, 422}
    if answer.status_code == 200:
        assert 0 <= answer.json()["fraud_probability"] <= 1


@settings(max_examples=150, deadline=None, database=None)
@given(body=st.binary(max_size=200))
def test_no_bytes_are_a_5xx(long_lived, body):
    assert post(long_lived, body).status_code in {400, 422}


@pytest.mark.parametrize("path", ["/predict", "/predict/", "/predict/batch"])
def test_half_a_surrogate_pair_beside_nan_is_refused_like_any_other_key(client, path):
    assert pointers(post(client, b'{"\\ud800": NaN}', path)) == ["/?"]


@pytest.mark.parametrize("digits", ["5", "9" * 5000])
def test_a_key_that_looks_like_a_place_is_an_unknown_field(client, ulb, digits):
    key = f"$.transactions[{digits}]"
    body = json.dumps({"transactions": [ulb.rows[0]], key: 1}).encode()
    assert pointers(post(client, body, "/predict/batch")) == [f"/{key}"[:201]]


def test_transactions_that_stand_twice_are_no_syntax_error(client):
    problem(post(client, b'{"transactions": [1], "transactions": 5}', "/predict/batch"), 422)


def test_columns_may_bear_the_names_the_service_would_have_chosen():
    fields = (Field('a"b'), Field("field_0"), Field("a_field_1"))
    reader = Reader(fields, rows=5)
    row = {'a"b': 1.0, "field_0": 2.0, "a_field_1": 3.0}
    read = reader.read_transaction(json.dumps(row).encode())
    assert msgspec.structs.astuple(read) == (1.0, 2.0, 3.0)
