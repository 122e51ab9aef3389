"""Words of the command line to checked candidates.

Every candidate of a sweep is composed and checked here, at launch, so a typo stops the whole
command before any data is read, and a YAML edited later changes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec

from fraudlab.checking import checked, contradiction
from fraudlab.choosing import EXCLUDE, PAIR, axes_of, combinations, draw_subset, in_full
from fraudlab.config import COMMON_KEYS, Candidate, parse
from fraudlab.errors import ConfigError, NotApplicableError
from fraudlab.excluding import Exclusions
from fraudlab.folders import RECIPE, Folders
from fraudlab.options import Composed, Yaml
from fraudlab.overrides import ALL_GROUPS, Setting, Word, read_word, read_words
from fraudlab.wording import value_text

MAX_CANDIDATES = 10_000
OWN_KEYS = (PAIR, EXCLUDE)  # of each recipe, which is what they speak of


class Plan(msgspec.Struct, frozen=True):
    """The candidates of a command.

    Attributes
    ----------
    candidates
        What is to be trained, and what does not apply.
    is_sweep
        Whether they are listed rather than one.
    left_out
        How many combinations `exclude` and `subset` left out.
    notes
        What should be said of that.
    """

    candidates: tuple[Candidate, ...]
    is_sweep: bool
    left_out: int = 0
    notes: tuple[str, ...] = ()


def conf_folder() -> Path:
    """Return the folder of fraudlab's own YAML: beside the package, or inside it when installed."""
    package = Path(__file__).parent
    inside = package / "conf"
    return inside if inside.is_dir() else package.parent / "conf"


def outside_folders() -> Iterator[Path]:
    """Yield the YAML folders of installed packages: the entry points of group `fraudlab.conf`."""
    for point in entry_points(group="fraudlab.conf"):
        spec = find_spec(point.value)
        yield from map(Path, spec.submodule_search_locations or () if spec else ())


class Composer:
    """Compose candidates from fraudlab's own YAML, the user's folder, and outside packages'."""

    def __init__(self, config_dir: str | None = None) -> None:
        if config_dir is not None and not Path(config_dir).is_dir():
            raise ConfigError(f"--config-dir: there is no folder {config_dir!r}")
        users = [Path(config_dir).absolute()] if config_dir is not None else []
        self.folders = Folders([conf_folder(), *users, *outside_folders()])
        self._yaml = Yaml(self.folders)

    def options(self, group: str) -> list[str]:
        """Return the YAML stems of a group."""
        return self.folders.options(group)

    def plan(
        self,
        texts: Sequence[str],
        *,
        multirun: bool = False,
        proposed: Sequence[str] = (),
        source: str = "",
    ) -> Plan:
        """Return the checked candidates of a command line.

        `proposed` are words that `source` adds: of a longer list, one value each.

        Raises
        ------
        ConfigError
            If anything in it, or in the YAML it names, does not exist or is out of bounds, or the
            candidates differ in what holds for a whole sweep.
        NotApplicableError
            If a single candidate pairs choices that exclude each other.
        """
        words = read_words(texts, self.options)
        for text in proposed:
            word = msgspec.structs.replace(read_word(text, self.options, source), is_list=True)
            words[word.key] = word
        recipes = words.pop(RECIPE).settings if RECIPE in words else (None,)
        exclusions = Exclusions(ALL_GROUPS, self.options)
        candidates: list[Candidate] = []
        is_sweep = multirun or len(recipes) > 1
        with self._yaml.opened():
            for recipe in recipes:
                said = [_in_full(word) for word in self._with_recipe(words, recipe).values()]
                lists = [word for word in said if word.is_list]
                is_sweep = is_sweep or any(word.key not in words for word in lists)
                if lists and not is_sweep:
                    raise ConfigError(
                        f"{lists[0].text!r} lists several values: add -m to sweep over them"
                    )
                candidates += self._candidates(said, exclusions, is_sweep=is_sweep)
        notes = [*exclusions.notes()]
        _check_shared(candidates)
        drawn, told = draw_subset(candidates)
        left_out = exclusions.left_out + len(candidates) - len(drawn)
        return Plan(tuple(drawn), is_sweep, left_out, (*notes, *told))

    def _with_recipe(self, words: Mapping[str, Word], recipe: Setting | None) -> dict[str, Word]:
        """Return the words of a recipe's lists, then the user's own, which win."""
        if recipe is None or recipe.value is None:
            return dict(words)
        fixed = [word.settings[0] for word in words.values() if not word.is_list]
        chosen = {setting.key: setting.value for setting in fixed if setting.is_choice}
        lists = self._yaml.compose({**chosen, RECIPE: recipe.value}).lists
        listed = [self._listed(recipe, key, value) for key, value in lists.items()]
        said = Word(RECIPE, (recipe,), recipe.text, is_list=False)
        return {RECIPE: said, **{word.key: word for word in listed}, **words}

    def _listed(self, recipe: Setting, key: str, value: Any) -> Word:
        """Return what a recipe lists for a key: `a,b` as on the command line, or a YAML list."""
        text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
        source = f"{RECIPE}/{recipe.value}.yaml"
        return read_word(f"{key}={text}", self.options, source)

    def _candidates(
        self, words: Sequence[Word], exclusions: Exclusions, *, is_sweep: bool
    ) -> Iterator[Candidate]:
        lists = {word.key: word.settings for word in words}
        listed = {word.key for word in words if word.is_list}
        first = [word.settings[0] for word in words]  # it knows what holds for all of them
        composed = self._compose(first, listed)
        with self._placed(first, composed) as place:
            plain = _resolved(composed, first)
            axes = axes_of(lists, listed, plain[PAIR])
            excluded = exclusions.add(plain[EXCLUDE], place(EXCLUDE))
        count = math.prod(map(len, axes))
        if count > MAX_CANDIDATES:
            raise ConfigError(
                f"{count:,} candidates; at most {MAX_CANDIDATES:,} can be swept: shorten the lists"
            )
        for combination in combinations(axes, lists):
            settings = list(combination.values())
            composed = self._compose(settings, listed)
            with self._placed(settings, composed):
                plain = _resolved(composed, settings)
                if exclusions.leaves_out(excluded, composed.chosen, plain):
                    continue
                candidate = _candidate(composed, plain, settings)
            if candidate.not_applicable and not is_sweep:
                raise NotApplicableError(candidate.not_applicable)
            yield candidate

    def _compose(self, settings: Sequence[Setting], listed: Collection[str]) -> Composed:
        choices = {each.key: each.value for each in settings if each.is_choice}
        return self._yaml.compose_listed(choices, listed)

    @contextmanager
    def _placed(
        self, settings: Sequence[Setting], composed: Composed
    ) -> Iterator[Callable[[str], str]]:
        """Add to an error where its key was set; yield what knows that of any key."""
        words = {setting.key: setting.said for setting in _values(settings)}

        def place(key: str) -> str:
            return self.folders.where_set(key, words, composed.chosen)

        try:
            yield place
        except ConfigError as error:
            raise ConfigError(f"{error}{place(error.key or '')}", error.key) from error


def _in_full(word: Word) -> Word:
    """Return a word about `pair` or `exclude` with the list that it may be short for."""
    if word.key not in OWN_KEYS:
        return word
    if word.is_list:
        raise ConfigError(
            f"{word.text!r} lists several values, but {word.key} holds for all candidates: put"
            " what it says in one pair of brackets",
            word.key,
        )
    (setting,) = word.settings
    try:
        value = in_full(word.key, setting.value)
    except ConfigError as error:
        raise ConfigError(f"{error} ({setting.said})", word.key) from error
    return msgspec.structs.replace(word, settings=(msgspec.structs.replace(setting, value=value),))


def _values(settings: Sequence[Setting]) -> list[Setting]:
    return [each for each in settings if not each.is_choice]


def _resolved(composed: Composed, settings: Sequence[Setting]) -> dict[str, Any]:
    plain = composed.resolved(_values(settings))
    return plain | {key: in_full(key, plain.get(key)) for key in OWN_KEYS}


def _candidate(
    composed: Composed, plain: Mapping[str, Any], settings: Sequence[Setting]
) -> Candidate:
    config = checked(parse(plain))
    by_hand = {setting.key: setting.value for setting in _values(settings)}
    return Candidate(config, composed.chosen, by_hand, contradiction(config))


def _check_shared(candidates: Sequence[Candidate]) -> None:
    """Refuse to sweep over what all candidates have in common."""
    for key in COMMON_KEYS:
        if key in OWN_KEYS:
            continue
        first, *others = (getattr(candidate.config, key) for candidate in candidates)
        for other in others:
            if other != first:
                values = " and ".join(value_text(msgspec.to_builtins(v)) for v in (first, other))
                raise ConfigError(
                    f"{key} holds for the whole command, so its candidates cannot differ in it:"
                    f" got {values}; choose one",
                    key,
                )
