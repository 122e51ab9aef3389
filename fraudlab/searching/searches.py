"""A search from its study to its leaderboard: a sweep whose candidates come as it goes."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from fraudlab.composition import Composer
from fraudlab.driving import Driver, Watcher
from fraudlab.errors import ConfigError, UserError
from fraudlab.launching.opening import open_launcher
from fraudlab.launching.sharing import MANY
from fraudlab.locking import claimed
from fraudlab.mirrored import Mirror
from fraudlab.planning import plan_candidate
from fraudlab.provenance import resume_key
from fraudlab.ranking import Row, leaderboard
from fraudlab.runs import (
    Planned,
    SweepRecord,
    new_sweep_id,
    now,
    read_sweep,
    running_mark,
    sweep_folder,
    write_sweep,
)
from fraudlab.searching.allowance import Allowance
from fraudlab.searching.ledger import Trial, address_of
from fraudlab.searching.probing import CheckedSearch
from fraudlab.searching.proposals import Proposals
from fraudlab.searching.studies import Study
from fraudlab.tables import Tables

SHORT = 8  # digits of the study's key in its name


class Search:
    """One command at work on a study.

    Parameters
    ----------
    checked, composer
        What varies, and what makes candidates of it.
    storage, study
        As the user said them; None for a journal of its own, and a name that depends on all that
        decides what a value means.
    allowance
        How much it may take.
    watcher
        Is told how it goes on.

    Raises
    ------
    UserError
        If the data, storage or name cannot be used.
    """

    def __init__(
        self,
        checked: CheckedSearch,
        composer: Composer,
        storage: str | None,
        study: str | None,
        allowance: Allowance,
        watcher: Watcher,
    ) -> None:
        self.checked, self._composer = checked, composer
        self._allowance, self._watcher = allowance, watcher
        self._tables = Tables(watcher.note)
        self.config = checked.base.config
        planned = plan_candidate(checked.base, self._tables)
        origin = resume_key(self.config, planned.data_fingerprint)
        key = checked.space.digest(origin, self.config.selection)
        self.name = study or f"{checked.space.name.replace('/', '-')}-{key[:SHORT]}"
        address = address_of(storage, self.name)
        self.study = Study(self.name, address, checked.space, self.config.seed, key)
        self.record = SweepRecord(new_sweep_id(), now(), ())
        self._known: dict[str, Planned] = {}
        self.source: Proposals | None = None
        self.on_met: Callable[[SweepRecord], None] = lambda _: None

    def run(self, mirror: Mirror) -> list[Row]:
        """Search until nothing more may be started, and return the leaderboard of the whole study.

        Ctrl-C keeps what is done, and puts back what is not.
        """
        again = self.study.recover()
        if again:
            self._watcher.note(f"{again} trials of workers that were stopped are tried again")
        self.study.begin_with(self.checked.default(), self.checked.space.dimensions)
        with claimed(running_mark(sweep_folder(self.record.sweep))):
            try:
                self._catch_up()
                why = self._allowance.over(self.study, ())
                if why is None:
                    self._search(mirror)
                else:
                    self._watcher.note(why)
                    mirror.settle()
            finally:
                self.study.retire()
                self._catch_up()
        return self.rows()

    def rows(self) -> list[Row]:
        """Return the leaderboard by now; none where no trial came to be a candidate."""
        return leaderboard(self.record) if self.record.candidates else []

    def trained(self) -> set[str]:
        """Return the runs that this study had trained, by this command and others."""
        own = set() if self.source is None else self.source.trained
        return own | {t.notes["run"] for t in self.study.trials() if t.notes.get("trained")}

    def _search(self, mirror: Mirror) -> None:
        launcher = open_launcher(self.config, self._left() or MANY, self._tables)
        source = self.source = Proposals(
            self.checked, self._composer, self._tables, self.study, self._allowance,
            self._watcher, self._meet, self.record.sweep,
        )  # fmt: skip
        driver = Driver(self.config, self.record.sweep, launcher, mirror, self._watcher)
        driver.run(source, self.record, self._left(), self.rows, self.trained)
        if source.why:
            self._watcher.note(source.why)

    def _left(self) -> int | None:
        trials = self._allowance.trials
        return None if trials is None else max(1, trials - self.study.counted())

    def _meet(self, planned: Planned) -> None:
        """Add a candidate to the sweep."""
        if planned.run not in self._known:
            self._known[planned.run] = planned
            self._write()

    def _write(self) -> None:
        found = tuple(self._known.values())
        self.record = msgspec.structs.replace(self.record, candidates=found)
        write_sweep(self.record)
        self.on_met(self.record)

    def _catch_up(self) -> None:
        """Add the candidates of trials that others have asked for, or earlier commands."""
        trials = [t for t in self.study.trials() if t.notes.get("run") not in {None, *self._known}]
        if not trials:
            return
        written = self._written({str(trial.notes.get("sweep")) for trial in trials})
        for trial in trials:
            planned = written.get(trial.notes["run"]) or self._composed(trial)
            if planned is not None:
                self._known.setdefault(planned.run, planned)
        if self._known:
            self._write()

    def _written(self, sweeps: set[str]) -> dict[str, Planned]:
        """Return the candidates of earlier commands, by run: reading them beats composing them."""
        found: dict[str, Planned] = {}
        for sweep in sorted(sweeps - {self.record.sweep, "None"}):
            try:
                found |= {each.run: each for each in read_sweep(sweep).candidates}
            except UserError:  # it is on another machine, or was removed
                continue
        return found

    def _composed(self, trial: Trial) -> Planned | None:
        try:
            candidate = self.checked.compose(self._composer, trial.notes.get("words", ()))
            return plan_candidate(candidate, self._tables)
        except ConfigError:
            return None
