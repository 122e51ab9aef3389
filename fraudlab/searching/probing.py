"""Whether a search fits the configuration, found before any data is read.

Ends of ranges and all choices are composed and checked as words of a command line would be, in each
part of the space; combinations are left to the search itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from fraudlab.choosing import EXCLUDE
from fraudlab.composition import Composer
from fraudlab.config import COMMON_KEYS, Candidate, to_plain
from fraudlab.errors import ConfigError
from fraudlab.folders import RECIPE
from fraudlab.overrides import read_words
from fraudlab.searching.dimensions import Dimension, Pick
from fraudlab.searching.spaces import Space, condition
from fraudlab.wording import nearest, value_text

# What all candidates must have in common, for their values to be those of the same question.
HELD = (*COMMON_KEYS, "data", "bootstrap", "seed", RECIPE)
HELD_GROUPS = ("split",)  # its parameters may vary where they leave the scored rows alone
_PLAIN = re.compile(r"[A-Za-z_][\w/-]*")
_RESERVED = {"null", "none", "true", "false", "nan", "inf"}


class CheckedSearch(msgspec.Struct, frozen=True):
    """A search, checked.

    Attributes
    ----------
    space
        What varies.
    words
        The user's, which all candidates share.
    base
        The candidate with nothing varied.
    known
        By group and by key set by hand, what is chosen when nothing is varied.
    """

    space: Space
    words: tuple[str, ...]
    base: Candidate
    known: dict[str, Any]

    @property
    def fixed(self) -> list[str]:
        """The words that all candidates share, beside the user's own."""
        return words_of(self.space.fixed)

    def proposed(self, values: Mapping[str, Any]) -> list[str]:
        """Return what a candidate adds to the user's words."""
        return [*self.fixed, *words_of(values)]

    def compose(self, composer: Composer, proposed: Sequence[str]) -> Candidate:
        """Return the candidate that words propose.

        Raises
        ------
        ConfigError
            If it does not compose, or `exclude` leaves it out.
        """
        return _compose(composer, self.words, proposed, self.space.file)

    def default(self) -> dict[str, Any]:
        """Return what the base has for each dimension that could propose it, by name."""
        plain = to_plain(self.base.config)
        found: dict[str, Any] = {}

        def pick(dimension: Dimension) -> Any:
            value = self.base.options.get(dimension.key, _inside(plain, dimension.key))
            if dimension.fits(value):
                found[dimension.name] = value
            return value

        self.space.walk(self.known, pick)
        return found


def check_search(space: Space, composer: Composer, words: Sequence[str]) -> CheckedSearch:
    """Return a search that fits the configuration which the user's words make.

    Raises
    ------
    ConfigError
        If a key, option or value of it does not exist, is out of bounds or may not vary, or the
        words list several candidates.
    """
    said = {
        word.key: word.settings[0].value for word in read_words(words, composer.options).values()
    }
    space = space.without(said)
    for dimension in space.dimensions:
        _check_may_vary(dimension, space.file)
    for key in space.fixed:
        if key == RECIPE:
            raise ConfigError(f"{space.file}: fixed cannot name a recipe; say {RECIPE}=... as well")
    base = _compose(composer, words, words_of(space.fixed), space.file)
    known = {**base.options, **base.overrides}
    search = CheckedSearch(space, tuple(words), base, known)
    for values in _probes(search):
        plain = [word for word in words if not word.startswith(f"{EXCLUDE}=")]
        _compose(composer, [*plain, f"{EXCLUDE}=[]"], search.proposed(values), space.file)
    return search


def _check_may_vary(dimension: Dimension, file: str) -> None:
    key = dimension.key
    if key.partition(".")[0] in HELD or key in HELD_GROUPS:
        raise ConfigError(
            f"{file}: {key} cannot vary: what is searched is what does best on the same rows, by"
            " the same rule and seed; set it on the command line, or sweep over it"
        )


def _compose(
    composer: Composer, words: Sequence[str], proposed: Sequence[str], source: str
) -> Candidate:
    plan = composer.plan(words, multirun=True, proposed=proposed, source=source)
    if len(plan.candidates) > 1:
        raise ConfigError(
            f"the command line lists {len(plan.candidates):,} candidates, but a search proposes its"
            " own from one: choose single values, or put the list into a space of hparams_search"
        )
    (candidate,) = plan.candidates
    return candidate


def _probes(search: CheckedSearch) -> Iterator[dict[str, Any]]:
    """Yield values that meet, in each part, each end of a range and each choice."""
    for part in search.space.parts:
        for pinned in _contexts(search, part.holds):
            count = max(dimension.probes for dimension in part.dimensions)
            for place in range(count):
                yield search.space.walk(search.known, _probing(pinned, place))


def _probing(pinned: Mapping[str, Any], place: int) -> Pick:
    return lambda dimension: pinned.get(dimension.key, dimension.probe(place))


def _contexts(
    search: CheckedSearch, holds: Mapping[str, tuple[Any, ...]]
) -> Iterator[dict[str, Any]]:
    """Yield what must be chosen for a condition to hold, once for each value it names.

    Raises
    ------
    ConfigError
        If it asks for what nothing varies, or for a value that is never proposed.
    """
    pinned: dict[str, Any] = {}
    for key, wanted in holds.items():
        varying = [each for each in search.space.dimensions if each.key == key]
        if not varying and key not in search.known:
            raise ConfigError(
                f"{search.space.file}: when {condition(holds)}: {key} neither varies nor is it set:"
                f" give it values under space or one under fixed{nearest(key, _settable(search))}"
            )
        for value in wanted:
            if varying and not any(each.fits(value) for each in varying):
                raise ConfigError(
                    f"{search.space.file}: when {condition(holds)}: {value_text(value)} is not"
                    f" among the values of {key}: {'; '.join(map(str, varying))}"
                )
        if varying:
            pinned[key] = wanted[0]
            outer = next(p for p in search.space.parts if any(d.key == key for d in p.dimensions))
            for context in _contexts(search, outer.holds):
                pinned = {**context, **pinned}
                break
    yield pinned
    for key, wanted in holds.items():
        if key in pinned:
            yield from ({**pinned, key: value} for value in wanted[1:])


def _settable(search: CheckedSearch) -> set[str]:
    """Return the keys that a condition can ask for."""
    return {*search.known, *(dimension.key for dimension in search.space.dimensions)}


def _inside(plain: Mapping[str, Any], key: str) -> Any:
    value: Any = plain
    for name in key.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


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


def _is_plain(text: str) -> bool:
    return _PLAIN.fullmatch(text) is not None and text.lower() not in _RESERVED


def _quoted(text: str) -> str:
    escaped = text.replace("'", "\\'")
    return f"'{escaped}'"
