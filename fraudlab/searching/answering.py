"""What a study is told of a candidate: how it stands while it runs, and what came of it."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from fraudlab import registry
from fraudlab.config import Config
from fraudlab.protocols import Selection
from fraudlab.runs import PRUNED, Planned, RunRecord, read_stages
from fraudlab.searching.ledger import Trial
from fraudlab.searching.studies import Study
from fraudlab.tables import Tables

KILLS = 2  # of the same candidate, after which it counts as one that failed


@dataclass(slots=True)
class Stages:
    """The stages that a candidate has come through, of `count`.

    What is compared is the mean of the metric over the stages so far: that of all of them is the
    candidate's value.
    """

    metric: str
    count: int
    reported: int = 0

    @classmethod
    def of(cls, config: Config, tables: Tables, selection: Selection) -> Stages | None:
        """Return the stages of a candidate; None where there is one only."""
        count = len(tables.split(config).validation)
        return cls(selection.metric, count) if count > 1 else None

    def report(self, number: int, metrics: Sequence[dict[str, float]], study: Study) -> None:
        """Tell the study of all stages; those it knows already it leaves as they are."""
        for stage, mean in enumerate(self._means(metrics)):
            study.report(number, stage, mean)

    def hopeless(self, run: str, number: int, study: Study) -> str | None:
        """Return why a candidate is not worth going on with; None while it may be.

        After the last stage there is nothing left to save.
        """
        before, means = self.reported, self._means(read_stages(run))
        if len(means) <= before or len(means) >= self.count:
            return None
        for stage in range(before, len(means)):
            study.report(number, stage, means[stage])
        self.reported = len(means)
        if not study.should_prune(number):
            return None
        last = len(means) - 1
        others = [
            trial.stages[last]
            for trial in study.trials()
            if trial.number != number and last in trial.stages and trial.state == "complete"
        ]
        median = f", the median of the others {statistics.median(others):.4f}" if others else ""
        return (
            f"{PRUNED} after stage {len(means)} of {self.count}: {self.metric}"
            f" {means[last]:.4f}{median}"
        )

    def _means(self, metrics: Sequence[dict[str, float]]) -> list[float]:
        values: list[float] = []
        means: list[float] = []
        for stage in metrics:
            if self.metric not in stage:
                break
            values.append(stage[self.metric])
            means.append(statistics.fmean(values))
        return means


@dataclass(slots=True)
class Live:
    """A candidate at work: the trials it answers, and since when.

    Attributes
    ----------
    stages
        Of its validation, where there are several.
    stopped
        How we ended it, pruned or left; None while we did not.
    """

    planned: Planned
    trials: list[int]
    stages: Stages | None = None
    begun: float = field(default_factory=time.monotonic)
    stopped: str | None = None


class Answers:
    """Answers trials by the selection's metric on validation."""

    def __init__(self, study: Study, config: Config) -> None:
        self._study = study
        self.selection: Selection = registry.build("selection", config.selection)

    def tell(self, live: Live, record: RunRecord, **notes: Any) -> None:
        """Tell the value of a finished candidate, and of its stages; note of it what is given."""
        metrics, metric = record.metrics.validation, self.selection.metric
        value = metrics.get(metric, math.nan)
        unmet = len(self.selection.unmet(metrics))
        for number in live.trials:
            if not math.isfinite(value):
                self._study.worst(number, f"{metric} not measured")
                continue
            if live.stages is not None:
                live.stages.report(number, record.folds.validation, self._study)
            self._study.note(number, unmet=unmet, **notes)
            self._study.complete(number, value, unmet)

    def prune(self, live: Live) -> None:
        """Tell that a candidate was cut short."""
        for number in live.trials:
            self._study.prune(number)

    def leave(self, live: Live) -> None:
        """Put a candidate back, without an answer."""
        for number in live.trials:
            self._study.leave(number)

    def worst(self, live: Live, why: str) -> None:
        """Tell that nothing came of a candidate."""
        for number in live.trials:
            self._study.worst(number, why)

    def may_try_again(self, live: Live, record: RunRecord) -> bool:
        """Note that a candidate was killed from outside; return whether it is to be tried again.

        A machine may be lost, a job preempted. But memory may also have run out, by its doing.
        """
        self._study.note(live.trials[0], killed=record.error)
        told = [trial.notes for trial in self._study.trials()]
        kills = [of for of in told if of.get("run") == record.run and "killed" in of]
        return len(kills) < KILLS

    def earlier(self, run: str) -> Trial | None:
        """Return an answered trial that stood for the same candidate."""
        answered = (each for each in self._study.trials() if each.state in {"complete", "pruned"})
        return next((each for each in answered if each.notes.get("run") == run), None)

    def copy(self, live: Live, earlier: Trial) -> None:
        """Answer a candidate's trials as an earlier one of it was."""
        if "error" in earlier.notes:
            self.worst(live, earlier.notes["error"])
            return
        for number in live.trials:
            for stage, value in earlier.stages.items():
                self._study.report(number, stage, value)
            if earlier.value is None:
                self._study.prune(number)
            else:
                self._study.complete(number, earlier.value, earlier.notes.get("unmet", 0))
