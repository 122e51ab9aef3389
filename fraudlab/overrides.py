"""Words of the command line, `key=value` in Hydra's grammar: what each of them says."""

from __future__ import annotations

import fnmatch
import itertools
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob, Override
from hydra.errors import HydraException

from fraudlab.config import GROUPS, Config
from fraudlab.errors import ConfigError
from fraudlab.folders import RECIPE
from fraudlab.wording import nearest

ALL_GROUPS = (*GROUPS, "tracking", "launcher", RECIPE)
MAX_VALUES = 10_000

_COMPARISON = re.compile(r"\w+\s*[<>]=?\s*[\w.+-]+")
_FIRST = re.compile(r"[+~]*([^=.@\[{'\"]*)")

_PARSER = OverridesParser.create()

Options = Callable[[str], list[str]]


class Setting(msgspec.Struct, frozen=True):
    """One value for one key; of a group, the YAML stem."""

    key: str
    value: Any
    text: str
    source: str

    @property
    def said(self) -> str:
        """Where it was said."""
        return f"from {self.source}, {self.text!r}"

    @property
    def is_choice(self) -> bool:
        """Whether an option of a group is chosen."""
        return self.key in ALL_GROUPS


class Word(msgspec.Struct, frozen=True):
    """What was said about one key: the values to try."""

    key: str
    settings: tuple[Setting, ...]
    text: str
    is_list: bool


def read_words(texts: Iterable[str], options: Options) -> dict[str, Word]:
    """Return the words by key.

    Raises
    ------
    ConfigError
        If a word cannot be read, names what does not exist, or a key is set twice.
    """
    words: dict[str, Word] = {}
    for text in texts:
        word = read_word(text, options)
        if word.key in words:
            first = words[word.key].text
            raise ConfigError(
                f"{word.key} is set twice, by {first!r} and {text!r}: keep one; a list sweeps:"
                f" {word.key}=a,b -m"
            )
        words[word.key] = word
    return words


def read_word(text: str, options: Options, source: str = "the command line") -> Word:
    """Return one word; `options` lists the YAML stems of a group, `source` is who said it."""
    override = _parsed(text, source)
    key = _checked_key(override, text)
    if not override.is_sweep_override() and not _is_pattern(key, override.value()):
        setting = _checked(Setting(key, override.value(), text, source), options)
        return Word(key, (setting,), text, is_list=False)
    singles = list(itertools.islice(_singles(override, text, options), MAX_VALUES + 1))
    if not 0 < len(singles) <= MAX_VALUES:
        count = f"more than {MAX_VALUES:,}" if singles else "no"
        allowed = nearest(key, options(key)) if key in ALL_GROUPS else ""
        raise ConfigError(f"{text!r} lists {count} values{allowed}")
    settings = tuple(
        _checked(Setting(key, _parsed(each, source).value(), each, source), options)
        for each in (f"{key}={single}" for single in singles)
    )
    return Word(key, settings, text, is_list=True)


def _parsed(text: str, source: str) -> Override:
    first = _FIRST.match(text)
    if first:
        _check_first(first[1], text, source)
    try:
        return _PARSER.parse_override(_with_quotes(text))
    except (HydraException, ValueError, TypeError, RecursionError) as error:
        raise ConfigError(
            f"{text[:80]!r} (from {source}) cannot be read as key=value; close brackets and quotes,"
            """ and put a value with blanks or signs in quotes: "data.path='my file.csv'\""""
        ) from error


def _with_quotes(text: str) -> str:
    """Return a word whose comparisons (precision>=0.1) are quoted, as the grammar asks."""
    key, equals, value = text.partition("=")
    return text if {"'", '"'} & set(value) else key + equals + _COMPARISON.sub(r'"\g<0>"', value)


def _check_first(first: str, text: str, source: str) -> None:
    """Refuse a word whose first name is neither a group nor a key."""
    known = sorted({*(field.name for field in msgspec.structs.fields(Config)), RECIPE})
    if first.partition("/")[0] == "hydra":
        raise ConfigError(
            f"{text!r}: fraudlab runs its candidates itself, so nothing of Hydra's can be set;"
            f" available: {', '.join(known)}"
        )
    if first not in known:
        raise ConfigError(
            f"no group or key {first!r} (from {source}, {text!r}){nearest(first, known)}"
        )


def _checked_key(override: Override, text: str) -> str:
    """Return the key of a word, when it is one that can be set."""
    key = override.key_or_group
    if override.is_delete():
        raise ConfigError(
            f"{text!r}: nothing can be taken away; choose an option instead, such as"
            " sampler=identity, or set a key to null"
        )
    if override.package is not None:
        raise ConfigError(f"{text!r}: a group has one place; write {key}=...")
    if text.endswith("=") and key not in ALL_GROUPS:
        raise ConfigError(f"{text!r} has no value: {key}=null sets none")
    group, _, inside = key.partition(".")
    if group in GROUPS and inside == "name":
        raise ConfigError(f"{text!r}: choose with {group}=OPTION, which brings its parameters")
    return key


def _checked(setting: Setting, options: Options) -> Setting:
    """Return a setting with a plain value; of a group, with the stem of an existing YAML."""
    key, value = setting.key, setting.value
    if not setting.is_choice:
        return msgspec.structs.replace(setting, value=_plain(value))
    if value is None and key == RECIPE:
        return setting
    stem, known = "null" if value is None else str(value), options(key)
    if stem not in known:
        raise ConfigError(f"no {key} option {stem!r} ({setting.said}){nearest(stem, known)}")
    return msgspec.structs.replace(setting, value=stem)


def _singles(override: Override, text: str, options: Options) -> Iterator[str]:
    """Yield the values of a list, each as it would be written alone."""
    wanted: Any = override.value()
    if isinstance(wanted, Glob):
        yield from wanted.filter(options(override.key_or_group))
        return
    try:
        singles = override.sweep_string_iterator() if override.is_sweep_override() else [wanted]
        for single in singles:
            yield from _matching(override.key_or_group, single, options)
    except (HydraException, ValueError, TypeError) as error:
        raise ConfigError(
            f"{text!r} lists no values that can be counted; write a,b or range(first,end)"
        ) from error


def _matching(key: str, single: str, options: Options) -> list[str]:
    """Return the options of a group that a pattern matches; itself when it is none, or in vain."""
    pattern = single.strip("'\"")
    found = fnmatch.filter(options(key), pattern) if _is_pattern(key, pattern) else []
    return found or [single]


def _is_pattern(key: str, value: Any) -> bool:
    """Whether a word chooses options by a pattern, as `experiment=handbook/*` does."""
    return key in ALL_GROUPS and isinstance(value, str) and "*" in value


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value if isinstance(value, int | float | bool | None) else str(value)
