"""How a candidate becomes a job of submitit, what that job does, and what it leaves behind."""

from __future__ import annotations

import logging
import math
import os
import pickle
import secrets
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from fraudlab.errors import ConfigError
from fraudlab.home import outputs
from fraudlab.launching.endings import Watched, died, error_text
from fraudlab.launching.jobs import Ended, Job
from fraudlab.launching.remote import perform
from fraudlab.launching.sharing import slots_and_threads
from fraudlab.limits import LauncherSettings
from fraudlab.locking import claimed, is_claimed
from fraudlab.runs import log_file, running_mark
from fraudlab.threads import VARIABLE, budget

EACH = "%j"  # of a folder's name: submitit puts the job's id there
SLURM, LOCAL = "slurm", "local"
IMPORTED = 1 << 30  # bytes that the libraries take before a candidate holds anything
STARTING = 300  # seconds from a job's start to the candidate's, at worst: imports over a network
YEAR = 365 * 24 * 60  # minutes: for as long as it likes, to submitit's local processes
UNLIMITED = 0  # minutes: the same to Slurm
FRESH = 60  # seconds in which a driver has claimed the folder that it made
FORGOTTEN = 30 * 86_400  # seconds after which nobody waits for a job any more
RULE = "\n----------------------\n"
MARKS = {"OUT_OF_MEMORY", "CANCELLED", "NODE_FAIL", "PREEMPTED", "BOOT_FAIL", "DEADLINE"}


def submitted(job: Job) -> tuple[str | None, str | None]:
    """Do a job as what submitit runs; return when its result was finished, or why there is none.

    Told to end, it ends, amid a fit in C too: submitit would have it write down where it stands.
    """
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    warning = os.environ.get("SUBMITIT_PREEMPT_SIGNAL", "USR2")
    signal.signal(signal.Signals[f"SIG{warning}"], signal.SIG_IGN)
    try:
        return perform(job), None
    except Exception as error:  # noqa: BLE001 (whatever it is, the driver tells it)
        return None, error_text(error)


def _options(launcher: LauncherSettings) -> dict[str, Any]:
    return launcher.options or {}


def cluster_of(launcher: LauncherSettings) -> str:
    """Return what runs the jobs: slurm where it is installed, local otherwise, or what was said.

    Raises
    ------
    ConfigError
        If submitit runs jobs nowhere else.
    """
    from submitit import AutoExecutor

    cluster = _options(launcher).get("cluster")
    if cluster not in {None, SLURM, LOCAL}:
        raise ConfigError(
            f"launcher.options.cluster must be slurm or local, got {cluster!r};"
            " launcher=inline trains in this process, for a debugger",
            "launcher.options.cluster",
        )
    return str(cluster or AutoExecutor.which())


def share_of(launcher: LauncherSettings, wanted: int | None, count: int) -> tuple[int, int]:
    """Return how many jobs are submitted at a time, and how many threads each may use.

    Raises
    ------
    ConfigError
        If an option that says so is no number of processors, or a cluster that submitit has not.
    """
    if cluster_of(launcher) != SLURM:
        return slots_and_threads(wanted, count)
    return slots_and_threads(wanted, count, ())[0], threads_of(launcher)


def threads_of(launcher: LauncherSettings) -> int:
    """Return the processors a Slurm job asks for: those of options or FRAUDLAB_THREADS, or 1.

    Raises
    ------
    ConfigError
        If the option is no number of processors.
    """
    for name in ("slurm_cpus_per_task", "cpus_per_task"):
        said = _options(launcher).get(name, 1)
        if not isinstance(said, int) or said < 1:
            key = f"launcher.options.{name}"
            raise ConfigError(f"{key} must be a whole number of at least 1, got {said!r}", key)
        if name in _options(launcher):
            return said
    return budget() if os.environ.get(VARIABLE, "").strip() else 1


def executor(launcher: LauncherSettings, folder: Path, threads: int) -> Any:
    """Return submitit's executor.

    Raises
    ------
    ConfigError
        If an option does not exist or has the wrong type, or Slurm is not here.
    """
    from submitit import AutoExecutor

    logging.getLogger("submitit").setLevel(logging.ERROR)
    cluster = cluster_of(launcher)
    options = {name: value for name, value in _options(launcher).items() if name != "cluster"}
    asked: dict[str, Any] = {"name": "fraudlab", "cpus_per_task": threads}
    asked["timeout_min"] = UNLIMITED if cluster == SLURM else YEAR
    if launcher.seconds is not None:
        asked["timeout_min"] = math.ceil((launcher.seconds + STARTING) / 60)
    if launcher.bytes is not None:
        asked["mem_gb"] = round((launcher.bytes + IMPORTED) / 2**30, 2)
    try:
        made = AutoExecutor(folder / EACH, cluster=cluster)
        made.update_parameters(**(asked | options))
    except (NameError, ValueError, TypeError, AssertionError, RuntimeError) as error:
        why = "; ".join(line.strip() for line in str(error).splitlines()[:2])
        raise ConfigError(
            f"launcher.options {launcher.options!r} are not for submitit: {why}", "launcher.options"
        ) from error
    return made


def check_options(launcher: LauncherSettings) -> None:
    """Find what is wrong with the options before any data is read.

    Raises
    ------
    ConfigError
        If submitit would refuse them.
    """
    _check(msgspec.json.encode(launcher))


@cache  # all candidates of a sweep have the same
def _check(encoded: bytes) -> None:
    launcher = msgspec.json.decode(encoded, type=LauncherSettings)
    with tempfile.TemporaryDirectory() as folder:
        executor(launcher, Path(folder), threads_of(launcher))


@contextmanager
def job_folder() -> Iterator[Path]:
    """Have a folder for the files of one driver's jobs; remove what killed drivers' jobs left."""
    place = outputs() / "submitit"
    for folder in place.glob("*"):
        if _age(folder) > FRESH and not is_claimed(running_mark(folder)):
            _tidy(folder)
    folder = place / secrets.token_hex(4)
    with claimed(running_mark(folder)):
        yield folder
    _tidy(folder)


def _tidy(folder: Path) -> None:
    """Remove what ended jobs left, and the folder when that was all; jobs may still be going on."""
    for job in folder.glob("[0-9]*/"):
        if _age(job) > FORGOTTEN or any(job.glob("*_result.pkl")):
            shutil.rmtree(job, ignore_errors=True)
    for link in folder.glob(".submission_file_*"):
        if not link.exists():  # the script that it led to was a job's
            link.unlink(missing_ok=True)
    with suppress(OSError):
        (folder / EACH).rmdir()  # submitit makes the pattern itself too
    with suppress(OSError):
        running_mark(folder).unlink(missing_ok=True)
        folder.rmdir()


def _age(folder: Path) -> float:
    try:
        return time.time() - folder.stat().st_mtime
    except OSError:
        return 0.0  # it has just been removed


def outcome_of(watched: Watched, handle: Any, *, on_slurm: bool) -> Ended | None:
    """Return how a job ended that is over; None while what it left is not seen here."""
    run = watched.job.run
    state = handle.state.split()[0] if on_slurm else ""  # Slurm says "CANCELLED by 1000"
    if not handle.paths.result_pickle.exists():
        if state == "COMPLETED" and not watched.is_overdue():
            return None  # on its way; `done` has a network file system look again
        return _died(run, handle, state)
    from submitit.core.utils import UncompletedJobError

    try:
        finished, error = handle.result()
    except UncompletedJobError as failure:  # it failed before it came to the candidate
        _keep_log(run, handle)
        return Ended(run, "failed", f"its job could not start: {_reason(failure)}")
    except (EOFError, pickle.UnpicklingError) as damage:
        _keep_log(run, handle)
        why = error_text(damage)
        return Ended(run, "failed", f"what its job left behind cannot be read: {why}")
    return Ended(run, "failed", error) if finished is None else watched.arrived(finished)


def _reason(failure: Exception) -> str:
    """Return the last line of the traceback that submitit puts between two rules."""
    text = str(failure)
    _, rule, trace = text.partition(RULE)
    lines = [
        line for line in (trace.partition(RULE)[0] if rule else text).splitlines() if line.strip()
    ]
    return lines[-1].strip() if lines else "no reason given"


def _died(run: str, handle: Any, state: str) -> Ended:
    _keep_log(run, handle)
    if state == "TIMEOUT":
        return Ended(run, "timeout", f"took longer than Slurm allows job {handle.job_id}")
    if not state:
        return died(run, "its process died")
    how = died(run, f"its Slurm job {handle.job_id} ended as {state}")
    return Ended(run, "killed", how.error) if state in MARKS else how


def _keep_log(run: str, handle: Any) -> None:
    """Keep what a job printed before the run's own log began."""
    log = log_file(run)
    with suppress(OSError):
        text = handle.paths.stderr.read_bytes()
        if text and not log.is_file():
            log.parent.mkdir(parents=True, exist_ok=True)
            log.write_bytes(text)
