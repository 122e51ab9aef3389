"""The composed configuration as frozen Structs, made from plain dicts.

Hydra's objects end before this module. A `Config` is one candidate: nothing in it is looked up
later, so what was checked is what runs.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec

from fraudlab.errors import ConfigError
from fraudlab.limits import LauncherSettings
from fraudlab.wording import misfit

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


class Costs(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What each outcome costs, in the currency of the amounts: the metrics cost and savings.

    The default is Bahnsen's matrix for cards: every alert costs its handling, a missed fraud its
    amount. A number for `false_negative` makes the matrix the same for every row (Elkan, 2001).
    """

    true_positive: float = 5.0
    false_positive: float = 5.0
    false_negative: float | Literal["amount"] = "amount"
    true_negative: float = 0.0

    def fault(self) -> tuple[str, str] | None:
        """Return the cost under which nothing means anything, and what it must be; None is fine."""
        for name, cost in msgspec.structs.asdict(self).items():
            if not isinstance(cost, str) and not math.isfinite(cost):
                return name, f"must be a finite number, got {cost!r}"
        if self.false_positive <= self.true_negative:
            return "false_positive", (
                "must be more than true_negative: otherwise a false alarm costs nothing and every"
                f" row is best alerted; got {self.false_positive!r} and {self.true_negative!r}"
            )
        return None


class Bootstrap(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How intervals are estimated: what is drawn as a whole, and how often.

    A table without cards (or days) draws rows. No resamples, no intervals.
    """

    cluster: Literal["card", "day", "row"] = "card"
    resamples: Annotated[int, msgspec.Meta(ge=0, le=100_000)] = 1000


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
    launcher: LauncherSettings = LauncherSettings()
    costs: Costs = Costs()
    bootstrap: Bootstrap = Bootstrap()
    seed: Annotated[int, msgspec.Meta(ge=0, le=2**32 - 1)] = 42
    resume: Literal["auto", "never", "only"] = "auto"
    fail_fast: bool = False
    keep: Annotated[int, msgspec.Meta(ge=1)] = 5
    slots: Annotated[int, msgspec.Meta(ge=1, le=10_000)] | None = None
    pair: tuple[tuple[str, ...], ...] = ()
    exclude: tuple[dict[str, Any], ...] = ()
    subset: Annotated[int, msgspec.Meta(ge=1)] | None = None

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


# What a result does not depend on: where it is mirrored, what launched it, how a sweep goes on and
# ranks. The candidates of a command have it in common.
SHARED_KEYS = (
    "tracking", "launcher", "resume", "fail_fast", "keep", "slots", "pair", "exclude", "subset",
    "selection",
)  # fmt: skip
# Nor may they differ in what the outcomes cost: their savings would not compare.
COMMON_KEYS = (*SHARED_KEYS, "costs")


def to_plain(config: Config) -> dict[str, Any]:
    """Return the composed, plain dict that `parse` makes the same `Config` of."""
    plain: dict[str, Any] = msgspec.to_builtins(config, str_keys=True)
    for group in FLAT_GROUPS:
        choice = config.choice(group)
        plain[group] = {"name": choice.name, **plain[group]["params"]}
    return plain


def parse(plain: Mapping[str, Any]) -> Config:
    """Return the `Config` of a composed, plain dict.

    Raises
    ------
    ConfigError
        If a key does not exist or a value has the wrong type; it carries the dotted key.
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
        raise ConfigError(*misfit(error, Config, shaped)) from error


def canonical(*values: Any) -> bytes:
    """Return values as JSON in which equal ones are the same bytes, whatever order keys came in.

    Keys that are numbers, as in weights by class, become texts.
    """
    return msgspec.json.encode(msgspec.to_builtins(values, str_keys=True), order="sorted")


def key_of(config: Config, *parts: str) -> str:
    """Return the sha256 over what determines a result: the config and `parts` (data, code)."""
    plain = msgspec.to_builtins(config, str_keys=True)
    for name in SHARED_KEYS:
        del plain[name]
    return hashlib.sha256(canonical(plain, *parts)).hexdigest()
