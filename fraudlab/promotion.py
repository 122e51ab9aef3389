"""Which bundle is the champion: a relative symlink in bundles/, switched in one step."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import msgspec

from fraudlab.bundle import CHAMPION, MANIFEST, Bundle, read_bundle, switch_link
from fraudlab.errors import UserError
from fraudlab.home import bundles, home, outputs
from fraudlab.runs import RunRecord, read_run

ALIAS = re.compile(r"[a-z][a-z0-9_-]{0,31}")


def champion() -> str | None:
    """Return the name of the champion's folder, or None when there is no champion."""
    link = bundles() / CHAMPION
    return link.readlink().name if link.is_symlink() and link.exists() else None


def promote_run(run: str, warn: Callable[[str], None], alias: str = CHAMPION) -> Path:
    """Point `bundles/<alias>` at the run's bundle, which is verified first.

    Parameters
    ----------
    run
        A run's key, or an unambiguous beginning of it.
    warn
        Told when MLflow could not be.
    alias
        The link's name.

    Raises
    ------
    UserError
        If there is no such run, it has no result, or the alias is no plain word.
    BundleError
        If its bundle is damaged; the link stays as it was.
    """
    if not ALIAS.fullmatch(alias):
        raise UserError(f"alias must be a plain lower-case word, got {alias!r}")
    record = find_run(run)
    path = bundle_of(record)
    read_bundle(path)
    link = bundles() / alias
    if link.exists() and not link.is_symlink():
        raise UserError(f"{os.path.relpath(link)} is no link: move it away, promote makes it one")
    switch_link(bundles(), alias, path.name)
    _tell_mlflow(record, alias, warn)
    return path


def find_run(run: str) -> RunRecord:
    """Return the finished run whose key begins with `run`."""
    folder = outputs() / "runs"
    known = sorted(path.name for path in folder.glob(f"{run}*")) if run.isalnum() else []
    if len(known) != 1:
        what = f"{len(known)} runs begin with" if known else "no run begins with"
        raise UserError(f"{what} {run!r}; python -m fraudlab.leaderboard format=json lists them")
    record = read_run(known[0])
    if record is None or record.status != "done":
        status = record.status if record else "without a result"
        raise UserError(f"run {known[0]} is {status}: only a finished run can be promoted")
    return record


def bundle_of(record: RunRecord) -> Path:
    """Return the folder of a run's bundle, training it again when it was not kept."""
    if record.bundle is not None and (home() / record.bundle).is_dir():
        return home() / record.bundle
    return _refit(record)


def _refit(record: RunRecord) -> Path:
    from fraudlab import registry
    from fraudlab.bundle import write_bundle
    from fraudlab.config import Config
    from fraudlab.experiment import run_experiment
    from fraudlab.manifest import Manifest
    from fraudlab.provenance import provenance
    from fraudlab.runs import run_folder, write_run
    from fraudlab.splitting import split_table
    from fraudlab.sweep import read_table

    kept = (run_folder(record.run) / MANIFEST).read_bytes()
    manifest = msgspec.json.decode(kept, type=Manifest)
    config = msgspec.convert(manifest.provenance["config"], Config)
    table = read_table(config)
    split = split_table(table, registry.build("split", config.split))
    origin = provenance(config, table.fingerprint, record.mlflow_run_id)
    if origin.key != manifest.provenance["key"]:
        raise UserError(
            f"run {record.run}: its bundle was not kept, and data or code have changed since;"
            " train it again"
        )
    bundle: Bundle = run_experiment(config, table, split, origin).bundle
    path = write_bundle(bundle, bundles())
    write_run(msgspec.structs.replace(record, bundle=os.path.relpath(path, home())))
    return path


def _tell_mlflow(record: RunRecord, alias: str, warn: Callable[[str], None]) -> None:
    from fraudlab.config import Tracking
    from fraudlab.tracking import tag_alias

    if record.mlflow_run_id is not None:
        tag_alias(Tracking(), record.mlflow_run_id, alias, warn)
