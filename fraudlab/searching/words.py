"""Values as words of the command line, and words as a person would type them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping
from typing import Any

_PLAIN = re.compile(r"[A-Za-z_][\w/-]*")
_RESERVED = {"null", "none", "true", "false", "nan", "inf"}


def words_of(values: Mapping[str, Any]) -> list[str]:
    """Return `key=value` for each value, which reads as exactly that value."""
    return [f"{key}={value_word(value)}" for key, value in values.items()]


def value_word(value: Any) -> str:
    """Return a value in the grammar of the command line.

    Examples
    --------
    >>> value_word([None, True, 0.1, "sqrt", "two words"])
    "[null,true,0.1,sqrt,'two words']"
    """
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    if isinstance(value, list | tuple):
        return f"[{','.join(map(value_word, value))}]"
    if isinstance(value, Mapping):
        pairs = (f"{value_word(key)}:{value_word(of)}" for key, of in value.items())
        return f"{{{','.join(pairs)}}}"
    if isinstance(value, str):
        return value if _is_plain(value) else _quoted(value)
    return repr(value)


def typed(words: Iterable[str]) -> str:
    """Return words as they are typed into a shell."""
    return " ".join(map(shlex.quote, words))


def _is_plain(text: str) -> bool:
    return _PLAIN.fullmatch(text) is not None and text.lower() not in _RESERVED


def _quoted(text: str) -> str:
    escaped = text.replace("'", "\\'")
    return f"'{escaped}'"
