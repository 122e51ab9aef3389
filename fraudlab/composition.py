"""YAML and overrides to candidates: the only place that knows Hydra.

Hydra composes; nothing of it leaves this module. Every candidate of a sweep is composed and checked
here, at launch, so a typo stops the whole command before any data is read, and a YAML edited later
changes nothing.
"""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import yaml
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from fraudlab import registry
from fraudlab.config import GROUPS, Candidate, Config, parse
from fraudlab.errors import ConfigError, NotApplicableError

OTHER_GROUPS = ("tracking", "launcher", "experiment")
_FULL_KEY = re.compile(r"full_key: (\S+)")
_NOT_IN_STRUCT = re.compile(r"Key '([^']+)' is not in struct")


class Plan(msgspec.Struct, frozen=True):
    """The candidates of a command; a sweep when they are listed rather than one."""

    candidates: tuple[Candidate, ...]
    is_sweep: bool


def conf_folder() -> Path:
    """Return the folder of fraudlab's own YAML: beside the package, or inside it when installed."""
    package = Path(__file__).parent
    inside = package / "conf"
    return inside if inside.is_dir() else package.parent / "conf"


class Composer:
    """Compose candidates from fraudlab's YAML, and from a folder of the user's in front of it."""

    def __init__(self, config_dir: str | None = None) -> None:
        if config_dir is not None and not Path(config_dir).is_dir():
            raise ConfigError(f"--config-dir: there is no folder {config_dir!r}")
        self.folders = [conf_folder()]
        self._search: list[str] = []
        if config_dir is not None:
            self.folders.insert(0, Path(config_dir).absolute())
            self._search = [f"hydra.searchpath=[file://{self.folders[0]}]"]
        os.environ["HYDRA_FULL_ERROR"] = "1"

    def plan(self, overrides: Sequence[str], *, multirun: bool = False) -> Plan:
        """Return the checked candidates of a command line.

        Raises
        ------
        ConfigError
            If anything in it, or in the YAML it names, does not exist or is out of bounds.
        NotApplicableError
            If a single candidate pairs choices that exclude each other.
        """
        with initialize_config_dir(str(conf_folder()), version_base="1.3"):
            parsed = self._parse(overrides)
            swept = [override for override in parsed if override.is_sweep_override()]
            fixed = [override for override in parsed if not override.is_sweep_override()]
            recipe_sweeps = self._recipe_sweeps(fixed)
            named = {override.key_or_group for override in parsed}
            swept = [o for o in recipe_sweeps if o.key_or_group not in named] + swept
            if swept and not (multirun or recipe_sweeps):
                first = swept[0].input_line
                raise ConfigError(f"{first!r} lists several values: add -m to sweep over them")
            is_sweep = multirun or bool(swept)
            candidates = [
                self._candidate([o.input_line or "" for o in fixed], combination, is_sweep)
                for combination in itertools.product(*(_values(override) for override in swept))
            ]
        return Plan(tuple(candidates), is_sweep)

    def composed_yaml(self, overrides: Sequence[str]) -> str:
        """Return the composed configuration of one candidate as YAML."""
        with initialize_config_dir(str(conf_folder()), version_base="1.3"):
            self._parse(overrides)
            return OmegaConf.to_yaml(self._compose(list(overrides)), resolve=True)

    def options(self, group: str) -> list[str]:
        """Return the YAML stems of a group."""
        stems = {
            str(file.relative_to(folder / group).with_suffix(""))
            for folder in self.folders
            for file in (folder / group).rglob("*.yaml")
        }
        return sorted(stems)

    def _parse(self, overrides: Sequence[str]) -> list[Override]:
        loader = GlobalHydra.instance().config_loader()
        try:
            parsed = OverridesParser.create(config_loader=loader).parse_overrides(list(overrides))
        except HydraException as error:
            first = str(error).strip().partition("\n")[0]
            raise ConfigError(f"an override must read key=value: {first}") from error
        for override in parsed:
            self._check_name(override)
        return parsed

    def _check_name(self, override: Override) -> None:
        """Refuse a first name that is neither a group nor a key, and an option with no YAML."""
        known = self._names()
        first = override.key_or_group.partition(".")[0]
        if first not in known and not first.startswith("hydra"):
            raise ConfigError(
                f"no group or key {first!r} (from the command line, {override.input_line!r})"
                f"{registry.nearest(first, known)}"
            )
        group = override.key_or_group
        if group not in (*GROUPS, *OTHER_GROUPS) or override.is_delete():
            return
        options = self.options(group)
        values = _values(override) if override.is_sweep_override() else [str(override.input_line)]
        for value in values:
            stem = value.partition("=")[2].strip("'\"")
            if stem not in options and stem != "null":
                raise ConfigError(
                    f"no {group} option {stem!r} (from the command line, {override.input_line!r})"
                    f"{registry.nearest(stem, options)}"
                )

    def _names(self) -> list[str]:
        fields = [field.name for field in msgspec.structs.fields(Config)]
        return sorted({*fields, *OTHER_GROUPS})

    def _recipe_sweeps(self, fixed: Sequence[Override]) -> list[Override]:
        """Return what a recipe sweeps over: its hydra.sweeper.params under hydra.mode MULTIRUN."""
        if not any(override.key_or_group == "experiment" for override in fixed):
            return []
        composed = self._compose([o.input_line or "" for o in fixed], hydra=True)
        mode = composed.hydra.mode
        params = composed.hydra.sweeper.params
        if mode is None or mode.name != "MULTIRUN" or not params:
            return []
        parsed = self._parse([f"{key}={value}" for key, value in params.items()])
        return [override for override in parsed if override.is_sweep_override()]

    def _candidate(
        self, fixed: Sequence[str], combination: Sequence[str], is_sweep: bool
    ) -> Candidate:
        lines = [*fixed, *combination]
        composed = self._compose(lines, hydra=True)
        options = {
            group: str(stem)
            for group, stem in composed.hydra.runtime.choices.items()
            if group in (*GROUPS, *OTHER_GROUPS) and stem is not None
        }
        plain: Any = OmegaConf.to_container(_without_hydra(composed), resolve=True)
        where = _Where(self.folders, lines, options)
        try:
            config = checked(parse(plain))
        except ConfigError as error:
            raise ConfigError(f"{error}{where.was_set(error.key)}", error.key) from error
        excluded = _exclusion(config)
        if excluded and not is_sweep:
            raise NotApplicableError(excluded)
        return Candidate(config, options, _set_by_hand(self._parse(lines)), excluded)

    def _compose(self, lines: Sequence[str], *, hydra: bool = False) -> DictConfig:
        try:
            return compose("config", [*self._search, *lines], return_hydra_config=hydra)
        except (HydraException, OmegaConfBaseException, yaml.YAMLError) as error:
            raise self._explained(error, lines) from error

    def _explained(self, error: Exception, lines: Sequence[str]) -> ConfigError:
        texts = [str(link) for link in _chain(error)]
        text = "\n".join(texts)
        missing, full = _NOT_IN_STRUCT.search(text), _FULL_KEY.search(text)
        if missing:
            key = full[1] if full else missing[1]
            known = self._siblings(key, lines)
            where = _Where(self.folders, lines, {}).was_set(key)
            return ConfigError(f"no key {key!r}{where}{registry.nearest(missing[1], known)}", key)
        return ConfigError(" ".join(texts[0].split()))

    def _siblings(self, key: str, lines: Sequence[str]) -> list[str]:
        """Return the keys that stand where `key` was looked for."""
        kept = [line for line in lines if not line.partition("=")[0].lstrip("+~").startswith(key)]
        parent = key.rpartition(".")[0]
        try:
            composed = compose("config", [*self._search, *kept])
        except (HydraException, OmegaConfBaseException):
            return []
        node = OmegaConf.select(composed, parent) if parent else composed
        return [str(name) for name in node] if isinstance(node, DictConfig) else []


def checked(config: Config) -> Config:
    """Return the config with every plugin's parameters converted, complete and within bounds.

    All parts but the model (whose library takes seconds to import) are built once, so parameters
    that contradict each other are found here too.
    """
    changed = {}
    for group in GROUPS:
        choice = config.choice(group)
        params = msgspec.to_builtins(registry.check(group, choice), str_keys=False)
        changed[group] = msgspec.structs.replace(choice, params=params)
        if group != "model":
            registry.build(group, choice)
    return msgspec.structs.replace(config, **changed)


def _exclusion(config: Config) -> str | None:
    try:
        registry.check_pairs(config)
    except NotApplicableError as error:
        return str(error)
    return None


class _Where:
    """Where a dotted key was set: the command line, a recipe, an option's YAML or config.yaml."""

    def __init__(
        self, folders: Sequence[Path], lines: Sequence[str], options: Mapping[str, str]
    ) -> None:
        self._folders = folders
        self._lines = lines
        self._options = options

    def was_set(self, key: str | None) -> str:
        if not key:
            return ""
        for line in self._lines:
            set_key = line.partition("=")[0].lstrip("+~")
            if set_key == key or key.startswith(f"{set_key}.") or set_key.startswith(f"{key}."):
                if set_key in self._options:  # the option's file is where the key itself stands
                    continue
                return f" (from the command line, {line!r})"
        for file in self._files(key):
            if re.search(
                rf"^\s*{re.escape(key.rpartition('.')[2])}\s*:", file.read_text(), re.MULTILINE
            ):
                return f" (from {_shown(file)})"
        return ""

    def _files(self, key: str) -> Iterator[Path]:
        group = key.partition(".")[0]
        named = [("experiment", self._options.get("experiment")), (group, self._options.get(group))]
        for folder in self._folders:
            for owner, stem in named:
                file = folder / owner / f"{stem}.yaml"
                if stem is not None and file.is_file():
                    yield file
            if (folder / "config.yaml").is_file():
                yield folder / "config.yaml"


def _shown(file: Path) -> str:
    return str(Path(*file.parts[-3:]))


def _values(override: Override) -> list[str]:
    """Return the single overrides that a listing one stands for."""
    key = override.get_key_element()
    return [f"{key}={value}" for value in override.sweep_string_iterator()]


def _without_hydra(composed: DictConfig) -> DictConfig:
    plain = composed.copy()
    OmegaConf.set_struct(plain, value=False)
    del plain["hydra"]
    plain.pop("experiment", None)
    return plain


def _set_by_hand(parsed: Sequence[Override]) -> dict[str, Any]:
    groups = (*GROUPS, *OTHER_GROUPS)
    return {
        override.key_or_group: msgspec.to_builtins(_plain(override.value()), str_keys=True)
        for override in parsed
        if override.key_or_group not in groups and not override.key_or_group.startswith("hydra")
    }


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    return value if isinstance(value, int | float | bool | None) else str(value)


def _chain(error: BaseException) -> Iterator[BaseException]:
    link: BaseException | None = error
    while link is not None:
        yield link
        link = link.__cause__ or link.__context__
