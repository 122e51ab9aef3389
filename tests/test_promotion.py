"""Promotion switches one link, in one step, to a bundle that was verified, or not at all."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Run
from tests.sweeps import board, visible_bundles

MODELS = ("model=logreg,tree", "-m")


@pytest.fixture
def rows(run: Run, small_table: list[str]) -> list[dict[str, Any]]:
    assert run("train", *small_table, *MODELS).code == 0
    return board(run)


def champion(home: Path, alias: str = "champion") -> str:
    return (home / "bundles" / alias).readlink().name


def test_the_first_sweep_promotes_its_best_and_a_later_one_does_not(
    home: Path, run: Run, small_table: list[str], rows: list[dict[str, Any]]
) -> None:
    first = champion(home)
    assert first == Path(rows[0]["bundle"]).name
    done = run("train", *small_table, "model=logreg", "model.params.C=0.5")
    assert champion(home) == first
    assert f"fraudlab.promote run={board(run)[0]['run']}" in done.err


def test_the_beginning_of_a_key_is_enough(home: Path, run: Run, rows: list[dict[str, Any]]) -> None:
    second = rows[1]
    done = run("promote", f"run={second['run'][:8]}")
    assert done.code == 0
    assert done.out == f"bundles/champion -> {Path(second['bundle']).name}\n"
    assert champion(home) == Path(second["bundle"]).name
    assert not (home / "bundles" / "champion").readlink().is_absolute()


def test_another_alias_leaves_the_champion(
    home: Path, run: Run, rows: list[dict[str, Any]]
) -> None:
    before = champion(home)
    assert run("promote", f"run={rows[1]['run']}", "alias=challenger").code == 0
    assert champion(home) == before
    assert champion(home, "challenger") == Path(rows[1]["bundle"]).name


@pytest.mark.parametrize("wanted", ["zzzz", "", "../../etc", "*"])
def test_an_unknown_run_is_refused(
    home: Path, run: Run, rows: list[dict[str, Any]], wanted: str
) -> None:
    before = champion(home)
    done = run("promote", f"run={wanted}")
    assert done.code == 2
    assert repr(wanted) in done.err
    assert champion(home) == before


def test_an_ambiguous_beginning_names_the_runs(
    home: Path, run: Run, rows: list[dict[str, Any]]
) -> None:
    for name in ("abc1", "abc2"):
        (home / "outputs" / "runs" / name).mkdir()
    done = run("promote", "run=abc")
    assert done.code == 2
    assert "abc1, abc2" in done.err


@pytest.mark.parametrize("alias", ["../x", "Champion", "", "a b"])
def test_an_alias_that_is_no_plain_word_is_refused(
    home: Path, run: Run, rows: list[dict[str, Any]], alias: str
) -> None:
    assert run("promote", f"run={rows[0]['run']}", f"alias={alias}").code == 2


def test_a_folder_in_the_links_place_is_left_alone(
    home: Path, run: Run, rows: list[dict[str, Any]]
) -> None:
    (home / "bundles" / "mine").mkdir()
    done = run("promote", f"run={rows[0]['run']}", "alias=mine")
    assert done.code == 2
    assert (home / "bundles" / "mine").is_dir()


def test_a_failed_run_cannot_be_promoted(run: Run, small_table: list[str]) -> None:
    run("train", *small_table, "model=logreg", "sampler=smote", "sampler.params.k_neighbors=500")
    done = run("promote", f"run={board(run)[0]['run']}")
    assert done.code == 2
    assert "failed" in done.err


def test_a_damaged_bundle_leaves_the_champion(
    home: Path, run: Run, rows: list[dict[str, Any]]
) -> None:
    before = champion(home)
    model = home / rows[1]["bundle"] / "model.onnx"
    model.write_bytes(model.read_bytes()[:-1] + b"x")
    done = run("promote", f"run={rows[1]['run']}")
    assert done.code == 2
    assert "damaged" in done.err
    assert champion(home) == before


# --- bundles that were not kept ------------------------------------------------------------------


@pytest.fixture
def dropped(home: Path, run: Run, small_table: list[str]) -> dict[str, Any]:
    """Return the row of a run whose bundle was not kept, with its model.onnx's digest."""
    assert run("train", *small_table, *MODELS, "keep=1").code == 0
    row = board(run)[1]
    assert row["bundle"] is None
    kept = home / "outputs" / "runs" / row["run"] / "manifest.json"
    row["sha256"] = json.loads(kept.read_bytes())["files"]["model.onnx"]["sha256"]
    return row


def test_a_bundle_that_was_not_kept_is_made_again_byte_for_byte(
    home: Path, run: Run, dropped: dict[str, Any]
) -> None:
    kept = home / "outputs" / "runs" / dropped["run"] / "manifest.json"
    older = json.loads(kept.read_bytes()) | {"id": "older"}  # a name counts in seconds
    kept.write_text(json.dumps(older))
    done = run("promote", f"run={dropped['run']}")
    assert done.code == 0, done.err
    assert "training it again" in done.err
    manifest = json.loads((home / "bundles" / "champion" / "manifest.json").read_bytes())
    assert manifest["files"]["model.onnx"]["sha256"] == dropped["sha256"]
    assert manifest["metrics"] == dropped["metrics"]
    assert json.loads(kept.read_bytes())["id"] == manifest["id"] == champion(home)
    assert board(run)[1]["bundle"] == f"bundles/{champion(home)}"


def test_a_bundle_that_somebody_removed_is_made_again(
    home: Path, run: Run, rows: list[dict[str, Any]]
) -> None:
    shutil.rmtree(home / rows[1]["bundle"])
    assert run("promote", f"run={rows[1]['run']}").code == 0
    assert (home / "bundles" / "champion" / "model.onnx").is_file()


def assert_refused(home: Path, run: Run, dropped: dict[str, Any], why: str) -> None:
    before, bundles = champion(home), visible_bundles(home)
    done = run("promote", f"run={dropped['run']}")
    assert done.code == 2
    assert why in done.err
    assert champion(home) == before
    assert visible_bundles(home) == bundles


def test_changed_data_refuses_to_make_it_again(
    home: Path, run: Run, dropped: dict[str, Any]
) -> None:
    with (home / "table.csv").open("a") as file:
        file.write("12.5,3,a,1\n")
    assert_refused(home, run, dropped, "data or code have changed")


def test_another_model_than_the_one_judged_is_refused(
    home: Path, run: Run, dropped: dict[str, Any]
) -> None:
    kept = home / "outputs" / "runs" / dropped["run"] / "manifest.json"
    kept.write_text(kept.read_text().replace(dropped["sha256"], "0" * 64))
    assert_refused(home, run, dropped, "another model.onnx came of it: the libraries have changed")


@pytest.mark.parametrize("part", ["preprocess", "calibration", "threshold", "metrics"])
def test_the_same_model_judged_otherwise_is_refused(
    home: Path, run: Run, dropped: dict[str, Any], part: str
) -> None:
    kept = home / "outputs" / "runs" / dropped["run"] / "manifest.json"
    manifest = json.loads(kept.read_bytes())
    assert raise_a_number(manifest[part])
    kept.write_text(json.dumps(manifest))
    assert_refused(home, run, dropped, f"another {part} came of it: the libraries have changed")


def raise_a_number(content: Any) -> bool:
    """Add one millionth to the first fraction inside `content`."""
    places = content.items() if isinstance(content, dict) else enumerate(content)
    for key, value in places:
        if isinstance(value, float):
            content[key] = value + 1e-6
            return True
        if isinstance(value, dict | list) and raise_a_number(value):
            return True
    return False


def test_a_manifest_that_has_gone_refuses(home: Path, run: Run, dropped: dict[str, Any]) -> None:
    (home / "outputs" / "runs" / dropped["run"] / "manifest.json").unlink()
    assert_refused(home, run, dropped, "manifest.json")


def test_a_best_candidate_that_was_not_kept_becomes_the_first_champion(
    home: Path, run: Run, small_table: list[str], dropped: dict[str, Any]
) -> None:
    (home / "bundles" / "champion").unlink()
    model = dropped["options"]["model"]
    assert run("train", *small_table, f"model={model}").code == 0
    manifest = json.loads((home / "bundles" / "champion" / "manifest.json").read_bytes())
    assert manifest["files"]["model.onnx"]["sha256"] == dropped["sha256"]
