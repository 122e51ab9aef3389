"""The database of the mirror: looked at before MLflow opens it, and made whole or not at all."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

from fraudlab.locking import claimed

SQLITE = "sqlite:///"
DIRECT = ("sqlite", "postgresql", "mysql", "mssql")
LOCK = ".mlflow.lock"
CONNECT = 10  # seconds for a server to answer
WAIT = 3.0  # seconds for a lock; MLflow would wait 20, and retry a damaged file for minutes
# The default experiment is the last thing that MLflow writes into a new store.
USED = ("experiments", "runs", "registered_models")


def file_of(uri: str) -> Path | None:
    """Return the file of a tracking address, or None when it names a server."""
    if not uri.startswith(SQLITE):
        return None
    return Path(uri.removeprefix(SQLITE).partition("?")[0]).resolve()


def is_direct(uri: str) -> bool:
    """Whether an address names a database that MLflow opens itself, with no server between."""
    return uri.partition(":")[0].partition("+")[0] in DIRECT


def check(path: Path) -> None:
    """Raise at once for what MLflow retries for minutes: a locked, damaged or read-only file."""
    with contextlib.closing(sqlite3.connect(path, WAIT, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("SELECT count(*) FROM sqlite_master")
        connection.execute("ROLLBACK")


def check_answers(uri: str) -> None:
    """Raise at once for what MLflow retries for minutes: a database server that lets nobody in.

    Raises
    ------
    ModuleNotFoundError
        If the library behind the address is not installed.
    sqlalchemy.exc.SQLAlchemyError
        If nobody answers, or user, password or database are refused.
    """
    from sqlalchemy import create_engine
    from sqlalchemy.pool import NullPool

    waits = {} if uri.startswith("mssql") else {"connect_timeout": CONNECT}
    try:
        engine = create_engine(uri, poolclass=NullPool, connect_args=waits)
    except ModuleNotFoundError as error:
        needed = "fraudlab[postgres]" if uri.startswith("postgresql") else error.name
        raise ModuleNotFoundError(f"{error} (pip install '{needed}')", name=error.name) from error
    engine.connect().close()


@contextlib.contextmanager
def prepared(
    path: Path, make: Callable[[str], None], warn: Callable[[str], None]
) -> Iterator[None]:
    """Hold the lock of a file that has all its tables; `make` creates them at an address.

    Two processes that create the tables of one file at the same time destroy it, and so does one
    that is killed meanwhile: MLflow can neither use nor mend what is left.
    """
    with claimed(path.with_name(LOCK)):
        tables, used = _contents(path)
        if "experiments" in tables and not used:
            aside = path.with_name(f"{path.name}.half-made")
            path.replace(aside)
            warn(
                f"{path} was left half-made and holds no runs; it is now {aside.name},"
                " and a new one takes its place"
            )
            tables = frozenset()
        if not tables:
            _make_whole(path, make)
        yield


def _contents(path: Path) -> tuple[frozenset[str], bool]:
    """Return the tables of a file, and whether MLflow has ever kept anything in them."""
    with contextlib.closing(sqlite3.connect(path, WAIT)) as connection:
        found = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        tables = frozenset(name for (name,) in found)
        rows = (
            connection.execute(f"SELECT 1 FROM {name} LIMIT 1").fetchone()  # noqa: S608
            for name in USED
            if name in tables
        )
        return tables, any(rows)


def _make_whole(path: Path, make: Callable[[str], None]) -> None:
    folder = path.with_name(f"{path.name}.new")
    shutil.rmtree(folder, ignore_errors=True)  # of a process that was killed here
    folder.mkdir()
    try:
        make(f"{SQLITE}{folder / path.name}")
        (folder / path.name).replace(path)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
