"""The verdict on a run, in sentences: what it can do, how sure that is, and what to do next."""

from __future__ import annotations

import math
from collections.abc import Iterator

from fraudlab import registry
from fraudlab.bootstrap import Interval
from fraudlab.ranking import SAME_ROWS
from fraudlab.reporting.drift import Moved
from fraudlab.reporting.findings import Findings
from fraudlab.reporting.standing import AGAIN
from fraudlab.reporting.words import (
    Statement,
    between,
    count,
    cut_text,
    listed,
    number,
    share,
    times,
)

FEW_FRAUDS = 100
_OVERFITTED = 0.2  # of average precision, between the fitted rows and test
_OFF = 3.0  # times as many frauds as there were: no probabilities
_SLOPE = (0.8, 1.25)


def judge(found: Findings) -> list[Statement]:
    """Return what is to be said of a run, the most important first."""
    return [
        *_ranking(found),
        *_promise(found),
        *_alerts(found),
        *_money(found),
        *_probabilities(found),
        *_memory(found),
        *_movement(found),
        *_objections(found),
    ]


def _test(found: Findings, name: str) -> tuple[float | None, Interval | None]:
    record = found.facts.record
    return record.metrics.test.get(name), record.intervals.test.get(name)


def _ranking(found: Findings) -> Iterator[Statement]:
    value, interval = _test(found, "average_precision")
    chance = found.facts.record.metrics.test.get("prevalence")
    if value is None or chance is None:
        return
    text = (
        f"On test it ranks with an average precision of {number(value)}{between(interval)};"
        f" by chance it would be {number(chance)}, the share of frauds."
    )
    low = value if interval is None else interval[0]
    if low <= chance:
        yield Statement("bad", f"{text} It cannot be told from guessing.")
    else:
        yield Statement("good", text)


def _promise(found: Findings) -> Iterator[Statement]:
    record = found.facts.record
    if found.facts.config.split.name == SAME_ROWS:
        yield Statement("note", AGAIN)
        return
    name = "average_precision"
    validation, test = record.metrics.validation.get(name), record.metrics.test.get(name)
    interval = record.intervals.validation.get(name)
    if validation is None or test is None:
        return
    text = (
        f"Validation, by which it was chosen, had promised {number(validation)}{between(interval)}"
    )
    if interval is None:
        yield Statement(
            "note", f"{text}; how sure that is was not measured (bootstrap.resamples=0)."
        )
    elif validation - test > _noise(interval, record.intervals.test.get(name)):
        yield Statement("bad", f"{text}: test falls short of that by more than chance explains.")
    elif test - validation > _noise(interval, record.intervals.test.get(name)):
        yield Statement("note", f"{text}: test is better than that; do not count on it.")
    else:
        yield Statement("good", f"{text}: test agrees.")


def _noise(first: Interval, second: Interval | None) -> float:
    """Return how far two independent values may be apart by chance: both are uncertain."""
    widths = [(high - low) / 2 for low, high in (first, second or (0.0, 0.0))]
    return math.hypot(*widths)


def _alerts(found: Findings) -> Iterator[Statement]:
    cut = found.facts.manifest.threshold
    precision, precise = _test(found, "precision")
    recall, sure = _test(found, "recall")
    if precision is None or recall is None:
        return
    where = f"At its threshold of {cut_text(cut.value)}"
    if len(found.facts.record.folds.test) > 1:
        where = "At each fold's own threshold, on average,"
    if cut.alert_cost is not None:
        where = f"With each row's threshold at {number(cut.alert_cost)} / amount"
    rate, a_day = _test(found, "alert_rate")[0] or 0.0, _test(found, "alerts_per_day")[0]
    many = f"{share(rate)} of the rows" if a_day is None else f"{number(a_day)} rows a day"
    text = (
        f"{where} ({cut.strategy}, chosen on validation) it alerts {many}:"
        f" {share(precision)} of the alerts are frauds{between(precise, percent=True)}, and"
        f" {share(recall)} of the frauds are caught{between(sure, percent=True)}"
    )
    value = _test(found, "value_detection_rate")[0]
    text += "." if value is None else f", with {share(value)} of their amount."
    tone = "good" if cut.feasible and rate > 0 else "bad"
    if not cut.feasible:
        asked = ", ".join(f"{name}={value}" for name, value in cut.params.items())
        reached = ", ".join(f"{name} {number(value)}" for name, value in cut.reached.items())
        text += f" What was asked ({asked}) could not be reached on validation; it got {reached}."
    yield Statement("bad" if tone == "bad" else "note", text)


def _money(found: Findings) -> Iterator[Statement]:
    cost, baseline = _test(found, "cost")[0], _test(found, "cost_baseline")[0]
    saved, sure = _test(found, "savings")
    if cost is None or baseline is None or saved is None:
        return
    compared = (
        f"alerting none (or all, if cheaper) would cost {number(baseline)}, this {number(cost)}"
    )
    if saved > 0:
        unsure = sure is not None and sure[0] <= 0
        more = "; by chance it may also be nothing" if unsure else ""
        text = (
            f"It saves {share(saved)}{between(sure, percent=True)} of the cost: {compared}{more}."
        )
        yield Statement("note" if unsure else "good", text)
    else:
        yield Statement("bad", f"It costs more than no detector: {compared}.")


def _probabilities(found: Findings) -> Iterator[Statement]:
    seen = found.reliability
    if seen is None or not seen.observed:
        return
    ratio = seen.expected / seen.observed
    text = (
        f"Its scores on test add up to {number(round(seen.expected))} frauds, and"
        f" {count(seen.observed, 'happened', 'happened')}: {times(ratio)} times as many"
        f"{between(seen.ratio)}"
    )
    if not 1 / _OFF <= ratio <= _OFF:
        yield Statement("bad", f"{text}. They are no probabilities; costs and savings mean little.")
    elif seen.ratio is not None and not seen.ratio[0] <= 1 <= seen.ratio[1]:
        way = "high" if ratio > 1 else "low"
        yield Statement("note", f"{text}. As probabilities they run {way}.")
    else:
        yield Statement("good", f"{text}. On average they can be read as probabilities.")
    if seen.slope is not None and not _SLOPE[0] <= seen.slope <= _SLOPE[1]:
        how = "too extreme" if seen.slope < 1 else "too timid"
        yield Statement(
            "note",
            f"High scores and low ones are {how}: slope {times(seen.slope)}, 1 would be right.",
        )


def _memory(found: Findings) -> Iterator[Statement]:
    train, test = _test(found, "train_average_precision")[0], _test(found, "average_precision")[0]
    if train is not None and test is not None and train - test > _OVERFITTED:
        yield Statement(
            "note",
            f"It knows the rows it was fitted on far better than new ones (average precision"
            f" {number(train)} there, {number(test)} on test): a simpler model may do as well.",
        )


def _movement(found: Findings) -> Iterator[Statement]:
    far = [each.column for each in moved_far(found)]
    if far:
        yield Statement(
            "note", f"Between train and test {listed(far)} moved enough to watch (see drift)."
        )


def moved_far(found: Findings) -> list[Moved]:
    """Return the columns whose drift is worth watching."""
    if isinstance(found.moved, str):
        return []
    return [each for each in found.moved if each.verdict in {"watch", "act"}]


def _objections(found: Findings) -> Iterator[Statement]:
    record, config = found.facts.record, found.facts.config
    selection = registry.build("selection", config.selection)
    unmet = selection.unmet(record.metrics.validation)
    if unmet:
        yield Statement(
            "bad", f"It may not win a sweep ({config.selection.name}): {'; '.join(unmet)}."
        )
    frauds = None if found.reliability is None else found.reliability.observed
    if frauds is not None and frauds < FEW_FRAUDS:
        yield Statement(
            "note", f"Test holds {count(frauds, 'fraud')} only: every number here is rough."
        )
    for warning in record.warnings:
        yield Statement("bad", f"Warned while training: {warning}")
