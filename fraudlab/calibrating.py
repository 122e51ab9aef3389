"""Calibration and threshold on validation, cross-fitted so that neither judges itself."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fraudlab.links import Calibration, Floats, Link
from fraudlab.protocols import Calibrator, Cut, Scores, ThresholdStrategy

PARTS = 5


@dataclass(frozen=True, slots=True)
class Fitted:
    """What validation taught: the shipped calibration, the cut, and the scores it was cut on."""

    calibration: Calibration
    cut: Cut
    out_of_fold: Scores


def calibrate_and_cut(
    margins: Floats,
    link: Link,
    truth: Scores,
    calibrator: Calibrator,
    strategy: ThresholdStrategy,
    prior_ratio: float | None,
) -> Fitted:
    """Fit calibration and threshold on the bundle scorer's margins of the validation rows.

    The threshold sees scores calibrated without their own part (5 parts, cards kept together); the
    shipped calibration is fitted on all rows. When a part would leave one class only, too few
    frauds exist to cross-fit, and the shipped calibration scores them all.

    Parameters
    ----------
    margins
        The graph's output on validation, float64 [N].
    link
        The bundle's link.
    truth
        Labels, days, cards and amounts of the same rows (its scores are not read).
    calibrator, strategy
        The chosen plugins.
    prior_ratio
        From the sampler.
    """
    linear, raw = link.linear(margins), link.score(margins)
    calibration = calibrator.fit(linear, raw, truth.label, prior_ratio)
    scores = calibration.apply(margins, link)
    part = parts_by_card(truth)
    if all(_both_classes(truth.label[part != number]) for number in range(PARTS)):
        scores = np.empty_like(raw)
        for number in range(PARTS):
            rest, own = part != number, part == number
            fitted = calibrator.fit(linear[rest], raw[rest], truth.label[rest], prior_ratio)
            scores[own] = fitted.apply(margins[own], link)
    out_of_fold = replace(truth, score=scores)
    return Fitted(calibration, strategy.choose(out_of_fold), out_of_fold)


def parts_by_card(truth: Scores) -> NDArray[np.int64]:
    """Return the part (0..4) of each row: cards stay whole, frauds spread evenly.

    Cards are dealt in turn, those with most frauds first, then by number of rows. Without cards
    every row is its own.
    """
    own = np.arange(len(truth.label)) if truth.card is None else truth.card
    _, card = np.unique(own, return_inverse=True)
    frauds = np.bincount(card, weights=truth.label)
    rows = np.bincount(card)
    order = np.lexsort((-rows, -frauds))
    part = np.empty(len(order), dtype=np.int64)
    part[order] = np.arange(len(order)) % PARTS
    dealt: NDArray[np.int64] = part[card]
    return dealt


def _both_classes(label: NDArray[np.int8]) -> bool:
    return 0 < int(label.sum()) < len(label)
