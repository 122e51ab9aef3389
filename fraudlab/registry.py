"""Plugins by name: (group, name) -> a function, imported only when asked for.

The name of a plugin *is* the stem of its module, so nothing is scanned at import, a missing library
breaks only the candidate that needs it, and a parameter is checked against the function's signature
without importing what the function would import.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

import msgspec

from fraudlab.config import FLAT_GROUPS, GROUPS, Choice
from fraudlab.errors import ConfigError, PluginError
from fraudlab.wording import nearest, type_text, value_text

Factory = TypeVar("Factory", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Plugin:
    """A registered function, and what can be said of it without calling it."""

    factory: Callable[..., Any]
    excludes: Mapping[str, Sequence[str]]
    consistent: Callable[..., None] | None


_registered: dict[tuple[str, str], Plugin] = {}
_PARAMETER = re.compile(r"`(?:\$\.)?(\w+)[^`]*`$")


def register(
    group: str,
    name: str,
    excludes: Mapping[str, Sequence[str]] | None = None,
    consistent: Callable[..., None] | None = None,
) -> Callable[[Factory], Factory]:
    """Mark a function as the plugin `name` of `group`.

    Parameters
    ----------
    group, name
        The config group, and the stem of the plugin's module and YAML.
    excludes
        By other group, the names it has no meaning with.
    consistent
        Takes the plugin's parameters and raises ConfigError when they contradict each other. It is
        asked before any data is read, so it must import nothing heavy.

    Raises
    ------
    PluginError
        If the group does not exist or another function already has the name.
    """
    if group not in GROUPS:
        raise PluginError(f"no plugin group {group!r}; the groups are {', '.join(GROUPS)}")

    def mark(factory: Factory) -> Factory:
        known = _registered.get((group, name))
        if known is not None and known.factory.__module__ != factory.__module__:
            raise _twice(group, name, known.factory.__module__, factory.__module__)
        _registered[group, name] = Plugin(factory, excludes or {}, consistent)
        return factory

    return mark


def names(group: str) -> list[str]:
    """Return the names of a group's plugins, sorted, without importing any."""
    return sorted({*_own(group), *_outside(group)})


@cache
def _own(group: str) -> frozenset[str]:
    package = Path(__file__).parent / "plugins" / group
    return frozenset(module.name for module in pkgutil.iter_modules([str(package)]))


@cache
def _outside(group: str) -> dict[str, EntryPoint]:
    """Return the entry points of installed packages, by name; no name may be taken twice."""
    found: dict[str, EntryPoint] = {}
    for point in entry_points(group=f"fraudlab.{group}"):
        other = found.setdefault(point.name, point)
        if point.name in _own(group):
            raise _twice(group, point.name, "fraudlab", point.value)
        if other.value != point.value:
            raise _twice(group, point.name, other.value, point.value)
    return found


def _twice(group: str, name: str, first: str, second: str) -> PluginError:
    return PluginError(f"{group} {name!r} is registered twice: by {first} and {second}; rename one")


def get(group: str, name: str) -> Callable[..., Any]:
    """Return the plugin's function, importing its module on first use.

    Raises
    ------
    ConfigError
        If no plugin has the name; the message lists the names and the nearest one.
    PluginError
        If the module cannot be imported.
    """
    return _plugin(group, name).factory


def _plugin(group: str, name: str) -> Plugin:
    known = names(group)
    if name not in known:
        raise ConfigError(f"no {group} plugin {name!r}{nearest(name, known)}", f"{group}.name")
    if (group, name) not in _registered:
        _load(group, name)
    return _registered[group, name]


def _load(group: str, name: str) -> None:
    point = _outside(group).get(name)
    module = point.module if point else f"fraudlab.plugins.{group}.{name}"
    loaded: Any
    try:
        loaded = point.load() if point else importlib.import_module(module)
    except Exception as error:  # somebody else's code: it may fail in any way
        raise _broken(group, name, error) from error
    if point and (group, name) not in _registered:
        _registered[group, name] = Plugin(loaded, {}, None)
    if (group, name) not in _registered:
        raise PluginError(f"{module} does not register {group} {name!r}: add @register to it")


def excludes(group: str, name: str) -> Mapping[str, Sequence[str]]:
    """Return, by other group, the names the plugin has no meaning with."""
    return _plugin(group, name).excludes


def package(group: str, name: str) -> str:
    """Return the name of the installed package that a plugin comes with."""
    point = _outside(group).get(name)
    return point.dist.name if point and point.dist else "fraudlab"


def _broken(group: str, name: str, error: Exception) -> PluginError:
    needed = "fraudlab[train]" if name in _own(group) else package(group, name)
    return PluginError(
        f"{group} {name!r} cannot be loaded: {type(error).__name__}: {error}; install what it needs"
        f" (pip install '{needed}'), or choose another {group}"
    )


@cache
def parameters(group: str, name: str) -> type[msgspec.Struct]:
    """Return a Struct type with the plugin's parameters, their types, bounds and defaults."""
    fields: list[Any] = []
    for parameter, hint in signature(group, name):
        default = parameter.default
        if default is inspect.Parameter.empty:
            fields.append((parameter.name, hint))
        elif isinstance(default, list | dict):
            fields.append((parameter.name, hint, msgspec.field(default_factory=default.copy)))
        else:
            fields.append((parameter.name, hint, default))
    return msgspec.defstruct(name, fields, kw_only=True, forbid_unknown_fields=True)


def signature(group: str, name: str) -> list[tuple[inspect.Parameter, Any]]:
    """Return the plugin's parameters with their types, bounds included."""
    factory = get(group, name)
    taken = inspect.signature(factory).parameters.values()
    if any(parameter.kind is not inspect.Parameter.KEYWORD_ONLY for parameter in taken):
        raise PluginError(
            f"{group} {name!r} ({factory.__module__}) must take keyword-only parameters by name:"
            f" def {factory.__name__}(*, parameter: type = default)"
        )
    hints = get_type_hints(factory, include_extras=True)
    return [(parameter, hints.get(parameter.name, Any)) for parameter in taken]


def check(group: str, choice: Choice) -> dict[str, Any]:
    """Return the choice's parameters, converted, within bounds and consistent.

    Raises
    ------
    ConfigError
        If the name or a parameter does not exist, a value has the wrong type or is out of bounds,
        or the parameters contradict each other; it carries the dotted key.
    """
    shape = parameters(group, choice.name)
    known = [field.name for field in msgspec.structs.fields(shape)]
    for key in choice.params:
        if key not in known:
            raise ConfigError(
                f"{group} {choice.name!r} has no parameter {key!r}{nearest(str(key), known)}",
                dotted(group, key),
            )
    try:
        built = msgspec.convert(dict(choice.params), shape, str_keys=True)
    except msgspec.ValidationError as error:
        raise _explained(group, choice, error) from error
    converted = {name: getattr(built, name) for name in known}
    consistent = _plugin(group, choice.name).consistent
    if consistent is not None:
        consistent(**converted)
    return converted


def _explained(group: str, choice: Choice, error: msgspec.ValidationError) -> ConfigError:
    """Return the error in the words of a configuration: the parameter, what it takes, the value."""
    named = _PARAMETER.search(str(error))
    key = named[1] if named else ""
    hint = {each.name: hint for each, hint in signature(group, choice.name)}.get(key)
    if hint is None:
        return ConfigError(f"{group} {choice.name!r}: {error}", f"{group}.params")
    name = dotted(group, key)
    if key not in choice.params:
        return ConfigError(f"{name} is missing: it must be {type_text(hint)}", name)
    return ConfigError(
        f"{name} must be {type_text(hint)}, got {value_text(choice.params[key])}", name
    )


def dotted(group: str, key: str) -> str:
    """Return the dotted key of a plugin's parameter."""
    return f"{group}.{key}" if group in FLAT_GROUPS else f"{group}.params.{key}"


def build(group: str, choice: Choice) -> Any:
    """Return the object the plugin makes of the choice's parameters.

    Raises
    ------
    PluginError
        If the library behind it cannot be imported.
    """
    params = check(group, choice)
    try:
        return get(group, choice.name)(**params)
    except ImportError as error:
        raise _broken(group, choice.name, error) from error
