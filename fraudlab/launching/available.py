"""Whether a launcher could start here: its library is installed and takes its options."""

from __future__ import annotations

from importlib.util import find_spec

from fraudlab.errors import ConfigError
from fraudlab.limits import LauncherSettings

NEEDED = {"ray": ("ray", "fraudlab[ray]"), "submitit": ("submitit", "fraudlab[slurm]")}


def check_launcher(launcher: LauncherSettings) -> None:
    """Refuse a launcher that could not start here, without importing more than it takes to know.

    Raises
    ------
    ConfigError
        If its library is not installed, or would refuse its options.
    """
    if launcher.name not in NEEDED:
        return
    library, extra = NEEDED[launcher.name]
    if find_spec(library) is None:
        raise ConfigError(
            f"launcher={launcher.name} needs {library}, which is not installed: pip install"
            f" '{extra}', or leave launcher out to train on this machine",
            "launcher",
        )
    if launcher.name == "submitit":
        from fraudlab.launching.submitting import check_options

        check_options(launcher)
