"""What no single type can refuse: parameters that plugins refuse, and choices that contradict.

All of it is found before any data is read, and without importing a model's library.
"""

from __future__ import annotations

import re

import msgspec

from fraudlab import registry
from fraudlab.config import GROUPS, Config
from fraudlab.errors import ConfigError
from fraudlab.launching.available import check_launcher

_KEY = re.compile(r"[a-z_]+(\.\w+)+")


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
    _check_launcher(config)
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
    _check_fault("costs", config.costs.fault())
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


def _check_fault(key: str, fault: tuple[str, str] | None) -> None:
    """Refuse what a part of the config says is wrong with itself: a name in it, and the rule."""
    if fault is not None:
        name, rule = fault
        raise ConfigError(f"{key}.{name} {rule}", f"{key}.{name}")


def _check_launcher(config: Config) -> None:
    """Refuse durations and sizes that cannot be understood, and a launcher that cannot start."""
    _check_fault("launcher", config.launcher.fault())
    check_launcher(config.launcher)


def contradiction(config: Config) -> str | None:
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
