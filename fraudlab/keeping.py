"""Which bundles stay on disk, and how one that did not stay is made again."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from fraudlab.bundle import (
    MANIFEST,
    MODEL,
    Bundle,
    encode_manifest,
    write_atomic,
    write_bundle,
)
from fraudlab.config import Config
from fraudlab.errors import UserError
from fraudlab.experiment import run_experiment
from fraudlab.home import bundles, home
from fraudlab.manifest import Manifest
from fraudlab.provenance import provenance
from fraudlab.ranking import Row
from fraudlab.runs import DAMAGED, RunRecord, read_result, run_folder, write_run
from fraudlab.tables import Tables


def keep_best(rows: Sequence[Row], trained: set[str], keep: int) -> None:
    """Remove the bundles of `trained` runs beyond the best `keep` rows; their manifests stay."""
    done = [row for row in rows if row.status == "done"]
    for row in done[keep:]:
        record = read_result(row.run)
        if row.run not in trained or record is None or record.bundle is None:
            continue
        bundle = home() / record.bundle
        if _may_go(bundle):  # from the record first: a result must not miss its bundle
            write_run(msgspec.structs.replace(record, bundle=None))
            shutil.rmtree(bundle, ignore_errors=True)


def discard(bundle: Path) -> None:
    """Remove a bundle's folder unless a link such as `champion` points at it."""
    if _may_go(bundle):
        shutil.rmtree(bundle, ignore_errors=True)


def _may_go(bundle: Path) -> bool:
    """Whether no link points at it; what does not lie in bundles/ stays, whatever a record says."""
    return bundle.name not in _linked() and bundle.parent.resolve() == bundles().resolve()


def clear_leftovers(run: str) -> None:
    """Remove what a killed process left of a run, half-written or named by no record.

    Only the holder of the run's claim may: nobody else is at work on it then.
    """
    for path in run_folder(run).glob(".*.tmp"):
        path.unlink(missing_ok=True)
    record = read_result(run)
    own = Path(record.bundle).name if record is not None and record.bundle else None
    for folder in bundles().glob(f"*-{run[:8]}"):
        if folder.name != own:
            discard(folder)
    for folder in bundles().glob(f".*-{run[:8]}.*.tmp"):
        shutil.rmtree(folder, ignore_errors=True)


def _linked() -> set[str]:
    return {entry.readlink().name for entry in bundles().iterdir() if entry.is_symlink()}


def kept_manifest(record: RunRecord) -> Manifest:
    """Return the manifest of a run's bundle, which outlives the bundle.

    Raises
    ------
    UserError
        If it has gone, or another version wrote it.
    """
    path = run_folder(record.run) / MANIFEST
    try:
        return msgspec.json.decode(path.read_bytes(), type=Manifest)
    except (FileNotFoundError, *DAMAGED) as error:
        raise UserError(
            f"run {record.run}: {os.path.relpath(path)} cannot be read ({error}); train it again"
        ) from error


def refit(record: RunRecord, note: Callable[[str], None]) -> Path:
    """Train a run again and write its bundle, provided it comes out as it was.

    Raises
    ------
    UserError
        If data, code or libraries have changed since, so that it would be another model.
    """
    manifest = kept_manifest(record)
    note(f"the bundle of run {record.run} was not kept: training it again")
    bundle = _trained_again(record, manifest, note)
    path = write_bundle(bundle, bundles())
    write_atomic(run_folder(record.run) / MANIFEST, encode_manifest(bundle.manifest))
    write_run(msgspec.structs.replace(record, bundle=os.path.relpath(path, home())))
    return path


def _trained_again(record: RunRecord, manifest: Manifest, note: Callable[[str], None]) -> Bundle:
    changed = f"run {record.run}: its bundle was not kept, and {{}} changed since; train it again"
    try:
        config = msgspec.convert(manifest.provenance["config"], Config)
    except msgspec.ValidationError as error:
        raise UserError(changed.format("the code has")) from error
    tables = Tables(note)
    table = tables.table(config)
    origin = provenance(config, table.fingerprint, record.mlflow_run_id)
    if origin.key != manifest.provenance["key"]:
        raise UserError(changed.format("data or code have"))
    bundle = run_experiment(config, table, tables.split(config), origin).bundle
    if other := _differing_parts(manifest, bundle.manifest):
        raise UserError(changed.format(f"another {other} came of it: the libraries have"))
    return bundle


def _differing_parts(old: Manifest, new: Manifest) -> str:
    """Return what of a bundle is not as it was, among all that a score or verdict depends on."""
    before, after = ({MODEL: of.files[MODEL].sha256, **_judged(of)} for of in (old, new))
    return ", ".join(name for name in before if before[name] != after[name])


def _judged(manifest: Manifest) -> dict[str, bytes]:
    """Return the parts beside the graph as bytes, which compare alike when read and when made."""
    names = ("preprocess", "calibration", "threshold", "metrics")
    return {name: msgspec.json.encode(getattr(manifest, name), order="sorted") for name in names}
