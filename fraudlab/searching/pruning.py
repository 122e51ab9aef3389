"""How a candidate stands after each stage of its validation, while it runs."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from fraudlab.config import Config
from fraudlab.protocols import Selection
from fraudlab.runs import PRUNED, read_stages
from fraudlab.searching.studies import Study
from fraudlab.tables import Tables


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
