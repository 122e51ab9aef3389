"""YAML of a search to Structs, with errors that name the file, the key and the nearest name."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

import msgspec
import yaml

from fraudlab.errors import ConfigError
from fraudlab.wording import nearest

Shape = TypeVar("Shape", bound=msgspec.Struct)

_UNKNOWN = re.compile(r"Object contains unknown field `([^`]+)`")
_MISSING = re.compile(r"Object missing required field `([^`]+)`")
_PATH = re.compile(r"`\$([\w.\[\]]*)")


def read_yaml(path: Path, file: str) -> dict[str, Any]:
    """Return the keys and values of a YAML; `file` is its name in errors.

    Raises
    ------
    ConfigError
        If it is not valid, or holds something else.
    """
    try:
        content = yaml.safe_load(path.read_text("utf-8"))
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        raise ConfigError(f"{file}{line}: this is not valid YAML: {error.problem}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: this is not valid YAML: {error}") from error
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise ConfigError(
            f"{file} must hold keys and values (space, fixed, when, ...), got"
            f" {type(content).__name__}"
        )
    return content


def read_shape(plain: Any, shape: type[Shape], where: str, *, lax: bool = False) -> Shape:
    """Return a Struct of plain values; `where` says whose they are.

    `lax` reads numbers out of text too: to YAML 1e-3, which lacks a point, is text.

    Raises
    ------
    ConfigError
        If a key does not exist or is missing, or a value has the wrong type or is out of bounds.
    """
    try:
        return msgspec.convert(plain, shape, strict=not lax)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{where}: {_explained(str(error), shape)}") from error


def _explained(text: str, shape: type[msgspec.Struct]) -> str:
    found = _PATH.search(text)
    path = (found[1] if found else "").strip(".")
    named, known = _UNKNOWN.match(text), _fields(shape, path)
    inside = f" in {path}" if path else ""
    if named:
        return f"no key {named[1]!r}{inside}{nearest(named[1], known)}"
    missing = _MISSING.match(text)
    if missing:
        return f"{missing[1]} is missing{inside}"
    said = text.partition(" - at")[0]
    return f"{path or 'it'}: {said[:1].lower()}{said[1:]}"


def _fields(shape: type[msgspec.Struct], path: str) -> list[str]:
    """Return the keys of the Struct at a path below `shape`."""
    hint: Any = shape
    for name in filter(None, re.split(r"\.|\[\.\.\.\]|\[\d+\]", path)):
        hint = get_type_hints(hint).get(name, hint)
        inner = getattr(hint, "__args__", None)
        hint = inner[0] if inner else hint
    found = msgspec.structs.fields(hint) if issubclass(hint, msgspec.Struct) else ()
    return [field.encode_name for field in found]
