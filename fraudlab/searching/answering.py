"""What a study is told of a candidate that came to its end."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from typing import Any

from fraudlab import registry
from fraudlab.config import Config
from fraudlab.protocols import Selection
from fraudlab.runs import Planned, RunRecord
from fraudlab.searching.pruning import Stages
from fraudlab.searching.studies import Study
from fraudlab.searching.trials import Trial


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

    def earlier(self, run: str, number: int) -> Trial | None:
        """Return an answered trial that stood for the same candidate."""
        return next(
            (
                trial
                for trial in self._study.trials()
                if trial.notes.get("run") == run
                and trial.number != number
                and trial.state in {"complete", "pruned"}
            ),
            None,
        )

    def copy(self, number: int, earlier: Trial) -> None:
        """Answer a trial as an earlier one of the same candidate was."""
        if "error" in earlier.notes:
            self._study.worst(number, earlier.notes["error"])
            return
        for stage, value in earlier.stages.items():
            self._study.report(number, stage, value)
        if earlier.value is None:
            self._study.prune(number)
        else:
            self._study.complete(number, earlier.value, earlier.notes.get("unmet", 0))
