"""Plugins by name: (group, name) -> a function, imported only when asked for.

The name of a plugin *is* the stem of its module, so nothing is scanned at import, a missing library
breaks only the candidate that needs it, and a parameter is checked against the function's signature
without importing what the function would import.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

import msgspec

from fraudlab.config import FLAT_GROUPS, GROUPS, Choice, Config, expectation
from fraudlab.errors import ConfigError, NotApplicableError, PluginError

Factory = TypeVar("Factory", bound=Callable[..., Any])
_registered: dict[tuple[str, str], Callable[..., Any]] = {}
_excludes: dict[tuple[str, str], dict[str, tuple[str, ...]]] = {}


@dataclass(frozen=True, slots=True)
class Found:
    """Where a plugin is and what it takes."""

    group: str
    name: str
    summary: str
    parameters: tuple[tuple[str, str, Any], ...]
    file: str
    package: str


def register(
    group: str, name: str, excludes: Mapping[str, Sequence[str]] | None = None
) -> Callable[[Factory], Factory]:
    """Mark a function as the plugin `name` of `group`.

    Parameters
    ----------
    group, name
        The config group, and the stem of the plugin's module and YAML.
    excludes
        By other group, the names it has no meaning with.

    Raises
    ------
    PluginError
        If the group does not exist or another function already has the name.
    """
    if group not in GROUPS:
        raise PluginError(f"no plugin group {group!r}; the groups are {', '.join(GROUPS)}")

    def mark(factory: Factory) -> Factory:
        known = _registered.get((group, name))
        if known is not None and known.__module__ != factory.__module__:
            raise PluginError(
                f"{group} {name!r} is registered twice: by {known.__module__} and"
                f" {factory.__module__}; rename one"
            )
        _registered[group, name] = factory
        _excludes[group, name] = {other: tuple(of) for other, of in (excludes or {}).items()}
        return factory

    return mark


def names(group: str) -> list[str]:
    """Return the names of a group's plugins, sorted, without importing any."""
    package = Path(__file__).parent / "plugins" / group
    own = [module.name for module in pkgutil.iter_modules([str(package)])]
    return sorted({*own, *_outside(group)})


@cache
def _outside(group: str) -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=f"fraudlab.{group}")}


def get(group: str, name: str) -> Callable[..., Any]:
    """Return the plugin's function, importing its module on first use.

    Raises
    ------
    ConfigError
        If no plugin has the name; the message lists the names and the nearest one.
    PluginError
        If the module cannot be imported.
    """
    known = names(group)
    if name not in known:
        raise ConfigError(f"no {group} named {name!r}{nearest(name, known)}", f"{group}.name")
    if (group, name) not in _registered:
        _load(group, name)
    return _registered[group, name]


def _load(group: str, name: str) -> None:
    point = _outside(group).get(name)
    module = point.module if point else f"fraudlab.plugins.{group}.{name}"
    loaded: Any
    try:
        loaded = point.load() if point else importlib.import_module(module)
    except ImportError as error:
        raise PluginError(
            f"{group} {name!r} cannot be loaded: {error}; install what it needs"
            f" (pip install 'fraudlab[train]', or the plugin's own package)"
        ) from error
    if point and (group, name) not in _registered:
        _registered[group, name] = loaded
    if (group, name) not in _registered:
        raise PluginError(f"{module} does not register {group} {name!r}: add @register to it")


@cache
def parameters(group: str, name: str) -> type[msgspec.Struct]:
    """Return a Struct type with the plugin's parameters, their types, bounds and defaults."""
    factory = get(group, name)
    hints = get_type_hints(factory, include_extras=True)
    fields: list[Any] = []
    for parameter in inspect.signature(factory).parameters.values():
        kind = hints.get(parameter.name, Any)
        if parameter.default is inspect.Parameter.empty:
            fields.append((parameter.name, kind))
        elif isinstance(parameter.default, list | dict):
            default = parameter.default
            fields.append((parameter.name, kind, msgspec.field(default_factory=default.copy)))
        else:
            fields.append((parameter.name, kind, parameter.default))
    return msgspec.defstruct(name, fields, kw_only=True, forbid_unknown_fields=True)


def check(group: str, choice: Choice) -> dict[str, Any]:
    """Return the choice's parameters, converted and within bounds.

    Raises
    ------
    ConfigError
        If the name or a parameter does not exist, or a value has the wrong type or is out of
        bounds. `where` says which key it is.
    """
    shape = parameters(group, choice.name)
    known = [field.name for field in msgspec.structs.fields(shape)]
    for key in choice.params:
        if key not in known:
            raise ConfigError(
                f"{group} {choice.name!r} has no parameter {key!r}{nearest(key, known)}",
                dotted(group, key),
            )
    try:
        built = msgspec.convert(dict(choice.params), shape, str_keys=True)
    except msgspec.ValidationError as error:
        text, key = _explain(error, choice.params)
        raise ConfigError(f"{group} {choice.name!r}: {text}", dotted(group, key)) from error
    return {name: getattr(built, name) for name in known}


def dotted(group: str, key: str) -> str:
    """Return the dotted key of a plugin's parameter."""
    return f"{group}.{key}" if group in FLAT_GROUPS else f"{group}.params.{key}"


def _explain(error: msgspec.ValidationError, params: Mapping[str, Any]) -> tuple[str, str]:
    what, _, path = str(error).partition(" - at `$.")
    key = path.rstrip("`").split(".")[0].split("[")[0]
    if key in params:
        return f"{key}: {expectation(what)}, got {params[key]!r}", key
    return str(error), key


def check_pairs(config: Config) -> None:
    """Raise NotApplicableError when two choices exclude each other."""
    for group in GROUPS:
        name = config.choice(group).name
        get(group, name)
        for other, excluded in _excludes.get((group, name), {}).items():
            if config.choice(other).name in excluded:
                raise NotApplicableError(
                    f"{group}={name} has no meaning with {other}={config.choice(other).name}"
                )


def build(group: str, choice: Choice) -> Any:
    """Return the object the plugin makes of the choice's parameters."""
    return get(group, choice.name)(**check(group, choice))


def find(group: str, name: str) -> Found:
    """Return where the plugin is defined and what it takes."""
    factory = get(group, name)
    hints = get_type_hints(factory, include_extras=True)
    taken = tuple(
        (parameter.name, _type_text(hints.get(parameter.name, Any)), parameter.default)
        for parameter in inspect.signature(factory).parameters.values()
    )
    point = _outside(group).get(name)
    package = point.dist.name if point and point.dist else "fraudlab"
    summary = (inspect.getdoc(factory) or "").partition("\n")[0]
    file = inspect.getsourcefile(factory) or ""
    line = inspect.getsourcelines(factory)[1]
    return Found(group, name, summary, taken, f"{file}:{line}", package)


def _type_text(hint: Any) -> str:
    return hint.__name__ if isinstance(hint, type) else str(hint).replace("typing.", "")


def nearest(name: str, known: Iterable[str]) -> str:
    """Return '; did you mean ...? available: ...' for an unknown name."""
    known = sorted(known)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    return f"{hint}; available: {', '.join(known) or 'none'}"
