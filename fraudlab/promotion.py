"""Which bundle is the champion: a relative symlink in bundles/, switched in one step."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from fraudlab.bundle import CHAMPION, read_bundle, switch_link
from fraudlab.errors import UserError
from fraudlab.home import bundles, outputs
from fraudlab.ranking import Row, best_of, judged_alike
from fraudlab.runs import RunRecord, read_run

ALIAS = re.compile(r"[a-z][a-z0-9_-]{0,31}")


class Teller(Protocol):
    """Who is told what happens on the way."""

    def note(self, text: str) -> None:
        """Say what is happening now."""

    def warn(self, text: str) -> None:
        """Say what could not be done, though the promotion could."""


def champion() -> str | None:
    """Return the name of the champion's folder, or None when there is no champion."""
    link = bundles() / CHAMPION
    return link.readlink().name if link.is_symlink() and link.exists() else None


def promote_run(run: str, teller: Teller, alias: str = CHAMPION) -> Path:
    """Point `bundles/<alias>` at the run's bundle, which is verified first.

    Parameters
    ----------
    run
        A run's key, or an unambiguous beginning of it.
    teller
        Told of a bundle that must be trained again, and of an MLflow that does not answer.
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
    path = bundle_of(record, teller)
    read_bundle(path)
    link = bundles() / alias
    if link.exists() and not link.is_symlink():
        raise UserError(f"{os.path.relpath(link)} is no link: move it away, promote makes it one")
    switch_link(bundles(), alias, path.name)
    _tell_mlflow(record, alias, teller)
    return path


def promote_first(rows: Sequence[Row], teller: Teller) -> None:
    """Make the best of a leaderboard the champion where there is none; otherwise say how to."""
    best = best_of(rows)
    if best is None:
        if any(row.status == "done" for row in rows):
            teller.note("no candidate may win, so none is made the champion")
        return
    if champion() is None and not judged_alike(rows):
        teller.note(f"best: run {best.run}, but not all were judged on the same rows: compare")
        teller.note(f"and choose with: python -m fraudlab.promote run={best.run}")
    elif champion() is None:
        path = promote_run(best.run, teller)
        teller.note(f"bundles/champion is now {path.name}")
        teller.note("serve it with: python -m serve  (in a checkout: make serve)")
    elif best.bundle is not None and Path(best.bundle).name == champion():
        teller.note(f"the best, run {best.run}, is the champion already")
    else:
        teller.note(f"best: run {best.run}, bundle {best.bundle or '(not kept)'}")
        teller.note(f"make it the champion with: python -m fraudlab.promote run={best.run}")


def find_run(run: str) -> RunRecord:
    """Return the finished run whose key begins with `run`."""
    folder = outputs() / "runs"
    known = sorted(path.name for path in folder.glob(f"{run}*")) if run.isalnum() else []
    if len(known) != 1:
        what = f"{len(known)} runs begin with" if known else "no run begins with"
        hint = ", ".join(known[:5]) or "python -m fraudlab.leaderboard format=json lists them"
        raise UserError(f"{what} {run!r}: {hint}")
    record = read_run(known[0])
    if record is None or record.status != "done":
        status = record.status if record else "without a result"
        raise UserError(f"run {known[0]} is {status}: only a finished run can be promoted")
    return record


def bundle_of(record: RunRecord, teller: Teller) -> Path:
    """Return the folder of a run's bundle, training it again when it was not kept."""
    if record.bundle_folder is not None:
        return record.bundle_folder
    from fraudlab.keeping import refit

    return refit(record, teller.note)


def _tell_mlflow(record: RunRecord, alias: str, teller: Teller) -> None:
    if record.mlflow_run_id is None:
        return
    from fraudlab.config import Tracking
    from fraudlab.keeping import kept_manifest
    from fraudlab.tracking import move_alias

    tracking = kept_manifest(record).provenance["config"]["tracking"]
    move_alias(msgspec.convert(tracking, Tracking), record.mlflow_run_id, alias, teller.warn)
