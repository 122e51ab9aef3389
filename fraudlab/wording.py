"""How names and types are said to people, in errors and in listings."""

from __future__ import annotations

import difflib
import re
import types
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec

_NAMES = {type(None): "null", str: "text", bool: "true | false", Any: "anything"}
_LOWER = {"gt": ">", "ge": ">="}
_UPPER = {"lt": "<", "le": "<="}
_OPEN = {"gt": "(", "ge": "["}
_CLOSE = {"lt": ")", "le": "]"}
# What msgspec says: the kind of a misfit, and where, `$.tracking.name` or `$.when[0].if`.
_UNKNOWN = re.compile(r"Object contains unknown field `([^`]+)`")
_MISSING = re.compile(r"Object missing required field `([^`]+)`")
_PATH = re.compile(r"`\$((?:\.\w+|\[\d+\])*)")
_STEP = re.compile(r"\.(\w+)|\[(\d+)\]")


def nearest(name: str, known: Iterable[str]) -> str:
    """Return '; did you mean ...? available: ...' for an unknown name."""
    known = sorted(known)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    return f"{hint}; available: {', '.join(known) or 'none'}"


def misfit(
    error: msgspec.ValidationError, shape: type[msgspec.Struct], plain: Any, example: str = ""
) -> tuple[str, str]:
    """Return why plain values are not of a Struct's shape, and the dotted key that it is about.

    `example` ends the sentence about a key that is missing.

    Examples
    --------
    >>> class Costs(msgspec.Struct, forbid_unknown_fields=True):
    ...     miss: float
    >>> def told(plain):
    ...     try:
    ...         msgspec.convert(plain, Costs)
    ...     except msgspec.ValidationError as error:
    ...         return misfit(error, Costs, plain, ", such as miss: 5.0")
    >>> told({"miss": "a lot"})
    ("miss must be float, got 'a lot'", 'miss')
    >>> told({})
    ('miss is missing: give it a value, such as miss: 5.0', 'miss')
    """
    text = str(error)
    place, unknown, missing = _PATH.search(text), _UNKNOWN.match(text), _MISSING.match(text)
    path = place[1] if place else ""
    hint: Any = shape
    for name, index in _STEP.findall(path):
        hint = _entry_type(hint) if index else _field_type(hint, name)
        plain = _value_below(plain, int(index) if index else name)
    path = path.lstrip(".")
    if unknown:
        key = f"{path}.{unknown[1]}".lstrip(".")
        return f"no key {key!r}{nearest(unknown[1], _struct(hint).__struct_encode_fields__)}", key
    if missing:
        key = f"{path}.{missing[1]}".lstrip(".")
        return f"{key} is missing: give it a value{example}", path or key
    what = f"{path or 'it'} must be {type_text(hint)}, got {value_text(plain)}"
    return what, path.partition("[")[0]


def _struct(hint: Any) -> Any:
    """Return the Struct among the alternatives of a type; what is none is none of our paths."""
    found = (each for each in (hint, *get_args(hint)) if hasattr(each, "__struct_encode_fields__"))
    return next(found)


def _field_type(hint: Any, name: str) -> Any:
    struct = _struct(hint)
    fields = {each.encode_name: each.name for each in msgspec.structs.fields(struct)}
    return get_type_hints(struct, include_extras=True)[fields[name]]


def _entry_type(hint: Any) -> Any:
    """Return the type of the entries of a list, which may be one of several alternatives."""
    for each in (hint, *get_args(hint)):
        if get_origin(each) in {list, tuple}:
            return get_args(each)[0]
    return Any


def _value_below(plain: Any, step: str | int) -> Any:
    if isinstance(step, int):
        return plain[step] if isinstance(plain, list | tuple) else plain
    return plain.get(step) if isinstance(plain, Mapping) else plain


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
    if origin is tuple and Ellipsis not in arguments:
        return f"[{', '.join(type_text(each) for each in arguments)}]"
    if origin is dict:
        return "{" + ": ".join(type_text(each) for each in arguments) + "}"
    if origin is not None and arguments:
        return f"list of {type_text(arguments[0])}"
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return "{" + ", ".join(hint.__struct_encode_fields__) + "}"
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
