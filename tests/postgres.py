"""A real PostgreSQL from the system's packages, and a real MLflow server on it."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

USER = "postgres"  # PostgreSQL refuses to run as root: there it runs as this one
DIES_WITH_US = ("setpriv", "--pdeathsig", "INT")


@dataclass(frozen=True)
class Postgres:
    """A cluster that accepts connections on 127.0.0.1 with a password."""

    port: int
    password: str

    def address(self, database: str = "postgres", password: str | None = None) -> str:
        return f"postgresql://mirror:{password or self.password}@127.0.0.1:{self.port}/{database}"

    def create(self, database: str) -> str:
        """Make an empty database and return its address."""
        with self._connect() as connection:
            connection.execute(f"CREATE DATABASE {database}")
        return self.address(database)

    def answers(self) -> bool:
        import psycopg

        try:
            self._connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def _connect(self):
        import psycopg

        return psycopg.connect(self.address(), autocommit=True)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """Start a cluster in a folder of its own; skip where PostgreSQL is not installed."""
    pytest.importorskip("psycopg", reason="psycopg is not installed: pip install .[postgres]")
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parts[4]))
    if not found or shutil.which(DIES_WITH_US[0]) is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    folder = Path(tempfile.mkdtemp(prefix="fraudlab-postgres-"))  # pytest's are closed to others
    if os.geteuid() == 0:
        shutil.chown(folder, USER, USER)
    try:
        cluster = Postgres(free_port(), secrets.token_hex(8))
        initialise(found[-1], folder, cluster.password)
        options = {
            "port": cluster.port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": folder,
            "fsync": "off",
        }
        settings = [f"--{name}={value}" for name, value in options.items()]
        command = [found[-1] / "postgres", "-D", folder / "data", *settings]
        with served([*DIES_WITH_US, *as_user(), *command], folder, cluster.answers):
            yield cluster
    finally:
        shutil.rmtree(folder)


def initialise(binaries: Path, folder: Path, password: str) -> None:
    secret = folder / "password"
    secret.write_text(password)
    access = ("--username=mirror", "--auth=scram-sha-256", f"--pwfile={secret}", "--no-sync")
    command = [binaries / "initdb", "-D", folder / "data", *access]
    privileges = ["setpriv", *as_user()] if as_user() else []
    subprocess.run([*privileges, *command], cwd=folder, check=True, capture_output=True)


def as_user() -> tuple[str, ...]:
    if os.geteuid() != 0:
        return ()
    return (f"--reuid={USER}", f"--regid={USER}", "--clear-groups")


@pytest.fixture(scope="session")
def mlflow_server(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start an MLflow server that keeps its runs in PostgreSQL; return its address."""
    address = f"http://127.0.0.1:{free_port()}"
    port = address.rpartition(":")[2]
    backend = ("--backend-store-uri", postgres.create("mlflow"))
    place = ("--host", "127.0.0.1", "--port", port, "--workers", "1")
    command = [sys.executable, "-m", "mlflow", "server", *backend, *place]

    def answers() -> bool:
        try:
            with urllib.request.urlopen(f"{address}/health", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    with served([*DIES_WITH_US, *command], tmp_path_factory.mktemp("server"), answers):
        yield address


@contextlib.contextmanager
def served(command: list[object], folder: Path, answers: Callable[[], bool]) -> Iterator[None]:
    """Run a server, wait for its first answer, and end it and all it started at the end."""
    with (folder / "server.log").open("w+b") as log:
        process = subprocess.Popen(
            [str(word) for word in command],
            cwd=folder,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
        )
        try:
            end = time.monotonic() + 90
            while not answers():
                log.seek(0)
                assert process.poll() is None, log.read().decode()
                assert time.monotonic() < end, log.read().decode()
                time.sleep(0.1)
            yield
        finally:
            stop(process)


def stop(process: subprocess.Popen[bytes]) -> None:
    for how in (signal.SIGINT, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, how)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=10)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
