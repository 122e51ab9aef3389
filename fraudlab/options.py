"""Options of YAML to one composed configuration: where Hydra works, and where it ends.

Composing takes tens of milliseconds, most of a long sweep's planning, so it is done once for each
choice of options, and values are set on a copy.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import yaml
from hydra import compose, initialize_config_dir
from hydra.errors import HydraException, MissingConfigException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException

from fraudlab.errors import ConfigError
from fraudlab.folders import RECIPE, Folders, shown
from fraudlab.overrides import ALL_GROUPS, Setting
from fraudlab.wording import nearest

_IN_FILE = re.compile(r"^In '([^']+)': ?")
_QUOTED = re.compile(r"'([^']*)'")


class Composed(msgspec.Struct, frozen=True):
    """A composed configuration, its references unresolved.

    Attributes
    ----------
    plain
        The configuration.
    chosen
        The YAML stems by group.
    lists
        By key, what a recipe sweeps over.
    """

    plain: dict[str, Any]
    chosen: dict[str, str]
    lists: dict[str, Any]

    def resolved(self, settings: Sequence[Setting]) -> dict[str, Any]:
        """Return the configuration with values set and references resolved.

        Keys that do not exist are set like others: the types refuse them, wherever they come from.
        """
        config = OmegaConf.create(self.plain)
        for setting in settings:
            _set(config, setting)
        try:
            found: Any = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
        except MissingMandatoryValue as error:
            key = str(error.full_key)
            raise ConfigError(f"{key} has no value yet: give it one, {key}=...", key) from error
        except OmegaConfBaseException as error:
            key = str(error.full_key)
            named = _QUOTED.search(str(error))
            what = f" {named[1]!r}" if named else " something"
            raise ConfigError(f"{key} refers to{what}, which cannot be found", key) from error
        return dict(found)


def _set(config: DictConfig, setting: Setting) -> None:
    try:
        OmegaConf.update(config, setting.key, setting.value, merge=True, force_add=True)
    except (OmegaConfBaseException, AttributeError, KeyError, TypeError, ValueError) as error:
        parent = setting.key.rpartition(".")[0]
        raise ConfigError(f"there is no key below {parent} ({setting.said})") from error


class Yaml:
    """Composes options of some folders; `opened` must surround the use."""

    def __init__(self, folders: Folders) -> None:
        self._folders = folders
        self._composed: dict[tuple[str, ...], Composed] = {}
        self._alone: dict[tuple[str, str], bool] = {}

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Let Hydra look into the folders."""
        with initialize_config_dir(str(self._folders.paths[0]), version_base="1.3"):
            yield

    def compose_listed(self, choices: Mapping[str, str], listed: Collection[str]) -> Composed:
        """Return the composition of `choices`, some of whose groups are `listed` by a sweep.

        A listed option that says nothing of other groups is composed once, not once in every
        combination.
        """
        alone = {
            group: stem
            for group, stem in choices.items()
            if group in listed and self._stands_alone(group, stem)
        }
        rest = {group: stem for group, stem in choices.items() if group not in alone}
        base = self.compose(rest)
        parts = {group: self.compose({**rest, group: stem}) for group, stem in alone.items()}
        plain = {group: part.plain[group] for group, part in parts.items()}
        return Composed(base.plain | plain, base.chosen | alone, base.lists)

    def _stands_alone(self, group: str, stem: str) -> bool:
        if (group, stem) not in self._alone:
            self._alone[group, stem] = self._folders.stands_alone(group, stem)
        return self._alone[group, stem]

    def compose(self, choices: Mapping[str, str]) -> Composed:
        """Return the composition of the options chosen, and of the defaults for the others.

        Raises
        ------
        ConfigError
            If a YAML cannot be read, or names what does not exist.
        """
        lines = tuple(f"{group}={_quoted(stem)}" for group, stem in sorted(choices.items()))
        if lines not in self._composed:
            try:
                self._composed[lines] = self._compose(lines)
            except yaml.YAMLError as error:
                raise _misspelt(error) from error
            except (HydraException, OmegaConfBaseException) as error:
                raise self._explained(error, choices) from error
            except (AttributeError, TypeError, ValueError) as error:  # a list, or no text at all
                files = ", ".join(f"{group}/{stem}.yaml" for group, stem in choices.items())
                raise ConfigError(f"a YAML file does not hold keys and values ({files})") from error
        composed = self._composed[lines]
        if RECIPE in composed.plain:
            file = self._shown(f"{RECIPE}/{composed.chosen[RECIPE]}")
            raise ConfigError(f"{file} must begin with the line '# @package _global_'")
        return composed

    def _compose(self, lines: Sequence[str]) -> Composed:
        others = ",".join(_quoted(f"file://{path}") for path in self._folders.paths[1:])
        search = f"hydra.searchpath=[{others}]"
        found = compose("config", [search, *lines], return_hydra_config=True)
        hydra: Any = found.hydra
        lists: Any = OmegaConf.to_container(hydra.sweeper.params or OmegaConf.create({}))
        named = [str(key) for key in found if key != "hydra"]
        plain: Any = OmegaConf.to_container(OmegaConf.masked_copy(found, named))
        choices = hydra.runtime.choices.items()
        chosen = {group: str(stem) for group, stem in choices if group in ALL_GROUPS and stem}
        return Composed(plain, chosen, lists)

    def _explained(self, error: Exception, choices: Mapping[str, str]) -> ConfigError:
        """Return what is wrong in a YAML in our own words, with the file where it is known."""
        first, _, rest = str(error).strip().partition("\n")
        inside = _IN_FILE.match(first)
        file = self._shown(inside[1]) if inside else "the YAML"
        if isinstance(error, MissingConfigException) and error.missing_cfg_file:
            group, _, stem = error.missing_cfg_file.rpartition("/")
            naming = self._folders.naming(stem, choices)
            known = self._folders.options(group)
            place = shown(naming) if naming else file
            return ConfigError(f"no {group} option {stem!r} (from {place}){nearest(stem, known)}")
        named = _QUOTED.search(first[inside.end() :] if inside else first) or _QUOTED.search(rest)
        what = f"{named[1]!r} does not fit there" if named else "its defaults cannot be followed"
        return ConfigError(f"{file}: {what}; groups are {', '.join(ALL_GROUPS)}")

    def _shown(self, name: str) -> str:
        group, _, stem = name.rpartition("/")
        file = self._folders.file(group, stem)
        return shown(file) if file else f"{name}.yaml"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _misspelt(error: yaml.YAMLError) -> ConfigError:
    mark = error.problem_mark if isinstance(error, yaml.MarkedYAMLError) else None
    if not isinstance(error, yaml.MarkedYAMLError) or mark is None:
        return ConfigError(f"a YAML cannot be read: {' '.join(str(error).split())}")
    return ConfigError(
        f"{shown(Path(mark.name))}:{mark.line + 1}: this is not valid YAML: {error.problem}"
    )
