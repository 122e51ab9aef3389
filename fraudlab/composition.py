"""Words of the command line to checked candidates.

Every candidate of a sweep is composed and checked here, at launch, so a typo stops the whole
command before any data is read, and a YAML edited later changes nothing.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec

from fraudlab import registry
from fraudlab.config import COMMON_KEYS, GROUPS, Candidate, Config, parse
from fraudlab.errors import ConfigError, NotApplicableError
from fraudlab.folders import RECIPE, Folders
from fraudlab.options import Composed, Yaml
from fraudlab.overrides import Setting, Word, read_word, read_words
from fraudlab.wording import value_text

MAX_CANDIDATES = 10_000
_KEY = re.compile(r"[a-z_]+(\.\w+)+")


class Plan(msgspec.Struct, frozen=True):
    """The candidates of a command; a sweep when they are listed rather than one."""

    candidates: tuple[Candidate, ...]
    is_sweep: bool


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

    def plan(self, texts: Sequence[str], *, multirun: bool = False) -> Plan:
        """Return the checked candidates of a command line.

        Raises
        ------
        ConfigError
            If anything in it, or in the YAML it names, does not exist or is out of bounds, or the
            candidates differ in what holds for a whole sweep.
        NotApplicableError
            If a single candidate pairs choices that exclude each other.
        """
        words = read_words(texts, self.options)
        recipes = words.pop(RECIPE).settings if RECIPE in words else (None,)
        candidates: list[Candidate] = []
        is_sweep = multirun or len(recipes) > 1
        with self._yaml.opened():
            for recipe in recipes:
                said = self._with_recipe(words, recipe)
                lists = [word for word in said.values() if word.is_list]
                is_sweep = is_sweep or any(word.key not in words for word in lists)
                if lists and not is_sweep:
                    raise ConfigError(
                        f"{lists[0].text!r} lists several values: add -m to sweep over them"
                    )
                candidates += self._candidates(list(said.values()), is_sweep=is_sweep)
        _check_shared(candidates)
        return Plan(tuple(candidates), is_sweep)

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

    def _candidates(self, words: Sequence[Word], *, is_sweep: bool) -> Iterator[Candidate]:
        count = math.prod(len(word.settings) for word in words)
        if count > MAX_CANDIDATES:
            raise ConfigError(
                f"{count:,} candidates; at most {MAX_CANDIDATES:,} can be swept: shorten the lists"
            )
        listed = {word.key for word in words if word.is_list}
        for settings in itertools.product(*(word.settings for word in words)):
            choices = {each.key: each.value for each in settings if each.is_choice}
            composed = self._yaml.compose_listed(choices, listed)
            values = [each for each in settings if not each.is_choice]
            yield self._candidate(composed, values, is_sweep=is_sweep)

    def _candidate(
        self, composed: Composed, settings: Sequence[Setting], *, is_sweep: bool
    ) -> Candidate:
        words = {setting.key: setting.said for setting in settings}
        try:
            config = checked(parse(composed.resolved(settings)))
        except ConfigError as error:
            place = self.folders.where_set(error.key or "", words, composed.chosen)
            raise ConfigError(f"{error}{place}", error.key) from error
        excluded = _exclusion(config)
        if excluded and not is_sweep:
            raise NotApplicableError(excluded)
        by_hand = {setting.key: setting.value for setting in settings}
        return Candidate(config, composed.chosen, by_hand, excluded)


def checked(config: Config) -> Config:
    """Return the config with every plugin's parameters converted, complete and within bounds.

    All parts but the model, whose library takes seconds to import, are built once, so that what
    they refuse is found here too.
    """
    changed = {}
    for group in GROUPS:
        choice = config.choice(group)
        try:
            params = registry.check(group, choice)
            if group != "model":
                registry.build(group, choice)
        except ConfigError as error:
            named = _KEY.match(str(error))
            key = named[0] if named else registry.dotted(group, "").rstrip(".")
            raise ConfigError(str(error), error.key or key) from error
        plain = msgspec.to_builtins(params, str_keys=False)
        changed[group] = msgspec.structs.replace(choice, params=plain)
    config = msgspec.structs.replace(config, **changed)
    _check_delay(config)
    _check_costs(config)
    return config


def _check_delay(config: Config) -> None:
    """Refuse features that use a label before the split says that it is known."""
    used, known = (config.choice(group).params.get("delay_days") for group in ("features", "split"))
    if used is not None and known is not None and used < known:
        raise ConfigError(
            f"features.params.delay_days={used} is less than split.params.delay_days={known}, so"
            " features would use labels that are not known yet: set features.params.delay_days to"
            f" {known} or more",
            "features.params.delay_days",
        )


def _check_costs(config: Config) -> None:
    """Refuse costs under which no sum or no choice would mean anything."""
    fault = config.costs.fault()
    if fault is not None:
        name, rule = fault
        raise ConfigError(f"costs.{name} {rule}", f"costs.{name}")
    costs = msgspec.structs.asdict(config.costs)
    plain = costs["true_positive"] == costs["false_positive"] and costs["true_negative"] == 0
    by_amount = plain and costs["false_negative"] == "amount"
    if config.threshold_strategy.name == "amount_cost" and not by_amount:
        raise ConfigError(
            "threshold_strategy=amount_cost is for alerts that cost the same right or wrong"
            " (costs.true_positive = costs.false_positive), costs.true_negative=0 and misses that"
            f" cost their amount; got {costs!r}: correct them, or use min_cost",
            "costs",
        )


def _check_shared(candidates: Sequence[Candidate]) -> None:
    """Refuse to sweep over what all candidates have in common."""
    for key in COMMON_KEYS:
        first, *others = (getattr(candidate.config, key) for candidate in candidates)
        for other in others:
            if other != first:
                values = " and ".join(value_text(msgspec.to_builtins(v)) for v in (first, other))
                raise ConfigError(
                    f"{key} holds for the whole command, so its candidates cannot differ in it:"
                    f" got {values}; choose one",
                    key,
                )


def _exclusion(config: Config) -> str | None:
    """Return why two choices of the config exclude each other; None when they do not."""
    for group in GROUPS:
        name = config.choice(group).name
        for other, excluded in registry.excludes(group, name).items():
            if config.choice(other).name in excluded:
                return (
                    f"{group}={name} has no meaning with {other}={config.choice(other).name};"
                    f" choose another {group} or {other}"
                )
    return None
