"""The launcher that a configuration asks for."""

from __future__ import annotations

from fraudlab.config import Config
from fraudlab.launching import sharing
from fraudlab.launching.jobs import Launcher
from fraudlab.tables import Tables


def open_launcher(config: Config, count: int, tables: Tables) -> Launcher:
    """Return the launcher for `count` candidates; who opens it closes it.

    Raises
    ------
    ConfigError
        If the cluster it names cannot be reached.
    """
    name = config.launcher.name
    if name == "inline":
        from fraudlab.launching.inline import Inline

        return Inline(tables)
    if name == "ray":
        from fraudlab.launching.on_ray import OnRay

        return OnRay(config.launcher, config.slots, count)
    if name == "submitit":
        from fraudlab.launching.on_submitit import OnSubmitit

        return OnSubmitit(config.launcher, config.slots, count)
    from fraudlab.launching.local import Local

    slots, threads = sharing.slots_and_threads(config.slots, count)
    return Local(slots, threads)


def at_once(config: Config, count: int) -> int:
    """Return how many of `count` candidates the launcher would train at a time, without opening it.

    A cluster of Ray is taken for this machine: only a connection to it would tell its size.
    """
    if config.launcher.name == "inline":
        return 1
    if config.launcher.name == "submitit":
        from fraudlab.launching.submitting import share_of

        return share_of(config.launcher, config.slots, count)[0]
    return sharing.slots_and_threads(config.slots, count)[0]
