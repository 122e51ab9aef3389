"""The composed configuration as frozen Structs, made from plain dicts.

Hydra's objects end before this module. A `Config` is one candidate: nothing in it is looked up
later, so what was checked is what runs.
"""

from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec

from fraudlab.errors import ConfigError

GROUPS = (
    "data",
    "features",
    "split",
    "scaler",
    "sampler",
    "model",
    "calibration",
    "threshold_strategy",
    "selection",
)
FLAT_GROUPS = ("data",)  # their parameters stand beside `name`: data.path, not data.params.path


class Choice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One option of a config group: a plugin's registry name and its parameters."""

    name: str
    params: dict[str, Any] = {}


class Tracking(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where MLflow keeps the mirror of the results."""

    name: Literal["sqlite", "server", "disabled"] = "sqlite"
    uri: str | None = None
    experiment: str = "fraudlab"


class Launcher(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What runs the candidates of a sweep."""

    name: Literal["local"] = "local"


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One candidate, completely resolved."""

    data: Choice
    features: Choice
    split: Choice
    scaler: Choice
    sampler: Choice
    model: Choice
    calibration: Choice
    threshold_strategy: Choice
    selection: Choice
    tracking: Tracking = Tracking()
    launcher: Launcher = Launcher()
    seed: Annotated[int, msgspec.Meta(ge=0, le=2**32 - 1)] = 42
    resume: Literal["auto", "never", "only"] = "auto"
    fail_fast: bool = False
    keep: Annotated[int, msgspec.Meta(ge=1)] = 5

    def choice(self, group: str) -> Choice:
        """Return the choice made for a group."""
        chosen: Choice = getattr(self, group)
        return chosen

    @property
    def choices(self) -> dict[str, str]:
        """Registry names by group."""
        return {group: self.choice(group).name for group in GROUPS}


class Candidate(msgspec.Struct, frozen=True):
    """One composed config, and how it was asked for.

    Attributes
    ----------
    config
        The candidate.
    options
        The YAML stem chosen in each group.
    overrides
        Values set by hand, by dotted key.
    not_applicable
        Why its choices exclude each other; None when they do not.
    """

    config: Config
    options: dict[str, str]
    overrides: dict[str, Any]
    not_applicable: str | None = None


_UNKNOWN = re.compile(r"Object contains unknown field `(.+)`")
# What a result does not depend on: where it is mirrored, what launched it, how a sweep goes on.
_OUTSIDE_THE_KEY = ("tracking", "launcher", "resume", "fail_fast", "keep", "selection")


def parse(plain: Mapping[str, Any]) -> Config:
    """Return the `Config` of a composed, plain dict.

    Raises
    ------
    ConfigError
        If a key does not exist or a value has the wrong type; the message ends in its path.
    """
    shaped = dict(plain)
    for group in FLAT_GROUPS:
        content = shaped.get(group)
        if isinstance(content, Mapping):
            params = {key: value for key, value in content.items() if key != "name"}
            shaped[group] = {"name": content.get("name"), "params": params}
    try:
        return msgspec.convert(shaped, Config)
    except msgspec.ValidationError as error:
        raise _explained(error, shaped) from error


def _explained(error: msgspec.ValidationError, plain: Mapping[str, Any]) -> ConfigError:
    """Return the error in the words of a configuration, with the dotted key it is about."""
    what, _, path = str(error).partition(" - at `$")
    path = path.strip("`.")
    unknown = _UNKNOWN.match(what)
    if unknown:
        shape = Config if not path else Choice
        known = [field.name for field in msgspec.structs.fields(shape)]
        key = ".".join(part for part in (path, unknown[1]) if part)
        close = difflib.get_close_matches(unknown[1], known, n=1, cutoff=0.5)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        return ConfigError(f"no key {key!r}{hint}; available: {', '.join(known)}", key)
    value: Any = plain
    for part in path.split("."):
        value = value.get(part) if isinstance(value, Mapping) else value
    if not path:
        return ConfigError(f"the configuration is incomplete: {what}")
    return ConfigError(f"{path}: {expectation(what)}, got {value!r}", path)


def expectation(what: str) -> str:
    """Return msgspec's words without the type it got: the value itself follows."""
    return what.partition(", got ")[0]


def key_of(config: Config, *parts: str) -> str:
    """Return the sha256 over what determines a result: the config and `parts` (data, code)."""
    plain = msgspec.to_builtins(config)
    for name in _OUTSIDE_THE_KEY:
        del plain[name]
    content = msgspec.json.encode([plain, *parts], order="sorted")
    return hashlib.sha256(content).hexdigest()
