"""A Ray cluster: one that is there already, or one of this machine for as long as a sweep takes."""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import signal
import socket
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from fraudlab.errors import ConfigError, FraudlabError
from fraudlab.locking import claimed, is_claimed

# Ray reads them when it is imported. Nobody is told about its use, and what it has to say of a
# worker's death the driver says in its own words: Ray would print it between our lines.
SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".",
}
QUIET: Mapping[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
OBJECTS = 80 << 20  # bytes, close to the least Ray accepts: results travel through files
PATIENCE = 10.0  # seconds to wait for somebody at an address
PREFIX = "fl-ray-"
LONGEST = 40  # letters of a folder, below which Ray's sockets still have names the system takes
FORGOTTEN = 60  # seconds after which a folder that nobody holds has been left behind


@contextmanager
def joined(address: str | None, processors: int) -> Iterator[None]:
    """Be connected to a cluster while the block runs.

    Parameters
    ----------
    address
        Of a cluster; None starts one of this machine, which ends with the block.
    processors
        How many candidates' threads such a cluster runs at a time.

    Raises
    ------
    ConfigError
        If there is no cluster at the address.
    FraudlabError
        If none can be started.
    """
    if address is None:
        with _settings({**SETTINGS, **_token()}), _folder() as folder:
            yield from _connected(
                address="local",
                num_cpus=processors,
                object_store_memory=OBJECTS,
                include_dashboard=False,
                _temp_dir=str(folder),
            )
    else:
        _knock(address)
        with _settings(SETTINGS):
            yield from _connected(address=address)


def _connected(**how: Any) -> Iterator[None]:
    import ray

    address, on_term = how["address"], signal.getsignal(signal.SIGTERM)
    try:
        ray.init(**QUIET, **how)
        signal.signal(signal.SIGTERM, on_term)  # Ray would end the process by itself
    except Exception as error:
        ray.shutdown()
        why = (str(error).strip() or type(error).__name__).splitlines()[0]
        if address == "local":
            raise FraudlabError(
                f"Ray cannot start a cluster on this machine: {why}; launcher=local needs none"
            ) from error
        raise _unreachable(address, why) from error
    try:
        yield
    finally:
        ray.shutdown()


def _knock(address: str) -> None:
    """Refuse an address where nothing answers: Ray would go on asking, and complaining, for hours.

    Raises
    ------
    ConfigError
        If nothing answers at the host and port; other forms of an address are left to Ray.
    """
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not colon or not port.isdigit():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=PATIENCE).close()
    except (OSError, OverflowError) as error:
        raise _unreachable(address, str(error)) from error


def _unreachable(address: str, why: str) -> ConfigError:
    return ConfigError(
        f"no Ray cluster can be reached at {address!r}: {why.rstrip('.')}; start one there"
        " (ray start --head), or leave launcher.address out",
        "launcher.address",
    )


@cache
def _token() -> dict[str, str]:
    """Return what keeps others out of our cluster, without a file of it in the user's home.

    Ray keeps the first one that a process uses.
    """
    return {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}


@contextmanager
def _settings(settings: Mapping[str, str]) -> Iterator[None]:
    """Set variables for Ray and its processes, and have all of them as before at the end."""
    before = dict(os.environ)
    os.environ.update(settings)
    try:
        yield
    finally:
        for name in set(os.environ) - set(before):
            if name.startswith("RAY_") or name == "PYTHONBREAKPOINT":  # it sets some itself
                del os.environ[name]
        os.environ.update({name: before[name] for name in settings if name in before})


@contextmanager
def _folder() -> Iterator[Path]:
    """Have a folder for a cluster's sockets and logs; remove what killed drivers left of theirs."""
    place = Path(tempfile.gettempdir())
    if len(str(place)) + len(PREFIX) + 8 > LONGEST:
        place = Path("/tmp")  # noqa: S108 (mkdtemp makes a folder of our own in it)
    for folder in place.glob(f"{PREFIX}*"):
        if _left_behind(folder):
            shutil.rmtree(folder, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=place))
    try:
        with claimed(folder / "owner"):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _left_behind(folder: Path) -> bool:
    try:
        known = folder.lstat()
        ours = known.st_uid == os.getuid() and time.time() - known.st_mtime > FORGOTTEN
        return ours and not is_claimed(folder / "owner")
    except OSError:
        return False
