"""Kills and outages of MLflow, after any number of requests to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

REQUESTS = (
    "create_run",
    "delete_tag",
    "log_artifact",
    "log_batch",
    "log_dict",
    "log_text",
    "search_runs",
    "set_tag",
    "set_terminated",
    "update_run",
)


class Killed(BaseException):
    """What a SIGKILL looks like from inside: nothing catches it."""


@dataclass
class Doom:
    """After how many further requests to MLflow it is gone, or the driver is dead.

    A driver also dies before it writes a result.
    """

    left: int | None = None
    how: type[BaseException] = Killed

    def approach(self) -> None:
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                raise self.how


def doom(monkeypatch: pytest.MonkeyPatch) -> Doom:
    """Return the doom of every client of MLflow from now on."""
    import mlflow

    found = Doom()

    def doomed(request: Callable[..., Any]) -> Callable[..., Any]:
        def ask(*arguments: Any, **named: Any) -> Any:
            found.approach()
            return request(*arguments, **named)

        return ask

    for name in REQUESTS:
        monkeypatch.setattr(mlflow.MlflowClient, name, doomed(getattr(mlflow.MlflowClient, name)))
    return found
