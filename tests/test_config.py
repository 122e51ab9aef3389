"""Plain dicts to frozen configs, and what does not fit."""

from __future__ import annotations

import msgspec
import pytest

from fraudlab.composition import Composer
from fraudlab.config import Config, key_of, parse, to_plain
from fraudlab.errors import ConfigError


@pytest.fixture(scope="module")
def config() -> Config:
    return Composer().plan([]).candidates[0].config


def test_the_defaults_are_those_of_the_design(config):
    assert config.choices == {
        "data": "simulated",
        "features": "rfm",
        "split": "temporal",
        "scaler": "standard",
        "sampler": "identity",
        "model": "xgb",
        "calibration": "sigmoid",
        "threshold_strategy": "max_fbeta",
        "selection": "average_precision",
    }
    assert (config.seed, config.resume, config.fail_fast, config.keep) == (42, "auto", False, 5)
    assert (config.tracking.name, config.launcher.name) == ("sqlite", "local")


def test_a_plain_config_is_parsed_to_the_same_config(config):
    assert parse(to_plain(config)) == config


def test_parameters_of_data_stand_beside_its_name(config):
    assert to_plain(config)["data"]["customers"] == 5000
    assert config.data.params["customers"] == 5000


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        ("seed", "abc", "seed must be int in [0, 4294967295], got 'abc'"),
        ("seed", -1, "seed must be int in [0, 4294967295], got -1"),
        ("resume", "autp", "resume must be auto | never | only, got 'autp'"),
        ("fail_fast", 1, "fail_fast must be true | false, got 1"),
        ("model", 5, "model must be {name, params}, got 5"),
        ("model", {"params": {}}, "model.name is missing"),
        ("model", {"name": "xgb", "parms": {}}, "no key 'model.parms'; did you mean 'params'?"),
        ("model", {"name": "xgb", "params": {1: 2}}, "model.params must be {text: anything}"),
        ("data", 5, "data must be {name, params}, got 5"),
        ("data", {"path": "x"}, "data.name must be text, got null"),
        ("tracking", {"name": "server", "urii": "x"}, "no key 'tracking.urii'; did you mean 'uri'"),
        ("stray", 1, "no key 'stray'"),
    ],
)
def test_what_does_not_fit_is_named_with_what_is_allowed(config, key, value, text):
    with pytest.raises(ConfigError) as raised:
        parse({**to_plain(config), key: value})
    assert str(raised.value).startswith(text)
    assert raised.value.key is not None
    assert raised.value.key.startswith(key)


def test_where_results_go_is_no_part_of_a_results_key(config):
    elsewhere = msgspec.structs.replace(config, keep=1, resume="never", fail_fast=True)
    assert key_of(elsewhere) == key_of(config)
    assert key_of(msgspec.structs.replace(config, seed=1)) != key_of(config)
    assert key_of(config, "other data") != key_of(config)
