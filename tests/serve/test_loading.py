"""A bundle is served when it is whole and agrees with its golden rows, and refused otherwise."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec
import pytest

from fraudlab.bundle import FILES, GOLDEN, MODEL, pack, write_bundle
from fraudlab.errors import BundleError
from fraudlab.manifest import Field, Threshold
from serve.model import load_model
from tests.serve.conftest import Served, linear_graph, problem, ulb_manifest, ulb_rows, write


def assert_closed(client, *words: str) -> None:
    for answer in (
        client.post("/predict", json=ulb_rows(1)[0]),
        client.post("/predict", content=b""),
        client.post("/predict/batch", json={"transactions": []}),
        client.get("/health"),
        client.get("/readyz"),
    ):
        body = problem(answer, 503)
        assert body["model_loaded"] is False
        for word in words:
            assert word in body["detail"]
    assert client.get("/livez").json() == {"status": "ok"}
    assert client.get("/metrics").json()["error_count"] == 5
    assert client.get("/docs").status_code == 200
    assert client.get("/openapi.json").json()["info"]["version"] == "no bundle"


def test_a_good_bundle_is_healthy_and_ready(client, ulb):
    health = client.get("/health").json()
    assert health["status"] == "ok"
    assert health["model_loaded"] is True
    assert health["threshold"] == 0.5
    assert health["bundle"] == ulb.bundle.manifest.id
    assert health["sha256"] == ulb.bundle.sha256
    ready = client.get("/readyz").json()
    assert ready == {"status": "ready", "bundle": ulb.bundle.manifest.id, "golden_rows": 60}


def test_without_a_bundle_the_service_says_what_to_run(ulb, serving, tmp_path):
    with serving(ulb, bundle=str(tmp_path / "champion")) as client:
        assert_closed(client, "make demo", "champion")


@pytest.fixture
def copy(ulb: Served, tmp_path: Path) -> Path:
    return Path(shutil.copytree(ulb.path, tmp_path / "copy"))


@pytest.mark.parametrize("name", [*FILES, "manifest.json"])
def test_a_damaged_file_is_named(name, ulb, serving, copy):
    content = bytearray((copy / name).read_bytes())
    content[len(content) // 2] ^= 0x80
    (copy / name).write_bytes(content)
    with serving(ulb, bundle=str(copy)) as client:
        assert_closed(client, name)


def test_a_missing_file_is_named(ulb, serving, copy):
    (copy / GOLDEN).unlink()
    with serving(ulb, bundle=str(copy)) as client:
        assert_closed(client, GOLDEN)


def test_a_symlink_to_a_bundle_is_followed(ulb, serving, tmp_path):
    (tmp_path / "champion").symlink_to(ulb.path)
    with serving(ulb, bundle=str(tmp_path / "champion")) as client:
        assert client.get("/readyz").status_code == 200


def test_a_link_that_dangles_is_named_with_its_target(ulb, serving, tmp_path):
    (tmp_path / "champion").symlink_to("20260101T000000Z-xgb-deadbeef")
    with serving(ulb, bundle=str(tmp_path / "champion")) as client:
        assert_closed(client, "20260101T000000Z-xgb-deadbeef", "fraudlab.promote")


def repacked(ulb: Served, folder: Path, **files: bytes) -> Path:
    changed = {**ulb.bundle.files, **{name.replace("_", "."): text for name, text in files.items()}}
    return write_bundle(pack(ulb.bundle.manifest, changed), folder)


def refusal(path: Path) -> str:
    with pytest.raises(BundleError) as refused:
        load_model(path, 100)
    return str(refused.value)


def test_a_model_that_scores_otherwise_fails_its_self_test(ulb, tmp_path):
    other = linear_graph(29, bias=-1.0 + 1e-9)
    text = refusal(repacked(ulb, tmp_path, model_onnx=other))
    assert "self-test" in text
    assert "golden row 1" in text


def test_a_wrong_decision_fails_the_self_test(ulb, tmp_path):
    first, _, rest = ulb.bundle.files[GOLDEN].partition(b"\n")
    flipped = first.replace(b'"is_fraud":false', b'"is_fraud":true')
    assert flipped != first
    assert "self-test" in refusal(repacked(ulb, tmp_path, golden_ndjson=flipped + b"\n" + rest))


@pytest.mark.parametrize(
    "golden", [b"", b"no json\n", b'{"features":{"V1":1},"score":0.5,"is_fraud":true}\n', b"\xff\n"]
)
def test_golden_rows_that_are_no_requests_are_refused(ulb, tmp_path, golden):
    assert refusal(repacked(ulb, tmp_path, golden_ndjson=golden))


def test_a_graph_that_cannot_be_loaded_is_refused(ulb, tmp_path):
    assert "cannot be loaded" in refusal(repacked(ulb, tmp_path, model_onnx=b"no graph"))


def test_a_graph_of_another_width_is_refused(ulb, tmp_path):
    assert refusal(repacked(ulb, tmp_path, **{MODEL.replace(".", "_"): linear_graph(7)}))


def test_a_manifest_with_a_field_twice_is_refused(ulb, tmp_path):
    fields = (*ulb.bundle.manifest.features, Field("V1"))
    manifest = msgspec.structs.replace(ulb.bundle.manifest, features=fields)
    assert refusal(write_bundle(pack(manifest, ulb.bundle.files), tmp_path))


def test_a_threshold_above_every_score_never_alerts(tmp_path, serving):
    threshold = Threshold(strategy="fixed", value=1.5)
    served = write(tmp_path, ulb_manifest("never", threshold=threshold), ulb_rows(60))
    with serving(served) as client:
        rows = {"transactions": ulb_rows(60)}
        answers = client.post("/predict/batch", json=rows).json()["predictions"]
    assert not any(row["is_fraud"] for row in answers)
