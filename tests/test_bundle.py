"""A bundle is written whole or not at all, and read only if every byte is what it was."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from fraudlab import bundle as bundles
from fraudlab.bundle import (
    FILES,
    GOLDEN,
    MANIFEST,
    MODEL,
    Bundle,
    encode_manifest,
    pack,
    read_bundle,
    switch_link,
    write_atomic,
    write_bundle,
)
from fraudlab.errors import BundleError
from tests.candidates import make_config, train, transaction_table
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return train(make_config(model=("tree", {"max_depth": 3})), transaction_table(600)).bundle


@pytest.fixture
def written(bundle: Bundle, tmp_path: Path) -> Path:
    return write_bundle(bundle, tmp_path / "bundles")


def renamed(bundle: Bundle, name: str) -> Bundle:
    return pack(msgspec.structs.replace(bundle.manifest, id=name), bundle.files)


def test_what_is_written_is_what_is_read(bundle, written):
    found = read_bundle(written)
    assert found.files == bundle.files
    assert msgspec.structs.replace(found.manifest, checksum="") == bundle.manifest
    assert sorted(path.name for path in written.iterdir()) == sorted([MANIFEST, *FILES])
    assert [path.name for path in written.parent.iterdir()] == [bundle.manifest.id]


def test_the_manifest_says_everything_of_the_bundle(written):
    content = json.loads((written / MANIFEST).read_bytes())
    assert content["format"] == 1
    assert {
        "id", "created", "features", "preprocess", "calibration", "threshold", "risk_levels",
        "metrics", "intervals", "provenance", "files", "model", "checksum",
    } <= set(content)  # fmt: skip
    assert set(content["metrics"]) == {"validation", "test"}
    assert all(isinstance(value, float) for value in content["metrics"]["test"].values())
    field = content["features"][0]
    assert {
        "name", "kind", "role", "min", "max", "nullable", "categories", "seen",
    } == set(field)  # fmt: skip
    threshold = content["threshold"]
    assert {"strategy", "params", "value", "interval", "slice", "feasible"} <= set(threshold)
    assert {
        "config", "commit", "dirty", "data_fingerprint", "versions", "seed", "mlflow_run_id",
    } <= set(content["provenance"])  # fmt: skip
    for name in FILES:
        assert content["files"][name]["size"] == (written / name).stat().st_size


def test_nothing_in_a_bundle_is_pickled(written):
    for path in written.iterdir():
        assert path.suffix in {".json", ".ndjson", ".onnx", ".md"}
        if path.suffix != ".onnx":
            path.read_text(encoding="utf-8")
        assert b"sklearn" not in path.read_bytes() or path.suffix != ".onnx"


@pytest.mark.parametrize("name", [MANIFEST, *FILES])
def test_a_flipped_byte_is_refused_wherever_it_is(name, written):
    path = written / name
    content = path.read_bytes()
    step = max(1, len(content) // 150)
    for at in range(0, len(content), step):
        for flip in (0x01, 0x20):  # another digit; another case
            changed = bytearray(content)
            changed[at] ^= flip
            path.write_bytes(changed)
            with pytest.raises(BundleError):
                read_bundle(written)
    path.write_bytes(content)
    read_bundle(written)


@pytest.mark.parametrize("name", [MANIFEST, *FILES])
@pytest.mark.parametrize("keep", [0.0, 0.5, 0.999])
def test_a_file_cut_short_or_grown_is_refused(name, keep, written):
    path = written / name
    content = path.read_bytes()
    for changed in (content[: int(len(content) * keep)], content + b" ", content + content):
        path.write_bytes(changed)
        with pytest.raises(BundleError, match=name):
            read_bundle(written)


@pytest.mark.parametrize("name", [MANIFEST, *FILES])
def test_a_file_that_is_missing_a_link_a_folder_or_a_pipe_is_refused(name, written, tmp_path):
    path, aside = written / name, tmp_path / "aside"
    path.rename(aside)
    with pytest.raises(BundleError, match="missing or not a plain file"):
        read_bundle(written)
    for make in (lambda: path.symlink_to(aside), path.mkdir, lambda: os.mkfifo(path)):
        make()
        with pytest.raises(BundleError, match="missing or not a plain file"):
            read_bundle(written)
        shutil.rmtree(path) if path.is_dir() else path.unlink()


@pytest.mark.parametrize("name", ["stranger.txt", ".hidden", "model.pkl"])
def test_a_file_that_does_not_belong_is_refused(name, written):
    (written / name).write_bytes(b"")
    with pytest.raises(BundleError, match="do not belong"):
        read_bundle(written)


def sealed(plain: dict) -> bytes:
    """Return a manifest with a good checksum, whatever else it holds."""
    seal = "0" * 64
    content = msgspec.json.format(msgspec.json.encode({**plain, "checksum": seal}), indent=1)
    return content.replace(seal.encode(), hashlib.sha256(content).hexdigest().encode())


def test_a_manifest_that_is_sealed_anew_is_read(written):
    plain = json.loads((written / MANIFEST).read_bytes())
    (written / MANIFEST).write_bytes(sealed(plain))
    read_bundle(written)


@pytest.mark.parametrize(
    ("where", "value"),
    [
        ("format", 2),
        ("format", "1"),
        ("format", None),
        ("features", {}),
        ("features", [{"name": 1}]),
        ("features", [{"name": "a", "kind": "python"}]),
        ("preprocess", []),
        ("preprocess", {"numeric": [], "surprise": 1}),
        ("preprocess", {"numeric": [], "scaler": {"type": "identity", "surprise": 1}}),
        ("preprocess", {"numeric": [{"name": "a", "surprise": 1}]}),
        ("calibration", {"type": "identity", "surprise": 1}),
        ("threshold", {"strategy": "fixed", "value": "high"}),
        ("calibration", {"type": "pickle"}),
        ("model", {}),
        ("metrics", {"validation": {"recall": "all"}}),
        ("files", {}),
        ("files", {"../model.onnx": {"size": 1, "sha256": "a"}}),
        ("files", {MODEL: {"size": -1, "sha256": 5}}),
        ("id", 7),
    ],
)
def test_a_manifest_of_another_shape_is_refused(where, value, written):
    plain = json.loads((written / MANIFEST).read_bytes())
    (written / MANIFEST).write_bytes(sealed({**plain, where: value}))
    with pytest.raises(BundleError):
        read_bundle(written)


def test_a_manifest_with_fields_of_a_later_version_is_read(bundle, written):
    plain = json.loads((written / MANIFEST).read_bytes())
    told = [plain, plain["threshold"], plain["metrics"], plain["intervals"], plain["model"]]
    for each in (*told, *plain["features"], *plain["files"].values()):
        each["surprise"] = {"of": "a later version"}
    (written / MANIFEST).write_bytes(sealed(plain))
    read = read_bundle(written)
    assert read.files == bundle.files
    assert msgspec.structs.replace(read.manifest, checksum="") == bundle.manifest
    (written / MANIFEST).write_bytes(sealed(plain).replace(b"a later", b"an other", 1))
    with pytest.raises(BundleError, match="checksum"):
        read_bundle(written)


@pytest.mark.parametrize("field", ["link", "calibration", "preprocess"])
def test_a_field_of_a_later_version_that_could_change_a_score_is_refused(field, written):
    plain = json.loads((written / MANIFEST).read_bytes())
    (plain["model"] if field == "link" else plain)[field]["surprise"] = 1
    (written / MANIFEST).write_bytes(sealed(plain))
    with pytest.raises(BundleError, match="surprise"):
        read_bundle(written)


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[]", b"null", b"\xff\xfe", b'{"format":1', b"[" * 100_000]
)
def test_a_manifest_that_is_no_manifest_is_refused(content, written):
    (written / MANIFEST).write_bytes(content)
    with pytest.raises(BundleError):
        read_bundle(written)


@pytest.mark.parametrize("path", ["", "no/such", "\0", "x" * 5000, "/dev/null", "loop"])
def test_a_path_that_is_no_bundle_is_refused(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("loop").symlink_to("loop")
    with pytest.raises(BundleError):
        read_bundle(Path(path))


def test_a_bundle_is_never_replaced(bundle, written):
    assert write_bundle(bundle, written.parent) == written  # the same again is fine
    other = pack(bundle.manifest, {**bundle.files, GOLDEN: bundle.files[GOLDEN] + b"\n"})
    with pytest.raises(BundleError, match="another bundle"):
        write_bundle(other, written.parent)
    assert read_bundle(written).files == bundle.files
    assert [path.name for path in written.parent.iterdir()] == [bundle.manifest.id]


def test_a_bundle_needs_all_of_its_files(bundle):
    with pytest.raises(BundleError, match="holds exactly"):
        pack(bundle.manifest, {MODEL: b""})


@pytest.mark.parametrize("number", range(1, 8))
def test_a_full_disk_leaves_nothing(number, bundle, written, monkeypatch):
    calls = 0

    def full(handle: int) -> None:
        nonlocal calls
        calls += 1
        if calls == number:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(bundles.os, "fsync", full)
    switch_link(written.parent, "champion", written.name)
    before = sorted(path.name for path in written.parent.iterdir())
    with contextlib.suppress(OSError):
        write_bundle(renamed(bundle, "second"), written.parent)
    assert calls >= number
    after = sorted(path.name for path in written.parent.iterdir())
    # The last fsync is of the folder that holds the bundles: the bundle is whole then.
    assert after in (before, sorted([*before, "second"]))
    if "second" in after:
        read_bundle(written.parent / "second")
    read_bundle(written.parent / "champion")


def test_a_small_file_system_that_runs_full_leaves_nothing(bundle, tmp_path):
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("this user may not mount a small file system")
    try:
        first = write_bundle(bundle, folder)
        large = {**bundle.files, GOLDEN: os.urandom(80_000)}
        with pytest.raises(OSError, match="No space left"):
            write_bundle(pack(msgspec.structs.replace(bundle.manifest, id="large"), large), folder)
        assert [path.name for path in folder.iterdir()] == [first.name]
        read_bundle(first)
    finally:
        subprocess.run(["umount", str(folder)], check=True)


WRITER = """
import msgspec, sys
from pathlib import Path
from fraudlab.bundle import pack, read_bundle, switch_link, write_bundle
folder = Path(sys.argv[1])
bundle = read_bundle(folder / "first")
print("ready", flush=True)
for number in range(1_000_000):
    manifest = msgspec.structs.replace(bundle.manifest, id=f"{sys.argv[2]}-{number}")
    path = write_bundle(pack(manifest, bundle.files), folder)
    switch_link(folder, "champion", path.name)
"""


def test_a_writer_killed_at_any_moment_leaves_whole_bundles_and_a_champion(bundle, tmp_path):
    folder = tmp_path / "bundles"
    write_bundle(renamed(bundle, "first"), folder)
    switch_link(folder, "champion", "first")
    draw = random.Random(0)
    for life in range(12):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(folder), f"life{life}"],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"ready\n"
        time.sleep(draw.uniform(0.0, 0.06))
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        writer.stdout.close()
        assert read_bundle(folder / "champion").files == bundle.files
        for path in folder.iterdir():
            if not path.name.startswith("."):
                read_bundle(path)
    assert len(list(folder.glob("life*"))) > 0


def test_an_alias_is_a_relative_link_that_is_switched(bundle, written):
    folder = written.parent
    write_bundle(renamed(bundle, "second"), folder)
    for name in (written.name, "second"):
        switch_link(folder, "champion", name)
        assert (folder / "champion").readlink() == Path(name)
        assert read_bundle(folder / "champion").manifest.id == name
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        [written.name, "second", "champion"]
    )


def test_a_file_that_cannot_be_written_stays_as_it_was(tmp_path, monkeypatch):
    path = tmp_path / "folder" / "result.json"
    write_atomic(path, b"old")

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(bundles.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_atomic(path, b"new")
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in path.parent.iterdir()] == ["result.json"]


def test_a_manifest_is_the_same_bytes_every_time(bundle):
    assert encode_manifest(bundle.manifest) == encode_manifest(bundle.manifest)
