"""How a job comes to its end: what the driver watches it by, and in what words it is told."""

from __future__ import annotations

import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from fraudlab.errors import FraudlabError
from fraudlab.launching.jobs import Ended, Job, last_words
from fraudlab.locking import has_begun, is_claimed
from fraudlab.runs import is_at_work, log_file, read_result, run_folder, running_mark

ARRIVAL = 60.0  # seconds that a network file system may keep what it knew of a folder
LETTING_GO = 10.0  # seconds in which a process that was ended should be gone
GLANCE = 0.1
CRASH = "Fatal Python error"  # how Python begins a crash's last words


@dataclass(slots=True)
class Watched:
    """A job that runs somewhere.

    Attributes
    ----------
    pid
        Of its worker; None where the driver does not know it.
    begun
        When the driver saw that it had begun, on the driver's own clock; None before.
    over
        When the driver first looked for what it left behind, on the same clock; None before.
    stopped
        How it was ended by the driver; None when it was not.
    """

    job: Job
    pid: int | None = None
    begun: float | None = None
    over: float | None = None
    stopped: Ended | None = None

    def overrun(self) -> Ended | None:
        """Return how it ended if it has used up its time, which runs from when it began."""
        run, seconds = self.job.run, self.job.seconds
        if seconds is None or self.stopped is not None:
            return None
        if self.begun is None and _is_at_work(running_mark(run_folder(run)), self.pid):
            self.begun = time.monotonic()
        if self.begun is None or time.monotonic() - self.begun <= seconds:
            return None
        took = f"took longer than launcher.timeout ({seconds:g} s)"
        return Ended(run, "timeout", took + last_words(run))

    def is_overdue(self) -> bool:
        """Whether what it left should long be seen here; time runs from the first question."""
        if self.over is None:
            self.over = time.monotonic()
        return time.monotonic() - self.over > ARRIVAL

    def arrived(self, finished: str) -> Ended | None:
        """Return that it left the result of that time; None while that may yet come to be seen.

        Who asks goes on with other things, and asks again.
        """
        run, folder = self.job.run, run_folder(self.job.run)
        for stale in (folder.parent, folder):  # listing a folder makes NFS look at it again
            with suppress(OSError):
                list(stale.iterdir())
        record = read_result(run)
        if record is not None and record.finished == finished:
            return Ended(run)
        if not self.is_overdue():
            return None
        return Ended(
            run,
            "failed",
            f"its worker wrote a result that is not in {folder}: the machines must share the"
            " output folder",
        )


def _is_at_work(mark: Path, pid: int | None) -> bool:
    """Whether a worker has begun: a killed one's mark says so too, but nobody holds it."""
    if not (has_begun(mark) and is_claimed(mark)):
        return False
    try:
        return pid is None or mark.read_text() == str(pid)  # another sweep's has another
    except FileNotFoundError:
        return False  # it has just ended


def died(run: str, what: str, *, crashed: bool | None = None) -> Ended:
    """Return how a job ended whose worker died without a result.

    Parameters
    ----------
    run
        The job's.
    what
        What is known, for the start of a sentence.
    crashed
        Whether of itself; False if it was killed from outside, None where its log has to tell.
    """
    if crashed is None:
        try:
            crashed = CRASH in log_file(run).read_text(errors="replace")
        except OSError:
            crashed = False
    return Ended(run, "failed" if crashed else "killed", what + last_words(run))


def exited(run: str, code: int | None) -> Ended:
    """Return how a process of this machine ended without a result, by its exit code."""
    if code is None or code >= 0:
        return died(run, f"its process ended with exit code {code}", crashed=True)
    try:
        name = signal.Signals(-code).name
    except ValueError:  # one of the many that have no name
        name = f"signal {-code}"
    if -code == signal.SIGKILL:
        return died(
            run, f"killed by {name}, as the system does when memory runs out", crashed=False
        )
    if -code == signal.SIGTERM:
        return died(run, f"killed by {name}", crashed=False)
    return died(run, f"its process died of {name}", crashed=True)


def error_text(error: BaseException) -> str:
    """Return an error as a record tells it: one line."""
    text = (str(error).strip() or "no message").splitlines()[-1]
    return text if isinstance(error, FraudlabError) else f"{type(error).__name__}: {text}"


def let_go(runs: list[str]) -> None:
    """Wait until workers that were ended hold their runs no more."""
    end = time.monotonic() + LETTING_GO
    for run in runs:
        while is_at_work(run) and time.monotonic() < end:
            time.sleep(GLANCE)
