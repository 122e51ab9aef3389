"""Which combinations of a command's lists are tried: lists that go together, and a draw.

It is given keys and values, and knows nothing of words, YAML files or Hydra.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from fraudlab.config import Candidate, key_of
from fraudlab.errors import ConfigError
from fraudlab.naming import asked_for
from fraudlab.wording import nearest, value_text

T = TypeVar("T")
Axis = list[dict[str, T]]  # the positions of what varies on its own: each gives values to its keys

PAIR, EXCLUDE = "pair", "exclude"
_SHAPES = {
    PAIR: "a list of lists of keys, such as [[model, sampler]]",
    EXCLUDE: "a list of combinations, such as [{sampler: smote, model: balanced_rf}]",
}
_DRAW_SEED = 42  # not the command's own: other seeds are to meet the same candidates


def in_full(key: str, value: Any) -> list[Any]:
    """Return what `pair` or `exclude` says as a list of entries; an entry may stand for itself.

    Raises
    ------
    ConfigError
        If it is neither an entry nor a list of them.
    """
    fits = _is_pair if key == PAIR else _is_combination
    entries = [] if value is None else [value] if value and fits(value) else value
    if not isinstance(entries, list) or not all(fits(entry) for entry in entries):
        raise ConfigError(f"{key} must be {_SHAPES[key]}, got {value_text(value)}", key)
    return entries


def _is_pair(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(key, str) for key in value)


def _is_combination(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(key, str) for key in value)


def axes_of(
    lists: Mapping[str, Sequence[T]], swept: Collection[str], pairs: Sequence[Sequence[str]]
) -> list[Axis[T]]:
    """Return what varies on its own: single lists, and the lists that go together.

    Parameters
    ----------
    lists
        By key, the values to try, one or several.
    swept
        The keys that were given a list.
    pairs
        Keys whose lists go together, first with first; they vary where their first one stands.

    Raises
    ------
    ConfigError
        If a pair names a key without a list, a key again, or lists of different length.
    """
    _check_pairs(lists, swept, pairs)
    together = {key: pair for pair in pairs for key in pair}
    axes: list[Axis[T]] = []
    placed: set[str] = set()
    for key in lists:
        keys = together.get(key, (key,))
        if key not in placed:
            rows = zip(*(lists[each] for each in keys), strict=True)
            axes.append([dict(zip(keys, row, strict=True)) for row in rows])
        placed.update(keys)
    return axes


def _check_pairs(
    lists: Mapping[str, Sequence[Any]], swept: Collection[str], pairs: Sequence[Sequence[str]]
) -> None:
    named: set[str] = set()
    for pair in pairs:
        if len(pair) < 2:  # noqa: PLR2004 (what goes together is two or more)
            raise ConfigError(
                f"pair: [{', '.join(pair)}] is no pair: name two lists or more that go together",
                PAIR,
            )
        for key in pair:
            if key not in swept:
                raise ConfigError(
                    f"pair names {key!r}, which has no list of values{nearest(key, swept)};"
                    " give it a list, or set pair=[]",
                    PAIR,
                )
            if key in named:
                raise ConfigError(
                    f"pair names {key!r} twice: put all lists that go together in one pair", PAIR
                )
            named.add(key)
        if len({len(lists[key]) for key in pair}) > 1:
            counts = ", ".join(f"{key} has {len(lists[key])}" for key in pair)
            raise ConfigError(
                f"pair: lists that go together must be equally long, but {counts} values", PAIR
            )


def combinations(axes: Sequence[Axis[T]], keys: Collection[str]) -> Iterator[dict[str, T]]:
    """Yield every combination of the axes' positions, the last axis fastest; keys as in `keys`."""
    for positions in itertools.product(*axes):
        values = {key: value for position in positions for key, value in position.items()}
        yield {key: values[key] for key in keys}


def draw(items: Sequence[T], size: int, alike: Sequence[Hashable]) -> list[T]:
    """Return `size` items in their order, drawn without replacement; all when there are no more.

    Items for which `alike` says the same are drawn together and count once. The same items make the
    same draw, and a larger draw holds the smaller: it goes on from it.
    """
    order = list(dict.fromkeys(alike))
    random.Random(_DRAW_SEED).shuffle(order)  # noqa: S311 (nothing secret)
    drawn = set(order[:size])
    return [item for item, group in zip(items, alike, strict=True) if group in drawn]


def draw_subset(candidates: Sequence[Candidate]) -> tuple[list[Candidate], list[str]]:
    """Return the candidates of `subset`, and what to say of them; all where there are no more.

    One that is asked for with several seeds counts once, and is drawn with all of them.
    """
    size = candidates[0].config.subset
    applicable = [each for each in candidates if each.not_applicable is None]
    distinct = list({key_of(each.config): each for each in reversed(applicable)}.values())[::-1]
    alike = [asked_for(each, but="seed") for each in distinct]
    count = len(set(alike))
    if size is None or count <= size:
        return list(candidates), []
    return draw(distinct, size, alike), [f"subset: {size:,} drawn of {count:,} candidates"]
