"""Candidates on a Ray cluster: each is one task, in a worker process that ends with it."""

from __future__ import annotations

import os
import pickle
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fraudlab
from fraudlab.launching.endings import Watched, died, error_text, let_go
from fraudlab.launching.jobs import Ended, Job
from fraudlab.launching.ray_cluster import joined
from fraudlab.launching.sharing import slots_and_threads
from fraudlab.limits import LauncherSettings
from fraudlab.threads import processors


@dataclass(slots=True, kw_only=True)
class _Task(Watched):
    reference: Any


class OnRay:
    """The launcher of `launcher=ray`.

    Parameters
    ----------
    launcher
        Its settings.
    wanted
        How many candidates at a time; None for as many as the cluster's processors run.
    count
        How many there are.
    """

    def __init__(self, launcher: LauncherSettings, wanted: int | None, count: int) -> None:
        self._tasks: dict[str, _Task] = {}
        self._open = ExitStack()
        own = slots_and_threads(wanted, count)
        here = max(processors(), own[0] * own[1])
        try:
            self._open.enter_context(joined(launcher.address, here))
            machines = _machines()
            self.slots, self.threads = (
                own
                if launcher.address is None
                else slots_and_threads(wanted, count, [each.get("CPU", 0) for each in machines])
            )
            self._train = _train_of(machines, self.threads, launcher.bytes)
        except BaseException:
            self._open.close()
            raise

    def start(self, job: Job) -> None:
        """Hand a job to the cluster."""
        reference = self._train.remote(_search_path(), pickle.dumps(job))
        self._tasks[job.run] = _Task(job, reference=reference)

    def ended(self, wait: float) -> list[Ended]:
        """Return the jobs that have ended, after waiting at most `wait` seconds for one."""
        import ray

        tasks = list(self._tasks.values())
        running = [task.reference for task in tasks if task.over is None]
        if running:
            ray.wait(running, timeout=wait)
        elif tasks:  # Ray has nothing to wait for: their results are on their way
            time.sleep(wait)
        found = [how for task in tasks if (how := self._look(task)) is not None]
        for how in found:
            del self._tasks[how.run]
        return found

    def _look(self, task: _Task) -> Ended | None:
        """Return how a task ended; None while it goes on, which it does for as long as it may."""
        if _is_over(task):
            return _how(task)
        if (how := task.overrun()) is not None:
            self._end(task, how)
        return None

    def stop(self, run: str, why: str) -> None:
        """End a job early."""
        if run in self._tasks:
            self._end(self._tasks[run], Ended(run, "killed", why))

    def _end(self, task: _Task, how: Ended) -> None:
        import ray

        if not _is_over(task):  # otherwise it has come to an end of its own
            task.stopped = task.stopped or how
            ray.cancel(task.reference, force=True)

    def close(self) -> None:
        """End whatever still runs, and the cluster if it is ours."""
        try:
            for run in self._tasks:
                self.stop(run, "the sweep has ended")
            let_go(list(self._tasks))
        finally:
            self._tasks.clear()
            self._open.close()


def _machines() -> list[dict[str, float]]:
    import ray

    nodes: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    return [node["Resources"] for node in nodes if node["Alive"]]


def _train_of(machines: list[dict[str, float]], threads: int, memory: int | None) -> Any:
    """Return the task, asking for no more than the largest machine has: it would wait forever."""
    import ray

    def train(search: list[str], job: bytes) -> str:
        # Ray sends an inner function by value: fraudlab need not be found before its first line.
        import pickle
        import sys

        sys.path.extend(place for place in search if place not in sys.path)
        from fraudlab.launching.remote import perform

        return perform(pickle.loads(job))  # noqa: S301 (the driver's own)

    processors, room = (
        max((machine.get(kind, 0) for machine in machines), default=0) for kind in ("CPU", "memory")
    )
    needs: dict[str, Any] = {"num_cpus": min(threads, int(processors) or threads)}
    if memory is not None and room:
        needs["memory"] = min(memory, int(room))
    return ray.remote(max_calls=1, max_retries=0, **needs)(train)


def _search_path() -> list[str]:
    """Return where a worker finds what this process found: a checkout, and outside plugins."""
    places = [place for place in os.environ.get("PYTHONPATH", "").split(os.pathsep) if place]
    root = Path(fraudlab.__file__).parents[1]
    if (root / "pyproject.toml").is_file():
        places.append(str(root))
    return [str(Path(place).absolute()) for place in places]


def _is_over(task: _Task) -> bool:
    import ray

    return bool(ray.wait([task.reference], timeout=0)[0])


def _how(task: _Task) -> Ended | None:
    """Return how a task came to its end; None while its result is on its way."""
    import ray
    from ray import exceptions

    run = task.job.run
    try:
        finished = ray.get(task.reference)
    except exceptions.RayTaskError as error:
        how = Ended(run, "failed", error_text(error.cause or error))
    except exceptions.OutOfMemoryError:
        how = Ended(run, "killed", "Ray ended it, as it does when a machine's memory runs out")
    except exceptions.WorkerCrashedError:
        how = died(run, "its worker process died")
    except exceptions.RayError as error:
        how = Ended(run, "killed", f"Ray lost it: {error_text(error)}")
    else:
        return task.arrived(finished)
    return task.stopped or how
