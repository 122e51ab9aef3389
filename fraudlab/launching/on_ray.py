"""Candidates on a Ray cluster: each is one task, in a worker process that ends with it."""

from __future__ import annotations

import os
import pickle
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fraudlab
from fraudlab.launching.jobs import Ended, Job
from fraudlab.launching.opening import MANY
from fraudlab.launching.ray_cluster import joined
from fraudlab.launching.remote import Watched, arrived, died, error_text, let_go
from fraudlab.limits import Launcher
from fraudlab.threads import VARIABLE, budget, processors, slots_and_threads


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

    def __init__(self, launcher: Launcher, wanted: int | None, count: int) -> None:
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
                else shares([machine.get("CPU", 0) for machine in machines], wanted, count)
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

        running = list(self._tasks.values())
        if running:
            ray.wait([task.reference for task in running], timeout=wait)
        for task in running:
            if (how := task.overrun()) is not None:
                self._end(task, how)
        over = [task for task in running if _is_over(task)]
        for task in over:
            del self._tasks[task.job.run]
        return [_how(task) for task in over]

    def stop(self, run: str, why: str) -> None:
        """End a job early."""
        if run in self._tasks:
            self._end(self._tasks[run], Ended(run, "killed", why))

    def _end(self, task: _Task, how: Ended) -> None:
        import ray

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


def shares(machines: list[float], wanted: int | None, count: int) -> tuple[int, int]:
    """Return how many candidates run at a time on a cluster, and the threads of each.

    Parameters
    ----------
    machines
        The processors of each.
    wanted
        How many at a time were asked for; None for as many as there are processors for.
    count
        How many candidates there are.
    """
    own = budget() if os.environ.get(VARIABLE, "").strip() else None
    able = [int(each) for each in machines if each >= 1]
    if not able:  # machines come when they are asked for
        return min(wanted or MANY, max(count, 1)), own or 1
    slots = min(wanted or max(1, sum(able) // (own or 1)), max(count, 1))
    return slots, own or max(1, min(sum(able) // slots, *able))


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


def _how(task: _Task) -> Ended:
    """Return how a task came to its end."""
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
        return arrived(run, finished)
    return task.stopped or how
