"""What a search may vary: dimensions, some of them under conditions, read from YAML.

It knows keys and values; whether they fit the configuration is for `probing` to find out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
import yaml

from fraudlab.config import canonical
from fraudlab.errors import ConfigError
from fraudlab.folders import shown
from fraudlab.searching.dimensions import Dimension, Pick, read_dimension, read_shape

GROUP = "hparams_search"
Plain = str | int | float | bool | None
Values = dict[str, Any]
EXAMPLE = "when: [{if: {model: xgb}, space: {model.params.max_depth: [4, 8]}}]"


class Sampling(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How values are proposed: Optuna's TPE.

    Attributes
    ----------
    n_startup_trials
        Candidates drawn at random before it models which values are good.
    n_ei_candidates
        Values drawn from that model, of which the most promising is proposed.
    multivariate
        Whether dimensions are modelled together.
    group
        Whether those that stand under the same condition are; for multivariate only.
    """

    n_startup_trials: Annotated[int, msgspec.Meta(ge=0)] = 10
    n_ei_candidates: Annotated[int, msgspec.Meta(ge=1)] = 24
    multivariate: bool = True
    group: bool = True


class Pruning(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When a candidate is cut short, where validation has several stages.

    Attributes
    ----------
    enabled
        Whether any is.
    percentile
        The share, in percent, of earlier candidates at that stage that it must be among.
    n_startup_trials
        Candidates that are finished before one is cut short.
    n_warmup_stages
        Stages of each that are let pass.
    """

    enabled: bool = True
    percentile: Annotated[float, msgspec.Meta(gt=0, le=100)] = 50.0
    n_startup_trials: Annotated[int, msgspec.Meta(ge=0)] = 5
    n_warmup_stages: Annotated[int, msgspec.Meta(ge=0)] = 0


class When(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Dimensions under a condition, as YAML says them."""

    holds: dict[str, Plain | list[Plain]] = msgspec.field(name="if")
    space: dict[str, Any] = {}


class Written(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A search as YAML says it."""

    space: dict[str, Any] = {}
    fixed: dict[str, Plain | list[Plain]] = {}
    when: tuple[When, ...] = ()
    sampling: Sampling = Sampling()
    pruning: Pruning = Pruning()


class Part(msgspec.Struct, frozen=True):
    """Dimensions that vary where a condition holds: every key has one of its values."""

    holds: dict[str, tuple[Any, ...]]
    dimensions: tuple[Dimension, ...]

    def is_active(self, values: Mapping[str, Any]) -> bool:
        """Whether the condition holds among the values chosen so far."""
        return all(key in values and values[key] in of for key, of in self.holds.items())


class Space(msgspec.Struct, frozen=True):
    """What a search may vary.

    Attributes
    ----------
    name, file
        The option of `hparams_search`, and the YAML it was read from.
    fixed
        By key, what all candidates have in common.
    parts
        The dimensions, those without a condition first.
    """

    name: str
    file: str
    fixed: Values
    parts: tuple[Part, ...]
    sampling: Sampling
    pruning: Pruning

    @property
    def dimensions(self) -> Iterator[Dimension]:
        """All dimensions, in order."""
        return (dimension for part in self.parts for dimension in part.dimensions)

    def walk(self, known: Mapping[str, Any], pick: Pick) -> Values:
        """Return a value for each dimension whose condition holds.

        Parameters
        ----------
        known
            What is chosen already: conditions may ask for it.
        pick
            Chooses the value of a dimension; it is asked in order.

        Raises
        ------
        ConfigError
            If two parts whose conditions hold vary the same key.
        """
        found: Values = {}
        for part in self.parts:
            if not part.is_active({**known, **found}):
                continue
            for dimension in part.dimensions:
                if dimension.key in found:
                    raise ConfigError(
                        f"{self.file}: {dimension.key} varies twice where {condition(part.holds)}:"
                        " conditions of the same key must exclude each other"
                    )
                found[dimension.key] = pick(dimension)
        return found

    def without(self, said: Mapping[str, Any]) -> Space:
        """Return the space without what the user has said: a word wins over what would vary.

        Raises
        ------
        ConfigError
            If nothing is left that varies.
        """
        fixed = {key: value for key, value in self.fixed.items() if key not in said}
        parts = []
        for part in self.parts:
            left = tuple(each for each in part.dimensions if each.key not in said)
            if left:
                parts.append(msgspec.structs.replace(part, dimensions=left))
        if not parts:
            raise ConfigError(
                f"{self.file}: every key that would vary is set by the command line, so there is"
                " nothing to search"
            )
        return msgspec.structs.replace(self, fixed=fixed, parts=tuple(parts))

    def digest(self, *others: Any) -> str:
        """Return the sha256 over all that decides what is tried, and `others`."""
        decisive = canonical(self.fixed, self.parts, self.sampling, self.pruning, *others)
        return hashlib.sha256(decisive).hexdigest()


def condition(holds: Mapping[str, tuple[Any, ...]]) -> str:
    """Return a condition as a person reads it; it names the dimensions below it, too."""
    return ", ".join(f"{key}={'|'.join(map(str, of))}" for key, of in holds.items())


def read_space(name: str, path: Path) -> Space:
    """Return the search of a YAML.

    Raises
    ------
    ConfigError
        If the file is no YAML of a search; it names the file, the key, and the nearest that exists.
    """
    file = shown(path)
    written = read_shape(_read_yaml(path, file), Written, file, EXAMPLE)
    parts = [_part({}, written.space, f"{file}: space")]
    for place, when in enumerate(written.when, 1):
        where = f"{file}: when, entry {place}"
        if not when.holds or not when.space:
            raise ConfigError(f"{where} needs both `if`, a condition, and `space`, what it varies")
        parts.append(_part(when.holds, when.space, f"{where}: space"))
    kept = tuple(part for part in parts if part.dimensions)
    if not kept:
        raise ConfigError(
            f"{file} varies nothing: give space a key with its values, such as"
            " model.params.max_depth: {low: 2, high: 10}"
        )
    names = {dimension.key for part in kept for dimension in part.dimensions}
    for key in written.fixed:
        if key in names:
            raise ConfigError(f"{file}: {key} stands under fixed and in a space: keep one")
    return Space(name, file, dict(written.fixed), kept, written.sampling, written.pruning)


def _read_yaml(path: Path, file: str) -> dict[str, Any]:
    """Return the keys and values of a YAML; `file` is its name in errors."""
    try:
        content = yaml.safe_load(path.read_text("utf-8"))
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        raise ConfigError(f"{file}{line}: this is not valid YAML: {error.problem}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: this is not valid YAML: {error}") from error
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise ConfigError(
            f"{file} must hold keys and values (space, fixed, when, ...), got"
            f" {type(content).__name__}"
        )
    return content


def _part(holds: Mapping[str, Any], space: Mapping[str, Any], where: str) -> Part:
    asked = {key: tuple(of if isinstance(of, list) else [of]) for key, of in holds.items()}
    label: Callable[[str], str] = lambda key: f"{key} [{condition(asked)}]" if asked else key  # noqa: E731
    found = (read_dimension(label(key), key, of, f"{where}.{key}") for key, of in space.items())
    return Part(asked, tuple(found))
