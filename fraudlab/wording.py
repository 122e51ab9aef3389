"""How names and types are said to people, in errors and in listings."""

from __future__ import annotations

import difflib
import types
from collections.abc import Iterable
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec

_NAMES = {type(None): "null", str: "text", bool: "true | false", Any: "anything"}
_LOWER = {"gt": ">", "ge": ">="}
_UPPER = {"lt": "<", "le": "<="}
_OPEN = {"gt": "(", "ge": "["}
_CLOSE = {"lt": ")", "le": "]"}


def nearest(name: str, known: Iterable[str]) -> str:
    """Return '; did you mean ...? available: ...' for an unknown name."""
    known = sorted(known)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    return f"{hint}; available: {', '.join(known) or 'none'}"


def value_text(value: Any) -> str:
    """Return a value as YAML writes it, text in quotes."""
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    return repr(value)


def type_text(hint: Any) -> str:  # noqa: PLR0911 (one line for each kind of type)
    """Return a type as a reader of YAML would say it.

    Examples
    --------
    >>> type_text(Annotated[float, msgspec.Meta(gt=0, le=1)] | None)
    'float in (0, 1] or null'
    >>> type_text(Literal["gini", "entropy"])
    'gini | entropy'
    """
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        bounds = [each for each in arguments[1:] if isinstance(each, msgspec.Meta)]
        return type_text(arguments[0]) + "".join(_bounds(each) for each in bounds)
    if origin is Literal:
        return " | ".join(str(value) for value in arguments)
    if origin in {Union, types.UnionType}:
        return " or ".join(type_text(argument) for argument in arguments)
    if origin is tuple:
        return f"[{', '.join(type_text(each) for each in arguments)}]"
    if origin is dict:
        return "{" + ": ".join(type_text(each) for each in arguments) + "}"
    if origin is not None and arguments:
        return f"list of {type_text(arguments[0])}"
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return "{" + ", ".join(hint.__struct_fields__) + "}"
    return _NAMES.get(hint) or str(getattr(hint, "__name__", hint))


def _bounds(meta: msgspec.Meta) -> str:
    lower = next((name for name in _LOWER if getattr(meta, name) is not None), None)
    upper = next((name for name in _UPPER if getattr(meta, name) is not None), None)
    if lower and upper:
        low, high = getattr(meta, lower), getattr(meta, upper)
        return f" in {_OPEN[lower]}{low}, {high}{_CLOSE[upper]}"
    if lower:
        return f" {_LOWER[lower]} {getattr(meta, lower)}"
    if upper:
        return f" {_UPPER[upper]} {getattr(meta, upper)}"
    return _length(meta)


def _length(meta: msgspec.Meta) -> str:
    least, most = meta.min_length, meta.max_length
    if least is not None and most is not None:
        return f" of {least} to {most} entries"
    if least is not None:
        return f" of {least} or more entries"
    return "" if most is None else f" of at most {most} entries"
