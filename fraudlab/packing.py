"""The manifest of a fold, and the bytes of the bundle that ships."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import msgspec

from fraudlab import golden, registry
from fraudlab.bundle import CARD, GOLDEN, MODEL, REFERENCE, Bundle, pack
from fraudlab.calibrating import Fitted
from fraudlab.card import write_card
from fraudlab.config import Config
from fraudlab.exporting import Exported
from fraudlab.manifest import FORMAT, Intervals, Manifest, Metrics, ModelSpec, Threshold
from fraudlab.outcomes import Outcome
from fraudlab.preprocess import Floats
from fraudlab.protocols import Fold, Rows
from fraudlab.provenance import Provenance
from fraudlab.scoring import Scorer, Value
from fraudlab.splitting import describe_rows
from fraudlab.table import Table


def new_manifest(
    config: Config,
    table: Table,
    provenance: Provenance,
    exported: Exported,
    fitted: Fitted,
    fold: Fold,
) -> Manifest:
    """Return the manifest of a fold's bundle, before it is judged."""
    now = dt.datetime.now(dt.UTC)
    name = config.model.name
    choice, cut = config.threshold_strategy, fitted.cut
    return Manifest(
        format=FORMAT,
        id=f"{now:%Y%m%dT%H%M%SZ}-{name}-{provenance.key[:8]}",
        created=now.isoformat(timespec="seconds"),
        features=exported.detector.fields,
        preprocess=exported.detector.preprocess,
        model=ModelSpec(name, exported.graph.link, exported.runner.width, exported.graph.tolerance),
        calibration=fitted.calibration,
        threshold=Threshold(
            strategy=choice.name,
            value=cut.value,
            params=registry.check("threshold_strategy", choice),
            slice=f"validation, {describe_rows(table, fold.cut.judge)}",
            feasible=cut.feasible,
            reached=dict(cut.reached),
            alert_cost=cut.alert_cost,
        ),
        provenance=provenance.as_dict(),
    )


def completed(
    manifest: Manifest,
    own: dict[str, Outcome],
    every: dict[str, Outcome],
    cut: tuple[float, float] | None,
) -> Manifest:
    """Return the manifest with its own results and, apart, those of `every` fold."""
    several = len(every["test"].folds) > 1
    return msgspec.structs.replace(
        manifest,
        threshold=msgspec.structs.replace(manifest.threshold, interval=cut),
        metrics=Metrics(**{part: of.metrics for part, of in own.items()}),
        intervals=Intervals(**{part: of.intervals for part, of in own.items()}),
        folds=Metrics(**{part: of.metrics for part, of in every.items()}) if several else Metrics(),
    )


def pack_bundle(
    manifest: Manifest,
    exported: Exported,
    table: Table,
    train: Rows,
    scored: Floats,
    drawn: Sequence[Sequence[Value]],
) -> Bundle:
    """Return the bundle.

    Parameters
    ----------
    manifest
        Complete but for the other files.
    exported
        The graph.
    table, train
        What it was fitted on: the reference is made of its quantiles.
    scored
        The validation scores, float64 [N], for the reference.
    drawn
        What golden rows are chosen from: values in the order of the manifest's features.
    """
    rate = manifest.metrics.validation["alert_rate"]
    scorer = Scorer(manifest, exported.runner)
    files = {
        MODEL: exported.graph.onnx,
        GOLDEN: golden.golden_rows(scorer, drawn),
        REFERENCE: golden.reference(manifest.features, table, train, scored, rate),
        CARD: write_card(manifest, table.report).encode(),
    }
    return pack(manifest, files)
