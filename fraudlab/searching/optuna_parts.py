"""What `studies` takes from Optuna: sampler, pruner, storage, and errors in our own words."""

from __future__ import annotations

import fcntl
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, TPESampler
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from fraudlab.errors import FraudlabError
from fraudlab.searching.dimensions import Dimension
from fraudlab.searching.ledger import Address, State, Trial
from fraudlab.searching.spaces import Pruning, Sampling

optuna.logging.disable_default_handler()  # what it does is told in our own lines
WAIT = 60  # seconds that a worker waits for another to let go of an sqlite file
NOTES = "fraudlab"  # the attribute of a trial with what was noted of it
_STATES: dict[TrialState, State] = {
    TrialState.WAITING: "waiting",
    TrialState.RUNNING: "running",
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "left",
}


@contextmanager
def guarded(where: str, kind: type[FraudlabError] = FraudlabError) -> Iterator[None]:
    """Say of a storage that fails where it is, and be quiet of what is experimental.

    Raises
    ------
    FraudlabError
        Of `kind`, if the storage failed.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"(optuna|fraudlab\.searching)(\..*)?")
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        try:
            yield
        except FraudlabError:
            raise
        except (OSError, ImportError) as error:
            raise kind(_failure(where, error)) from error
        except Exception as error:
            named = type(error).__module__.partition(".")[0]
            storage = isinstance(error, optuna.exceptions.StorageInternalError)
            if storage or named in {"sqlalchemy", "alembic", "psycopg"}:
                raise kind(_failure(where, error)) from error
            raise


def _failure(where: str, error: Exception) -> str:
    cause = error.__cause__ or error
    first = str(cause).strip().partition("\n")[0] or type(cause).__name__
    hint = "; pip install 'fraudlab[postgres]'" if isinstance(cause, ImportError) else ""
    return f"the study's storage, {where}, cannot be used: {first}{hint}"


def open_storage(address: Address) -> BaseStorage:
    """Return the storage at an address; who calls it holds the lock under which tables are made."""
    if address.kind == "journal":
        path = Path(address.place)
        path.parent.mkdir(parents=True, exist_ok=True)
        _mend(path)
        return JournalStorage(JournalFileBackend(str(path), _Lock(path)))  # type: ignore[arg-type]
    if address.place.startswith("sqlite"):
        return RDBStorage(address.place, engine_kwargs={"connect_args": {"timeout": WAIT}})
    # A server that was started again while a candidate was trained is connected to again.
    return RDBStorage(address.place, engine_kwargs={"pool_pre_ping": True})


def close_storage(storage: BaseStorage) -> None:
    """Close the connections to a database; a journal keeps nothing open."""
    if isinstance(storage, RDBStorage):
        storage.remove_session()
        storage.engine.dispose()


def _mend(path: Path) -> None:
    """Take back the last line of a journal whose writer was killed amid it."""
    lock = _Lock(path)
    lock.acquire()
    try:
        content = path.read_bytes() if path.is_file() else b""
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            os.truncate(path, whole)
    finally:
        lock.release()


class _Lock:
    """Lets go of the journal when its holder dies; Optuna's own waits half a minute then."""

    def __init__(self, path: Path) -> None:
        self._path = path.with_name(f".{path.name}.lock")
        self._handle: int | None = None

    def acquire(self) -> bool:
        """Wait for the lock and hold it."""
        self._handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        fcntl.flock(self._handle, fcntl.LOCK_EX)
        return True

    def release(self) -> None:
        """Let go of it."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


class SeededTPE(BaseSampler):
    """Optuna's TPE, with a seed for each trial.

    A sampler's own draws go on from where it stands; one that is started again, or beside another,
    would repeat them. Here they depend on the seed and on how many trials came before that count,
    so that workers draw differently, and a search that was interrupted proposes what it would have
    proposed anyway: a trial that was put back stands in the study twice, but counts once.
    """

    def __init__(self, seed: int, sampling: Sampling) -> None:
        self._seed = seed
        self._sampling = sampling
        self._tpe = self._seeded(0)

    def _seeded(self, place: int) -> TPESampler:
        wanted = self._sampling
        seed = int(np.random.SeedSequence([self._seed, place]).generate_state(1)[0])
        return TPESampler(
            n_startup_trials=wanted.n_startup_trials,
            n_ei_candidates=wanted.n_ei_candidates,
            multivariate=wanted.multivariate,
            group=wanted.multivariate and wanted.group,
            constant_liar=True,  # what is at work counts as bad: nobody repeats it
            warn_independent_sampling=False,
            seed=seed,
        )

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Start anew."""
        trials = study.get_trials(deepcopy=False)
        earlier = (each for each in trials if each.number < trial.number)
        self._tpe = self._seeded(sum(each.state != TrialState.FAIL for each in earlier))
        self._tpe.before_trial(study, trial)

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Return what is proposed together."""
        return self._tpe.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Return values proposed together."""
        return self._tpe.sample_relative(study, trial, search_space)

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """Return one value proposed alone."""
        return self._tpe.sample_independent(study, trial, param_name, param_distribution)

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Any) -> None:
        """Learn that a trial has ended."""
        self._tpe.after_trial(study, trial, state, values)


def pruner(wanted: Pruning) -> optuna.pruners.BasePruner:
    """Return what says that a candidate is not worth going on with."""
    if not wanted.enabled:
        return optuna.pruners.NopPruner()
    return optuna.pruners.PercentilePruner(
        wanted.percentile, wanted.n_startup_trials, wanted.n_warmup_stages
    )


def suggested(trial: optuna.Trial, dimension: Dimension) -> Any:
    """Return the value that is proposed for a dimension."""
    numbers = dimension.range
    if numbers is None:
        choices = [raw(dimension, choice) for choice in dimension.choices]
        return dimension.choices[choices.index(trial.suggest_categorical(dimension.name, choices))]
    if numbers.is_whole:
        low, high, step = int(numbers.low), int(numbers.last), int(numbers.step or 1)
        return numbers.rounded(
            trial.suggest_int(dimension.name, low, high, step=step, log=numbers.log)
        )
    value = trial.suggest_float(
        dimension.name, numbers.low, numbers.last, step=numbers.step, log=numbers.log
    )
    return numbers.rounded(value)


def raw(dimension: Dimension, value: Any) -> Any:
    """Return a value as Optuna can store it: a list or mapping as text."""
    if dimension.range is not None or isinstance(value, str | int | float | None):
        return value
    plain = msgspec.to_builtins(value, str_keys=True)
    return msgspec.json.encode(plain, order="sorted").decode()


def told(trial: FrozenTrial) -> Trial:
    """Return a trial as everybody but Optuna knows it."""
    value = trial.value if trial.state == TrialState.COMPLETE else None
    return Trial(
        trial.number,
        _STATES[trial.state],
        value,
        dict(trial.intermediate_values),
        trial.user_attrs.get(NOTES, {}),
    )
