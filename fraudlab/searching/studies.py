"""Optuna, which proposes what to try next: the only module that imports it, and imported late.

A study is shared: several commands, on several machines, may be at work on it at the same time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any

import msgspec
import optuna
from optuna.trial import FrozenTrial, TrialState

from fraudlab.errors import FraudlabError, UserError
from fraudlab.locking import claimed
from fraudlab.searching.dimensions import Dimension, Pick
from fraudlab.searching.ledger import LOST, Address, Trial, Worker, folder, myself
from fraudlab.searching.optuna_parts import (
    NOTES,
    SeededTPE,
    close_storage,
    guarded,
    open_storage,
    pruner,
    raw,
    suggested,
    told,
)
from fraudlab.searching.spaces import Space

KEY, WORKER = "fraudlab.key", "fraudlab.worker."
_COUNTED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING)


class Study:
    """A study that this process works on.

    Parameters
    ----------
    name, address
        Of the study; it is made where there is none.
    space
        How values are proposed, and when a candidate is cut short.
    seed
        The values proposed for a trial depend on it, the trial's place among those that were not
        put back, and what was told before.
    key
        What decides the values of its trials; a study of another key is another study.

    Raises
    ------
    UserError
        If the storage cannot be opened, or the study there has another key.
    """

    def __init__(self, name: str, address: Address, space: Space, seed: int, key: str) -> None:
        self.name, self._where = name, str(address)
        self._mark = folder() / f"{name}.lock"
        self._me: Worker = myself()
        self._open: dict[int, optuna.Trial] = {}
        with claimed(self._mark), guarded(self._where, UserError):
            self._storage = open_storage(address)
            self._study = optuna.create_study(
                study_name=name,
                storage=self._storage,
                sampler=SeededTPE(seed, space.sampling),
                pruner=pruner(space.pruning),
                direction="maximize",
                load_if_exists=True,
            )
            known = self._study.user_attrs.get(KEY, key)
            if known != key:
                raise UserError(
                    f"study {name!r} in {self._where} is of another space, configuration, data or"
                    " code: give study= another name"
                )
            self._study.set_user_attr(KEY, key)
            self._sign()

    def beat(self) -> None:
        """Give a sign of life; one that the storage refuses is left out, the next comes soon."""
        with suppress(FraudlabError), guarded(self._where):
            self._sign()

    def _sign(self) -> None:
        self._me = msgspec.structs.replace(self._me, seen=time.time())
        self._study.set_user_attr(WORKER + self._me.name, msgspec.to_builtins(self._me))

    def retire(self) -> None:
        """Leave the study: whatever this process was at work on is put back."""
        for number in list(self._open):
            self.leave(number)
        with guarded(self._where):
            self._study.set_user_attr(WORKER + self._me.name, None)

    def close(self) -> None:
        """Close what is open of its storage; a later question opens it again."""
        close_storage(self._storage)

    def recover(self) -> int:
        """Put back what killed workers were at work on; return how many trials that were."""
        with guarded(self._where), claimed(self._mark):
            alive = self._alive()
            found = self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
            dead = [each for each in found if _is_abandoned(each, alive, self._me.name)]
            for trial in dead:
                self._put_back(trial)
        return len(dead)

    def _alive(self) -> set[str]:
        attributes = self._study.user_attrs.items()
        found = [of for name, of in attributes if name.startswith(WORKER) and of is not None]
        workers = (msgspec.convert(each, Worker) for each in found)
        return {worker.name for worker in workers if worker.is_alive()}

    def _put_back(self, trial: FrozenTrial) -> None:
        """Close a trial without an answer, and have its values proposed again."""
        self._study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)
        self._study.enqueue_trial(trial.params, user_attrs={"again": trial.number})

    def begin_with(self, values: Mapping[str, Any], dimensions: Iterable[Dimension]) -> None:
        """Have these values, by name of dimension, proposed first, unless it has begun."""
        found = {
            each.name: raw(each, values[each.name]) for each in dimensions if each.name in values
        }
        with guarded(self._where), claimed(self._mark):
            if not self._study.get_trials(deepcopy=False):
                self._study.enqueue_trial(found)

    def trials(self) -> list[Trial]:
        """Return all trials, by number."""
        with guarded(self._where):
            found = self._study.get_trials(deepcopy=False)
        return [told(trial) for trial in found]

    def counted(self) -> int:
        """Return how many trials are answered, or at work."""
        with guarded(self._where):
            return len(self._study.get_trials(deepcopy=False, states=_COUNTED))

    def ask(
        self, walk: Callable[[Pick], dict[str, Any]], total: int | None
    ) -> tuple[int, dict[str, Any]] | None:
        """Return a new trial's number and the values of its keys; None if the study is full.

        Parameters
        ----------
        walk
            Goes through the dimensions, and returns the values by key.
        total
            How many trials the study is to have: workers that ask at the same time give way.
        """
        with guarded(self._where):
            trial = self._study.ask()
            trial.set_user_attr("worker", self._me.name)
            self._open[trial.number] = trial
            values = walk(lambda dimension: suggested(trial, dimension))
            numbers = [
                each.number for each in self._study.get_trials(deepcopy=False, states=_COUNTED)
            ]
            if total is not None and trial.number not in sorted(numbers)[:total]:
                self.leave(trial.number)
                return None
        return trial.number, values

    def note(self, number: int, **notes: Any) -> None:
        """Note something of a trial."""
        with guarded(self._where):
            trial = self._open[number]
            trial.set_user_attr(NOTES, trial.user_attrs.get(NOTES, {}) | notes)  # one write

    def report(self, number: int, stage: int, value: float) -> None:
        """Tell the metric's mean over a trial's stages up to one, counted from 0."""
        with guarded(self._where):
            self._open[number].report(value, stage)

    def should_prune(self, number: int) -> bool:
        """Whether a trial is not worth going on with."""
        with guarded(self._where):
            return self._open[number].should_prune()

    def complete(self, number: int, value: float, unmet: int = 0) -> None:
        """Tell a trial's value; one with unmet constraints counts less than all without."""
        self._end(number, TrialState.COMPLETE, value, float(unmet))

    def prune(self, number: int) -> None:
        """Tell that a trial was cut short."""
        self._end(number, TrialState.PRUNED)

    def worst(self, number: int, why: str) -> None:
        """Tell that nothing came of a trial: it counts less than all that have a value."""
        self.note(number, error=why[:500])
        self._end(number, TrialState.PRUNED, violated=1000.0)

    def leave(self, number: int) -> None:
        """Put a trial back: its values will be proposed again."""
        with guarded(self._where):
            trial = self._open.pop(number)
            params = trial.params
            self._study.tell(number, state=TrialState.FAIL, skip_if_finished=True)
            if params:
                self._study.enqueue_trial(params, user_attrs={"again": number})

    def _end(
        self, number: int, state: TrialState, value: float | None = None, violated: float = 0.0
    ) -> None:
        with guarded(self._where):
            trial = self._open.pop(number)
            if violated and hasattr(trial, "set_constraint"):
                trial.set_constraint("unmet", violated)
            elif violated:  # before Optuna 5 no trial can be said to be infeasible
                state, value = TrialState.PRUNED, None
            self._study.tell(trial, value, state=state, skip_if_finished=True)

    def importances(self) -> dict[str, float]:
        """Return by name of dimension how much it decides who is good (PED-ANOVA).

        Watanabe et al., 2023, doi:10.24963/ijcai.2023/488. Empty where it cannot be said.
        """
        evaluator = optuna.importance.PedAnovaImportanceEvaluator
        try:
            with guarded(self._where, FraudlabError):
                return dict(
                    optuna.importance.get_param_importances(self._study, evaluator=evaluator())
                )
        except (ValueError, RuntimeError):  # of trials that are too few or too alike
            return {}


def _is_abandoned(trial: FrozenTrial, alive: set[str], me: str) -> bool:
    worker = trial.user_attrs.get("worker")
    if worker is not None:
        return worker not in alive
    started = trial.datetime_start  # killed between asking and saying who asks
    age = time.time() - started.timestamp() if started is not None else LOST
    return not alive - {me} or age >= LOST
