"""A sweep over a list: what is finished is reused, the rest is trained, the best are kept."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from fraudlab.config import Candidate
from fraudlab.driving import Driver, Watcher
from fraudlab.launching.jobs import Launcher
from fraudlab.launching.opening import open_launcher
from fraudlab.locking import claimed
from fraudlab.mirrored import Mirror
from fraudlab.planning import plan_candidates
from fraudlab.ranking import Row, leaderboard
from fraudlab.reasons import why_trained
from fraudlab.runs import (
    Planned,
    RunRecord,
    SweepRecord,
    finished_result,
    is_at_work,
    new_sweep_id,
    now,
    running_mark,
    sweep_folder,
    write_sweep,
)
from fraudlab.tables import Tables


class Sweep:
    """One command's candidates on their way to results."""

    def __init__(self, candidates: Sequence[Candidate], watcher: Watcher) -> None:
        self.watcher = watcher
        self.tables = Tables(watcher.note)
        self.config = candidates[0].config
        planned = plan_candidates(candidates, self.tables)
        self.record = SweepRecord(new_sweep_id(), now(), planned)

    def run(self, mirror: Mirror) -> list[Row]:
        """Train what is not finished and return the leaderboard; Ctrl-C keeps what is done."""
        with claimed(running_mark(sweep_folder(self.record.sweep))):
            todo = self._todo()  # before this plan is written, which is no earlier one
            write_sweep(self.record)
            if todo:
                self._mirrored(todo, mirror)
            else:
                mirror.settle()
        return leaderboard(self.record)

    def _todo(self) -> list[Planned]:
        resume = self.config.resume
        known = [p for p in self.record.candidates if p.not_applicable is None]
        done = {p.run: None if resume == "never" else finished_result(p.run) for p in known}
        for planned in known:
            if result := done[planned.run]:
                self.watcher.reused(planned, result)
        todo = [planned for planned in known if done[planned.run] is None]
        if len(todo) < len(known):
            self.watcher.note(
                f"{len(known) - len(todo)} of {len(known)} finished before and not changed: reused"
            )
        if resume == "only" and todo:
            self.watcher.note(f"resume=only: {len(todo)} without a result stay as they are")
            return []
        if resume == "auto":
            for line in why_trained(todo):
                self.watcher.note(line)
        return todo

    def _mirrored(self, todo: Sequence[Planned], mirror: Mirror) -> None:
        launcher = open_launcher(self.config, len(todo), self.tables)
        self._driver(launcher, mirror).run(
            Listed(todo, self.watcher, self.config.resume == "never"),
            self.record,
            total=len(todo),
            rows=lambda: leaderboard(self.record),
            trained=lambda: {planned.run for planned in todo},
        )

    def _driver(self, launcher: Launcher, mirror: Mirror) -> Driver:
        return Driver(self.config, self.record.sweep, launcher, mirror, self.watcher)


class Listed:
    """The candidates of a list, in order; what another sweep is training is left to it."""

    def __init__(self, todo: Sequence[Planned], watcher: Watcher, again: bool) -> None:
        self._waiting = deque(todo)
        self._watcher = watcher
        self._again = again
        self._told: set[str] = set()

    @property
    def exhausted(self) -> bool:
        """Whether there is nothing more to start."""
        return not self._waiting

    def next(self) -> Planned | None:
        """Return the first candidate that nobody is training."""
        for _ in range(len(self._waiting)):
            planned = self._waiting.popleft()
            if is_at_work(planned.run):
                self._leave(planned)
            elif (result := None if self._again else finished_result(planned.run)) is not None:
                self._watcher.finished(planned, result)
            else:
                return planned
        return None

    def _leave(self, planned: Planned) -> None:
        if planned.run not in self._told:
            self._told.add(planned.run)
            self._watcher.note("another sweep is training one of these: waiting for it")
        self._waiting.append(planned)

    def look(self, launcher: Launcher) -> None:
        """Let them run."""

    def ended(self, planned: Planned, record: RunRecord) -> None:
        """Take note of nothing: a list does not depend on results."""
