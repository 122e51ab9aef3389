"""Metrics of a day's budget: what the k cards, or rows, scored highest each day are worth.

Equal scores stand in the order of the card's number (of the row's place), so a tie is broken the
same way for every candidate. Days and cards are taken from one scored part at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fraudlab.preprocess import Floats
from fraudlab.protocols import Labels, Scores

BUDGET = 100


@dataclass(frozen=True, slots=True)
class Day:
    """What competes for the places of one day, best first.

    Attributes
    ----------
    item
        The cards (or the rows' places in the scored part), int64.
    fraud
        Whether each had a fraud that day.
    """

    item: NDArray[np.int64]
    fraud: NDArray[np.bool_]


def daily_metrics(scores: Scores, k: int = BUDGET) -> dict[str, float]:
    """Return the metrics of a budget of k a day; none where the rows have no days.

    References
    ----------
    Le Borgne et al., Reproducible Machine Learning for Credit Card Fraud Detection, chapter 4.
    """
    if scores.day is None:
        return {}
    found = {}
    if scores.card is not None:
        perfect = replace(scores, score=scores.label.astype(np.float64))
        shares, recall = card_shares(scores, k)
        found[f"card_precision_at_{k}"] = float(np.mean(shares))
        found[f"card_precision_at_{k}_ceiling"] = card_precision(perfect, k)
        found[f"card_recall_at_{k}"] = recall
    found[f"precision_at_{k}"] = float(np.mean(row_shares(scores, k)))
    return found


def card_precision(scores: Scores, k: int) -> float:
    """Return the mean over days of the share of frauds among the k cards scored highest.

    A card's score is its highest of the day. A card that was among the k of a day and really had a
    fraud that day is detected, and left out on later days. The share is always of k. With fewer
    cards, or frauds, than k a perfect ranking stays below 1: see the ceiling. The rows must have
    days and cards.

    References
    ----------
    Le Borgne et al., Reproducible Machine Learning for Credit Card Fraud Detection, chapter 4.
    """
    return float(np.mean(card_shares(scores, k)[0]))


def row_shares(scores: Scores, k: int) -> list[float]:
    """Return, by day, the share of frauds among the k rows scored highest; always of k."""
    return [float(day.fraud[:k].sum() / k) for day in rows_by_day(scores)]


def card_shares(scores: Scores, k: int) -> tuple[list[float], float]:
    """Return card precision by day, and the share of the cards with a fraud that were detected."""
    detected = np.empty(0, dtype=np.int64)
    shares = []
    for day in cards_by_day(scores):
        left = ~np.isin(day.item, detected)
        hits = day.item[left][:k][day.fraud[left][:k]]
        shares.append(len(hits) / k)
        detected = np.union1d(detected, hits)
    assert scores.card is not None
    compromised = len(np.unique(scores.card[scores.label == 1]))
    return shares, len(detected) / max(compromised, 1)


def cards_by_day(scores: Scores) -> Iterator[Day]:
    """Yield the cards of each day in the order of their highest scores."""
    assert scores.day is not None
    assert scores.card is not None
    for rows in _days(scores.day):
        card, score, fraud = _by_card(scores.card[rows], scores.score[rows], scores.label[rows])
        order = np.lexsort((card, -score))
        yield Day(card[order], fraud[order])


def rows_by_day(scores: Scores) -> Iterator[Day]:
    """Yield the rows of each day in the order of their scores."""
    assert scores.day is not None
    for rows in _days(scores.day):
        ranked = rows[np.argsort(-scores.score[rows], kind="stable")]
        yield Day(ranked, scores.label[ranked] == 1)


def _days(day: NDArray[np.int64]) -> Iterator[NDArray[np.intp]]:
    order = np.argsort(day, kind="stable")
    yield from np.split(order, np.flatnonzero(np.diff(day[order])) + 1)


def _by_card(
    card: NDArray[np.int64], score: Floats, label: Labels
) -> tuple[NDArray[np.int64], Floats, NDArray[np.bool_]]:
    """Return each card with its highest score and whether it had a fraud."""
    order = np.argsort(card, kind="stable")
    card = card[order]
    start = np.flatnonzero(np.append(True, np.diff(card) != 0))
    highest = np.maximum.reduceat(score[order], start)
    fraud = np.maximum.reduceat(label[order], start) == 1
    return card[start], highest, fraud
