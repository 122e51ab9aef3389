"""What a worker does with a job, in whatever process and on whatever machine it finds itself."""

from __future__ import annotations

import faulthandler
import os
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from fraudlab.errors import FraudlabError
from fraudlab.launching.jobs import Job
from fraudlab.launching.memory import limit_memory
from fraudlab.locking import begin, claimed
from fraudlab.provenance import source_version
from fraudlab.runs import finished_result, log_file, run_folder, running_mark
from fraudlab.tables import Tables
from fraudlab.threads import VARIABLE, limit_threads
from fraudlab.training import train_candidate


def work(job: Job) -> None:
    """Train a job's candidate in a process that does nothing else; its files are the result.

    What the process prints goes to the run's log. The claim on the run is held here, so that it is
    let go of when this process dies, whatever becomes of the driver.
    """
    _settle(job)
    with turn(job) as ours:
        if not ours:
            return
        _print_into(log_file(job.run))
        if source_version() != job.code:
            raise FraudlabError("fraudlab's source has changed since this sweep was launched")
        limit_memory(job.memory)
        run_job(job, Tables(print, verify=False))
        sys.stdout.flush()
        if not log_file(job.run).stat().st_size:
            log_file(job.run).unlink()


@contextmanager
def turn(job: Job) -> Iterator[bool]:
    """Hold the claim on a job's run; yield whether there is anything left to do.

    There is not when another sweep has finished the candidate while this one came to it.
    """
    mark = running_mark(run_folder(job.run))
    with claimed(mark):
        ours = job.again or finished_result(job.run) is None
        if ours:
            begin(mark)
        yield ours


def run_job(job: Job, tables: Tables) -> None:
    """Train a job's candidate, as it was planned."""
    train_candidate(job.planned, tables, job.sweep, job.mlflow_run_id, job.commit)


def _settle(job: Job) -> None:
    """Take the driver's settings: where files are, how many threads a fit may use."""
    with suppress(OSError):  # a relative path of data is read in the driver's folder, if it is here
        os.chdir(job.folder)
    os.environ["FRAUDLAB_HOME"] = job.home
    os.environ[VARIABLE] = os.environ["POLARS_MAX_THREADS"] = str(job.threads)
    limit_threads(job.threads)
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))


def _print_into(log: Path) -> None:
    """Send what is printed, by libraries in C too, and the last words of a crash to a file."""
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o644)
    sys.stdout.flush()
    sys.stderr.flush()
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    os.close(handle)
    sys.stdout = os.fdopen(1, "w", buffering=1, closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
    faulthandler.enable(2, all_threads=False)
