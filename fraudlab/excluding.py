"""Which combinations of a command's lists are left out, by what their configuration holds.

A combination is asked about before its parameters are checked: those that contradict each other can
be left out. What it knows of options it is told; it reads no YAML.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from fraudlab import registry
from fraudlab.choosing import EXCLUDE
from fraudlab.config import GROUPS, Config, canonical
from fraudlab.errors import ConfigError
from fraudlab.wording import nearest, value_text

_ABSENT = object()
_TOP = tuple(each.name for each in msgspec.structs.fields(Config))


@dataclass(slots=True)
class Exclusion:
    """One combination to leave out, and what has become of it.

    Attributes
    ----------
    wanted
        By group or dotted key, the value, or the list of values, that a match has.
    place
        Where it was set, for errors.
    matches
        The combinations that had all of it.
    unseen
        The dotted keys that no combination has had.
    known
        The dotted keys that combinations had while one was unseen: one of them may be meant.
    """

    wanted: dict[str, Any]
    place: str
    matches: int = 0
    unseen: set[str] = field(default_factory=set)
    known: set[str] = field(default_factory=set)

    def look_for_keys(self, plain: Mapping[str, Any]) -> None:
        """Learn which keys a configuration has."""
        self.unseen = {key for key in self.unseen if _value_at(plain, key) is _ABSENT}
        if self.unseen:
            self.known.update(_keys_of(plain))

    def check_keys(self) -> None:
        """Raise ConfigError if one of the keys was in no configuration at all."""
        for key in sorted(self.unseen):
            group = key.partition(".")[0]
            known = [each for each in self.known if each.partition(".")[0] == group]
            raise ConfigError(
                f"exclude: no candidate has the key {key!r}{nearest(key, known)}{self.place}",
                EXCLUDE,
            )

    def __str__(self) -> str:
        return "{" + ", ".join(f"{key}: {value}" for key, value in self.wanted.items()) + "}"


class Exclusions:
    """All that a command leaves out, as its words and its recipes say.

    Parameters
    ----------
    groups
        The config groups.
    options
        Returns the YAML stems of a group.
    """

    def __init__(self, groups: Collection[str], options: Callable[[str], list[str]]) -> None:
        self._groups = groups
        self._options = options
        self._entries: dict[bytes, Exclusion] = {}
        self._met = 0
        self.left_out = 0

    def add(self, entries: Sequence[dict[str, Any]], place: str) -> list[Exclusion]:
        """Return what `leaves_out` is to be asked with; an entry known already is the same one.

        Raises
        ------
        ConfigError
            If an entry says nothing, or names a group, key or option that does not exist.
        """
        found = []
        for wanted in entries:
            self._check(wanted)
            dotted = {key for key in wanted if key not in self._groups}
            name = canonical(wanted)
            found.append(self._entries.setdefault(name, Exclusion(wanted, place, unseen=dotted)))
        return found

    def _check(self, wanted: Mapping[str, Any]) -> None:
        if not wanted:
            raise ConfigError("exclude: {} names nothing, so it would leave out all", EXCLUDE)
        known = {*self._groups, *_TOP}
        for key, value in wanted.items():
            first = key.partition(".")[0]
            if first not in known:
                raise ConfigError(
                    f"exclude: no group or key {first!r}{nearest(first, known)}", EXCLUDE
                )
            if key in self._groups:
                self._check_options(key, value if isinstance(value, list) else [value])

    def _check_options(self, group: str, patterns: Sequence[Any]) -> None:
        known = {*self._options(group), *(registry.names(group) if group in GROUPS else ())}
        for pattern in patterns:
            if not isinstance(pattern, str):
                raise ConfigError(
                    f"exclude: {group} must be an option, a pattern of options such as"
                    f" 'balanced_*', or a list of them, got {value_text(pattern)}; a parameter is"
                    " named by its whole key, such as model.params.max_depth",
                    EXCLUDE,
                )
            if not fnmatch.filter(known, pattern):
                raise ConfigError(
                    f"exclude: no {group} option {pattern!r}{nearest(pattern, known)}", EXCLUDE
                )

    def leaves_out(
        self, entries: Sequence[Exclusion], chosen: Mapping[str, str], plain: Mapping[str, Any]
    ) -> bool:
        """Return whether a combination has everything that one of the entries names.

        Parameters
        ----------
        entries
            What `add` returned.
        chosen
            The combination's YAML stem in each group.
        plain
            Its composed configuration.
        """
        is_out = False
        for entry in entries:
            entry.look_for_keys(plain)
            if all(self._has(key, wanted, chosen, plain) for key, wanted in entry.wanted.items()):
                entry.matches += 1
                is_out = True
        self._met += 1
        self.left_out += is_out
        return is_out

    def _has(
        self, key: str, wanted: Any, chosen: Mapping[str, str], plain: Mapping[str, Any]
    ) -> bool:
        if key not in self._groups:
            return _is_wanted(_value_at(plain, key), wanted)
        names = [chosen.get(key), _value_at(plain, f"{key}.name")]
        patterns = wanted if isinstance(wanted, list) else [wanted]
        return any(
            fnmatch.fnmatchcase(name, pattern)
            for name in names
            if isinstance(name, str)
            for pattern in patterns
        )

    def notes(self) -> Iterator[str]:
        """Yield what is worth saying when all combinations have been met.

        Raises
        ------
        ConfigError
            If an entry names a key that no combination has, or every combination is left out.
        """
        for entry in self._entries.values():
            entry.check_keys()
        if self._met and self.left_out == self._met:
            entry = next(each for each in self._entries.values() if each.matches)
            raise ConfigError(
                f"exclude leaves out every combination ({self._met:,}), so nothing would be"
                f" trained: narrow {entry}{entry.place}",
                EXCLUDE,
            )
        if self.left_out:
            yield f"exclude: {self.left_out:,} of {self._met:,} combinations left out"
        for entry in self._entries.values():
            if not entry.matches:
                yield f"exclude: no combination matches {entry}{entry.place}"


def _is_wanted(value: Any, wanted: Any) -> bool:
    """Whether a value is the one that is wanted, or one of those in a list."""
    several = wanted if isinstance(wanted, list) else []
    return any(_is_same(value, each) for each in (wanted, *several))


def _is_same(value: Any, wanted: Any) -> bool:
    """Whether two values are equal; true is not 1 here, as it is in Python."""
    return isinstance(value, bool) == isinstance(wanted, bool) and bool(value == wanted)


def _value_at(plain: Mapping[str, Any], key: str) -> Any:
    """Return what a configuration has at a dotted key, a plugin's default if its YAML omits it."""
    found: Any = plain
    for part in key.split("."):
        named = {str(name): of for name, of in found.items()} if isinstance(found, Mapping) else {}
        if part not in named:
            return _defaults(plain, key.partition(".")[0]).get(key, _ABSENT)
        found = named[part]
    return found


def _defaults(plain: Mapping[str, Any], group: str) -> dict[str, Any]:
    """Return the defaults of the parameters of the plugin chosen in a group, by dotted key."""
    if group not in GROUPS:
        return {}
    try:
        shape = registry.parameters(group, plain[group]["name"])
    except (ConfigError, KeyError, TypeError):  # a faulty choice, told where candidates are checked
        return {}
    return {
        registry.dotted(group, each.name): _default(each) for each in msgspec.structs.fields(shape)
    }


def _default(parameter: msgspec.structs.FieldInfo) -> Any:
    if parameter.required:
        return _ABSENT
    factory = parameter.default_factory
    return parameter.default if factory is msgspec.NODEFAULT else factory()


def _keys_of(plain: Mapping[str, Any]) -> Iterator[str]:
    """Yield the dotted keys of a configuration, omitted parameters included."""
    yield from _keys_in(plain)
    for group in GROUPS:
        yield from _defaults(plain, group)


def _keys_in(part: Mapping[Any, Any]) -> Iterator[str]:
    for key, value in part.items():
        yield str(key)
        if isinstance(value, Mapping):
            yield from (f"{key}.{inner}" for inner in _keys_in(value))
