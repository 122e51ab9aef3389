"""What to do next with a run: the first steps that its verdict suggests."""

from __future__ import annotations

from collections.abc import Iterator

from fraudlab.ranking import SAME_ROWS
from fraudlab.reporting.findings import Findings
from fraudlab.reporting.verdict import FEW_FRAUDS, judge, moved_far
from fraudlab.reporting.words import listed


def advise(found: Findings) -> list[str]:
    """Return what to do, in the order in which it pays."""
    steps = list(_mend(found))
    return [*steps, *_ship(found, mending=bool(steps))]


def _mend(found: Findings) -> Iterator[str]:
    facts = found.facts
    config, metrics = facts.config, facts.record.metrics.test
    if not facts.manifest.threshold.feasible:
        yield (
            f"Ask less of {config.threshold_strategy.name}, or look for a better model: slide the"
            " threshold below to see what is to be had."
        )
    seen = found.reliability
    if seen is not None and seen.ratio is not None and not seen.ratio[0] <= 1 <= seen.ratio[1]:
        if config.calibration.name == "identity":
            yield "Calibrate: calibration=sigmoid, or prior where only the class balance is off."
        else:
            yield (
                "Train and calibrate on rows nearer to those it will score: the share of frauds"
                " has moved."
            )
    if metrics.get("savings", 1.0) <= 0:
        instead = "min_cost, or amount_cost where amounts differ much"
        yield f"Choose the threshold by cost: threshold_strategy={instead}."
    if seen is not None and seen.observed < FEW_FRAUDS:
        yield (
            "Judge it on more frauds (a longer test, or several folds) before trusting differences."
        )
    far = moved_far(found)
    if far:
        yield f"Find out why {listed([each.column for each in far])} moved before it goes live."


def _ship(found: Findings, *, mending: bool) -> Iterator[str]:
    if found.facts.config.split.name == SAME_ROWS:
        yield "Judge it on later rows (split=temporal, prequential) before it becomes the champion."
        return
    if any(each.tone == "bad" for each in judge(found)):
        yield "Mend what is marked 'mind' above before making it the champion."
        return
    if mending:
        yield "With that done, make it the champion:"
    else:
        yield "Nothing here speaks against making it the champion:"
    yield f"python -m fraudlab.promote run={found.facts.record.run}"
