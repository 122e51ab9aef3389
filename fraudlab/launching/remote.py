"""What a worker on another machine does with a job, and how the driver learns what came of it.

The result travels through the shared folder alone; what comes back over the network is its time,
by which the driver knows that it sees this result and not an earlier one.
"""

from __future__ import annotations

import platform
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from fraudlab.errors import FraudlabError
from fraudlab.launching.jobs import Ended, Job, last_words
from fraudlab.locking import has_begun, is_claimed
from fraudlab.provenance import resume_key
from fraudlab.runs import log_file, read_result, run_folder, running_mark

ARRIVAL = 60.0  # seconds that a network file system may keep what it knew of a folder
LETTING_GO = 10.0  # seconds in which a process that was ended should be gone
GLANCE = 0.1
CRASH = "Fatal Python error"  # how Python begins a crash's last words


def perform(job: Job) -> str:
    """Train a job's candidate; return when its result was finished.

    Raises
    ------
    FraudlabError
        If this machine does not share the output folder, or has other code: the result would stand
        under the key of another one.
    """
    if not (Path(job.home) / "outputs").is_dir():
        raise FraudlabError(
            f"{platform.node()} does not see {job.home}: the machines must share the output folder"
        )
    planned = job.planned
    if not resume_key(planned.config, planned.data_fingerprint).startswith(planned.run):
        raise FraudlabError(
            f"{platform.node()} has another fraudlab, or other plugins, than the machine that"
            " started the sweep: install the same there"
        )
    from fraudlab.launching.working import work

    work(job)
    record = read_result(job.run)
    return str(record and record.finished)


@dataclass(slots=True)
class Watched:
    """A job that runs somewhere.

    Attributes
    ----------
    begun
        When the driver saw that it had begun, on the driver's own clock; None before.
    stopped
        How it was ended by the driver; None when it was not.
    """

    job: Job
    begun: float | None = None
    stopped: Ended | None = None

    def overrun(self) -> Ended | None:
        """Return how it ended if it has used up its time, which runs from when it began."""
        run, seconds = self.job.run, self.job.seconds
        if seconds is None or self.stopped is not None:
            return None
        if self.begun is None and has_begun(running_mark(run_folder(run))):
            self.begun = time.monotonic()
        if self.begun is None or time.monotonic() - self.begun <= seconds:
            return None
        took = f"took longer than launcher.timeout ({seconds:g} s)"
        return Ended(run, "timeout", took + last_words(run))


def arrived(run: str, finished: str) -> Ended:
    """Return how a job ended that left a result, once that is seen here."""
    folder, end = run_folder(run), time.monotonic() + ARRIVAL
    while (record := read_result(run)) is None or record.finished != finished:
        if time.monotonic() > end:
            return Ended(
                run,
                "failed",
                f"its worker wrote a result that is not in {folder}: the machines must share the"
                " output folder",
            )
        for stale in (folder.parent, folder):  # listing a folder makes NFS look at it again
            with suppress(OSError):
                list(stale.iterdir())
        time.sleep(GLANCE)
    return Ended(run)


def died(run: str, what: str) -> Ended:
    """Return how a job ended whose worker died: of a crash of its own, or killed from outside."""
    try:
        crashed = CRASH in log_file(run).read_text(errors="replace")
    except OSError:
        crashed = False
    return Ended(run, "failed" if crashed else "killed", what + last_words(run))


def error_text(error: BaseException) -> str:
    """Return an error as a record tells it: one line."""
    text = (str(error).strip() or "no message").splitlines()[-1]
    return text if isinstance(error, FraudlabError) else f"{type(error).__name__}: {text}"


def let_go(runs: list[str]) -> None:
    """Wait until workers that were ended hold their runs no more."""
    end = time.monotonic() + LETTING_GO
    for run in runs:
        while is_claimed(running_mark(run_folder(run))) and time.monotonic() < end:
            time.sleep(GLANCE)
