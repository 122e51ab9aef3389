"""Where a study is kept: what `storage=` may say. Opening it is the business of `studies`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

import msgspec

from fraudlab.errors import UserError
from fraudlab.home import outputs
from fraudlab.provenance import masked

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_DATABASE = re.compile(r"(sqlite|postgresql)(\+\w+)?://.+")
JOURNAL = ".journal"


class Address(msgspec.Struct, frozen=True):
    """A journal file, or a database."""

    kind: Literal["journal", "database"]
    place: str

    def __str__(self) -> str:
        return str(masked(self.place))


def folder() -> Path:
    """Return where studies leave their files."""
    return outputs() / "studies"


def address_of(storage: str | None, study: str) -> Address:
    """Return where a study is kept: what the user said, or a journal of its own.

    Raises
    ------
    UserError
        If it is neither a database that is known nor a journal.
    """
    if storage is None:
        return Address("journal", str(folder() / f"{study}{JOURNAL}"))
    if storage.endswith(JOURNAL) and "://" not in storage:
        return Address("journal", str(Path(storage).absolute()))
    if _DATABASE.fullmatch(storage):
        return Address("database", storage)
    raise UserError(
        f"storage must be sqlite:///FILE, postgresql://..., or a FILE{JOURNAL}, got"
        f" {masked(storage)!r}"
    )


def check_name(study: str) -> None:
    """Refuse a name that could not be a file's.

    Raises
    ------
    UserError
        If it is not made of letters, digits, dots, dashes and underscores.
    """
    if not _NAME.fullmatch(study):
        raise UserError(
            f"study must be letters, digits, '.', '-' and '_', at most 100 of them, got {study!r}"
        )
