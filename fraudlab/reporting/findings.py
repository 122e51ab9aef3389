"""All that a report computes of a run, each part in its own module, put together here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fraudlab.bundle import read_bundle
from fraudlab.errors import BundleError
from fraudlab.reporting.curves import Curves, draw_curves
from fraudlab.reporting.drift import Moved, drift_of_scores, measure_drift
from fraudlab.reporting.exploring import Explorer, explore
from fraudlab.reporting.gathering import RunFacts
from fraudlab.reporting.importance import Importance, measure_importance
from fraudlab.reporting.rebuilding import Material, rebuild
from fraudlab.reporting.reliability import (
    Histogram,
    Reliability,
    judge_reliability,
    spread_scores,
)

Note = Callable[[str], None]
NO_SCORES = "the scored rows of the run are not there any more (scores.npz): train it again"


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found of a run; a sentence stands for what could not be.

    Attributes
    ----------
    facts
        The run.
    curves
        By part, test first; empty without scored rows.
    reliability, histogram, moved_scores
        Of test's scores; None without scored rows.
    explorer
        The cuts that can be tried; None without scored rows.
    importance, moved
        What asks for the table itself.
    """

    facts: RunFacts
    curves: dict[str, Curves]
    reliability: Reliability | None
    histogram: Histogram | None
    explorer: Explorer | None
    importance: Importance | str
    moved: tuple[Moved, ...] | str
    moved_scores: Moved | None


def find(facts: RunFacts, note: Note) -> Findings:
    """Return what can be found of a run; `note` is told what takes a while."""
    scores, cluster = facts.scores, facts.config.bootstrap.cluster
    test, validation = scores.get("test"), scores.get("validation")
    curves = {}
    if test is not None and validation is not None:
        curves = {"test": draw_curves(test, cluster), "validation": draw_curves(validation, None)}
    material = rebuild(facts, note)
    own = facts.shipped
    return Findings(
        facts=facts,
        curves=curves,
        reliability=None if test is None else judge_reliability(test, cluster),
        histogram=None if test is None else spread_scores(test),
        explorer=explore(own, facts.manifest.threshold, facts.config.costs),
        importance=_importance(facts, material, note),
        moved=material if isinstance(material, str) else measure_drift(material),
        moved_scores=drift_of_scores(own["validation"].score, own["test"].score)
        if len(own) == len(scores) and own
        else None,
    )


def _importance(facts: RunFacts, material: Material | str, note: Note) -> Importance | str:
    if isinstance(material, str):
        return material
    test, folder = facts.shipped.get("test"), facts.record.bundle_folder
    if test is None:
        return NO_SCORES
    if folder is None:
        return (
            "the bundle of the run was not kept, and it is the bundle's own scorer that is asked:"
            f" python -m fraudlab.promote run={facts.record.run} alias=report trains it again"
        )
    try:
        scorer = read_bundle(folder).scorer()
    except BundleError as error:
        return str(error)
    return measure_importance(scorer, material, test, facts.config.bootstrap.cluster, note)
