"""The server process: read the settings, bind the port, run until told to stop.

Not in `__main__`, whose functions a spawned worker cannot import.
"""

from __future__ import annotations

import argparse
import logging.config
import multiprocessing
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Sequence
from functools import partial

import msgspec
import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

from serve.app import create_app
from serve.edge import Edge
from serve.logs import logging_config
from serve.protocol import Protocol
from serve.settings import Settings, SettingsError, describe_variables, read_settings

_BACKLOG = 2048
_DESCRIPTION = """\
Score transactions over HTTP with an exported bundle: POST /predict and /predict/batch,
GET /health, /livez, /readyz, /metrics, and /docs for the rest. Settings are environment variables:
"""
_EPILOG = """\
A bundle comes from `make demo` or `python -m fraudlab.train`. Without one the service starts, and
/health says what is missing. SIGTERM stops it after the requests under way have been answered.

  FRAUDLAB_PORT=8080 FRAUDLAB_WORKERS=2 python -m serve
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the service; return 0 when it was told to stop, 1 when it failed, 2 for bad settings."""
    parser = argparse.ArgumentParser(
        prog="python -m serve",
        description=_DESCRIPTION + "\n" + describe_variables(),
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.parse_args(arguments)
    try:
        settings = read_settings(os.environ)
    except SettingsError as error:
        return _complain(str(error), error.exit_code)
    try:
        logging.config.dictConfig(logging_config(settings.log_target, settings.log_level))
        listener = _bind(settings.host, settings.port)
    except (OSError, ValueError) as error:
        return _complain(f"The service cannot start: {error}.", 1)
    with listener:
        return _run_one(settings, listener) if settings.workers == 1 else _run(settings, listener)


def _complain(text: str, code: int) -> int:
    sys.stderr.write(f"{text}\n")
    return code


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)  # at once: who comes before the bundle is loaded waits for it
    except OSError as error:
        listener.close()
        raise OSError(f"{host} port {port} cannot be listened on ({error.strerror})") from error
    listener.set_inheritable(True)
    name, number = listener.getsockname()[:2]
    logging.getLogger("serve").info("listening on %s port %s", name, number)
    return listener


def _config(settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        partial(_create_worker, settings),
        factory=True,
        loop="uvloop" if sys.platform != "win32" else "asyncio",
        http=Protocol,
        ws="none",
        lifespan="on",
        log_config=logging_config(settings.log_target, settings.log_level),
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        workers=settings.workers,
        backlog=_BACKLOG,
        timeout_graceful_shutdown=settings.shutdown_seconds,
    )


def _create_worker(settings: Settings) -> Edge:
    first = multiprocessing.parent_process()
    if first is not None:
        threading.Thread(target=_follow, args=(first,), name="follow", daemon=True).start()
    return create_app(settings)


def _follow(first: multiprocessing.process.BaseProcess) -> None:
    """Stop this worker when the first process is gone, however it went."""
    first.join()
    os.kill(os.getpid(), signal.SIGTERM)


def _run_one(settings: Settings, listener: socket.socket) -> int:
    # uvicorn raises the signal again when it has stopped; that must not undo the exit code.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    server = uvicorn.Server(_config(settings))
    server.run(sockets=[listener])
    return 0 if server.started else 1


def _run(settings: Settings, listener: socket.socket) -> int:
    folder = tempfile.mkdtemp(prefix="fraudlab-figures-")
    try:
        supervisor = Multiprocess(
            _config(msgspec.structs.replace(settings, metrics_folder=folder)), sockets=[listener]
        )
        supervisor.run()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return int(any(process.exitcode == STARTUP_FAILURE for process in supervisor.processes))
