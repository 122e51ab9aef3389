"""Where the candidates of a search come from: each is asked for, trained if it is new, and told.

A candidate that failed, crashed or does not apply is told as worse than all that have a value, so
that the search keeps away from its like; one that misses a constraint of the selection, as worse
than all that meet them. One that was finished before is told at once, and so is a repeated one.
One that was ended by somebody else is put back: that says nothing of its parameters.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from fraudlab.composition import Composer
from fraudlab.config import Candidate
from fraudlab.driving import Watcher
from fraudlab.errors import ConfigError, DataError
from fraudlab.launching.jobs import Launcher
from fraudlab.planning import plan_candidate
from fraudlab.runs import Planned, RunRecord, finished_result, has_failed, is_at_work
from fraudlab.searching.allowance import Allowance
from fraudlab.searching.answering import Answers, Live, Stages
from fraudlab.searching.ledger import BEAT
from fraudlab.searching.probing import CheckedSearch
from fraudlab.searching.studies import Study
from fraudlab.tables import Tables

REPEATS = 25  # proposals in a row that bring nothing new: the space must be used up
FAILURES = 10  # in a row, with nothing finished before: the configuration must be wrong


class Proposals:
    """The source of a search's candidates.

    Parameters
    ----------
    search, composer, tables
        What varies, and what makes candidates of it.
    study
        Which is asked, and told.
    allowance
        How long this command may take, and how many trials the study may have.
    watcher
        Is told what happens to candidates that are not trained.
    met
        Is told of each candidate that a trial stands for.
    sweep
        The id of the sweep they are trained for.

    Attributes
    ----------
    trained
        The runs that were begun here.
    failed
        Those of them that came to no result by their own fault, or were killed and not tried again.
    """

    def __init__(
        self,
        search: CheckedSearch,
        composer: Composer,
        tables: Tables,
        study: Study,
        allowance: Allowance,
        watcher: Watcher,
        met: Callable[[Planned], None],
        sweep: str,
    ) -> None:
        self._search, self._composer, self._tables = search, composer, tables
        self._study, self._allowance, self._watcher, self._met = study, allowance, watcher, met
        self._sweep = sweep
        self._answers = Answers(study, search.base.config)
        self._live: dict[str, Live] = {}
        self._elsewhere: dict[str, Live] = {}
        self._over: str | None = None
        self._is_waiting = self._has_halted = False
        self._repeats = self._failures = 0
        self._beaten = time.monotonic()
        self.trained: set[str] = set()
        self.failed: set[str] = set()

    @property
    def exhausted(self) -> bool:
        """Whether there is nothing more to start, now or later."""
        return self._over is not None and not self._elsewhere

    @property
    def why(self) -> str:
        """Why nothing more was started."""
        return self._over or ""

    def next(self) -> Planned | None:
        """Return the next candidate that must be trained; None if there is none just now."""
        self._is_waiting = False
        for live in list(self._elsewhere.values()):
            planned = self._come_back(live)
            if planned is not None:
                return planned
        while self._over is None and not self._is_waiting:
            self._over = self._allowance.over(self._study, self._live)
            if self._over is None:
                planned = self._propose()
                if planned is not None:
                    return planned
        return None

    def _propose(self) -> Planned | None:
        """Ask for a trial; return its candidate, or None when it was answered without training."""
        search, total = self._search, self._allowance.trials
        answer = self._study.ask(lambda pick: search.space.walk(search.known, pick), total)
        if answer is None:
            return None
        number, values = answer
        words = search.proposed(values)
        try:
            candidate = search.compose(self._composer, words)
            planned = plan_candidate(candidate, self._tables)
        except (ConfigError, DataError) as error:
            self._study.note(number, words=words)
            self._refuse(number, str(error))
            return None
        self._study.note(number, words=words, run=planned.run, sweep=self._sweep)
        if candidate.not_applicable is not None:
            self._met(planned)
            self._refuse(number, candidate.not_applicable)
            return None
        return self._start(number, planned, candidate)

    def _start(self, number: int, planned: Planned, candidate: Candidate) -> Planned | None:
        """Return a candidate that must be trained, or answer its trial."""
        run = planned.run
        if run in self._live:
            self._live[run].trials.append(number)
            self._repeat(number)
            return None
        if run in self._elsewhere:  # the study knows no better until that one has ended
            self._elsewhere[run].trials.append(number)
            self._repeat(number)
            self._is_waiting = True
            return None
        earlier = self._answers.earlier(run)
        if earlier is not None:
            self._repeat(number)
            self._answers.copy(Live(planned, [number]), earlier)
            return None
        stages = Stages.of(candidate.config, self._tables, self._answers.selection)
        live = Live(planned, [number], stages)
        self._met(planned)
        self._repeats = 0
        return self._come_back(live)

    def _come_back(self, live: Live) -> Planned | None:
        """Return a candidate if it is to be trained here: nobody else does, and it has no result.

        One that another command is training is looked at again later.
        """
        run = live.planned.run
        if is_at_work(run):
            self._elsewhere[run] = live
            return None
        self._elsewhere.pop(run, None)
        result = finished_result(run)
        if result is not None:
            self._watcher.reused(live.planned, result)
            self._answers.tell(live, result)
            self._failures = 0
            return None
        earlier = self._answers.earlier(run)
        if earlier is not None:  # whoever was training it told that nothing came of it
            self._answers.copy(live, earlier)
            return None
        live.begun = time.monotonic()
        self._live[run] = live
        self.trained.add(run)
        return live.planned

    def _refuse(self, number: int, why: str) -> None:
        """Answer a trial whose values make no candidate."""
        self._study.worst(number, why)
        self._watcher.note(f"not tried: {why}")
        self._fail()
        self._bring_nothing()

    def _repeat(self, number: int) -> None:
        self._study.note(number, repeated=True)
        self._bring_nothing()

    def _bring_nothing(self) -> None:
        self._repeats += 1
        if self._repeats >= REPEATS:
            self._over = f"the last {REPEATS} proposals brought nothing new: the space is used up"

    def _fail(self) -> None:
        self._failures += 1
        if self._failures >= FAILURES and not any(
            t.value is not None for t in self._study.trials()
        ):
            self._over = f"the first {FAILURES} candidates all came to nothing"

    def look(self, launcher: Launcher) -> None:
        """Cut short what is not worth going on with, and what has run out of time."""
        if time.monotonic() - self._beaten > BEAT:
            self._beaten = time.monotonic()
            self._study.beat()
        late = self._allowance.is_spent
        for run, live in self._live.items():
            if live.stopped is not None:
                continue
            if late:
                live.stopped = "left"
                launcher.stop(run, f"{self._allowance}; the same command goes on with it")
            elif live.stages is not None:
                why = live.stages.hopeless(run, live.trials[0], self._study)
                if why is not None:
                    live.stopped = "pruned"
                    launcher.stop(run, why)
        if late:
            self._over = self._over or str(self._allowance)
            self._elsewhere.clear()  # their trials are put back when the study is left

    def ended(self, planned: Planned, record: RunRecord) -> None:
        """Tell how a candidate ended."""
        self._tell(self._live.pop(planned.run), record)
        if has_failed(record) and self._search.base.config.fail_fast:
            self._has_halted = True

    def _tell(self, live: Live, record: RunRecord) -> None:
        if record.status == "done":
            took = round(time.monotonic() - live.begun, 3)
            self._answers.tell(live, record, took=took, trained=True)
            self._failures = 0
            self.failed.discard(record.run)
        elif live.stopped == "pruned":
            self._answers.prune(live)
        elif live.stopped == "left" or self._is_innocent(live, record):
            self._answers.leave(live)
        else:
            self._answers.worst(live, f"{record.status}: {record.error}")
            self.failed.add(record.run)
            self._fail()

    def _is_innocent(self, live: Live, record: RunRecord) -> bool:
        """Whether a candidate was ended by somebody else, and may be tried again."""
        if record.status != "killed":
            return False
        if self._has_halted:  # the driver stopped it, as another had failed
            return True
        self.failed.add(record.run)  # until it has a result
        return self._answers.may_try_again(live, record)
